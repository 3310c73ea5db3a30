#!/bin/sh
# Installs the pinned Claude Code client into a cache directory outside the repository, for the tests in this directory.
# Running it again does nothing. The pin stands in the file `version` beside this script, and only there.
set -eu

die() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
version=$(tr -d '[:space:]' <"$here/version")
cache=${COMM_NODE_CLIENT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/comm-node/client}

case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) die "no client package is known for $(uname -s); set COMM_NODE_CLAUDE to a claude $version program instead" ;;
esac
case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die "no client package is known for $(uname -m); set COMM_NODE_CLAUDE to a claude $version program instead" ;;
esac
# Distributions built on musl have their own package; glibc's loader is absent there.
libc=
if [ "$os" = linux ] && ls /lib/ld-musl-* >/dev/null 2>&1 && ! ls /lib64/ld-linux-* /lib/ld-linux-* >/dev/null 2>&1; then
    libc=-musl
fi

package=@anthropic-ai/claude-code-$os-$arch$libc
directory=$cache/node_modules/$package
program=$directory/claude

installed() { [ -x "$program" ] && grep -q "\"version\": *\"$version\"" "$directory/package.json" 2>/dev/null; }

if installed; then
    printf '%s\n' "$program"
    exit 0
fi

command -v npm >/dev/null 2>&1 ||
    die "npm is not installed, and the client is an npm package; install Node.js and run this again, or set COMM_NODE_CLAUDE to a claude $version program"

mkdir -p "$cache" || die "could not make $cache; set COMM_NODE_CLIENT_CACHE to a directory you may write"
npm install --prefix "$cache" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "$package@$version" >&2 ||
    die "npm could not install $package@$version into $cache"
installed || die "npm reported success, but $program is not version $version"
printf '%s\n' "$program"
