//! The other ways to a kernel program: an ordinary rustup machine with rust-src and a linker for BPF, or a ready object.
//! The build script of `crates/xdp` has the last word; this only decides whether Debian's packages are needed.

use crate::machine::which;
use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

/// What to tell people whose machine is no Debian with `rustc-web`.
pub const OTHER_ROUTE: &str = "\
where Debian's rustc-web is not to be had, an ordinary rustup builds the kernel program too:
  rustup component add rust-src     (or: rustup toolchain install nightly --component rust-src)
  cargo install bpf-linker          (or LLVM's opt and llc on the PATH, at least as new as rustc's own LLVM)";

/// The LLVM releases whose tools may be there under a name with the release in it.
const LLVM_RELEASES: std::ops::RangeInclusive<u32> = 22..=30;

/// Is everything there that another route needs?
pub fn has_other_route() -> bool {
    has_object() || has_linker() && ["", "+nightly"].into_iter().any(has_core_source)
}

fn has_object() -> bool {
    env::var_os("HONEYMESH_BPF_OBJECT").is_some_and(|path| Path::new(&path).is_file())
}

fn has_linker() -> bool {
    let pair = |suffix: &str| ["opt", "llc"].into_iter().all(|tool| which(&format!("{tool}{suffix}")).is_some());
    let releases = LLVM_RELEASES.map(|release| format!("-{release}"));
    which("bpf-linker").is_some() || releases.chain([String::new()]).any(|suffix| pair(&suffix))
}

fn has_core_source(toolchain: &str) -> bool {
    let mut rustc = Command::new("rustc");
    if !toolchain.is_empty() {
        rustc.arg(toolchain).env("RUSTUP_AUTO_INSTALL", "0");
    }
    let output = rustc.args(["--print", "sysroot"]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let Ok(output) = output else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !sysroot.is_empty() && Path::new(&sysroot).join("lib/rustlib/src/rust/library/core").is_dir()
}
