#!/usr/bin/env bash
# Runs every test: those of the workspace, then those that drive the real Claude Code client.
set -uo pipefail

usage() {
    cat <<'EOF'
Usage: tests/run.sh

Sets up the Claude Code client that the tests drive (from npm, into a cache directory outside
the checkout), runs the tests of the workspace, then those with the client, where only the
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
trap 'rm -rf "$logs"' EXIT

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

# suite NAME COMMAND…: runs a command that runs tests, and counts them.
suite() {
    local name=$1 log start code p f s
    shift
    log=$logs/${name// /-}
    start=$SECONDS
    step "$name: $*"
    "$@" </dev/null 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    s=$(grep -c '^SKIPPED: ' "$log")
    # A test that skips itself counts as passed with cargo, but not here.
    p=$(($(sum "$log" passed) - s))
    f=$(sum "$log" failed)
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        broken=1
        rows+=("$(printf '%-16s could not be run to the end (exit code %d)' "$name" "$code")")
    fi
    rows+=("$(printf '%-16s %4d passed, %d failed, %d skipped, %d ignored %6d s' "$name" "$p" "$f" "$s" \
        "$(sum "$log" ignored)" $((SECONDS - start)))")
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

suite "workspace" cargo test --workspace --locked --no-fail-fast --lib --bins "${others[@]}"
suite "documentation" cargo test --workspace --locked --no-fail-fast --doc
if [ -z "$no_client" ]; then
    suite "client" tests/client/netns.sh cargo test --locked --offline --test client
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
