//! Rules at random. Every kind is among them: a kind's example is the start, and each of its parameters is then drawn.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::fault::record::{self, Fault};
use crate::fault::write::Rule;
use crate::fault::{
    CallFault, CallRule, CallWhen, Code, ConnectionFault, ConnectionRule, Errno, Glob, HttpStatus, Json,
    Length, Nth, Often, Operation, Output, Pairs, Payload, Position, Processes, Rate, Script, Signal, Size,
    Wait, Which,
};

/// Texts with all that could be mistaken for something else.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[ -~]{0,12}",
        ".{0,8}",
        select(vec![
            "", ":", "a:", ";", "a ; b", "#1", "%0.5", "down[1]", "@3", "a=b", "tag=x", "'", "\"", "\\", "\n"
        ])
        .prop_map(str::to_owned),
        Just("it's \"both\"\t\u{85}\u{2028}é; reset".to_owned()),
    ]
}

fn line() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.chars().filter(|c| !c.is_control()).collect())
}

fn name() -> impl Strategy<Value = String> {
    line().prop_filter("a name is not blank", |name| !name.trim().is_empty())
}

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,6}"
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![0..10_000_000u64, any::<u64>()].prop_map(Duration::from_micros)
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![
        duration().prop_map(Wait::Fixed),
        (duration(), duration()).prop_map(|(a, b)| Wait::Uniform(a.min(b), a.max(b))),
        (duration(), 0.0..10.0f64).prop_map(|(median, sigma)| Wait::Lognormal(median, sigma)),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![1..5000u64, 1..=u64::MAX].prop_map(Size)
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![vec(any::<u8>(), 0..9), text().prop_map(String::into_bytes), Just(b"base64:x".to_vec())]
        .prop_map(Payload)
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    (any::<i64>(), text(), any::<bool>()).prop_map(
        |(number, text, flag)| serde_json::json!([{ "n": number, "t": text, "f": flag, "z": null }]),
    )
}

fn globs(names: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<(String, Glob)>> {
    let distinct = |mut all: Vec<(String, Glob)>| {
        let mut seen = std::collections::HashSet::new();
        all.retain(|(name, _)| seen.insert(name.clone()));
        all
    };
    vec((names, glob()), 0..3).prop_map(distinct)
}

fn glob() -> impl Strategy<Value = Glob> {
    prop_oneof![text(), "[a-z/*?]{0,9}"].prop_filter_map("a glob", |text| text.parse().ok())
}

fn wait_of(which: usize) -> BoxedStrategy<CallFault> {
    wait()
        .prop_map(
            move |time| if which == 0 { CallFault::Delay { time } } else { CallFault::StartLate { time } },
        )
        .boxed()
}

/// The fault of a kind with parameters at random; a kind without any is read from its word.
fn call_fault(word: &'static str) -> BoxedStrategy<CallFault> {
    use CallFault as F;
    let code = || select(Code::ALL);
    match word {
        "delay" => wait_of(0),
        "start-late" => wait_of(1),
        "status" => {
            let header = vec((token(), line()), 0..3).prop_map(|mut all| {
                all.sort();
                all.dedup_by(|a, b| a.0.eq_ignore_ascii_case(&b.0));
                all
            });
            let distinct = |all: &Vec<(String, String)>| {
                let names: std::collections::HashSet<_> =
                    all.iter().map(|(name, _)| name.to_lowercase()).collect();
                names.len() == all.len()
            };
            (200..600u16, option::of(payload()), header.prop_filter("each once", distinct))
                .prop_map(|(status, body, header)| F::Status {
                    status: HttpStatus(status),
                    body,
                    header: Pairs(header),
                })
                .boxed()
        }
        "error" => {
            let detail = serde_json::json!([{ "type": "a.B", "value": "AA==", "debug": null }]);
            (code(), option::of(text()), option::of(Just(Json(detail))))
                .prop_map(|(code, message, details)| F::Error { code, message, details })
                .boxed()
        }
        "content-type" => option::of(line()).prop_map(|value| F::ContentType { value }).boxed(),
        "header-set" => (token(), line()).prop_map(|(name, value)| F::HeaderSet { name, value }).boxed(),
        "header-remove" => token().prop_map(|name| F::HeaderRemove { name }).boxed(),
        "content-length" => {
            let length = (0..3, any::<u64>()).prop_map(|(which, by)| match which {
                0 => Length::Exactly(by),
                1 => Length::Longer(by),
                _ => Length::Shorter(by),
            });
            length.prop_map(|length| F::ContentLength { length }).boxed()
        }
        "slow" => size().prop_map(|rate| F::Slow { rate: Rate(rate.0) }).boxed(),
        "slow-disk" => size().prop_map(|rate| F::SlowDisk { rate: Rate(rate.0) }).boxed(),
        "slice" => (size(), option::of(duration())).prop_map(|(size, gap)| F::Slice { size, gap }).boxed(),
        "coalesce" => option::of(size()).prop_map(|size| F::Coalesce { size }).boxed(),
        "flip" => option::of(0..8u8).prop_map(|bit| F::Flip { bit }).boxed(),
        "split" => option::of(size()).prop_map(|size| F::Split { size }).boxed(),
        "replace" => payload().prop_map(|payload| F::Replace { payload }).boxed(),
        "flag" => any::<u8>().prop_map(|flag| F::Flag { flag }).boxed(),
        "length-longer" => option::of(1..=u32::MAX).prop_map(|by| F::LengthLonger { by }).boxed(),
        "length-shorter" => option::of(1..=u32::MAX).prop_map(|by| F::LengthShorter { by }).boxed(),
        "end-malformed" => option::of(payload()).prop_map(|payload| F::EndMalformed { payload }).boxed(),
        "end-trailing" => option::of(payload()).prop_map(|payload| F::EndTrailing { payload }).boxed(),
        "end-error" => {
            (code(), option::of(text())).prop_map(|(code, message)| F::EndError { code, message }).boxed()
        }
        "answer-early" => {
            (200..600u16).prop_map(|status| F::AnswerEarly { status: HttpStatus(status) }).boxed()
        }
        "spawn-fails" => option::of(select(Errno::ALL)).prop_map(|errno| F::SpawnFails { errno }).boxed(),
        "kill" => (option::of(select(Signal::ALL)), option::of(duration()), option::of(size()))
            .prop_map(|(signal, after, bytes)| F::Kill { signal, after, bytes })
            .boxed(),
        "exit-code" => any::<i32>().prop_map(|code| F::ExitCode { code }).boxed(),
        "output-lost" => {
            (size(), option::of(size())).prop_map(|(size, from)| F::OutputLost { size, from }).boxed()
        }
        "output-split" => size().prop_map(|size| F::OutputSplit { size }).boxed(),
        "disk-full" => option::of(size()).prop_map(|size| F::DiskFull { size }).boxed(),
        "io-error" => option::of(size()).prop_map(|size| F::IoError { size }).boxed(),
        "preload-slow" => duration().prop_map(|time| F::PreloadSlow { time }).boxed(),
        "preload-fails" => option::of(text()).prop_map(|text| F::PreloadFails { text }).boxed(),
        "series" => json().prop_map(|values| F::Series { values: Json(values) }).boxed(),
        "crash" => (option::of(duration()), option::of(select(Processes::ALL)))
            .prop_map(|(down, processes)| F::Crash { down, processes })
            .boxed(),
        _ => Just(without_parameters::<F>(word)).boxed(),
    }
}

fn connection_fault(word: &'static str) -> BoxedStrategy<ConnectionFault> {
    use ConnectionFault as F;
    match word {
        "delay" => wait().prop_map(|time| F::Delay { time }).boxed(),
        "slow-close" => wait().prop_map(|time| F::SlowClose { time }).boxed(),
        "bandwidth" => size().prop_map(|rate| F::Bandwidth { rate: Rate(rate.0) }).boxed(),
        "slice" => (size(), option::of(duration())).prop_map(|(size, gap)| F::Slice { size, gap }).boxed(),
        "max-streams" => any::<u32>().prop_map(|streams| F::MaxStreams { streams }).boxed(),
        _ => Just(without_parameters::<F>(word)).boxed(),
    }
}

fn without_parameters<F: Fault>(word: &str) -> F {
    let kind = F::KINDS.iter().find(|kind| kind.word == word).expect("a kind of the table");
    assert!(kind.params.is_empty(), "{word} has parameters, and needs a strategy for them");
    F::read(word, &mut Default::default()).expect("a kind of the table").expect("nothing is needed")
}

fn often() -> impl Strategy<Value = Often> {
    let count = || option::of(prop_oneof![1..9u64, 1..=u64::MAX]);
    let nth = (0..3, 1..=u64::MAX, 1..=u64::MAX).prop_map(|(which, a, b)| match which {
        0 => Nth::Only(a),
        1 => Nth::Range(a.min(b), a.max(b)),
        _ => Nth::From(a),
    });
    let share = (0..=10_000u32).prop_map(|share| f64::from(share) / 10_000.0);
    (option::of(nth), count(), option::of(share), count(), span()).prop_map(
        |(nth, every, probability, times, (after, until))| Often {
            nth,
            every,
            probability,
            times,
            after,
            until,
        },
    )
}

/// When a rule is in force.
fn span() -> impl Strategy<Value = (Option<Duration>, Option<Duration>)> {
    (option::of(duration()), option::of(duration())).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) if a == b => (Some(a), None),
        (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
        (after, until) => (after, until.filter(|until| !until.is_zero())),
    })
}

fn position() -> impl Strategy<Value = Position> {
    let which = (0..4, 1..=u64::MAX, 1..=u64::MAX).prop_map(|(which, a, b)| match which {
        0 => Which::Nth(a),
        1 => Which::Range(a.min(b), a.max(b)),
        2 => Which::Each,
        _ => Which::End,
    });
    let output = select(vec![Output::Stdout, Output::Stderr, Output::Pty]);
    (0..5, prop_oneof![Just(0), any::<u64>()], which, output).prop_map(|(form, byte, which, output)| {
        match form {
            0 => Position::Down(byte),
            1 => Position::Up(byte),
            2 => Position::DownEnvelope(which, byte),
            3 => Position::UpEnvelope(which, byte),
            _ => Position::Output(output, byte),
        }
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::Any),
        "[a-z]{1,5}\\.[A-Z*?]{1,3}/[A-Z*=:;#]{1,4}"
            .prop_filter_map("a glob", |glob| glob.parse().ok().map(Operation::Rpc)),
        (option::of("[A-Z]{1,5}"), prop_oneof!["/[a-z*/ :;]{0,6}", text()]).prop_filter_map(
            "a path",
            |(method, path)| {
                let path = format!("/{path}");
                path.parse().ok().map(|path| Operation::Rest(method, path))
            }
        ),
    ]
}

fn when() -> impl Strategy<Value = CallWhen> {
    let header = token().prop_map(|name| name.to_ascii_lowercase());
    let header = globs(header).prop_filter("values of headers", |all| {
        all.iter().all(|one| !one.1.as_str().contains(char::is_control))
    });
    let text = || option::of(glob());
    (
        operation(),
        header,
        globs(text_name()),
        text(),
        text(),
        text(),
        option::of(1..=3u8),
        option::of(1..=u64::MAX),
    )
        .prop_map(|(operation, header, query, path, tag, command, generation, connection)| CallWhen {
            operation,
            header,
            query,
            path,
            tag,
            command,
            generation,
            connection,
        })
}

/// Names of query parameters may be anything.
fn text_name() -> impl Strategy<Value = String> {
    text()
}

/// The record of a rule, without its name.
fn record(rule: &impl Rule) -> crate::fault::node::Table {
    let mut table = rule.write();
    table.take("name");
    table
}

/// A rule of calls of this kind.
pub(crate) fn call_of(word: &'static str) -> impl Strategy<Value = CallRule> {
    let rule = (
        option::of(name()),
        when(),
        often(),
        option::of(position()),
        option::of(duration()),
        call_fault(word),
    );
    let judged = |(name, when, often, at, ttl, fault): (Option<String>, _, _, _, _, _)| {
        let rule = CallRule { name: String::new(), when, often, at, ttl, fault };
        let mut rule = possible(rule, |rule, at| rule.at = at, |rule| record::call(record(rule)));
        rule.name = name.unwrap_or(rule.name);
        rule
    };
    rule.prop_map(judged)
}

/// A rule of connections of this kind.
pub(crate) fn connection_of(word: &'static str) -> impl Strategy<Value = ConnectionRule> {
    let often = (often(), Just(word)).prop_map(|(often, word)| match word {
        "refuse" => Often { after: often.after, until: often.until, ..Often::default() },
        _ => often,
    });
    let rule =
        (option::of(name()), often, option::of(position()), option::of(duration()), connection_fault(word));
    let judged = |(name, often, at, ttl, fault): (Option<String>, _, _, _, _)| {
        let rule = ConnectionRule { name: String::new(), often, at, ttl, fault };
        let read = |rule: &ConnectionRule| record::connection(record(rule));
        let mut rule = possible(rule, |rule, at| rule.at = at, read);
        rule.name = name.unwrap_or(rule.name);
        rule
    };
    rule.prop_map(judged)
}

/// The rule, with a position that its fault may have.
fn possible<R, E: std::fmt::Debug>(
    mut rule: R,
    set: impl Fn(&mut R, Option<Position>),
    read: impl Fn(&R) -> Result<R, E>,
) -> R {
    if let Ok(read) = read(&rule) {
        return read;
    }
    set(&mut rule, None);
    if let Ok(read) = read(&rule) {
        return read;
    }
    set(&mut rule, Some(Position::DownEnvelope(Which::Nth(2), 0)));
    read(&rule).expect("a rule that can be")
}

pub(crate) fn call() -> impl Strategy<Value = CallRule> {
    let words: Vec<_> = CallFault::KINDS.iter().map(|kind| kind.word).collect();
    select(words).prop_flat_map(call_of)
}

pub(crate) fn connection() -> impl Strategy<Value = ConnectionRule> {
    let words: Vec<_> = ConnectionFault::KINDS.iter().map(|kind| kind.word).collect();
    select(words).prop_flat_map(connection_of)
}

/// A script whose names are settled.
pub(crate) fn script() -> impl Strategy<Value = Script> {
    let seed = prop_oneof![Just(None), Just(Some(0)), any::<u64>().prop_map(Some)];
    (seed, vec(connection(), 0..3), vec(call(), 0..4)).prop_filter_map(
        "names differ",
        |(seed, connections, calls)| {
            let mut script = Script { connections, calls, ..Script::default() };
            script.seed = seed.unwrap_or_default();
            script.zero_seed = seed == Some(0);
            Script::default().merge(script).ok()
        },
    )
}
