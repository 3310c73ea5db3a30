# Everyday commands. Nothing here is needed: each is a line that can be typed.

# What there is
default:
    @just --list --unsorted

# Quick tests, without the client
test *args:
    cargo test --workspace --locked --lib --test cli {{args}}

# All tests, as the README says
test-all:
    tests/run.sh

# What CI runs
ci:
    .ci/run

# Format and lint
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# The documentation of the crates
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --open

# Write expected output and the README's table of commands anew; read the difference before you commit it
golden:
    UPDATE_GOLDEN=1 cargo test --workspace --locked --test cli
    git diff --stat

# The hook programs' latency, each run paired with /bin/true; writes the tables in docs/PERFORMANCE.md. `just bench WORD` only prints the cases with that word
bench *args="--write": programs
    cargo bench --locked --bench latency -- {{args}}

# What a tool call costs more with hooks, in the real client, against `/bin/true` as the hook; writes the table in docs/PERFORMANCE.md
bench-client: programs
    COMM_NODE_BENCH_WRITE=1 COMM_NODE_BENCH_BIN=target/{{arch()}}-unknown-linux-musl/release tests/client/netns.sh cargo test --locked --offline --test client overhead_per -- --ignored --nocapture

# What the hooks cost in instructions, system calls, opened files and memory, held against tests/cost/*.txt
cost: programs
    cargo test --locked --test cost -- --nocapture

# The same, written down anew; read the difference before you commit it
cost-golden: programs
    UPDATE_GOLDEN=1 cargo test --locked --test cost -- --nocapture
    git diff --stat

# The programs as they are released
programs:
    cargo build --release --locked --no-default-features --bins --target {{arch()}}-unknown-linux-musl
    cargo build --release --locked --bin comm-node --target {{arch()}}-unknown-linux-musl

# Build and install into your own Claude Code
install *args:
    install/install.sh {{args}}

# Make dist/comm-node-plugin/
package:
    install/package-plugin.sh

# The long form of the lease test: 64 processes, 640,000 steps, kills and clock jumps; about ten minutes
soak:
    LEASE_PROCESSES=64 LEASE_STEPS=10000 cargo test --release --locked --test leases -- --nocapture

# Hostile shell commands for an hour (or as many seconds as you say), from a new seed each time
fuzz seconds="3600":
    SHELL_FUZZ_SECONDS={{seconds}} cargo test --release --locked --no-default-features --test shell fuzz -- --nocapture

# Random shell commands, run by bash and held against what is said of them; give another seed for others
differential cases="20000" seed="1":
    SHELL_CASES={{cases}} SHELL_SEED={{seed}} cargo test --locked --no-default-features --test shell differential -- --nocapture

# The long form of the mail tests: 20 domains, 50 processes, 10,000 messages, killed at random; with the store, then with whole programs
soak-mail:
    MAIL_DOMAINS=20 MAIL_PROCESSES=50 MAIL_MESSAGES=10000 cargo test --release --locked --test mail -- --nocapture

# Real clients at once, each with so many scripted calls, killed and resumed at random: about half an hour. Give another seed for other calls
soak-clients clients="5" calls="500" kills="25" seed="1":
    SOAK_CLIENTS={{clients}} SOAK_CALLS={{calls}} SOAK_KILLS={{kills}} SOAK_SEED={{seed}} tests/client/netns.sh cargo test --locked --offline --test client soak::no_edit -- --nocapture

# Every fault that can be made here: kill -9 at each system call of each writer, and the rest; some minutes
faults:
    FAULTS=long cargo test --locked --test faults -- --nocapture

# Hostile files and calls for so many seconds each, from a new seed each time: what hooks read from stdin, comm-node.yaml,
# messages, transcripts, settings, hand-offs; and shell commands
fuzz-all seconds="600":
    FUZZ_SECONDS={{seconds}} cargo test --release --locked --test fuzz -- --nocapture --test-threads 2
    just fuzz {{seconds}}

# comm-node's hooks and others on the same calls; installs those from PyPI and npm into ~/.cache/comm-node-compare
compare pairs="300":
    cargo build --release --locked --no-default-features --bins --target {{arch()}}-unknown-linux-musl
    cargo build --locked --bin comm-node
    python3 benches/compare/compare.py target/{{arch()}}-unknown-linux-musl/release target/debug/comm-node {{pairs}}

# The transcripts of the tests as ccusage counts them, beside what was served; fetches it from npm
compare-usage version="17":
    node tests/meter/compare.mjs {{version}}
