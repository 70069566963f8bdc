//! Checks the dependencies between the top-level modules of a crate against a declared diagram. Development only: a
//! test of the checked crate calls [`violations`].
//!
//! A dependency is any path in product code that leads from one top-level module to another: `use crate::a::b`, `use
//! crate::{a, b}`, `super::super::a`, `crate::a::f()` in an expression, and names that the crate root re-exports. Code
//! under `#[cfg(test)]` does not count. Paths are found in the text, not by the compiler, so paths inside macros count.

mod lexer;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use self::paths::{Leaf, leaves};

/// One line of a diagram: a module, and the modules that it uses.
pub type Line<'a> = (&'a str, &'a [&'a str]);

/// The source files of a crate, by their path below `src`.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<PathBuf, String>);

impl Sources {
    /// Reads every `.rs` file below `src`.
    ///
    /// # Errors
    /// When a file or directory cannot be read.
    pub fn read(src: &Path) -> io::Result<Self> {
        let mut all = Self::default();
        all.read_below(src, src)?;
        Ok(all)
    }

    fn read_below(&mut self, src: &Path, directory: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read_below(src, &path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(src).unwrap_or(&path).to_owned();
                self.0.insert(name, std::fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }

    /// Adds a file, or replaces it.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.0.insert(path.into(), text.into());
        self
    }

    /// The top-level modules: every file or directory next to `lib.rs`.
    fn modules(&self) -> BTreeSet<String> {
        self.0.keys().filter_map(|path| module_path(path).into_iter().next()).collect()
    }
}

/// The module path of a file; empty for the root of a library or binary.
fn module_path(path: &Path) -> Vec<String> {
    let parts = path.with_extension("");
    let mut parts: Vec<String> = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match parts.last().map(String::as_str) {
        Some("lib" | "main") if parts.len() == 1 => parts.clear(),
        Some("mod") => drop(parts.pop()),
        _ => {}
    }
    parts
}

/// The dependencies between top-level modules, each with a place where it occurs.
pub fn dependencies(sources: &Sources) -> BTreeMap<(String, String), String> {
    let modules = sources.modules();
    let root: BTreeMap<String, String> = sources
        .0
        .iter()
        .filter(|(path, _)| module_path(path).is_empty())
        .flat_map(|(_, text)| re_exports(text, &modules))
        .collect();
    let mut found = BTreeMap::new();
    for (path, text) in &sources.0 {
        let own = module_path(path);
        let Some(from) = own.first() else { continue };
        for Leaf { path: used, line } in leaves(text, &own) {
            let Some(first) = used.first() else { continue };
            let to = if modules.contains(first) { Some(first) } else { root.get(first) };
            if let Some(to) = to.filter(|to| *to != from) {
                let place = format!("{}:{line}", path.display());
                found.entry((from.clone(), to.clone())).or_insert(place);
            }
        }
    }
    found
}

/// What the crate root re-exports: the name, and the module that it comes from.
fn re_exports(root: &str, modules: &BTreeSet<String>) -> Vec<(String, String)> {
    let paths = leaves(root, &[]).into_iter().map(|leaf| leaf.path);
    let exported = |path: Vec<String>| {
        let (first, last) = (path.first()?, path.last()?);
        (path.len() > 1 && modules.contains(first)).then(|| (last.clone(), first.clone()))
    };
    paths.filter_map(exported).collect()
}

/// What is wrong, one line each: dependencies that the diagram does not have, lines of the diagram without a counterpart in
/// the code, and cycles.
pub fn violations(sources: &Sources, diagram: &[Line<'_>]) -> Vec<String> {
    let found = dependencies(sources);
    let declared: BTreeMap<&str, &[&str]> = diagram.iter().copied().collect();
    let mut out = Vec::new();
    for module in sources.modules().iter().filter(|module| !declared.contains_key(module.as_str())) {
        out.push(format!("the module {module} is not in the diagram"));
    }
    for ((from, to), place) in &found {
        if !declared.get(from.as_str()).is_some_and(|allowed| allowed.contains(&to.as_str())) {
            out.push(format!("{from} must not use {to}: {place}"));
        }
    }
    for (from, allowed) in diagram {
        let unused = |to: &&&str| !found.contains_key(&((*from).to_owned(), (**to).to_owned()));
        out.extend(
            allowed
                .iter()
                .filter(unused)
                .map(|to| format!("the diagram lets {from} use {to}, which it does not")),
        );
    }
    out.extend(cycle(&found).map(|cycle| format!("cycle: {}", cycle.join(" -> "))));
    out
}

/// A cycle in the dependencies, if there is one.
fn cycle(found: &BTreeMap<(String, String), String>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    let starts: BTreeSet<&String> = found.keys().map(|(from, _)| from).collect();
    starts.into_iter().find_map(|start| visit(start, found, &mut Vec::new(), &mut done))
}

fn visit(
    module: &str,
    found: &BTreeMap<(String, String), String>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(at) = path.iter().position(|known| known == module) {
        return Some(path[at..].iter().cloned().chain([module.to_owned()]).collect());
    }
    if done.contains(module) {
        return None;
    }
    path.push(module.to_owned());
    let next = found.keys().filter(|(from, _)| from == module).map(|(_, to)| to);
    let cycle = next.into_iter().find_map(|to| visit(to, found, path, done));
    path.pop();
    done.insert(module.to_owned());
    cycle
}
