//! The other way to build the kernel program: an ordinary rustup machine with rust-src and bpf-linker.

use crate::machine::which;
use std::process::{Command, Stdio};

/// What to tell people whose machine is no Debian with `rustc-web`.
pub const OTHER_ROUTE: &str = "\
where Debian's rustc-web is not to be had, an ordinary rustup builds the kernel program too:
  rustup component add rust-src     (in this toolchain, or: rustup toolchain install nightly --component rust-src)
  cargo install bpf-linker          (needs LLVM's headers; or put LLVM 22's opt and llc on the PATH)";

/// Is everything there that the other route needs: the core library's source, and a linker for BPF?
pub fn has_other_route() -> bool {
    has_linker() && ["", "+nightly"].into_iter().any(has_core_source)
}

fn has_linker() -> bool {
    which("bpf-linker").is_some() || ["opt", "llc"].into_iter().all(|tool| llvm_22(tool).is_some())
}

fn llvm_22(tool: &str) -> Option<std::path::PathBuf> {
    which(&format!("{tool}-22"))
}

fn has_core_source(toolchain: &str) -> bool {
    let mut rustc = Command::new("rustc");
    if !toolchain.is_empty() {
        rustc.arg(toolchain);
    }
    let output = rustc.args(["--print", "sysroot"]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let Ok(output) = output else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !sysroot.is_empty() && std::path::Path::new(&sysroot).join("lib/rustlib/src/rust/library/core").is_dir()
}
