//! Published tests for honeypots, run against the traps: nothing tells. Each is first shown that it would tell.

use super::{
    answers::{Answer, real},
    honeydet, nuclei,
    real::playing,
    signatures::{FTP, MAIL, SSH, STORES, Signature, THINGS, WEB},
};
use crate::support::{Traps, printed, run};
use honeymesh_trap_proto::{Definition, Service};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long an answer is waited for, and then its rest.
const ANSWER: Duration = Duration::from_millis(1_500);
const REST: Duration = Duration::from_millis(150);
/// Tests that are run at once.
const AT_ONCE: usize = 6;

/// What is answered to each thing that a signature says, the greeting with the first.
async fn ask_each(address: SocketAddr, says: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answers = vec![Vec::new(); says.len().max(1)];
    listen(&mut stream, if says.is_empty() { ANSWER } else { REST }, &mut answers[0]).await;
    for (said, answer) in says.iter().zip(&mut answers) {
        if stream.write_all(said).await.is_err() {
            break;
        }
        listen(&mut stream, ANSWER, answer).await;
    }
    answers
}

/// Everything that is answered.
async fn ask(address: SocketAddr, says: &[&[u8]]) -> Vec<u8> {
    ask_each(address, says).await.concat()
}

async fn listen(stream: &mut TcpStream, patience: Duration, answer: &mut Vec<u8>) {
    let (mut wait, mut chunk) = (patience, vec![0; 64 * 1_024]);
    while let Ok(Ok(count @ 1..)) = timeout(wait, stream.read(&mut chunk)).await {
        answer.extend_from_slice(&chunk[..count]);
        wait = REST;
    }
}

/// A server that says the same to everybody.
async fn stand_in(says: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(says).await;
                while stream.read(&mut [0; 512]).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(says).await;
                }
            });
        }
    });
    address
}

/// Runs a family of tests against its traps, and against what they are meant for, some at once.
async fn nothing_tells(family: &'static [Signature]) {
    for some in family.chunks(AT_ONCE) {
        let asked: Vec<_> = some.iter().map(|signature| tokio::spawn(does_not_tell(signature))).collect();
        for one in asked {
            one.await.unwrap();
        }
    }
}

/// Silence is no proof: the trap must answer as the server does that it plays.
async fn does_not_tell(signature: &'static Signature) {
    let Signature { honeypot, service, site, says, tell, source, .. } = signature;
    let heard = ask_each(stand_in(signature.stand_in).await, says).await;
    assert!(tell.is_told_by(&heard), "{source} would not tell {honeypot}: {}", heard.concat().escape_ascii());
    let definition = Definition { service: (*service).into(), site: site.map(Into::into), ..Definition::default() };
    let traps = playing(&definition);
    let heard = ask_each(traps.address("trap"), says).await;
    let answer = heard.concat();
    let is_told = tell.is_told_by(&heard);
    assert_eq!(is_told, signature.takes_the_real_one, "{source} on {service} and {honeypot}: {}", answer.escape_ascii());
    let expected = real(signature);
    assert!(!is_told || matches!(expected, Answer::Is(_)), "{honeypot}: what the real {service} says must be known to the octet");
    if let Some(objection) = expected.objection(&answer) {
        panic!("{service} does not answer the test for {honeypot} ({source}) as a real one: {objection}");
    }
    if let Answer::Only { asked, said } = expected {
        let answer = ask(traps.address("trap"), &[asked]).await;
        assert!(answer.windows(said.len()).any(|window| window == said), "{service} is silent to all: {}", answer.escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_for_kippo_or_cowrie_tells() {
    nothing_tells(SSH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_for_honeypots_in_the_mail_tells() {
    nothing_tells(MAIL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_for_honeypots_that_speak_ftp_tells() {
    nothing_tells(FTP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_for_honeypots_on_the_web_tells() {
    nothing_tells(WEB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_for_honeypots_among_stores_tells() {
    nothing_tells(STORES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_for_honeypots_among_things_tells() {
    nothing_tells(THINGS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_of_nuclei_tells() {
    nothing_tells(nuclei::PUBLISHED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_of_honeydet_tells_mail_files_or_shells() {
    nothing_tells(honeydet::LINES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_of_honeydet_tells_stores_or_things() {
    nothing_tells(honeydet::STORES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_of_honeydet_tells_the_web() {
    nothing_tells(honeydet::WEB).await;
}

/// Key exchanges by the version that offers them first (Metasploit's ssh_honeypot); OpenSSH 10 dropped the groups of finite fields
/// (release notes of 10.0), which that test does not know yet.
const OFFERED_SINCE: [(f32, &str); 4] = [
    (6.5, "curve25519-sha256@libssh.org"),
    (7.4, "curve25519-sha256"),
    (8.9, "sntrup761x25519-sha512@openssh.com"),
    (9.9, "mlkem768x25519-sha256"),
];
const NEVER_OFFERED: [&str; 2] = ["sntrup4591761x25519-sha512@tinyssh.org", "diffie-hellman-group1-sha1"];

/// Why an SSH server is not what it says it is.
fn ssh_contradiction(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let version = text.split("OpenSSH_").nth(1)?;
    let version: f32 = version[..version.find(|char: char| !char.is_ascii_digit() && char != '.')?].parse().ok()?;
    let has =
        |name: &str| text.split([',', '\0', '\n']).any(|one| one.trim_matches(|char: char| !char.is_ascii_graphic()) == name);
    let ends_with = |name: &str| has(name) || text.contains(&format!("{name},"));
    let missing = OFFERED_SINCE.iter().find(|(since, name)| version >= *since && !ends_with(name));
    let phantom = NEVER_OFFERED.iter().find(|name| ends_with(name));
    missing
        .map(|(since, name)| format!("{version} offers {name} since {since}"))
        .or(phantom.map(|name| format!("nobody offers {name}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ssh_server_offers_what_its_version_offers() {
    let old = stand_in(b"SSH-2.0-OpenSSH_9.9p1\r\n\0\0\0\0\x14curve25519-sha256,ecdh-sha2-nistp256\0\0").await;
    assert!(ssh_contradiction(&ask(old, &[b"SSH-2.0-x\r\n"]).await).is_some());
    let traps = playing(&Definition { service: "ssh".into(), ..Definition::default() });
    let answer = ask(traps.address("trap"), &[b"SSH-2.0-x\r\n"]).await;
    assert_eq!(ssh_contradiction(&answer), None, "{}", answer.escape_ascii());
}

/// The offer's cookie is new each time, and its padding is nought: OpenSSH's, not a library's (Bitter Harvest).
#[tokio::test(flavor = "multi_thread")]
async fn the_ssh_servers_first_packet_is_padded_as_openssh_pads_it_and_its_cookie_changes() {
    let traps = playing(&Definition { service: "ssh".into(), ..Definition::default() });
    let mut cookies = Vec::new();
    for _ in 0..3 {
        let answer = ask(traps.address("trap"), &[b"SSH-2.0-x\r\n"]).await;
        let packet = &answer[answer.iter().position(|byte| *byte == b'\n').unwrap() + 1..];
        let (length, padding) = (u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize, usize::from(packet[4]));
        assert_eq!((packet.len(), (length + 4) % 8, packet[5]), (length + 4, 0, 20));
        assert!(packet[packet.len() - padding..].iter().all(|byte| *byte == 0), "{}", packet.escape_ascii());
        cookies.push(packet[6..22].to_vec());
    }
    cookies.dedup();
    assert_eq!(cookies.len(), 3);
}

/// What is asked behind the login, what Cowrie's shell says to it that no Debian 13 says (its own defaults, cowrie#1512 and #1102,
/// detectors on GitHub), and what a Debian 13 of this persona says, all of it.
const SHELL: &[(&str, &[&str], &[&str])] = &[
    (
        "uname -a",
        &["svr04", "3.2.0-4-amd64", "2.6.26-2", "Debian 3.2"],
        &["Linux app-21 6.12.", "+deb13", "-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.12.", ") x86_64 GNU/Linux\n"],
    ),
    ("hostname", &["svr04", "nas3", "localhost"], &["app-21\n"]),
    (
        "cat /etc/passwd",
        // Honeygrove's words, too (honeydet's `honeygrove-ssh`).
        &["phil", "richard", "sshd:x:101:65534::/var/run/sshd", "File or directory not found"],
        &["root:x:0:0:root:/root:/bin/bash\n", "\nsshd:x:994:65534:sshd user:/run/sshd:/usr/sbin/nologin\n"],
    ),
    ("cat /etc/shadow", &["$6$", "phil"], &["root:$y$j9T$", ":0:99999:7:::\ndaemon:*:", "\nsshd:!*:"]),
    (
        "cat /proc/cpuinfo",
        &["Core(TM)2 Duo", "E8200"],
        &["processor\t: 3\n", "vendor_id\t: GenuineIntel\n", "model name\t: Intel Xeon Processor (Cascadelake)\n"],
    ),
    (
        "cat /proc/meminfo",
        &["4054744", "2063864"],
        &["MemTotal:        8132212 kB\nMemFree: ", "\nMemAvailable: ", "\nSwapTotal: "],
    ),
    (
        "cat /proc/version",
        &["3.2.0-4-amd64", "Debian 4.6.3", "gcc version 4.3.2"],
        &[
            "Linux version 6.12.",
            "(Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils for Debian) 2.44) #1 SMP PREEMPT_DYNAMIC Debian 6.12.",
        ],
    ),
    ("cat /etc/issue", &["GNU/Linux 7", "GNU/Linux 5.0"], &["Debian GNU/Linux 13 \\n \\l\n\n"]),
    (
        "ls -la /",
        &["Jun22", "Jun 22"],
        &["total ", " .\n", " bin -> usr/bin\n", " lost+found\n", " vmlinuz -> boot/vmlinuz-6.12."],
    ),
    ("ls /home && echo there", &["phil", "richard"], &["there\n"]),
    (
        "ps aux",
        &["Jun22", "Jun23", "@LocalHost:]", "phil"],
        &[
            "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n",
            " /sbin/init\n",
            " [kthreadd]\n",
            " sshd-session: root@notty\n",
            " ps aux\n",
        ],
    ),
    // Debian 13 has neither.
    ("ifconfig", &["00:4c:a8:ab:32:f4", "192.168.1.1"], &["bash: line 1: ifconfig: command not found\n"]),
    ("last", &["phil", "pts/0"], &["bash: line 1: last: command not found\n"]),
    ("echo -e '\\x41\\0102'", &["-e", "x41"], &["AB\n"]),
    ("echo $((6*7))", &["$((", "6*7"], &["42\n"]),
    (
        "w",
        &["phil", "richard"],
        &[" 1 user,  load average: ", "USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU  WHAT\nroot "],
    ),
    ("mount", &["/dev/sda1 on / type ext3"], &["/dev/vda1 on / type ext4 (rw,relatime,errors=remount-ro)\n"]),
    (
        "df -h",
        &["/dev/sda1", "4.0G  1.6G"],
        &["Filesystem      Size  Used Avail Use% Mounted on\nudev            3.9G     0  3.9G   0% /dev\n", "% /\n"],
    ),
    (
        "nosuchcommand",
        &["-bash: nosuchcommand", "CommandNotFound", "honeypot"],
        &["bash: line 1: nosuchcommand: command not found\n"],
    ),
    ("wget", &["Wget 1.11.4", "Twisted"], &["wget: missing URL\nUsage: wget [OPTION]... [URL]...\n"]),
    ("which busybox bash", &["not found in"], &["/usr/bin/busybox\n/usr/bin/bash\n"]),
    ("cd /tmp; pwd", &["/root"], &["/tmp\n"]),
];

async fn shell(traps: &Traps, command: &str) -> String {
    let port = traps.port("trap").to_string();
    let plain = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
    let arguments = [&["-p", "x", "ssh", "-F", "/dev/null"], &plain[..], &["-p", &port, "root@127.0.0.1", command]].concat();
    printed(&run("sshpass", &arguments).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_asked_behind_the_login_is_cowries() {
    let tells = |command: &str, said: &str| {
        let words = SHELL.iter().find(|(asked, ..)| *asked == command).unwrap().1;
        words.iter().find(|word| said.contains(*word)).map(|word| (*word).to_owned())
    };
    assert!(tells("uname -a", "Linux svr04 3.2.0-4-amd64 #1 SMP Debian 3.2.68-1+deb7u1 x86_64 GNU/Linux").is_some());
    let traps = playing(&Definition { service: "ssh".into(), let_in: Some(1), ..Definition::default() });
    for (command, _, expected) in SHELL {
        let said = shell(&traps, command).await;
        assert_eq!(tells(command, &said), None, "{command}: {said}");
        let missing = expected.iter().find(|words| !said.contains(**words));
        assert_eq!(missing, None, "{command}: {said}");
    }
    let (echoed, sum) = (shell(&traps, "echo -e '\\x41\\0102'").await, shell(&traps, "uname -n; hostname").await);
    assert_eq!(echoed.trim(), "AB");
    let names: Vec<&str> = sum.lines().collect();
    assert!(names.len() == 2 && names[0] == names[1], "{sum}");
}

/// In some honeypots nothing moves.
#[tokio::test(flavor = "multi_thread")]
async fn time_passes_behind_the_login() {
    let traps = playing(&Definition { service: "ssh".into(), let_in: Some(1), ..Definition::default() });
    let seconds =
        |text: &str| text.split_whitespace().next().unwrap_or_default().parse::<f64>().unwrap_or_else(|_| panic!("{text}"));
    let before = seconds(&shell(&traps, "cat /proc/uptime").await);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let after = seconds(&shell(&traps, "cat /proc/uptime").await);
    assert!((1.0..60.0).contains(&(after - before)), "{before} {after}");
}

/// Ports that greet with the same words, or answer anything with the same: what Shodan's honeyscore counts.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_services_say_the_same() {
    let mut said: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for &service in Service::NAMES
        .iter()
        .filter(|name| !matches!(**name, "script" | "any" | "https" | "kubernetes" | "smtps" | "pop3s" | "imaps"))
    {
        let definition = Definition { service: service.into(), ..Definition::default() };
        if !Service::define(&definition, &honeymesh_trap_proto::Persona::of([7; 32]))
            .unwrap()
            .transports()
            .contains(&honeymesh_types::Transport::Tcp)
        {
            continue;
        }
        let traps = playing(&definition);
        let answer = ask(traps.address("trap"), &[b"nobody says this\r\n\r\n"]).await;
        if answer.is_empty() {
            continue;
        }
        if let Some(other) = said.insert(answer.clone(), service.into()) {
            panic!("{service} and {other} say {}", answer.escape_ascii());
        }
    }
    assert!(said.len() > 10, "{said:?}");
}

/// Certificates that honeypots bring along (Morishita; honeyscanner), and ours.
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_nobodys_default() {
    let traps = playing(&Definition { service: "https".into(), ..Definition::default() });
    let output = run("openssl", &["s_client", "-connect", &traps.address("trap").to_string(), "-showcerts"]).await;
    let said = printed(&output).to_lowercase();
    assert!(said.contains("subject=cn = srv01") || said.contains("subject=cn=srv01"), "{said}");
    for default in [
        "dionaea",
        "carnivore",
        "nepenthes",
        "cowrie",
        "honeypot",
        "snakeoil",
        "rcgen",
        "localhost",
        "opencanary",
        "internet widgits",
    ] {
        assert!(!said.contains(default), "{default}: {said}");
    }
}

/// A refused password takes its time, as PAM's does, and never the same to the millisecond.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_takes_as_long_as_with_a_real_server_and_not_always_the_same() {
    let definition = Definition { service: "ftp".into(), ..Definition::default() };
    let mut traps = super::real::playing_slowly(&definition);
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(traps.address("trap")).await.unwrap();
        let mut answer = Vec::new();
        listen(&mut stream, ANSWER, &mut answer).await;
        stream.write_all(b"USER root\r\n").await.unwrap();
        listen(&mut stream, ANSWER, &mut answer).await;
        let asked = std::time::Instant::now();
        stream.write_all(b"PASS x\r\n").await.unwrap();
        let mut chunk = [0; 64];
        assert!(timeout(Duration::from_secs(10), stream.read(&mut chunk)).await.unwrap().unwrap() > 0);
        times.push(asked.elapsed());
        traps.tries("trap", 1).await;
    }
    assert!(times.iter().all(|time| *time > Duration::from_millis(800)), "{times:?}");
    times.dedup_by_key(|time| time.as_millis() / 2);
    assert!(times.len() > 1, "{times:?}");
}
