#!/usr/bin/env bash
# Runs every test: those of the workspace, and those that drive the real Claude Code client.
set -uo pipefail

usage() {
    cat <<'EOF'
Usage: tests/run.sh

Sets up the Claude Code client that the tests drive (from npm, into a cache directory outside
the checkout), runs the tests of the workspace, and at the same time those with the client, where only the
loopback interface exists. It ends with a summary; the exit code is 0 if nothing failed.

Needs cargo and git; for the tests with the client also npm (Node.js), and tmux for those
in a terminal. Where one of these is missing, the tests that need it are skipped, and the summary says so.

Environment:
  COMM_NODE_REQUIRE_CLIENT=1   fail instead of skipping (CI=true means the same)
  COMM_NODE_CLAUDE             this client program instead of the one from npm
  COMM_NODE_CLIENT_CACHE       where the client is kept (default: ~/.cache/comm-node/client)
EOF
}

case ${1-} in
-h | --help)
    usage
    exit 0
    ;;
'') ;;
*)
    echo "error: tests/run.sh takes no arguments; see --help" >&2
    exit 2
    ;;
esac

step() { printf '\n==> %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$here/.." || exit 1
logs=$(mktemp -d) || die "could not make a temporary directory; set TMPDIR to one you may write"
beside=
trap '[ -z "$beside" ] || kill -- "-$beside" 2>/dev/null; rm -rf "$logs"' EXIT

required=0
if [ "${CI-}" = true ] || [ "${COMM_NODE_REQUIRE_CLIENT-}" = 1 ]; then
    required=1
    export COMM_NODE_REQUIRE_CLIENT=1
fi
# The lines that are counted below.
export CARGO_TERM_COLOR=never

command -v cargo >/dev/null 2>&1 ||
    die "could not find cargo: comm-node is built with Rust; install it from https://rustup.rs and open a new shell"
command -v git >/dev/null 2>&1 || die "could not find git, which the tests make repositories with; install it"

rows=()
passed=0
failed=0
skipped=0
broken=0

# sum LOG WORD: adds up what cargo's result lines say of WORD (passed, failed, ignored).
sum() {
    sed -n "s/^test result: .* \([0-9][0-9]*\) $2[;.].*/\1/p" "$1" | awk '{ n += $1 } END { print n + 0 }'
}

# Two suites may run at once, each with a log and a note of its own.
# run NAME COMMAND…: runs a command that runs tests; `count` reads what it left.
run() {
    local name=$1 start=$SECONDS code
    shift
    "$@" </dev/null 2>&1 | tee "$logs/$name"
    code=${PIPESTATUS[0]}
    echo "$code $((SECONDS - start))" >"$logs/$name.end"
}

# count NAME: counts the tests of a suite that has ended.
count() {
    local name=$1 log=$logs/$1 code=1 took=0 p f s
    # Without its note it was not run to the end.
    [ ! -s "$log.end" ] || read -r code took <"$log.end"
    s=$(grep -c '^SKIPPED: ' "$log")
    # A test that skips itself counts as passed with cargo, but not here.
    p=$(($(sum "$log" passed) - s))
    f=$(sum "$log" failed)
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        broken=1
        rows+=("$(printf '%-16s could not be run to the end (exit code %d)' "$name" "$code")")
    fi
    rows+=("$(printf '%-16s %4d passed, %d failed, %d skipped, %d ignored %6d s' "$name" "$p" "$f" "$s" \
        "$(sum "$log" ignored)" "$took")")
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
}

step "setting up the Claude Code client ($(tr -d '[:space:]' <tests/client/version))"
no_client=
if [ -n "${COMM_NODE_CLAUDE-}" ]; then
    echo "using $COMM_NODE_CLAUDE, as COMM_NODE_CLAUDE says"
elif ! tests/client/setup.sh 2>"$logs/setup"; then
    # The last line says what is missing and what to do.
    cat "$logs/setup" >&2
    no_client=$(tail -n 1 "$logs/setup")
    if [ "$required" -eq 1 ]; then
        echo "going on without it, but that counts as a failure here"
    else
        echo "going on without it: THE TESTS WITH THE CLIENT WILL BE SKIPPED"
    fi
fi

step "building"
cargo test --workspace --locked --no-run </dev/null || die "the tests could not be built"

# All test programs but the one with the client, which is run below and apart from the network, and the one
# that looks at release programs, which .ci/run runs once they are built.
others=()
while read -r name; do
    [ "$name" = client ] || [ "$name" = cost ] || others+=(--test "$name")
done < <(cargo metadata --format-version 1 --no-deps --locked --offline |
    grep -o '"kind":\["test"\],"crate_types":\["bin"\],"name":"[^"]*"' | sed 's/.*:"\([^"]*\)"$/\1/' | sort -u)
[ ${#others[@]} -gt 0 ] || die "could not read the names of the test programs from cargo metadata"

workspace() {
    run workspace cargo test --workspace --locked --no-fail-fast --lib "${others[@]}"
    run documentation cargo test --workspace --locked --no-fail-fast --doc
}

# A client waits much of its time, for a turn, a timer or another process: more of them than processors, and the other
# tests beside them, keep the processors busy. What those say is kept, and shown when they have ended.
if [ -z "$no_client" ]; then
    step "the workspace's tests and the client's, at the same time; the client's are shown first"
    # In a process group of its own, all of which ends with this.
    set -m
    workspace >"$logs/beside" 2>&1 </dev/null &
    beside=$!
    set +m
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) * 2))} \
        run client tests/client/netns.sh cargo test --workspace --locked --offline --test client
    wait "$beside"
    beside=
    step "the workspace's tests, which ran meanwhile"
    cat "$logs/beside"
else
    step "the workspace's tests"
    workspace
fi
count workspace
count documentation
if [ -z "$no_client" ]; then
    count client
else
    rows+=("$(printf '%-16s SKIPPED, all of them: %s' client "$no_client")")
fi

step "summary"
printf '%s\n' "${rows[@]}"
if [ "$skipped" -gt 0 ] || [ -n "$no_client" ]; then
    echo
    echo "Something was skipped, so this says less than it could; the remedies stand above."
    if [ "$required" -eq 1 ]; then
        echo "That counts as a failure here."
        broken=1
    fi
fi
echo
if [ "$broken" -ne 0 ] || [ "$failed" -ne 0 ]; then
    echo "FAILED: $passed tests passed, $failed failed"
    exit 1
fi
echo "OK: $passed tests passed, $failed failed"
