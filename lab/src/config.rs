//! A node's configuration for the lab, as the TOML that the daemon reads.

use crate::topology::{Family, Place};
use std::path::Path;

/// The SSH trap's port.
pub const SSH_PORT: u16 = 2222;
/// The HTTP trap's port.
pub const HTTP_PORT: u16 = 8080;
/// The FTP trap's port.
pub const FTP_PORT: u16 = 2121;
/// The scripted trap's port.
pub const SCRIPT_PORT: u16 = 2525;
/// The mesh's port.
pub const MESH_PORT: u16 = 7946;
/// What every lab's mesh is called.
pub const CLUSTER: &str = "lab";

/// What is different from the usual node of the lab.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Which node.
    pub place: Place,
    /// The cluster's key as text; `None`: no mesh at all.
    pub key: Option<String>,
    /// Lines added at the end of a section: `("scan", "ports = 5")`; of the `[[cluster]]` for `cluster`.
    pub extra: Vec<(&'static str, String)>,
    /// A program, and its arguments, that starts the daemon: one that makes it believe something about the machine.
    pub through: &'static [&'static str],
}

impl NodeConfig {
    /// The usual node at `place`, in a mesh with `key`.
    #[must_use]
    pub fn new(place: Place, key: &str) -> Self {
        Self { place, key: Some(key.into()), extra: Vec::new(), through: &[] }
    }

    /// A node by itself.
    #[must_use]
    pub const fn alone(place: Place) -> Self {
        Self { place, key: None, extra: Vec::new(), through: &[] }
    }

    /// The same with a line added to `section`.
    #[must_use]
    pub fn with(mut self, section: &'static str, line: impl Into<String>) -> Self {
        self.extra.push((section, line.into()));
        self
    }

    /// The same, started through another program.
    #[must_use]
    pub const fn through(mut self, program: &'static [&'static str]) -> Self {
        self.through = program;
        self
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.place.name()
    }

    /// The whole file. `dir` holds the state directory and the key file.
    pub(crate) fn toml(&self, dir: &Path, pins: &Path) -> String {
        let mut sections = vec![
            ("node", vec![format!("name = \"{}\"", self.name()), format!("state_dir = \"{}\"", dir.join("state").display())]),
            ("xdp", vec!["interfaces = [\"eth0\"]".into(), format!("pin_dir = \"{}\"", pins.display())]),
        ];
        for section in ["scan", "bans", "allow", "traps", "api", "store"] {
            sections.push((section, Vec::new()));
        }
        for (section, line) in self.extra.iter().filter(|(section, _)| *section != "cluster") {
            match sections.iter_mut().find(|(name, _)| name == section) {
                Some((_, lines)) => lines.push(line.clone()),
                None => sections.push((section, vec![line.clone()])),
            }
        }
        let plain = sections.iter().filter(|(_, lines)| !lines.is_empty());
        let plain: String = plain.map(|(name, lines)| format!("[{name}]\n{}\n\n", lines.join("\n"))).collect();
        plain + &traps() + &self.cluster(dir)
    }

    fn cluster(&self, dir: &Path) -> String {
        if self.key.is_none() {
            return String::new();
        }
        let others = Place::NODES.into_iter().filter(|place| *place != self.place);
        let join: Vec<_> = others.map(|place| format!("\"{}\"", place.at(Family::V4, MESH_PORT))).collect();
        let extra = self.extra.iter().filter(|(section, _)| *section == "cluster");
        let extra: String = extra.map(|(_, line)| format!("{line}\n")).collect();
        format!(
            "[[cluster]]\nname = \"{CLUSTER}\"\nlisten = \"0.0.0.0:{MESH_PORT}\"\njoin = [{}]\nkey_file = \"{}\"\n{extra}",
            join.join(", "),
            key_file(dir).display()
        )
    }
}

/// Where the cluster's key lies.
pub(crate) fn key_file(dir: &Path) -> std::path::PathBuf {
    dir.join("mesh.key")
}

fn traps() -> String {
    let trap = |name: &str, port: u16, more: &str| {
        format!("[[trap]]\nname = \"{name}\"\nservice = \"{name}\"\nlisten = [\"0.0.0.0:{port}\", \"[::]:{port}\"]\n{more}\n")
    };
    let script = "banner = \"220 mail ESMTP\\r\\n\"\n\
        [[trap.rule]]\nexpect = \"QUIT\"\nanswer = \"221 bye\\r\\n\"\nclose = true\n";
    trap("ssh", SSH_PORT, "") + &trap("http", HTTP_PORT, "") + &trap("ftp", FTP_PORT, "") + &trap("script", SCRIPT_PORT, script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_what_is_usual_and_what_is_added() {
        let config = NodeConfig::new(Place::Node(2), "k").with("scan", "ports = 5").with("bans", "ttl = \"1h\"");
        let toml = config.toml(Path::new("/d"), Path::new("/p"));
        for part in [
            "[node]\nname = \"node2\"\nstate_dir = \"/d/state\"\n",
            "pin_dir = \"/p\"",
            "[scan]\nports = 5\n",
            "[bans]\nttl = \"1h\"\n",
            "join = [\"198.18.1.10:7946\", \"198.18.3.10:7946\"]",
            "listen = [\"0.0.0.0:2222\", \"[::]:2222\"]",
        ] {
            assert!(toml.contains(part), "{part} is not in\n{toml}");
        }
        let behind = NodeConfig::new(Place::Node(3), "k").with("cluster", "dial_out = true");
        assert!(behind.toml(Path::new("/d"), Path::new("/p")).ends_with("key_file = \"/d/mesh.key\"\ndial_out = true\n"));
        assert!(!NodeConfig::alone(Place::Node(1)).toml(Path::new("/d"), Path::new("/p")).contains("[[cluster]]"));
    }
}
