//! The programs of the device's busybox, what it says of them, and ash's own words.

use crate::{Telnet, shell::paths::split};
use alloc::{
    format,
    string::{String, ToString},
};

/// Where programs are.
pub(super) const FOLDERS: [&str; 4] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"];
/// Columns of a terminal that does not say how wide it is.
pub(super) const COLUMNS: usize = 80;

/// The programs, and in which of the [`FOLDERS`] each is; a bot that asks for another wants to hear that there is none.
const APPLETS: [(&str, usize); 50] = [
    ("[", 2),
    ("[[", 2),
    ("ash", 0),
    ("cat", 0),
    ("chmod", 0),
    ("cp", 0),
    ("cut", 2),
    ("dd", 0),
    ("df", 0),
    ("echo", 0),
    ("false", 0),
    ("ftpget", 2),
    ("getty", 1),
    ("grep", 0),
    ("head", 2),
    ("hostname", 0),
    ("id", 2),
    ("ifconfig", 1),
    ("init", 1),
    ("kill", 0),
    ("killall", 2),
    ("klogd", 1),
    ("login", 0),
    ("ls", 0),
    ("mkdir", 0),
    ("mount", 0),
    ("mv", 0),
    ("nc", 2),
    ("passwd", 2),
    ("ping", 0),
    ("ps", 0),
    ("reboot", 1),
    ("rm", 0),
    ("rmdir", 0),
    ("sh", 0),
    ("sleep", 0),
    ("syslogd", 1),
    ("tail", 2),
    ("telnetd", 3),
    ("test", 2),
    ("tftp", 2),
    ("top", 2),
    ("touch", 0),
    ("true", 0),
    ("umount", 0),
    ("uname", 0),
    ("uptime", 2),
    ("wc", 2),
    ("wget", 2),
    ("whoami", 2),
];
/// What ash does itself, and the words of which its programs are made.
const BUILTINS: [&[u8]; 41] = [
    b"!",
    b".",
    b":",
    b"alias",
    b"bg",
    b"break",
    b"case",
    b"cd",
    b"chdir",
    b"command",
    b"continue",
    b"eval",
    b"exec",
    b"export",
    b"fg",
    b"for",
    b"function",
    b"getopts",
    b"hash",
    b"help",
    b"history",
    b"in",
    b"jobs",
    b"let",
    b"local",
    b"printf",
    b"pwd",
    b"read",
    b"readonly",
    b"return",
    b"set",
    b"shift",
    b"source",
    b"times",
    b"trap",
    b"type",
    b"ulimit",
    b"umask",
    b"unalias",
    b"unset",
    b"wait",
];
/// `help`.
pub(super) const HELP: &str = "Built-in commands:\n------------------\n\t. : [ [[ alias bg break cd chdir command continue echo eval exec\n\
    \texit export false fg getopts hash help history jobs kill let\n\tlocal printf pwd read readonly return set shift source test times\n\
    \ttrap true type ulimit umask unalias unset wait\n";
/// What programs that fetch say of themselves to whoever names nothing to fetch.
const USAGES: [(&str, &str); 4] = [
    (
        "wget",
        "wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\t[--post-data STR | --post-file FILE] [-Y on/off]\n\
         \t[-P DIR] [-U AGENT] [-T SEC] URL...\n\nRetrieve files via HTTP or FTP\n",
    ),
    ("tftp", "tftp [OPTIONS] HOST [PORT]\n\nTransfer a file from/to tftp server\n"),
    ("ftpget", "ftpget [OPTIONS] HOST [LOCAL_FILE] REMOTE_FILE\n\nDownload a file via FTP\n"),
    (
        "cp",
        "cp [-arPLHpfinlsTu] SOURCE DEST\nor: cp [-arPLHpfinlsu] SOURCE... { -t DIRECTORY | DIRECTORY }\n\nCopy SOURCEs to DEST\n",
    ),
];

/// Whether busybox has this program, or the device.
pub(super) fn is_installed(name: &str, telnet: &Telnet) -> bool {
    name == "busybox" || is_applet(name.as_bytes()) || split(telnet.device.program()).1 == name
}

pub(super) fn is_applet(name: &[u8]) -> bool {
    APPLETS.binary_search_by(|(known, _)| known.as_bytes().cmp(name)).is_ok()
}

pub(super) fn is_builtin(name: &[u8]) -> bool {
    BUILTINS.contains(&name)
}

/// The programs in a folder.
pub(super) fn installed<'a>(path: &'a str, telnet: &'a Telnet) -> impl Iterator<Item = String> + use<'a> {
    let own = [split(telnet.device.program()), ("/bin", "busybox")];
    let applets = APPLETS.iter().map(|(name, folder)| (FOLDERS[*folder], *name));
    applets.chain(own).filter(move |(folder, _)| *folder == path).map(|(_, name)| name.to_string())
}

/// Where a program's link leads.
pub(super) fn target(folder: &str, name: &str) -> Option<&'static str> {
    let at = FOLDERS.iter().position(|known| *known == folder)?;
    is_applet(name.as_bytes()).then_some(["busybox", "../bin/busybox", "../../bin/busybox", "../../bin/busybox"][at])
}

/// `busybox --list`.
pub(super) fn list() -> String {
    APPLETS.iter().map(|(name, _)| format!("{name}\n")).collect()
}

/// What busybox says of itself when it is asked for nothing, behind its first lines.
pub(super) fn functions() -> String {
    let mut text = String::from(
        "Usage: busybox [function [arguments]...]\n   or: busybox --list\n   or: function [arguments]...\n\n\
         \tBusyBox is a multi-call binary that combines many common Unix\n\tutilities into a single executable.  Most people will create a\n\
         \tlink to busybox for each function they wish to use and BusyBox\n\twill act like whatever it was invoked as.\n\n\
         Currently defined functions:\n",
    );
    let mut column = 0;
    for (name, _) in APPLETS {
        let wide = name.len() + 2;
        if column >= COLUMNS - wide {
            text += ",\n";
            column = 0;
        }
        text += if column == 0 { "\t" } else { ", " };
        column = if column == 0 { 6 } else { column } + wide;
        text += name;
    }
    text + "\n"
}

/// What this program says to whoever names nothing that it could take.
pub(super) fn usage(name: &[u8], telnet: &Telnet) -> Option<String> {
    let (_, usage) = USAGES.iter().find(|(known, _)| known.as_bytes() == name)?;
    Some(format!("{} multi-call binary.\n\nUsage: {usage}", telnet.device.busybox))
}

/// Names in columns, as busybox's `ls` writes them on a terminal.
pub(super) fn columns(names: &[String]) -> String {
    let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) + 2;
    let across = (COLUMNS / wide).max(1);
    let down = names.len().div_ceil(across);
    let mut text = String::new();
    for row in 0..down {
        let mut gap = 0;
        for name in names.iter().skip(row).step_by(down) {
            text += &" ".repeat(gap);
            text += name;
            gap = wide - name.chars().count();
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_sorted_and_columns_go_down() {
        assert!(APPLETS.is_sorted() && APPLETS.iter().all(|(_, folder)| *folder < FOLDERS.len()));
        let names = |count: usize| -> alloc::vec::Vec<String> { (0..count).map(|at| format!("{at:012}")).collect() };
        // Of busybox 1.36: fourteen columns for each, five of them.
        assert_eq!(columns(&names(2)), "000000000000  000000000001\n");
        let lines = columns(&names(7));
        assert_eq!(lines.lines().next().unwrap(), "000000000000  000000000002  000000000004  000000000006", "{lines}");
        assert!(functions().lines().all(|line| line.len() <= COLUMNS) && functions().contains("\t[, [[, ash, cat, "));
    }
}
