# Builds all programs; read by install.sh and package-plugin.sh, not run by itself.
# shellcheck shell=sh

step() {
    printf '==> %s\n' "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The target to build for, empty for the host's own. On Linux the static musl form: it starts
# several times faster than one that loads glibc, and a hook is started at every edit.
pick_target() {
    if [ -n "${COMM_NODE_TARGET-}" ]; then
        printf '%s' "$COMM_NODE_TARGET"
        return
    fi
    case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) wanted=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) wanted=aarch64-unknown-linux-musl ;;
    *) return ;;
    esac
    # A toolchain without rustup may have the target's library all the same.
    if [ -d "$(rustc --print sysroot)/lib/rustlib/$wanted" ]; then
        printf '%s' "$wanted"
    elif command -v rustup >/dev/null 2>&1; then
        step "adding the target $wanted"
        if rustup target add "$wanted" >&2; then
            printf '%s' "$wanted"
        else
            step "could not add it: building for this machine's own target, whose programs start slower"
        fi
    else
        step "no rustup to add $wanted with: building for this machine's own target, whose programs start slower"
    fi
}

# build CHECKOUT: builds everything and sets BUILT to the directory with the programs.
build() {
    command -v cargo >/dev/null 2>&1 ||
        die "could not find cargo: comm-node is built with Rust; install it from https://rustup.rs and open a new shell"
    cd "$1" || die "could not enter $1"
    target=$(pick_target)
    set --
    if [ -n "$target" ]; then
        set -- --target "$target"
    fi
    step "building the hook programs${target:+ for $target}"
    # Apart from the command line, so that nothing it wants is compiled into them.
    cargo build --release --locked --no-default-features --bins "$@" || die "the hook programs could not be built"
    step "building the command line"
    cargo build --release --locked --bin comm-node "$@" || die "the command line could not be built"
    out=$(cargo metadata --format-version 1 --no-deps --locked |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    [ -n "$out" ] || die "could not find where cargo builds to"
    # shellcheck disable=SC2034  # read by the scripts that include this one
    BUILT=$out${target:+/$target}/release
}
