//! Which groups of rules a call may meet, found by its operation and then by what its conditions ask for. Whether it
//! meets them is `matcher`'s.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::index::{Ids, TextIndex};
use super::matcher::{Call, Head};
use super::operations;
use super::rule::{CallWhen, Operation};

/// A bucket with more groups than this has an index.
const FEW: usize = 8;

/// Groups by operation.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    all: Vec<Bucket>,
    /// By a hash of the operation.
    by_operation: HashMap<u64, u32>,
    any: Ids,
    /// By a path without its leading slash.
    rpcs: TextIndex,
    /// By a path.
    rest: TextIndex,
}

/// The groups of one operation.
#[derive(Debug)]
pub(super) struct Bucket {
    operation: Operation,
    groups: Vec<u32>,
    /// Groups that ask for the tag or the command.
    processes: Ids,
    /// Groups that ask for the path.
    paths: Ids,
    index: Option<Box<Index>>,
}

/// Groups, each under one of its conditions.
#[derive(Debug, Default)]
struct Index {
    tag: TextIndex,
    command: TextIndex,
    path: TextIndex,
    header: HashMap<Box<str>, TextIndex>,
    query: HashMap<Box<str>, TextIndex>,
    connection: HashMap<u64, Ids>,
    other: Vec<u32>,
}

impl Buckets {
    /// Adds a group; `when` tells the conditions of this one and of those that are there.
    pub(super) fn insert<'w>(&mut self, group: u32, when: impl Fn(u32) -> &'w CallWhen) {
        let bucket = self.bucket_of(&when(group).operation);
        self.all[bucket as usize].insert(group, when);
    }

    fn bucket_of(&mut self, operation: &Operation) -> u32 {
        let mut hasher = DefaultHasher::new();
        operation.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(known) =
            self.by_operation.get(&hash).filter(|id| self.all[**id as usize].operation == *operation)
        {
            return *known;
        }
        let id = u32::try_from(self.all.len()).expect("there are no more operations than rules");
        self.all.push(Bucket::new(operation.clone()));
        self.by_operation.insert(hash, id);
        match operation {
            Operation::Any => self.any.push(id),
            Operation::Rpc(glob) => self.rpcs.insert(glob, id),
            Operation::Rest(_, glob) => self.rest.insert(glob, id),
        }
        id
    }

    /// The buckets whose operation is called.
    pub(super) fn visit_operations<'b>(&'b self, head: &dyn Head, visit: &mut dyn FnMut(&'b Bucket)) {
        let mut meant = |id: u32| {
            let bucket = &self.all[id as usize];
            if bucket.operation.matches(head) {
                visit(bucket);
            }
        };
        self.any.as_slice().iter().for_each(|id| meant(*id));
        let path = head.path();
        if let Some(path) = path.strip_prefix('/') {
            self.rpcs.visit(path, &mut meant);
        }
        self.rest.visit(path, &mut meant);
    }
}

impl Bucket {
    fn new(operation: Operation) -> Self {
        Self { operation, groups: Vec::new(), processes: Ids::None, paths: Ids::None, index: None }
    }

    fn insert<'w>(&mut self, group: u32, when: impl Fn(u32) -> &'w CallWhen) {
        let conditions = when(group);
        if conditions.tag.is_some() || conditions.command.is_some() {
            self.processes.push(group);
        } else if conditions.path.is_some() {
            self.paths.push(group);
        }
        if let Some(index) = &mut self.index {
            index.insert(group, conditions);
            return;
        }
        self.groups.push(group);
        if self.groups.len() > FEW {
            let index = self.index.insert(Box::default());
            std::mem::take(&mut self.groups).into_iter().for_each(|group| index.insert(group, when(group)));
        }
    }

    /// The groups that ask for what only the first message of this call says.
    pub(super) fn about_messages(&self, head: &dyn Head) -> impl Iterator<Item = u32> {
        let names = operations::rpc_at(head.path()).map(|operation| operation.names).unwrap_or_default();
        let processes = if names.process { self.processes.as_slice() } else { &[] };
        let paths = if names.path { self.paths.as_slice() } else { &[] };
        processes.iter().chain(paths).copied()
    }

    /// The groups whose conditions the call may meet.
    pub(super) fn visit(&self, call: &Call<'_>, visit: &mut dyn FnMut(u32)) {
        match &self.index {
            Some(index) => index.visit(call, visit),
            None => self.groups.iter().for_each(|group| visit(*group)),
        }
    }
}

impl Index {
    fn insert(&mut self, group: u32, when: &CallWhen) {
        if let Some(connection) = when.connection {
            self.connection.entry(connection).or_default().push(group);
        } else if let Some(tag) = &when.tag {
            self.tag.insert(tag, group);
        } else if let Some(command) = &when.command {
            self.command.insert(command, group);
        } else if let Some(path) = &when.path {
            self.path.insert(path, group);
        } else if let Some((name, glob)) = when.header.first() {
            let name = name.to_ascii_lowercase().into_boxed_str();
            self.header.entry(name).or_default().insert(glob, group);
        } else if let Some((name, glob)) = when.query.first() {
            self.query.entry(name.as_str().into()).or_default().insert(glob, group);
        } else {
            self.other.push(group);
        }
    }

    fn visit(&self, call: &Call<'_>, visit: &mut dyn FnMut(u32)) {
        self.other.iter().for_each(|group| visit(*group));
        let groups = self.connection.get(&call.connection).map(Ids::as_slice);
        groups.into_iter().flatten().for_each(|group| visit(*group));
        for (index, text) in [(&self.tag, &call.message.tag), (&self.command, &call.message.command)] {
            if let Some(text) = text {
                index.visit(text, visit);
            }
        }
        if let Some(path) = call.path() {
            self.path.visit(&path, visit);
        }
        if !self.header.is_empty() {
            for name in call.head.header_names() {
                if let Some(index) = self.header.get(&*name) {
                    once_each(&call.head.headers(&name), index, visit);
                }
            }
        }
        if !self.query.is_empty() {
            for name in call.head.query_names() {
                if let Some(index) = self.query.get(&*name) {
                    once_each(&call.head.query(&name), index, visit);
                }
            }
        }
    }
}

/// Visits what may match any of the values, each once.
fn once_each(values: &[std::borrow::Cow<'_, str>], index: &TextIndex, visit: &mut dyn FnMut(u32)) {
    let mut seen = Vec::new();
    for value in values {
        index.visit(value, &mut |group| seen.push(group));
    }
    if values.len() > 1 {
        seen.sort_unstable();
        seen.dedup();
    }
    seen.into_iter().for_each(visit);
}
