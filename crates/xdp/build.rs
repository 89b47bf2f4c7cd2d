//! Builds the XDP program, `crates/xdp-program/kernel`, into `OUT_DIR/honeymesh.o`.
//!
//! `HONEYMESH_BPF_OBJECT` names a ready object instead. `HONEYMESH_BPF_TOOLCHAIN` names the Rust to build with: a rustup
//! toolchain or a prefix such as `/usr`. `HONEYMESH_BPF_LLVM` names a directory with `opt` and `llc`.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

const TARGET: &str = "bpfel-unknown-none";
const REMEDIES: &str = "\
any one of these mends it:
  Debian: apt-get install rustc-web libstd-rust-web-dev-bpf llvm-22
  rustup: rustup component add rust-src, and cargo install bpf-linker (or an LLVM at least as new as rustc's)
  a ready object: HONEYMESH_BPF_OBJECT=/path/to/honeymesh.o";
/// Bytes 0 to 5 of a little-endian 64-bit ELF file, and its machine at bytes 18 and 19: BPF.
const ELF_MAGIC: &[u8] = b"\x7fELF\x02\x01";
const ELF_BPF: [u8; 2] = [247, 0];
/// How many LLVM releases after rustc's own are looked for.
const LLVM_NEWER_MAX: u32 = 4;

fn main() -> ExitCode {
    for name in ["HONEYMESH_BPF_OBJECT", "HONEYMESH_BPF_TOOLCHAIN", "HONEYMESH_BPF_LLVM"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for path in ["kernel/src", "kernel/Cargo.toml", "kernel/Cargo.lock", "kernel/link.sh", "src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed=../xdp-program/{path}");
    }
    for path in ["../xdp-abi/src", "../xdp-abi/Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cannot build the XDP program:\n{why}\n{REMEDIES}");
            ExitCode::FAILURE
        }
    }
}

fn make() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run by cargo only")?);
    let object = match env::var_os("HONEYMESH_BPF_OBJECT").filter(|path| !path.is_empty()) {
        Some(path) => {
            println!("cargo::rerun-if-changed={}", path.display());
            PathBuf::from(path)
        }
        None => build(&out)?,
    };
    let bytes = fs::read(&object).map_err(|error| format!("  {}: {error}", object.display()))?;
    if !bytes.starts_with(ELF_MAGIC) || bytes.get(18..20) != Some(&ELF_BPF) {
        return Err(format!("  {}: no BPF object", object.display()));
    }
    fs::write(out.join("honeymesh.o"), bytes).map_err(|error| format!("  {}: {error}", out.display()))
}

/// Builds with the first toolchain that has all it needs.
fn build(out: &Path) -> Result<PathBuf, String> {
    let mut why = Vec::new();
    for (name, sysroot) in candidates() {
        match sysroot.and_then(Toolchain::at) {
            Ok(toolchain) => return toolchain.build(out).map_err(|error| format!("  {name}: {error}")),
            Err(error) => why.push(format!("  {name}: {error}")),
        }
    }
    Err(why.join("\n"))
}

/// Names and sysroots, in the order they are tried.
fn candidates() -> Vec<(String, Result<PathBuf, String>)> {
    if let Some(chosen) = env::var_os("HONEYMESH_BPF_TOOLCHAIN").filter(|name| !name.is_empty()) {
        let name = format!("HONEYMESH_BPF_TOOLCHAIN={}", chosen.display());
        let path = PathBuf::from(&chosen);
        return vec![(name, if path.is_absolute() { Ok(path) } else { of_rustup(&chosen) })];
    }
    let this = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    vec![
        ("this compiler".into(), sysroot(Command::new(this))),
        ("Debian's rustc-web in /usr".into(), Ok("/usr".into())),
        ("rustup's nightly".into(), of_rustup(OsStr::new("nightly"))),
    ]
}

fn of_rustup(name: &OsStr) -> Result<PathBuf, String> {
    let mut command = Command::new("rustup");
    command.arg("run").arg(name).arg("rustc").env("RUSTUP_AUTO_INSTALL", "0");
    sysroot(command)
}

fn sysroot(mut rustc: Command) -> Result<PathBuf, String> {
    Ok(run(rustc.args(["--print", "sysroot"]))?.trim().into())
}

/// A Rust that can compile for BPF, and a linker that can read what it makes.
struct Toolchain {
    sysroot: PathBuf,
    /// The core library has to be compiled first.
    from_source: bool,
    linker: PathBuf,
    /// `opt` and `llc`, if the linker is our own script.
    llvm: Option<(PathBuf, PathBuf)>,
}

impl Toolchain {
    fn at(sysroot: PathBuf) -> Result<Self, String> {
        let rustc = sysroot.join("bin/rustc");
        let version = run(Command::new(&rustc).arg("-vV"))?;
        let library = sysroot.join("lib/rustlib");
        let from_source = !library.join(TARGET).join("lib").is_dir();
        if from_source && !library.join("src/rust/library/core/src/lib.rs").is_file() {
            return Err(format!("{} has neither a core library for {TARGET} nor rust-src", sysroot.display()));
        }
        if env::var_os("HONEYMESH_BPF_LLVM").is_none()
            && let Some(linker) = on_path("bpf-linker")
        {
            return Ok(Self { sysroot, from_source, linker, llvm: None });
        }
        let llvm = llvm(&library, &version)?;
        let linker = kernel_dir().join("link.sh");
        Ok(Self { sysroot, from_source, linker, llvm: Some(llvm) })
    }

    fn build(&self, out: &Path) -> Result<PathBuf, String> {
        let target_dir = out.join("kernel");
        let own_cargo = self.sysroot.join("bin/cargo");
        let cargo = if self.from_source && own_cargo.is_file() { Some(own_cargo.into()) } else { env::var_os("CARGO") };
        let mut command = Command::new(cargo.unwrap_or_else(|| "cargo".into()));
        clean(&mut command);
        command.current_dir(kernel_dir()).args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]);
        command.arg(&target_dir).env("RUSTC", self.sysroot.join("bin/rustc"));
        let flags = format!("-Clinker={}\x1f-Ctarget-cpu=v3", self.linker.display());
        command.env("CARGO_ENCODED_RUSTFLAGS", flags);
        // Atomic instructions need an unstable feature in that one crate; compiling core needs one of cargo's.
        command.env("RUSTC_BOOTSTRAP", if self.from_source { "1" } else { "honeymesh_xdp_kernel" });
        if self.from_source {
            command.arg("-Zbuild-std=core");
        }
        if let Some((opt, llc)) = &self.llvm {
            command.env("HONEYMESH_BPF_OPT", opt).env("HONEYMESH_BPF_LLC", llc);
        }
        run(&mut command)?;
        Ok(target_dir.join(TARGET).join("release/honeymesh-xdp-kernel"))
    }
}

fn kernel_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../xdp-program/kernel")
}

/// Takes away what the outer cargo set for this crate: it would steer the inner one.
fn clean(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_outer = text.starts_with("CARGO") || text.starts_with("RUST");
        let is_home = matches!(&*text, "CARGO_HOME" | "RUSTUP_HOME" | "RUST_BACKTRACE");
        if is_outer && !is_home {
            command.env_remove(&name);
        }
    }
}

/// `opt` and `llc` at least as new as the LLVM that `rustc -vV` tells of: an older one cannot read its bitcode.
fn llvm(library: &Path, version: &str) -> Result<(PathBuf, PathBuf), String> {
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let host = field("host:").unwrap_or_default();
    let major = field("LLVM version:").and_then(major).ok_or("rustc -vV does not tell its LLVM version")?;
    if let Some(dir) = env::var_os("HONEYMESH_BPF_LLVM") {
        return pair(&PathBuf::from(&dir), "").ok_or(format!("HONEYMESH_BPF_LLVM={} lacks opt or llc", dir.display()));
    }
    let newer = major..=major + LLVM_NEWER_MAX;
    let installed = newer.clone().map(|major| (PathBuf::from(format!("/usr/lib/llvm-{major}/bin")), String::new()));
    let suffixed = newer.flat_map(|major| path_dirs().map(move |dir| (dir, format!("-{major}"))));
    let own = [(library.join(host).join("bin"), String::new())];
    let found = own.into_iter().chain(installed).chain(suffixed).find_map(|(dir, suffix)| pair(&dir, &suffix));
    let plain = || path_dirs().find_map(|dir| pair(&dir, "")).filter(|(opt, _)| release(opt) >= Some(major));
    found.or_else(plain).ok_or(format!("no bpf-linker, and no opt and llc of LLVM {major} or later"))
}

fn pair(dir: &Path, suffix: &str) -> Option<(PathBuf, PathBuf)> {
    let tools = (dir.join(format!("opt{suffix}")), dir.join(format!("llc{suffix}")));
    (tools.0.is_file() && tools.1.is_file()).then_some(tools)
}

/// The major LLVM release of a tool.
fn release(tool: &Path) -> Option<u32> {
    let text = run(Command::new(tool).arg("--version")).ok()?;
    major(text.split("LLVM version").nth(1)?)
}

fn major(version: &str) -> Option<u32> {
    version.trim().split('.').next()?.parse().ok()
}

fn path_dirs() -> impl Iterator<Item = PathBuf> {
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn on_path(name: &str) -> Option<PathBuf> {
    path_dirs().map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// What the command prints; what it complains, if it fails.
fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_owned();
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!("{} failed ({status})\n{}", program.display(), String::from_utf8_lossy(&stderr).trim()))
    }
}
