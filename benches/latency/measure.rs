//! Whole processes, as the client starts them, each paired with `/bin/true` in the same run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::case::{Case, check, command};

/// What came out for one case, in microseconds and as ratios to /bin/true.
pub(crate) struct Measured {
    pub median: f64,
    pub base: f64,
    pub ratio: f64,
    pub p95: f64,
}

/// Runs `case` that many times, each run paired with one of /bin/true. The ratio is that of the two medians, the
/// p95 that of the pairs' ratios.
pub(crate) fn measure(bin: &Path, case: &Case, pairs: usize) -> Measured {
    let program = bin.join(case.program);
    // Odd, then even: two starts of one kind that follow each other are one.
    check(case, &run_once(&program, case, 1));
    let (mut ours, mut base) = (Vec::with_capacity(pairs), Vec::with_capacity(pairs));
    for n in 0..pairs {
        base.push(time(Path::new("/bin/true"), case, n));
        if let Some(before) = &case.before {
            before(n);
        }
        ours.push(time(&program, case, n));
    }
    check(case, &run_once(&program, case, pairs & !1));
    let mut ratios: Vec<f64> = ours.iter().zip(&base).map(|(o, b)| o / b).collect();
    let (median, base) = (quantile(&mut ours, 0.5), quantile(&mut base, 0.5));
    Measured { median, base, ratio: median / base, p95: quantile(&mut ratios, 0.95) }
}

/// What the program says.
pub(crate) fn run_once(program: &Path, case: &Case, n: usize) -> String {
    if let Some(before) = &case.before {
        before(n);
    }
    let mut child = command(program, case).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all((case.input)(n).as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Microseconds from before the start to after the end.
pub(crate) fn time(program: &Path, case: &Case, n: usize) -> f64 {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all((case.input)(n).as_bytes()).unwrap();
    drop(writer);
    let mut command = command(program, case);
    command.stdin(reader).stdout(Stdio::null());
    let start = Instant::now();
    command.status().unwrap();
    start.elapsed().as_secs_f64() * 1e6
}

pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a small index"
    )]
    let index = ((values.len() - 1) as f64 * q) as usize;
    values[index]
}

/// The programs as the installer leaves them: each written in one piece, so that the system keeps it
/// in large pieces of memory. What a linker wrote bit by bit starts a quarter slower.
pub(crate) fn installed(built: &Path, top: &Path) -> PathBuf {
    let bin = top.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for entry in built.read_dir().unwrap().flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("comm-node") && !text.contains('.') && entry.path().is_file() {
            std::fs::write(bin.join(&name), std::fs::read(entry.path()).unwrap()).unwrap();
            std::fs::set_permissions(bin.join(&name), entry.metadata().unwrap().permissions()).unwrap();
        }
    }
    bin
}

/// Where the release programs are.
pub(crate) fn bin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("COMM_NODE_BENCH_BIN") {
        return dir.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    ["x86_64-unknown-linux-musl/release", "aarch64-unknown-linux-musl/release", "release"]
        .iter()
        .map(|part| target.join(part))
        .find(|dir| dir.join("comm-node-pre-tool-use").is_file())
        .expect("no release build found: run `just bench`, or name the directory in COMM_NODE_BENCH_BIN")
}
