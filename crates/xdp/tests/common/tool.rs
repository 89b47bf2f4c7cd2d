//! The real `nft`, for tests alone, and tables of ours that it may change.

use super::{Room, backend::nft, wait};
use honeymesh_xdp::Nft;
use std::process::{Child, Command};

/// Runs the real tool: what it shows, or what it says against it.
pub fn tool(words: &str) -> Result<String, String> {
    let output = Command::new("nft").args(words.split(' ')).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Tables of ours that nobody owns, as kernels before 6.9 have them: everybody may change them.
pub fn unowned(room: &Room, interfaces: &[&str]) -> Nft {
    ["netdev", "inet"].into_iter().for_each(add_ours);
    nft(&room.options(interfaces)).unwrap()
}

/// An empty table of ours that nobody owns.
pub fn add_ours(family: &str) {
    let what = if family == "netdev" { "bans" } else { "dark ports" };
    let words = ["add", "table", family, "honeymesh", &format!("{{ comment \"honeymesh {what}, version 1\"; }}")];
    assert!(Command::new("nft").args(words).status().unwrap().success());
}

/// Puts a table of somebody else's in the place of ours, so that every change of the rules is refused, and what is before the network
/// stack stays as it is.
pub fn refuse() {
    tool("delete table inet honeymesh ; add table inet honeymesh").unwrap();
}

pub fn refuse_no_more() {
    tool("delete table inet honeymesh").unwrap();
    add_ours("inet");
}

/// So many hooks has an interface at most.
const HOOKS_MAX: usize = 1_024;

/// An interface that no chain of ours can be hung on.
pub fn crowd(interface: &str) {
    let chain =
        |number| format!("add chain netdev other c{number} {{ type filter hook ingress device {interface} priority 0; }}\n");
    let chains: String = (0..HOOKS_MAX).map(chain).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("add table netdev other\n{chains}")).unwrap();
    tool(&format!("-f {}", file.path().display())).unwrap();
}

/// A process that ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _unless_it_has_ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// What the kernel tells of every change.
pub struct Monitor {
    file: tempfile::NamedTempFile,
    _listener: Ended,
}

impl Monitor {
    /// It listens when this is done.
    pub fn start() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let listener = Command::new("stdbuf").args(["-oL", "nft", "monitor"]).stdout(file.reopen().unwrap()).spawn().unwrap();
        let monitor = Self { file, _listener: Ended(listener) };
        let hears = || {
            tool("add table ip here ; delete table ip here").unwrap();
            monitor.told().contains("table ip here")
        };
        assert!(wait(hears), "it does not listen");
        monitor
    }

    pub fn told(&self) -> String {
        std::fs::read_to_string(self.file.path()).unwrap()
    }
}
