//! Links the hook programs without unwind tables where nothing would ever read them, and with what they write in as few
//! pages as it fits into.
//!
//! A program that aborts on panic does not unwind, and what prints backtraces is left out of ours
//! (`comm_node_start::no_unwinder!`). The tables would be an eighth of the largest program. What keeps the
//! compiler from leaving them out is that the standard library was compiled with them.
//!
//! Where addresses are fixed nothing is made read-only after relocation, so no page is kept free for that.
//!
//! With a linker that does not understand the scripts (GNU ld and lld do), set `COMM_NODE_UNWIND_TABLES=1`.

use std::env::var;
use std::path::Path;

const SCRIPTS: [&str; 2] = ["no-unwind-tables.ld", "block-last.ld"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link");
    println!("cargo:rerun-if-changed=src/bin");
    println!("cargo:rerun-if-env-changed=COMM_NODE_UNWIND_TABLES");
    let is = |name: &str, wanted: &str| var(name).is_ok_and(|value| value == wanted);
    // Cargo does not tell the profile's `panic`; Cargo.toml has `abort` for releases.
    let aborts = is("PROFILE", "release");
    let musl = is("CARGO_CFG_TARGET_ENV", "musl");
    let known = is("CARGO_CFG_TARGET_ARCH", "x86_64") || is("CARGO_CFG_TARGET_ARCH", "aarch64");
    if !(aborts && musl && known) || var("COMM_NODE_UNWIND_TABLES").is_ok_and(|value| !value.is_empty()) {
        return;
    }
    let top = var("CARGO_MANIFEST_DIR").unwrap_or_default();
    // Copies, because another checkout may share the target directory, and what was built for it, and be gone.
    let out = var("OUT_DIR").unwrap_or_default();
    for script in SCRIPTS {
        if let Err(e) = std::fs::copy(Path::new(&top).join("link").join(script), Path::new(&out).join(script))
        {
            println!(
                "cargo:warning=could not copy link/{script}: {e}; the programs are linked without the scripts"
            );
            return;
        }
    }
    let programs = Path::new(&top).join("src/bin").read_dir().into_iter().flatten().flatten();
    for program in programs {
        let name = program.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".rs").filter(|name| name.starts_with("comm-node-")) else {
            continue;
        };
        println!("cargo:rustc-link-arg-bin={name}=-Wl,--no-eh-frame-hdr");
        println!("cargo:rustc-link-arg-bin={name}=-Wl,-z,norelro");
        for script in SCRIPTS {
            println!("cargo:rustc-link-arg-bin={name}=-Wl,-T,{out}/{script}");
        }
    }
}
