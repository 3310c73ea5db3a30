#!/bin/sh
# Runs a command where only the loopback interface exists, so that a test can't reach the network even by mistake:
#   tests/client/netns.sh cargo test --offline --test client
# Where the system doesn't allow that, it says so and runs the command directly.
set -eu

[ $# -gt 0 ] || { echo 'usage: netns.sh COMMAND [ARGUMENT …]' >&2; exit 64; }

# The inner shell brings loopback up and becomes the command.
# shellcheck disable=SC2016
inner='ip link set lo up && exec "$@"'

if command -v unshare >/dev/null 2>&1 && command -v ip >/dev/null 2>&1; then
    if [ "$(id -u)" -eq 0 ] && unshare --net sh -c 'ip link set lo up' 2>/dev/null; then
        exec unshare --net sh -c "$inner" sh "$@"
    fi
    if unshare --map-root-user --net sh -c 'ip link set lo up' 2>/dev/null; then
        exec unshare --map-root-user --net sh -c "$inner" sh "$@"
    fi
fi
echo 'netns.sh: no network namespace here (needs Linux, unshare, ip and the right to use them); running with the network' >&2
exec "$@"
