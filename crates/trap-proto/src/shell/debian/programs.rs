//! The other programs: who one is, what lies around, and what fetches from elsewhere, which never succeeds.

use super::{Output, Place, Shell};
use crate::shell::words::downloads;
use alloc::{
    format,
    string::{String, ToString},
};

/// What is there and says nothing, or whose output nobody waits for.
const SILENT: [&[u8]; 44] = [
    b"export",
    b"unset",
    b"set",
    b"alias",
    b"history",
    b"chmod",
    b"chown",
    b"rm",
    b"mv",
    b"cp",
    b"touch",
    b"kill",
    b"pkill",
    b"killall",
    b"sleep",
    b"true",
    b":",
    b"ulimit",
    b"umask",
    b"clear",
    b"sync",
    b"wait",
    b"trap",
    b"source",
    b".",
    b"ln",
    b"passwd",
    b"chpasswd",
    b"useradd",
    b"usermod",
    b"userdel",
    b"groupadd",
    b"systemctl",
    b"service",
    b"apt",
    b"apt-get",
    b"iptables",
    b"chattr",
    b"tar",
    b"gzip",
    b"stty",
    b"reboot",
    b"shutdown",
    b"mount",
];
/// Further names that `which` finds.
const KNOWN: [&[u8]; 24] = [
    b"ls", b"uname", b"cat", b"wget", b"curl", b"bash", b"sh", b"id", b"whoami", b"grep", b"awk", b"sed", b"free", b"nproc",
    b"lscpu", b"w", b"uptime", b"ps", b"busybox", b"perl", b"who", b"df", b"mkdir", b"pwd",
];
const BUSYBOX: &str = "BusyBox v1.37.0 (Debian 1:1.37.0-6+b9) multi-call binary.\nBusyBox is copyrighted by many authors between \
    1998-2015.\nLicensed under GPLv2. See source distribution for detailed\ncopyright notices.\n\n\
    Usage: busybox [function [arguments]...]\n   or: busybox --list[-full]\n   or: busybox --show SCRIPT\n";

/// Builtins of bash, which are no files.
const BUILTINS: [&[u8]; 14] = [
    b"export",
    b"unset",
    b"set",
    b"alias",
    b"history",
    b":",
    b"ulimit",
    b"umask",
    b"wait",
    b"trap",
    b"source",
    b".",
    b"shutdown",
    b"reboot",
];

/// The names of the files in `/usr/bin`, as far as they are known here.
pub(super) fn names() -> impl Iterator<Item = String> {
    let all = SILENT.iter().chain(&KNOWN).filter(|name| !BUILTINS.contains(name));
    all.map(|name| String::from_utf8_lossy(name).to_string())
}

impl Shell<'_> {
    /// Answers a program that is there; `false` if it is not.
    pub(super) fn program(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) -> bool {
        let [path, arguments @ ..] = words else { return true };
        let name = path.strip_prefix(b"/usr/bin/").or_else(|| path.strip_prefix(b"/bin/")).unwrap_or(path);
        match name {
            b"id" => self.id(arguments, output),
            b"whoami" => self.print(&format!("{}\n", self.user), output),
            b"pwd" => self.print(&format!("{}\n", place.path(&self.home())), output),
            b"cd" => self.cd(arguments, place, output),
            b"mkdir" => self.mkdir(arguments, place, output),
            b"false" => output.status = 1,
            b"ls" => self.list(arguments, place, output),
            b"which" | b"type" => self.which(arguments, output),
            b"crontab" => self.fail(&format!("no crontab for {}\n", self.user), output),
            b"wget" => self.wget(words, output),
            b"curl" => self.curl(words, output),
            b"busybox" => self.busybox(arguments, place, output),
            silent if SILENT.contains(&silent) => {}
            _ => return false,
        }
        true
    }

    fn print(&self, text: &str, output: &mut Output) {
        output.out.extend_from_slice(text.as_bytes());
    }

    fn which(&self, arguments: &[&[u8]], output: &mut Output) {
        for name in arguments {
            if names().any(|known| known.as_bytes() == *name) {
                self.print(&format!("/usr/bin/{}\n", String::from_utf8_lossy(name)), output);
            } else {
                output.status = 1;
            }
        }
    }

    fn wget(&self, words: &[&[u8]], output: &mut Output) {
        let line = words.join(&b' ');
        let Some(host) = self.host_of(&line, words) else {
            return self
                .fail("wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n", output);
        };
        let is_quiet = words.iter().any(|word| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b'q'));
        if !is_quiet {
            output.complain(&format!("Connecting to {host}... failed: Network is unreachable.\n"));
        }
        output.status = 4;
    }

    fn curl(&self, words: &[&[u8]], output: &mut Output) {
        let line = words.join(&b' ');
        let Some(host) = self.host_of(&line, words) else {
            output.status = 2;
            return output.complain("curl: try 'curl --help' or 'curl --manual' for more information\n");
        };
        let is_quiet = words.iter().any(|word| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b's'));
        if !is_quiet {
            let (name, port) = host.split_once(':').unwrap_or((&host, "80"));
            output.complain(&format!(
                "curl: (7) Failed to connect to {name} port {port} after 0 ms: Could not connect to server\n"
            ));
        }
        output.status = 7;
    }

    /// `host:port` of the first address on the line, or of a word that looks like one without its scheme.
    fn host_of(&self, line: &[u8], words: &[&[u8]]) -> Option<String> {
        let named = downloads(line).first().copied();
        let address =
            named.or_else(|| words.iter().skip(1).find(|word| !word.starts_with(b"-") && word.contains(&b'.')).copied())?;
        let text = String::from_utf8_lossy(address);
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", &text));
        let host = rest.split('/').next().filter(|host| !host.is_empty())?;
        Some(match host.contains(':') {
            true => host.into(),
            false => format!("{host}:{}", if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 }),
        })
    }

    fn busybox(&self, arguments: &[&[u8]], place: &mut Place, output: &mut Output) {
        match arguments {
            [] => self.print(BUSYBOX, output),
            [b"echo", rest @ ..] => super::echo(rest, b"\n", &mut output.out),
            known if self.machine(known, place, output) || self.program(known, place, output) => {}
            [name, ..] => {
                output.status = super::NOT_FOUND;
                output.complain(&format!("{}: applet not found\n", String::from_utf8_lossy(name)));
            }
        }
    }
}
