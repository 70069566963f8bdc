//! The index of rules: it finds what a walk over all rules finds, counts the same, and draws the same.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::fault::matcher::{Message, unmet};
use crate::fault::rule::Script;

/// A request, in as much as rules look at it.
#[derive(Debug, Clone, Default)]
struct Asked {
    method: &'static str,
    path: String,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
}

impl Head for Asked {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn is_rpc(&self) -> bool {
        self.path.starts_with("/process.")
    }

    fn headers(&self, name: &str) -> Vec<Cow<'_, str>> {
        self.headers.get(name).map(|value| Cow::Borrowed(value.as_str())).into_iter().collect()
    }

    fn query(&self, name: &str) -> Vec<Cow<'_, str>> {
        self.query.get(name).map(|value| Cow::Borrowed(value.as_str())).into_iter().collect()
    }

    fn header_names(&self) -> Vec<Cow<'_, str>> {
        self.headers.keys().map(|name| Cow::Borrowed(name.as_str())).collect()
    }

    fn query_names(&self) -> Vec<Cow<'_, str>> {
        self.query.keys().map(|name| Cow::Borrowed(name.as_str())).collect()
    }
}

fn get(path: &str) -> Asked {
    Asked { method: "GET", path: path.to_owned(), ..Asked::default() }
}

fn script(rules: &str) -> Script {
    Script::parse_expressions("test", rules).unwrap()
}

/// Names and ordinals of the rules that are chosen for a call.
fn chosen(rules: &Rules, head: &Asked, name: Option<&str>) -> Vec<(String, u64)> {
    let message = Message::default();
    let call = Call { head, message: &message, generation: 2, connection: 3, name };
    let plan = rules.decide(&call, Duration::ZERO);
    plan.iter().map(|chosen| (chosen.name().to_owned(), chosen.n)).collect()
}

/// Kind: draws that change from one release to the next. Computed apart, as in `draw`.
#[test]
fn the_calls_that_a_probability_chooses_are_the_same_in_every_release() {
    let rules = Rules::arm(script("GET /files %0.5 name=half: cut").with_seed(7), Duration::ZERO);
    let drawn = |name: Option<&str>, calls: u64| -> Vec<u64> {
        (1..=calls).filter(|_| !chosen(&rules, &get("/files"), name).is_empty()).collect()
    };
    assert_eq!(drawn(None, 32), [2, 3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 20, 21, 23, 24, 29, 31, 32]);
    // A name has draws of its own, however many other calls there were.
    assert_eq!(drawn(Some("upload"), 16), [1, 2, 3, 4, 5, 6, 7, 10, 12, 13, 15, 16]);
}

#[test]
fn the_waits_that_are_drawn_are_the_same_in_every_release() {
    let rules = Rules::arm(script("* name=late: delay 20ms..200ms").with_seed(7), Duration::ZERO);
    let message = Message::default();
    let head = get("/files");
    let call = Call { head: &head, message: &message, generation: 2, connection: 1, name: None };
    let waits: Vec<u128> = (0..5)
        .map(|_| {
            let plan = rules.decide(&call, Duration::ZERO);
            let wait = plan[0].rule().wait().unwrap();
            plan[0].key.wait(wait).as_micros()
        })
        .collect();
    assert_eq!(waits, [141_194, 31_764, 158_534, 196_035, 199_430]);
}

/// Kind: a map that grows with what clients send.
#[test]
fn names_of_calls_are_counted_in_bounded_memory() {
    let rules = Rules::arm(script("GET /files %0.5: cut"), Duration::ZERO);
    let long = "n".repeat(100_000);
    for number in 0..3 * MOST_NAMES {
        let name = format!("{number}");
        chosen(&rules, &get("/files"), Some(if number % 1000 == 0 { &long } else { &name }));
    }
    let names = rules.names.lock().unwrap();
    assert_eq!((names.counts.len(), names.order.len()), (MOST_NAMES, MOST_NAMES));
}

#[test]
fn a_rule_that_is_added_counts_from_one_and_those_that_stay_go_on() {
    let rules = Rules::arm(script("GET /health #2 name=first: status 500"), Duration::ZERO);
    assert_eq!(chosen(&rules, &get("/health"), None), []);
    rules.add(script("GET /health #2 name=second: content-type text/html"), Duration::ZERO).unwrap();
    assert_eq!(chosen(&rules, &get("/health"), None), [("first".to_owned(), 2)]);
    assert_eq!(chosen(&rules, &get("/health"), None), [("second".to_owned(), 2)]);
    let counts = |name: &str| rules.calls().iter().find(|armed| armed.rule.name == name).unwrap().counts();
    assert_eq!((counts("first").met, counts("second").met), (3, 2));
    assert!(rules.add(script("GET /envs name=second: cut"), Duration::ZERO).is_err());
    assert!(rules.remove("first").is_some() && rules.remove("first").is_none());
    assert!(rules.add(script("GET /envs name=first: status 500"), Duration::ZERO).is_ok());
}

#[test]
fn rules_that_are_taken_away_leave_no_places_behind() {
    let rules = Rules::arm(script("GET /health #500 name=stays: status 500"), Duration::ZERO);
    for number in 1..=499 {
        let name = format!("rule {number}");
        rules.add(script(&format!("GET /health name=\"{name}\" #1: cut")), Duration::ZERO).unwrap();
        chosen(&rules, &get("/health"), None);
        assert!(rules.remove(&name).is_some());
    }
    assert!(rules.read().calls.len() < 100 && rules.read().groups.len() < 100);
    assert_eq!(chosen(&rules, &get("/health"), None), [("stays".to_owned(), 500)]);
}

/// One rule, of any shape that the index treats differently.
fn rule() -> impl Strategy<Value = String> {
    let operation = prop::sample::select(vec![
        "*",
        "GET /health",
        "/health",
        "GET /files",
        "/fi*",
        "/**s",
        "process.Process/*",
        "process.Process/Start",
        "GET /x/**",
    ]);
    let condition = prop::sample::select(vec![
        "",
        "header.a=1",
        "header.a=1*",
        "header.b=*2",
        "query.q=x",
        "query.q=**",
        "path=/tmp/**",
        "path=/tmp/a",
        "connection=3",
        "connection=4",
        "generation=2",
        "generation=3",
        "header.a=1 query.q=x",
        "tag=t",
        "command=t*",
    ]);
    let often = prop::sample::select(vec![
        "",
        "#1",
        "#2",
        "#2..3",
        "#3..",
        "every=2",
        "*1",
        "%0.5",
        "#1 every=3",
        "%0.5 *2",
    ]);
    let fault =
        prop::sample::select(vec!["cut", "status 500", "hang", "delay 1ms..9ms", "header-set a value=b"]);
    (operation, condition, often, fault).prop_map(|(operation, condition, often, fault)| {
        let often = often.replace('*', "times=");
        format!("{operation} {condition} {often}: {fault}")
    })
}

fn call() -> impl Strategy<Value = (Asked, Message, Option<&'static str>)> {
    let path = prop::sample::select(vec![
        "/health",
        "/files",
        "/process.Process/Start",
        "/process.Process/List",
        "/x/y",
    ]);
    let text = |texts: Vec<&'static str>| prop::option::of(prop::sample::select(texts));
    (
        path,
        text(vec!["1", "12", "x"]),
        text(vec!["2", "12", "x"]),
        text(vec!["x", "y"]),
        text(vec!["/tmp/a", "/tmp/b/c", "/etc"]),
        text(vec!["t", "tt"]),
        text(vec!["one", "two"]),
    )
        .prop_map(|(path, a, b, q, file, tag, name)| {
            let mut asked = get(path);
            asked.headers.extend(a.map(|a| ("a".to_owned(), a.to_owned())));
            asked.headers.extend(b.map(|b| ("b".to_owned(), b.to_owned())));
            asked.query.extend(q.map(|q| ("q".to_owned(), q.to_owned())));
            let owned = |text: Option<&str>| text.map(str::to_owned);
            (asked, Message { path: owned(file), tag: owned(tag), command: owned(tag) }, name)
        })
}

/// A rule with counts of its own, as if there were no other.
struct Alone {
    armed: Arc<Armed<CallRule>>,
    met: u64,
    names: HashMap<String, u64>,
}

impl Alone {
    fn decide(&mut self, call: &Call<'_>) -> Option<ChosenCall> {
        if unmet(&self.armed.rule.when, call).is_some() {
            return None;
        }
        self.met += 1;
        let named = call.name.map(|name| {
            let count = self.names.entry(name.to_owned()).or_default();
            *count += 1;
            (name, *count)
        });
        self.armed.decide(self.met, named)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Kind: an index that misses a rule, finds one too many, or counts for one what another met.
    #[test]
    fn the_index_decides_as_a_walk_over_all_rules_does(
        first in prop::collection::vec(rule(), 0..40),
        later in prop::collection::vec(rule(), 0..20),
        calls in prop::collection::vec(call(), 1..40),
        when in 0..40usize,
    ) {
        let with_names = |rules: &[String], prefix: &str| {
            let mut script = script(&rules.join("\n")).with_seed(7);
            for (index, rule) in script.calls.iter_mut().enumerate() {
                rule.name = format!("{prefix} {index}");
            }
            script
        };
        let alone = |script: &Script| -> Vec<Alone> {
            let one = |rule: &CallRule| Alone { armed: Armed::new(rule.clone(), 7, Duration::ZERO), met: 0, names: HashMap::new() };
            script.calls.iter().map(one).collect()
        };
        let (first, later) = (with_names(&first, "first"), with_names(&later, "later"));
        let mut walk = alone(&first);
        let rules = Rules::arm(first, Duration::ZERO);
        for (index, (head, message, name)) in calls.iter().enumerate() {
            if index == when {
                walk.extend(alone(&later));
                rules.add(later.clone(), Duration::ZERO).unwrap();
            }
            let call = Call { head, message, generation: 2, connection: 3, name: *name };
            let mut expected: Vec<ChosenCall> = Vec::new();
            for one in walk.iter_mut().filter_map(|alone| alone.decide(&call)) {
                if !expected.iter().any(|other| other.rule().slot() == one.rule().slot()) {
                    expected.push(one);
                }
            }
            let told = |plan: &[ChosenCall]| -> Vec<(String, u64, Option<Duration>)> {
                let wait = |one: &ChosenCall| one.rule().wait().map(|wait| one.key.wait(wait));
                plan.iter().map(|one| (one.name().to_owned(), one.n, wait(one))).collect()
            };
            prop_assert_eq!(told(&rules.decide(&call, Duration::ZERO)), told(&expected));
        }
        let met: Vec<u64> = rules.calls().iter().map(|armed| armed.counts().met).collect();
        prop_assert_eq!(met, walk.iter().map(|alone| alone.met).collect::<Vec<_>>());
    }
}
