//! The other programs: who one is, what lies around, and what fetches from elsewhere, which never succeeds.

use super::{Output, Shell};
use crate::shell::words::downloads;
use alloc::{format, string::String};

/// What is there and says nothing, or whose output nobody waits for.
const SILENT: [&[u8]; 46] = [
    b"cd",
    b"export",
    b"unset",
    b"set",
    b"alias",
    b"history",
    b"chmod",
    b"chown",
    b"rm",
    b"mkdir",
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
const KNOWN: [&[u8]; 20] = [
    b"ls", b"uname", b"cat", b"wget", b"curl", b"bash", b"sh", b"id", b"whoami", b"grep", b"awk", b"sed", b"free", b"nproc",
    b"lscpu", b"w", b"uptime", b"ps", b"busybox", b"perl",
];
const BUSYBOX: &str = "BusyBox v1.37.0 (Debian 1:1.37.0-6+b9) multi-call binary.\nBusyBox is copyrighted by many authors between \
    1998-2015.\nLicensed under GPLv2. See source distribution for detailed\ncopyright notices.\n\n\
    Usage: busybox [function [arguments]...]\n   or: busybox --list[-full]\n   or: busybox --show SCRIPT\n";
const PS: &str = "    PID TTY          TIME CMD\n";

impl Shell<'_> {
    /// Answers a program that is there; `false` if it is not.
    pub(super) fn program(&self, words: &[&[u8]], output: &mut Output) -> bool {
        let [path, arguments @ ..] = words else { return true };
        let name = path.strip_prefix(b"/usr/bin/").or_else(|| path.strip_prefix(b"/bin/")).unwrap_or(path);
        match name {
            b"id" => self.print(&self.id(), output),
            b"whoami" => self.print(&format!("{}\n", self.user), output),
            b"pwd" => self.print(&format!("{}\n", self.home()), output),
            b"false" => output.status = 1,
            b"ls" => self.list(arguments, output),
            b"ps" => self.print(PS, output),
            b"which" | b"type" => self.which(arguments, output),
            b"crontab" => self.fail(&format!("no crontab for {}\n", self.user), output),
            b"wget" => self.wget(words, output),
            b"curl" => self.curl(words, output),
            b"busybox" => self.busybox(arguments, output),
            silent if SILENT.contains(&silent) => {}
            _ => return false,
        }
        true
    }

    fn print(&self, text: &str, output: &mut Output) {
        output.out.extend_from_slice(text.as_bytes());
    }

    fn id(&self) -> String {
        if self.is_root() {
            return "uid=0(root) gid=0(root) groups=0(root)\n".into();
        }
        format!("uid=1000({0}) gid=1000({0}) groups=1000({0}),27(sudo),100(users)\n", self.user)
    }

    /// Nobody ever left a file at home.
    fn list(&self, arguments: &[&[u8]], output: &mut Output) {
        let letters: alloc::vec::Vec<u8> =
            arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
        let places = arguments.iter().filter(|word| !word.starts_with(b"-"));
        if places.clone().any(|place| *place == b"/") {
            self.print(
                "bin\nboot\ndev\netc\nhome\nlib\nlib64\nmedia\nmnt\nopt\nproc\nroot\nrun\nsbin\nsrv\nsys\ntmp\nusr\nvar\n",
                output,
            );
            return;
        }
        let home = self.home();
        if places
            .clone()
            .any(|place| !matches!(*place, b"." | b"~" | b"/tmp" | b"/root" | b"/home" | b"/mnt") && *place != home.as_bytes())
        {
            for place in places {
                self.fail(
                    &format!("ls: cannot access '{}': No such file or directory\n", String::from_utf8_lossy(place)),
                    output,
                );
            }
            output.status = 2;
            return;
        }
        let user = &self.user;
        let long = letters.contains(&b'l');
        let text = match (long, letters.contains(&b'a')) {
            (true, true) => format!(
                "total 24\ndrwx------  3 {user} {user} 4096 Aug 14 09:12 .\ndrwxr-xr-x 18 root root 4096 Aug 14 09:03 ..\n\
                 -rw-r--r--  1 {user} {user}  571 Apr 10  2021 .bashrc\n-rw-r--r--  1 {user} {user}  161 Jul  9  2019 .profile\n\
                 drwx------  2 {user} {user} 4096 Aug 14 09:03 .ssh\n"
            ),
            (true, false) => "total 0\n".into(),
            (false, true) => ".\n..\n.bashrc\n.profile\n.ssh\n".into(),
            (false, false) => String::new(),
        };
        self.print(&text, output);
    }

    fn which(&self, arguments: &[&[u8]], output: &mut Output) {
        for name in arguments {
            if KNOWN.contains(name) || SILENT.contains(name) {
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

    fn busybox(&self, arguments: &[&[u8]], output: &mut Output) {
        match arguments {
            [] => self.print(BUSYBOX, output),
            [b"echo", rest @ ..] => super::echo(rest, b"\n", &mut output.out),
            known if self.machine(known, output) || self.program(known, output) => {}
            [name, ..] => {
                output.status = super::NOT_FOUND;
                output.complain(&format!("{}: applet not found\n", String::from_utf8_lossy(name)));
            }
        }
    }
}
