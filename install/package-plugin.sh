#!/bin/sh
# Makes dist/comm-node-plugin/: a marketplace with the plugin and its built programs, to hand on.
set -eu

case "${1-}" in
-h | --help)
    cat <<'EOF'
Usage: install/package-plugin.sh

Builds all programs and makes dist/comm-node-plugin/, a directory that Claude Code
takes as a marketplace:

  claude plugin marketplace add dist/comm-node-plugin
  claude plugin install comm-node@comm-node

The programs in it run on this kind of machine only.
EOF
    exit 0
    ;;
'') ;;
*)
    echo "error: package-plugin.sh takes no arguments; see --help" >&2
    exit 2
    ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=install/build.sh
. "$here/build.sh"

build "$here/.."
top=$(cd "$here/.." && pwd)
dist=$top/dist/comm-node-plugin
step "writing $dist"
rm -rf "$dist.new"
mkdir -p "$dist.new/plugin/bin"
cp -R "$top/.claude-plugin" "$dist.new/"
cp -R "$top/plugin/." "$dist.new/plugin/"
cp "$BUILT/comm-node" "$dist.new/plugin/bin/"
for source in "$top"/src/bin/comm-node-*.rs; do
    program=$(basename "$source" .rs)
    cp "$BUILT/$program" "$dist.new/plugin/bin/" || die "$program was not built"
done
rm -rf "$dist"
mv "$dist.new" "$dist"

if command -v claude >/dev/null 2>&1; then
    step "validating"
    claude plugin validate "$dist" --strict
    claude plugin validate "$dist/plugin" --strict
fi
step "done: claude plugin marketplace add $dist"
