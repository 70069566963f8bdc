//! The compact binary form of entries in memory. A text that a chunk already has is a reference to its first place there,
//! so most calls take a few dozen bytes. Private to the process: never written to a file.

use std::collections::HashMap;

use super::entry::{CallEntry, ConnectionEntry, Decision, Done, Entry, Event, Size};

/// Shorter texts are not worth a reference.
const SHORTEST: usize = 3;
/// Longer texts seldom repeat.
const LONGEST: usize = 512;
/// The most bytes of a number.
const NUMBER: usize = 10;

const CONNECTION: u8 = 0;
const CALL: u8 = 1;
const EVENT: u8 = 2;

/// Texts and lists of headers of one chunk, each with its place there.
#[derive(Debug, Default)]
pub(super) struct Words {
    texts: HashMap<Box<[u8]>, u32>,
    headers: HashMap<Box<[u8]>, u32>,
    /// A list of headers as one text, for the search.
    scratch: Vec<u8>,
    /// Bytes that both maps take.
    size: usize,
    room: usize,
}

impl Words {
    /// With room for about so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    pub(super) fn size(&self) -> usize {
        self.size + self.scratch.capacity()
    }

    /// Forgets all of them, for a new chunk.
    pub(super) fn clear(&mut self) {
        self.texts = HashMap::new();
        self.headers = HashMap::new();
        self.size = 0;
    }

    /// The bytes of a key and of its place, on the heap and in the map.
    fn price(key: &[u8]) -> usize {
        super::size::of_heap(key.len()) + 2 * size_of::<(Box<[u8]>, u32)>()
    }

    fn has_room(&mut self, key: &[u8]) -> bool {
        let price = Self::price(key);
        let fits = self.size + price <= self.room;
        if fits {
            self.size += price;
        }
        fits
    }
}

/// The most bytes that an entry takes.
pub(super) fn bound(entry: &Entry) -> usize {
    let text = |text: &str| text.len() + NUMBER;
    let some = |one: &Option<String>| one.as_deref().map_or(0, text);
    let decisions = |all: &[Decision]| -> usize {
        all.iter().map(|one| 4 * NUMBER + text(&one.rule) + text(&one.fault) + some(&one.at)).sum()
    };
    let done = |all: &[Done]| -> usize {
        all.iter().map(|one| 4 * NUMBER + text(&one.rule) + text(&one.what)).sum()
    };
    NUMBER
        + match entry {
            Entry::Connection(one) => {
                7 * NUMBER + text(&one.peer) + some(&one.end) + decisions(&one.decisions) + done(&one.done)
            }
            Entry::Call(one) => {
                let headers: usize = one.headers.iter().map(|(name, value)| text(name) + text(value)).sum();
                let texts = [&one.operation, &one.protocol, &one.target].into_iter().map(|one| text(one));
                let options = [&one.name, &one.path, &one.tag, &one.command, &one.end].into_iter().map(some);
                let bodies = one.bodies.iter().flatten().map(|one| text(one));
                16 * NUMBER
                    + headers
                    + texts.chain(options).chain(bodies).sum::<usize>()
                    + decisions(&one.decisions)
                    + done(&one.done)
            }
            Entry::Event(one) => NUMBER + text(&one.event),
        }
}

/// Appends an entry to a chunk.
pub(super) fn pack(entry: &Entry, chunk: &mut Vec<u8>, words: &mut Words) {
    let mut packer = Packer { out: chunk, words };
    match entry {
        Entry::Connection(one) => packer.connection(one),
        Entry::Call(one) => packer.call(one),
        Entry::Event(Event { event, at_ms }) => {
            packer.out.push(EVENT);
            packer.text(event);
            packer.millis(*at_ms);
        }
    }
}

struct Packer<'c> {
    out: &'c mut Vec<u8>,
    words: &'c mut Words,
}

impl Packer<'_> {
    fn connection(&mut self, one: &ConnectionEntry) {
        let ConnectionEntry { connection, peer, at_ms, decisions, done, sent, received, end } = one;
        self.out.push(CONNECTION);
        self.number(*connection);
        self.plain(peer);
        self.millis(*at_ms);
        self.number(*sent);
        self.number(*received);
        self.number(u64::from(end.is_some()));
        end.iter().for_each(|end| self.text(end));
        self.decisions(decisions);
        self.done(done);
    }

    fn call(&mut self, one: &CallEntry) {
        let CallEntry { call, connection, operation, protocol, name, target, headers, path, .. } = one;
        let CallEntry { tag, command, pid, at_ms, decisions, done, status, known, .. } = one;
        let CallEntry { received, sent, bodies, head_ms, took_ms, end, .. } = one;
        self.out.push(CALL);
        self.number(*call);
        self.number(*connection);
        self.text(operation);
        self.text(protocol);
        self.text(target);
        self.headers(headers);
        self.millis(*at_ms);
        let mut present = 0;
        let flags = [
            name.is_some(),
            path.is_some(),
            tag.is_some(),
            command.is_some(),
            pid.is_some(),
            status.is_some(),
            *known,
            bodies.is_some(),
            head_ms.is_some(),
            took_ms.is_some(),
            end.is_some(),
            received.envelopes.is_some(),
            sent.envelopes.is_some(),
        ];
        flags.iter().enumerate().for_each(|(bit, set)| present |= u64::from(*set) << bit);
        self.number(present);
        name.iter().for_each(|name| self.plain(name));
        [path, tag, command].into_iter().flatten().for_each(|one| self.text(one));
        pid.iter().for_each(|pid| self.number(u64::from(*pid)));
        status.iter().for_each(|status| self.number(u64::from(*status)));
        bodies.iter().flatten().for_each(|body| self.plain(body));
        [head_ms, took_ms].into_iter().flatten().for_each(|time| self.millis(*time));
        end.iter().for_each(|end| self.text(end));
        for Size { bytes, envelopes } in [received, sent] {
            self.number(*bytes);
            envelopes.iter().for_each(|count| self.number(*count));
        }
        self.decisions(decisions);
        self.done(done);
    }

    fn decisions(&mut self, all: &[Decision]) {
        self.number(all.len() as u64);
        for Decision { rule, n, fault, at, wait_ms } in all {
            self.text(rule);
            self.number(*n);
            self.text(fault);
            self.number(u64::from(at.is_some()) | u64::from(wait_ms.is_some()) << 1);
            at.iter().for_each(|at| self.text(at));
            wait_ms.iter().for_each(|wait| self.millis(*wait));
        }
    }

    fn done(&mut self, all: &[Done]) {
        self.number(all.len() as u64);
        for Done { rule, what, envelope, at_ms } in all {
            self.text(rule);
            self.text(what);
            self.number(u64::from(envelope.is_some()));
            envelope.iter().for_each(|envelope| self.number(*envelope));
            self.millis(*at_ms);
        }
    }

    /// Clients send the same list with nearly every call, so the list as a whole is looked for first.
    fn headers(&mut self, headers: &[(String, String)]) {
        let mut key = std::mem::take(&mut self.words.scratch);
        key.clear();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            number(&mut key, text.len() as u64);
            key.extend_from_slice(text.as_bytes());
        }
        if let Some(place) = self.words.headers.get(key.as_slice()) {
            self.number(u64::from(*place) << 1 | 1);
        } else {
            if self.words.has_room(&key) {
                self.words.headers.insert(key.as_slice().into(), place(self.out));
            }
            self.number((headers.len() as u64) << 1);
            for (name, value) in headers {
                self.text(name);
                self.text(value);
            }
        }
        key.clear();
        key.shrink_to(4 * LONGEST);
        self.words.scratch = key;
    }

    fn text(&mut self, text: &str) {
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            return self.plain(text);
        }
        if let Some(place) = self.words.texts.get(text.as_bytes()) {
            return self.number(u64::from(*place) << 1 | 1);
        }
        if self.words.has_room(text.as_bytes()) {
            self.words.texts.insert(text.as_bytes().into(), place(self.out));
        }
        self.plain(text);
    }

    /// A text that is hardly met twice.
    fn plain(&mut self, text: &str) {
        self.number((text.len() as u64) << 1);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Whole microseconds, as nearly all are, or else the number itself.
    fn millis(&mut self, millis: f64) {
        let micros = (millis * 1000.0).round();
        if (0.0..1e15).contains(&micros) && micros / 1000.0 == millis {
            self.number((micros as u64) << 1);
        } else {
            self.number(1);
            self.out.extend_from_slice(&millis.to_bits().to_le_bytes());
        }
    }

    fn number(&mut self, value: u64) {
        number(self.out, value);
    }
}

fn place(chunk: &[u8]) -> u32 {
    // A chunk that is longer than this holds one entry, which begins at 0.
    u32::try_from(chunk.len()).unwrap_or(u32::MAX)
}

/// Seven bits a byte, the lowest first.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The entry that was packed at this place of a chunk.
pub(super) fn unpack(chunk: &[u8], place: usize) -> Entry {
    let mut reader = Reader { chunk, at: place };
    match reader.byte() {
        CONNECTION => Entry::Connection(reader.connection()),
        CALL => Entry::Call(Box::new(reader.call())),
        _ => Entry::Event(Event { event: reader.text(), at_ms: reader.millis() }),
    }
}

struct Reader<'c> {
    chunk: &'c [u8],
    at: usize,
}

impl Reader<'_> {
    fn connection(&mut self) -> ConnectionEntry {
        ConnectionEntry {
            connection: self.number(),
            peer: self.text(),
            at_ms: self.millis(),
            sent: self.number(),
            received: self.number(),
            end: (self.number() == 1).then(|| self.text()),
            decisions: self.decisions(),
            done: self.done(),
        }
    }

    fn call(&mut self) -> CallEntry {
        let (call, connection) = (self.number(), self.number());
        let (operation, protocol, target) = (self.text(), self.text(), self.text());
        let (headers, at_ms) = (self.headers(), self.millis());
        let present = self.number();
        let has = |bit: u32| present >> bit & 1 == 1;
        CallEntry {
            call,
            connection,
            operation,
            protocol,
            name: has(0).then(|| self.text()),
            target,
            headers,
            path: has(1).then(|| self.text()),
            tag: has(2).then(|| self.text()),
            command: has(3).then(|| self.text()),
            pid: has(4).then(|| self.number() as u32),
            at_ms,
            status: has(5).then(|| self.number() as u16),
            known: has(6),
            bodies: has(7).then(|| [self.text(), self.text()]),
            head_ms: has(8).then(|| self.millis()),
            took_ms: has(9).then(|| self.millis()),
            end: has(10).then(|| self.text()),
            received: Size { bytes: self.number(), envelopes: has(11).then(|| self.number()) },
            sent: Size { bytes: self.number(), envelopes: has(12).then(|| self.number()) },
            decisions: self.decisions(),
            done: self.done(),
        }
    }

    fn decisions(&mut self) -> Vec<Decision> {
        let one = |this: &mut Self| {
            let (rule, n, fault, present) = (this.text(), this.number(), this.text(), this.number());
            let at = (present & 1 == 1).then(|| this.text());
            let wait_ms = (present & 2 == 2).then(|| this.millis());
            Decision { rule, n, fault, at, wait_ms }
        };
        (0..self.number()).map(|_| one(self)).collect()
    }

    fn done(&mut self) -> Vec<Done> {
        let one = |this: &mut Self| {
            let (rule, what) = (this.text(), this.text());
            let envelope = (this.number() == 1).then(|| this.number());
            Done { rule, what, envelope, at_ms: this.millis() }
        };
        (0..self.number()).map(|_| one(self)).collect()
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        self.resolve(|this, count| (0..count).map(|_| (this.text(), this.text())).collect())
    }

    fn text(&mut self) -> String {
        self.resolve(|this, length| {
            let rest = this.chunk.get(this.at..).unwrap_or_default();
            let bytes = &rest[..rest.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
            this.at += bytes.len();
            String::from_utf8_lossy(bytes).into_owned()
        })
    }

    /// Reads what stands here, or what stood there for the first time.
    fn resolve<T>(&mut self, read: impl FnOnce(&mut Self, u64) -> T) -> T {
        let word = self.number();
        if word & 1 == 0 {
            return read(self, word >> 1);
        }
        let mut first = Reader { chunk: self.chunk, at: usize::try_from(word >> 1).unwrap_or(usize::MAX) };
        let length = first.number() >> 1;
        read(&mut first, length)
    }

    fn millis(&mut self) -> f64 {
        let word = self.number();
        if word & 1 == 0 {
            return (word >> 1) as f64 / 1000.0;
        }
        let bits = (0..8).fold(0, |bits, byte| bits | u64::from(self.byte()) << (8 * byte));
        f64::from_bits(bits)
    }

    fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift >= 64 {
                return value;
            }
        }
    }

    fn byte(&mut self) -> u8 {
        let byte = self.chunk.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c]{0,4}", ".{0,12}", Just("x".repeat(LONGEST + 1))]
    }

    fn millis() -> impl Strategy<Value = f64> {
        prop_oneof![any::<u32>().prop_map(|micros| f64::from(micros) / 1000.0), -1e300..1e300f64]
    }

    fn decision() -> impl Strategy<Value = Decision> {
        let rest = (proptest::option::of(text()), proptest::option::of(millis()));
        (text(), any::<u64>(), text(), rest).prop_map(|(rule, n, fault, (at, wait_ms))| Decision {
            rule,
            n,
            fault,
            at,
            wait_ms,
        })
    }

    fn done() -> impl Strategy<Value = Done> {
        (text(), text(), proptest::option::of(any::<u64>()), millis())
            .prop_map(|(rule, what, envelope, at_ms)| Done { rule, what, envelope, at_ms })
    }

    fn size() -> impl Strategy<Value = Size> {
        (any::<u64>(), proptest::option::of(any::<u64>()))
            .prop_map(|(bytes, envelopes)| Size { bytes, envelopes })
    }

    prop_compose! {
        fn call()(
            (call, connection, operation, protocol, target) in (any::<u64>(), any::<u64>(), text(), text(), text()),
            [name, path, tag, command, end] in proptest::array::uniform5(proptest::option::of(text())),
            headers in proptest::collection::vec((text(), text()), 0..4),
            (pid, status, known) in (proptest::option::of(any::<u32>()), proptest::option::of(any::<u16>()), any::<bool>()),
            bodies in proptest::option::of(proptest::array::uniform2(text())),
            (at_ms, head_ms, took_ms) in (millis(), proptest::option::of(millis()), proptest::option::of(millis())),
            (received, sent) in (size(), size()),
            decisions in proptest::collection::vec(decision(), 0..3),
            done in proptest::collection::vec(done(), 0..3),
        ) -> Entry {
            Entry::Call(Box::new(CallEntry {
                call, connection, operation, protocol, name, target, headers, path, tag, command, pid, at_ms, decisions,
                done, status, known, received, sent, bodies, head_ms, took_ms, end,
            }))
        }
    }

    prop_compose! {
        fn connection()(
            (connection, peer, at_ms, sent, received) in (any::<u64>(), text(), millis(), any::<u64>(), any::<u64>()),
            end in proptest::option::of(text()),
            decisions in proptest::collection::vec(decision(), 0..3),
            done in proptest::collection::vec(done(), 0..3),
        ) -> Entry {
            Entry::Connection(ConnectionEntry { connection, peer, at_ms, decisions, done, sent, received, end })
        }
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let event = (text(), millis()).prop_map(|(event, at_ms)| Entry::Event(Event { event, at_ms }));
        prop_oneof![call(), connection(), event]
    }

    proptest! {
        // A field that is lost, swapped or read through a wrong reference would be told wrongly to everyone.
        #[test]
        fn entries_are_read_as_they_were_packed(entries in proptest::collection::vec(entry(), 1..8), room in 0..4096usize) {
            let (mut chunk, mut words) = (Vec::new(), Words::new(room));
            let mut places = Vec::new();
            for entry in &entries {
                let before = chunk.len();
                places.push(before);
                pack(entry, &mut chunk, &mut words);
                prop_assert!(chunk.len() - before <= bound(entry));
                prop_assert!(words.size <= room);
            }
            for (entry, place) in entries.iter().zip(places) {
                prop_assert_eq!(&unpack(&chunk, place), entry);
            }
        }
    }

    #[test]
    fn a_call_like_the_one_before_takes_a_few_dozen_bytes() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let entry = |call| {
            Entry::Call(Box::new(CallEntry {
                call,
                operation: "process.Process/List".into(),
                protocol: "HTTP/1.1".into(),
                target: "/process.Process/List".into(),
                headers: vec![header("user-agent", "connect-go/1.19 (go1.25)"), header("accept", "*/*")],
                at_ms: 100_000.125,
                status: Some(200),
                known: true,
                head_ms: Some(0.125),
                took_ms: Some(0.25),
                end: Some("complete".into()),
                ..CallEntry::default()
            }))
        };
        let (mut chunk, mut words) = (Vec::new(), Words::new(4096));
        pack(&entry(1000), &mut chunk, &mut words);
        let first = chunk.len();
        pack(&entry(1001), &mut chunk, &mut words);
        assert!(chunk.len() - first < 48, "{}", chunk.len() - first);
    }
}
