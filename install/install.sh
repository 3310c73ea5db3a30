#!/bin/sh
# Builds comm-node from this checkout and installs it into Claude Code.
set -eu

usage() {
    cat <<'EOF'
Usage: install/install.sh [options of `comm-node install`]

Builds the hook programs and the command line from this checkout, then runs
`comm-node install` with the options given. Its exit code is that command's.

Options of `comm-node install`, among others:
  --scope user|project|local   which settings file gets the hooks (default: user)
  --plugin                     set up the plugin instead
  --dry-run                    show what would be changed, and change nothing
  --no-link                    make no link ~/.local/bin/comm-node

Environment:
  COMM_NODE_TARGET   build for this target instead of the one that is picked

Undo with: comm-node uninstall
EOF
}

for arg in "$@"; do
    case $arg in
    -h | --help)
        usage
        exit 0
        ;;
    esac
done

here=$(cd "$(dirname "$0")" && pwd)
# --scope project and local mean the directory that this was called from.
called_from=$(pwd)
# shellcheck source=install/build.sh
. "$here/build.sh"

build "$here/.."
step "installing"
cd "$called_from"
exec "$BUILT/comm-node" install "$@"
