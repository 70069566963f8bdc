//! The whole suite against the embedded mock, each case a test of its own.

fn main() {
    conformance::harness();
}
