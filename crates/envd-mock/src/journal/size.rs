//! What entries that are not packed take on the heap.

use super::entry::{CallEntry, ConnectionEntry, Decision, Done, Entry};

/// What an allocation of so many bytes takes: usual allocators add a word and round up to sixteen bytes.
pub(super) const fn of_heap(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16) }
}

/// What an entry owns.
pub(super) fn of_entry(entry: &Entry) -> usize {
    match entry {
        Entry::Connection(ConnectionEntry { peer, decisions, done, end, .. }) => {
            text(peer) + end.as_ref().map_or(0, text) + of_decisions(decisions) + of_done(done)
        }
        Entry::Call(call) => of_heap(size_of::<CallEntry>()) + of_call(call),
        Entry::Event(one) => text(&one.event),
    }
}

fn of_call(call: &CallEntry) -> usize {
    let CallEntry { operation, protocol, target, name, path, tag, command, end, bodies, .. } = call;
    let texts: usize = [operation, protocol, target].into_iter().map(text).sum();
    let options: usize = [name, path, tag, command, end].into_iter().flatten().map(text).sum();
    let bodies: usize = bodies.iter().flatten().map(text).sum();
    let headers: usize = call.headers.iter().map(|(name, value)| text(name) + text(value)).sum();
    let lists = list(&call.headers) + of_decisions(&call.decisions) + of_done(&call.done);
    texts + options + bodies + headers + lists
}

fn of_decisions(all: &Vec<Decision>) -> usize {
    let one = |one: &Decision| text(&one.rule) + text(&one.fault) + one.at.as_ref().map_or(0, text);
    list(all) + all.iter().map(one).sum::<usize>()
}

fn of_done(all: &Vec<Done>) -> usize {
    list(all) + all.iter().map(|one| text(&one.rule) + text(&one.what)).sum::<usize>()
}

fn text(text: &String) -> usize {
    of_heap(text.capacity())
}

fn list<T>(list: &Vec<T>) -> usize {
    of_heap(list.capacity() * size_of::<T>())
}
