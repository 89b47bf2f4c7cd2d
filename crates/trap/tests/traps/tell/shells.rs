//! The words by which zhtrap, a bot on Mirai's grounds, takes a shell for Cowrie's and leaves.

use super::real::playing;
use crate::support::{printed, run, run_until_it_leaves};
use honeymesh_trap_proto::Definition;

/// All six of them.
const WORDS: [&str; 6] = ["Jun22", "Jun23", "phil", "sshd:", "richard", "@LocalHost:]"];
/// The one of them that a real Debian says, too, where an SSH server is: in `ps`, and of its user.
const REAL_TOO: &str = "sshd:";

/// What is asked of a device behind its login, and what a busybox says to it.
const DEVICE: &[(&str, &[&str])] = &[
    ("ps", &["  PID USER       VSZ STAT COMMAND\r\n    1 root ", " S    init\r\n", " /usr/sbin/telnetd -F\r\n", " R    ps\r\n"]),
    ("cat /etc/passwd", &["root:x:0:0:root:/root:/bin/sh\r\n", "\r\nnobody:"]),
    ("ls -la /", &["drwxr-xr-x ", " root     root ", " bin\r\n", " proc\r\n"]),
    ("uname -a", &["Linux gateway ", " GNU/Linux\r\n"]),
    ("hostname", &["hostname\r\ngateway\r\n"]),
];

fn word_in(said: &str) -> Option<&'static str> {
    WORDS.into_iter().find(|word| said.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_zhtraps_is_said_on_a_device() {
    for said in ["drwxr-xr-x 1 root root 4096 Jun22 bin", "phil:x:1000:", "  981 root sshd: /usr/sbin/sshd", "[root@LocalHost:]"]
    {
        assert!(word_in(said).is_some(), "{said} would not be told");
    }
    let traps = playing(&Definition { service: "telnet".into(), let_in: Some(1), ..Definition::default() });
    let port = traps.port("trap").to_string();
    for (command, expected) in DEVICE {
        let lines = ["root\r".to_owned(), "x\r".to_owned(), format!("{command}\r"), "exit\r".to_owned()];
        let lines = lines.each_ref().map(String::as_str);
        let said = printed(&run_until_it_leaves("busybox", &["telnet", "127.0.0.1", &port], &lines).await);
        assert_eq!(word_in(&said), None, "{command}: {said}");
        let missing = expected.iter().find(|words| !said.contains(*words));
        assert_eq!(missing, None, "{command}: {said:?}");
    }
}

/// Behind SSH one word is said, where a real one says it, as that says it, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn one_word_of_zhtraps_is_said_behind_ssh_as_a_real_debian_says_it() {
    let traps = playing(&Definition { service: "ssh".into(), let_in: Some(1), ..Definition::default() });
    let port = traps.port("trap").to_string();
    let plain = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
    for (command, _) in DEVICE.iter().chain(&[("ps aux", &[][..]), ("ps -ef", &[][..])]) {
        let arguments = [&["-p", "x", "ssh", "-F", "/dev/null"], &plain[..], &["-p", &port, "root@127.0.0.1", command]].concat();
        let said = printed(&run("sshpass", &arguments).await);
        assert!(!said.is_empty(), "{command}");
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(REAL_TOO)).collect();
        let expected = match *command {
            "ps aux" | "ps -ef" => " sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",
            "cat /etc/passwd" => "sshd:x:994:65534:sshd user:/run/sshd:/usr/sbin/nologin",
            _ => "",
        };
        assert_eq!(lines.len(), usize::from(!expected.is_empty()), "{command}: {said}");
        assert!(lines.iter().all(|line| line.ends_with(expected)), "{command}: {lines:?}");
        let others = WORDS.into_iter().filter(|word| *word != REAL_TOO).find(|word| said.contains(word));
        assert_eq!(others, None, "{command}: {said}");
    }
}
