//! Installs what the project needs, once: Debian packages through apt-get, cargo tools and competitors' crates through cargo.

mod ebpf;
mod packages;

use crate::machine::{self, is_root, which};
use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use packages::{CONTENDERS, Contender, PACKAGES, PYTHONS, Package, Python, TOOLS, Tool, UNPACKED, Unpacked};
use std::{
    process::{Command, Stdio},
    thread,
};

/// What something has to be installed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Purpose {
    /// Compiling the daemon
    Build,
    /// Compiling the kernel program
    Ebpf,
    /// Namespaces, attackers' and visitors' tools: the demo and the end-to-end tests
    Lab,
    /// Other firewalls to measure ours against
    Bench,
    /// Other gossip libraries to measure ours against
    BenchMesh,
    /// Other traps to measure ours against
    BenchTraps,
    /// Testing the dashboard in a real browser
    Browser,
    /// Fuzzing the parsers
    Fuzz,
    /// Checks that only continuous integration runs
    Checks,
}

impl Purpose {
    const fn is_competitors(self) -> bool {
        matches!(self, Self::Bench | Self::BenchMesh | Self::BenchTraps)
    }
}

/// What running the daemon in the lab needs.
pub const DEMO: &[Purpose] = &[Purpose::Build, Purpose::Ebpf, Purpose::Lab];
/// What every test needs.
pub const TEST: &[Purpose] = &[Purpose::Build, Purpose::Ebpf, Purpose::Lab, Purpose::Browser];

/// Whether missing things are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// They are.
    Missing,
    /// They are only named, and that is a failure.
    Nothing,
}

impl Install {
    /// From a `--no-install` flag.
    pub const fn unless(no_install: bool) -> Self {
        if no_install { Self::Nothing } else { Self::Missing }
    }
}

/// The purposes asked for; none means all but the benchmarks' competitors, which a benchmark fetches when it is run.
pub fn or_all(purposes: Vec<Purpose>) -> Vec<Purpose> {
    if !purposes.is_empty() {
        return purposes;
    }
    Purpose::value_variants().iter().copied().filter(|purpose| !purpose.is_competitors()).collect()
}

/// Makes sure that everything for `purposes` is there.
///
/// # Errors
/// Names what is missing and the command that mends it, if nothing may be installed, if this is not root, if this is
/// not Debian, or if an installation failed.
pub fn run(purposes: &[Purpose], install: Install) -> Result<()> {
    let missing = Missing::find(purposes)?;
    if missing.is_empty() {
        println!("set-up: everything is there ({})", named(purposes));
        return Ok(());
    }
    missing.print();
    if install == Install::Nothing {
        bail!("{}", missing.remedy("something is missing, and --no-install was given"));
    }
    // Packages are fetched and unpacked while the processors compile: whoever got here has a compiler and a linker.
    thread::scope(|scope| -> Result<()> {
        let tools = scope.spawn(|| missing.tools.iter().try_for_each(|tool| install_tool(tool)));
        if !missing.packages.is_empty() {
            install_packages(&missing)?;
        }
        tools.join().map_err(|_| anyhow!("installing a tool broke"))?
    })?;
    for contender in &missing.contenders {
        println!("set-up: {}", machine::words(&builder(contender)));
        machine::run(&mut builder(contender))?;
    }
    for python in &missing.pythons {
        println!("set-up: {}", machine::words(&pip(python)));
        machine::run(&mut environment(python))?;
        machine::run(&mut pip(python))?;
    }
    for package in &missing.unpacked {
        println!("set-up: {}", machine::words(&unpacker(package)));
        machine::run(&mut unpacker(package))?;
    }
    let still = Missing::find(purposes)?;
    if !still.is_empty() {
        bail!("{}", still.remedy("installed without an error, yet this is still missing"));
    }
    println!("set-up: done");
    Ok(())
}

fn named(purposes: &[Purpose]) -> String {
    let names = purposes.iter().filter_map(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned());
    names.collect::<Vec<_>>().join(", ")
}

/// What is not there.
struct Missing {
    packages: Vec<&'static Package>,
    tools: Vec<&'static Tool>,
    contenders: Vec<&'static Contender>,
    pythons: Vec<&'static Python>,
    unpacked: Vec<&'static Unpacked>,
}

impl Missing {
    fn find(purposes: &[Purpose]) -> Result<Self> {
        let wanted: Vec<_> = PACKAGES.iter().filter(|package| purposes.contains(&package.purpose)).collect();
        let tools = TOOLS.iter().filter(|tool| purposes.contains(&tool.purpose) && !is_installed(tool)).collect();
        let contenders = CONTENDERS.iter().filter(|built| purposes.contains(&built.purpose) && !is_built(built)).collect();
        let pythons = PYTHONS.iter().filter(|python| purposes.contains(&python.purpose) && !is_there(python)).collect();
        let is_absent = |package: &&Unpacked| purposes.contains(&package.purpose) && !unpacked_in().join(package.file).exists();
        Ok(Self { packages: absent(wanted)?, tools, contenders, pythons, unpacked: UNPACKED.iter().filter(is_absent).collect() })
    }

    fn is_empty(&self) -> bool {
        self.packages.is_empty()
            && self.tools.is_empty()
            && self.contenders.is_empty()
            && self.pythons.is_empty()
            && self.unpacked.is_empty()
    }

    fn names(&self) -> Vec<&'static str> {
        self.packages.iter().map(|package| package.name).collect()
    }

    fn print(&self) {
        for package in &self.packages {
            println!("set-up: missing Debian package {:24} {}", package.name, package.why);
        }
        for tool in &self.tools {
            println!("set-up: missing cargo tool     {:24} {}", format!("{} {}", tool.name, tool.version), tool.why);
        }
        for contender in &self.contenders {
            println!("set-up: missing build of       {:24} {}", contender.name, contender.why);
        }
        for python in &self.pythons {
            println!("set-up: missing from PyPI      {:24} {}", format!("{} {}", python.name, python.version), python.why);
        }
        for package in &self.unpacked {
            println!("set-up: missing unpacked       {:24} {}", package.name, package.why);
        }
    }

    /// One message: why nothing more was done, and what to type.
    fn remedy(&self, because: &str) -> String {
        let mut lines = vec![format!("{because}; to mend it, run:")];
        if !self.packages.is_empty() {
            let sudo = if is_root() { "" } else { "sudo " };
            lines.push(format!("  {sudo}apt-get update && {sudo}apt-get install -y {}", self.names().join(" ")));
        }
        lines.extend(self.tools.iter().map(|tool| format!("  {}", machine::words(&installer(tool)))));
        lines.extend(self.contenders.iter().map(|contender| format!("  {}", machine::words(&builder(contender)))));
        lines.extend(
            self.pythons
                .iter()
                .flat_map(|python| [environment(python), pip(python)].map(|command| format!("  {}", machine::words(&command)))),
        );
        lines.extend(self.unpacked.iter().map(|package| format!("  {}", machine::words(&unpacker(package)))));
        if self.packages.iter().any(|package| package.purpose == Purpose::Ebpf) {
            lines.push(ebpf::OTHER_ROUTE.into());
        }
        lines.join("\n")
    }
}

/// Those of `wanted` that are not there. Off Debian, programs on the PATH stand in for their packages.
fn absent(wanted: Vec<&'static Package>) -> Result<Vec<&'static Package>> {
    let ebpf_otherwise = wanted.iter().any(|package| package.purpose == Purpose::Ebpf) && ebpf::has_other_route();
    let needed = wanted.into_iter().filter(|package| !(ebpf_otherwise && package.purpose == Purpose::Ebpf));
    if which("dpkg-query").is_none() {
        return Ok(needed.filter(|package| !stands_in(package.name)).collect());
    }
    let needed: Vec<_> = needed.collect();
    let installed = installed_packages(&needed)?;
    Ok(needed.into_iter().filter(|package| !installed.iter().any(|name| name == package.name)).collect())
}

fn installed_packages(wanted: &[&Package]) -> Result<Vec<String>> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status} ${Package}\n"]).args(wanted.iter().map(|package| package.name));
    // It fails as soon as one name is unknown, but still lists the others.
    let output = query.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    Ok(parse_installed(&String::from_utf8_lossy(&output.stdout)))
}

fn parse_installed(listing: &str) -> Vec<String> {
    listing.lines().filter_map(|line| line.strip_prefix("installed ")).map(str::to_owned).collect()
}

/// A program that shows, on a machine without dpkg, that the package's job can be done.
fn stands_in(package: &str) -> bool {
    let programs: &[&str] = match package {
        "iproute2" => &["ip"],
        "nftables" => &["nft"],
        "procps" => &["ps"],
        "util-linux" => &["nsenter", "taskset"],
        "openssh-client" => &["ssh"],
        "dropbear-bin" => &["dbclient"],
        "python3-paramiko" => &["python3"],
        "chromium-driver" => &["chromedriver"],
        "libc6-dev" => &["gcc"],
        "fonts-liberation" => return true,
        other => return which(other).is_some(),
    };
    programs.iter().all(|program| which(program).is_some())
}

fn install_packages(missing: &Missing) -> Result<()> {
    if which("apt-get").is_none() {
        bail!("{}", missing.remedy("this is no Debian: install the equivalents of these with its own packages"));
    }
    if !is_root() {
        bail!("{}", missing.remedy("installing Debian packages needs root"));
    }
    println!("set-up: apt-get update");
    machine::run(apt().args(["-qq", "update"]))?;
    println!("set-up: apt-get install {}", missing.names().join(" "));
    let install = ["-qq", "install", "-y", "--no-install-recommends"];
    machine::run(apt().args(install).args(missing.names()).stdout(Stdio::null()))
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    apt
}

fn is_installed(tool: &Tool) -> bool {
    let version = Command::new(tool.name).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == tool.version))
}

/// A tool that runs for seconds is not worth minutes of optimisation.
const HASTE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

fn install_tool(tool: &Tool) -> Result<()> {
    println!("set-up: {}", machine::words(&installer(tool)));
    machine::run(installer(tool).envs(HASTE))
}

fn installer(tool: &Tool) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "--locked", "--quiet", tool.name, "--version", tool.version]);
    cargo
}

fn is_built(contender: &Contender) -> bool {
    machine::root().join(contender.folder).join("target/release").join(contender.name).is_file()
}

/// Optimised as its users would: it is measured.
fn builder(contender: &Contender) -> Command {
    let mut cargo = Command::new("cargo");
    let manifest = machine::root().join(contender.folder).join("Cargo.toml");
    cargo.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]).arg(manifest).env_remove("CARGO_TARGET_DIR");
    cargo
}

/// Where other traps are installed, from the root: programs from PyPI each in a folder of its name.
pub const PYTHONS_IN: &str = "target/bench/python";

fn folder(python: &Python) -> std::path::PathBuf {
    machine::root().join(PYTHONS_IN).join(python.name)
}

fn is_there(python: &Python) -> bool {
    folder(python).join("bin/twistd").is_file()
}

/// The system's own Python: whoever owns nothing must be able to run it.
fn environment(python: &Python) -> Command {
    let mut venv = Command::new("/usr/bin/python3");
    venv.args(["-m", "venv"]).arg(folder(python));
    venv
}

fn pip(python: &Python) -> Command {
    let mut pip = Command::new(folder(python).join("bin/pip"));
    pip.args(["install", "--quiet", &format!("{}=={}", python.name, python.version)]);
    pip
}

/// Where Debian's packages are unpacked.
fn unpacked_in() -> std::path::PathBuf {
    machine::root().join(PYTHONS_IN).join("unpacked")
}

/// Fetched and unpacked only: an installation would start a service on this machine.
fn unpacker(package: &Unpacked) -> Command {
    let mut sh = Command::new("sh");
    let fetch = format!("apt-get -qq download {0} && dpkg -x {0}_*.deb . && rm {0}_*.deb", package.name);
    sh.args(["-c", &format!("mkdir -p {0} && cd {0} && {fetch}", unpacked_in().display())]);
    sh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dpkg_calls_installed_is_there() {
        let listing = "installed nmap\nconfig-files curl\nnot-installed lftp\ninstalled hping3\n";
        assert_eq!(parse_installed(listing), ["nmap", "hping3"]);
    }

    #[test]
    fn the_remedy_is_a_line_to_type() {
        let package = PACKAGES.iter().find(|package| package.name == "llvm-22").unwrap();
        let missing = Missing {
            packages: vec![package],
            tools: TOOLS.iter().collect(),
            contenders: CONTENDERS.iter().collect(),
            pythons: PYTHONS.iter().collect(),
            unpacked: UNPACKED.iter().collect(),
        };
        let remedy = missing.remedy("why");
        assert!(remedy.starts_with("why; to mend it, run:"), "{remedy}");
        assert!(remedy.contains("apt-get install -y llvm-22"), "{remedy}");
        assert!(remedy.contains("cargo install --locked --quiet cargo-deny --version 0.20.2"), "{remedy}");
        assert!(remedy.contains("cargo build --release --locked --quiet --manifest-path"), "{remedy}");
        assert!(remedy.contains("sim/benches/iroh-gossip/Cargo.toml"), "{remedy}");
        assert!(remedy.contains("opencanary/bin/pip install --quiet opencanary==0.9.10"), "{remedy}");
        assert!(remedy.contains("apt-get -qq download fail2ban"), "{remedy}");
        assert!(remedy.contains("apt-get -qq download crowdsec-firewall-bouncer"), "{remedy}");
        assert!(remedy.contains("rust-src"), "the other route is named: {remedy}");
    }

    #[test]
    fn no_purpose_means_every_purpose_but_the_competitors() {
        assert_eq!(or_all(vec![]).len(), Purpose::value_variants().len() - 3);
        assert!(!or_all(vec![]).into_iter().any(Purpose::is_competitors));
        assert_eq!(or_all(vec![Purpose::Lab]), [Purpose::Lab]);
    }
}
