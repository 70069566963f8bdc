# Recipes for contributors and CI. `just` lists them; `just check` runs everything that CI requires.

tools := env("ENVD_TOOLS", cache_directory() / "envd-tools")
image := "crates/envd-proto/src/envd.binpb"

export PATH := tools / "npm/node_modules/.bin" + ":" + tools / "cargo/bin" + ":" + env("PATH")

[private]
default:
    @just --list --unsorted

# Runs everything that CI requires; the output of `cargo test` comes last.
check: fmt-check generated proto deny clippy docs readme interop conformance mutants html-report test-unprivileged test

# Installs the tools that the other recipes need, outside of the tree (Debian with cargo, go, node and python3).
setup:
    @tools/install

# Formats the Rust code.
fmt:
    cargo fmt --all

[private]
fmt-check:
    cargo fmt --all --check

# Lints every target; a warning is an error.
clippy:
    cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

# Regenerates all generated code: Rust, the descriptors, and the stubs in interop/.
gen: interop-deps
    tools/generate .

# Checks that the generated code matches the protos and the pinned plugins.
generated: interop-deps
    tools/generated

# Lints the protos, and compares them with the released ones in proto/baseline.binpb.
proto:
    buf lint
    buf breaking --against proto/baseline.binpb

# Checks licenses, bans and sources of the dependencies.
deny:
    cargo deny --locked --log-level error check --hide-inclusion-graph licenses bans sources

# Builds the API documentation; a warning is an error.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

# Runs the tests.
test:
    cargo test --workspace --locked --quiet --no-fail-fast

# Runs the tests as an unprivileged user if called by root; otherwise `just test` has done so.
test-unprivileged:
    python3 tools/unprivileged.py

# Runs every snippet of the README and of the guide.
readme:
    python3 tools/readme.py README.md docs/guide.md

# Runs the conformance suite against mocks of each generation, without and with the known defects.
conformance:
    cargo build --quiet --locked --package conformance --bin envd-conformance
    for n in 2 1 3; do target/debug/envd-conformance --generation $n --disposable || exit; done
    for n in 1 2 3; do target/debug/envd-conformance --generation $n --disposable --as-built --known fixtures/known-failures/generation-$n.toml || exit; done

# Tests the suite's HTML report in a browser.
html-report:
    cargo build --quiet --locked --package conformance --bin envd-conformance
    tools/html_report

# Regenerates docs/faults.md; a test fails if the page is stale.
faults:
    cargo run --quiet --locked --package envd-mock --bin envd-mock -- faults --markdown > target/faults.md
    mv target/faults.md docs/faults.md

# Runs the suite against the seeded bugs, each until a case detects it.
mutants *ARGS:
    cargo run --quiet --locked --package conformance-mutants -- --first-kill --jobs 6 {{ ARGS }}

# Measures the kill matrix again (10 minutes); a test fails if the matrix is stale.
matrix *ARGS:
    cargo run --release --quiet --locked --package conformance-mutants -- --write crates/conformance/kill-matrix.txt --jobs 6 {{ ARGS }}

# Runs cargo-mutants over the mock's guest and routes, with the suite as the only test: a sample of 1 in 40, 40 minutes.
cargo-mutants SHARD="0/40":
    @cargo mutants --version >/dev/null || { echo 'expected cargo-mutants: cargo install --locked cargo-mutants@27.1.0'; exit 1; }
    cargo mutants --test-package conformance --baseline skip --timeout 150 --sharding round-robin --shard {{ SHARD }} --shuffle --output target

# Type-checks the mock for macOS; needs the target's standard library and a C compiler for it. Not part of `just check`.
darwin:
    @test -d "$(rustc --print sysroot)/lib/rustlib/aarch64-apple-darwin/lib" || { echo 'expected the target: rustup target add aarch64-apple-darwin'; exit 1; }
    @test "$(uname -s)" = Darwin || command -v "${CC_aarch64_apple_darwin:-}" >/dev/null || { echo 'expected a C compiler for macOS in CC_aarch64_apple_darwin, found none'; exit 1; }
    cargo check --locked --package envd-mock --lib --bins --target aarch64-apple-darwin

# Runs the benchmarks. `just clippy` compiles them; they are not part of `just check`.
bench *ARGS:
    cargo bench --workspace --locked {{ ARGS }}

# Tests the mock with the Connect clients of Go, Node and Python; `just interop go` runs one.
interop *LANGUAGES: interop-deps
    cargo build --quiet --locked --package envd-mock --bin envd-mock
    interop/run {{ LANGUAGES }}

# Records the bytes of connect-go in fixtures/wire again.
record: interop-deps
    go -C interop/go run ./record ../../fixtures/wire

[private]
interop-deps:
    @interop/install
