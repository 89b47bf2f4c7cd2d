//! The built binary as a user meets it without a daemon: exit codes, one-line errors, JSON that parses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Output},
};

fn honeymesh(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code and the one line on the standard error; nothing on the standard output.
fn failed(args: &[&str]) -> (i32, String) {
    let output = honeymesh(args);
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{args:?}: {line:?}");
    assert!(output.stdout.is_empty(), "{args:?}: {:?}", text(&output.stdout));
    (output.status.code().unwrap(), line)
}

#[test]
fn bad_usage_is_code_2_and_one_line_that_says_how_to_mend_it() {
    let table: [(&[&str], &str); 9] = [
        (&["bna", "192.0.2.1"], "unrecognized subcommand 'bna'"),
        (&["ban"], "required arguments were not provided: <IP|CIDR>"),
        (&["ban", "192.0.2.1/24"], "write 192.0.2.0/24 if the whole prefix is meant"),
        (&["ban", "192.0.2.1", "--ttl", "soon"], "such as 90s, 5m, 24h or 7d"),
        (&["ban", "192.0.2.1", "--note", &"x".repeat(201)], "longer than 200 bytes"),
        (&["unban", "example.org"], "neither an IP address nor a prefix"),
        (&["mode", "on"], "observe|enforce|lockdown"),
        (&["events", "--kind", "bang"], "knock|visit|scan|ban|unban|expire|mesh|audit"),
        (&["export", "--format", "xml"], "json|jsonl|csv"),
    ];
    for (args, part) in table {
        let (code, line) = failed(args);
        assert!(code == 2 && line.contains(part), "{args:?}: {code} {line}");
    }
}

#[test]
fn help_and_version_are_answers() {
    for args in [&["--help"][..], &["--version"], &["ban", "--help"], &["key", "rotate", "--help"]] {
        let output = honeymesh(args);
        assert!(output.status.success() && !output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
    let bare = honeymesh(&[]);
    assert_eq!(bare.status.code(), Some(2));
}

#[test]
fn without_a_daemon_every_client_command_is_code_3_and_says_how_to_start_one() {
    let commands: [&[&str]; 13] = [
        &["status"],
        &["bans"],
        &["ban", "192.0.2.1"],
        &["unban", "192.0.2.1"],
        &["why", "192.0.2.1"],
        &["allow", "list"],
        &["allow", "add", "192.0.2.1"],
        &["allow", "remove", "192.0.2.1"],
        &["events"],
        &["events", "--follow"],
        &["export", "--format", "csv"],
        &["peers"],
        &["mode", "observe"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let args = [command, &["--socket", "/nonexistent/honeymesh.sock"], json].concat();
            let (code, line) = failed(&args);
            assert!(code == 3 && line.contains("start it with `honeymesh run`"), "{args:?}: {code} {line}");
        }
    }
}

#[test]
fn an_export_that_fails_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.csv");
    let args = ["export", "--format", "csv", "--output", file.to_str().unwrap(), "--socket", "/nonexistent/s"];
    assert_eq!(failed(&args).0, 3);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn config(dir: &Path, text: &str) -> String {
    let file = dir.join("honeymesh.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().into()
}

#[test]
fn check_lists_every_problem_with_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), "[node]\nnmae = \"x\"\n[scan]\nports = 99\n[allow]\nnets = [\"10.0.0.1/8\"]\n");
    let output = honeymesh(&["check", "--config", &file]);
    let errors: Vec<String> = text(&output.stderr).lines().filter(|line| !line.contains("warning:")).map(Into::into).collect();
    assert_eq!(output.status.code(), Some(2));
    let expected = [
        format!("{file}:2:1: unknown key `nmae` in [node]; the nearest known one is `name`"),
        format!("{file}:4:9: [scan] ports: 99 is out of range; write a whole number from 1 to 16"),
    ];
    assert_eq!(errors[..2], expected);
    assert!(errors.len() == 3 && errors[2].contains("write 10.0.0.0/8 if the whole prefix is meant"), "{errors:?}");
}

#[test]
fn check_tells_where_a_script_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let trap = "[[trap]]\nname = \"t\"\nservice = \"script\"\nlisten = [\"127.0.0.1:7000\"]\n[[trap.rule]]\nexpect = \"PING\"\n";
    let table = [
        (
            "[[trap.rule]]\nregex = '^USER (\\S+'\nclose = true\n",
            "8:9: [[trap.rule]] regex: rule 2: `regex`, character 7: unclosed group; write a backslash before",
        ),
        (
            "[[trap.rule]]\nexpect_hex = \"00 {id:1}\"\nanswer_hex = \"{ib} 00\"\n",
            "9:14: [[trap.rule]] answer_hex: rule 2: `answer_hex` has {ib}, but the rule captures nothing of that name",
        ),
        (
            "[[trap]]\nname = \"u\"\nservice = \"ssh\"\nlisten = [\"127.0.0.1:7001\"]\ntarpit = 1\n",
            "11:10: [[trap]] tarpit: is a whole number; write true or false",
        ),
        (
            "[[trap]]\nname = \"u\"\nservice = \"ntp\"\nlisten = [\"127.0.0.1:7001\"]\ntarpit = true\n",
            "11:10: [[trap]]: tarpit: service `ntp` is spoken over udp only, where no answer can drip; leave `tarpit` out",
        ),
        ("delay = \"11s\"\n", "7:9: [[trap.rule]] delay: `11s` is out of range; write a duration from 0s to 10s"),
        ("[[trap.rule]]\nregexp = \"x\"\n", "8:1: unknown key `regexp` in [[trap.rule]]; the nearest known one is `regex`"),
    ];
    for (more, expected) in table {
        let file = config(dir.path(), &format!("{trap}{more}"));
        let output = honeymesh(&["check", "--config", &file]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(&format!("{file}:{expected}")), "{}", text(&output.stderr));
    }
}

/// Traps, each a service and where it listens, and the lines that are warned of.
type Fits = (&'static [(&'static str, &'static str)], &'static [usize]);

#[test]
fn check_warns_of_traps_that_do_not_fit_on_one_address() {
    let dir = tempfile::tempdir().unwrap();
    let trap = |service: &str, listen: &str| {
        format!("[[trap]]\nname = \"{service}\"\nservice = \"{service}\"\nlisten = [\"{listen}\"]\n")
    };
    let table: [Fits; 7] = [
        (&[("ssh", "192.0.2.1:22"), ("rdp", "192.0.2.1:3389")], &[8]),
        (&[("ssh", "0.0.0.0:22"), ("rdp", "192.0.2.1:3389"), ("adb", "192.0.2.1:5555")], &[8, 12]),
        (&[("modbus", "[::]:502"), ("smb", "[2001:db8::1]:445")], &[8]),
        (&[("ssh", "192.0.2.1:22"), ("rdp", "192.0.2.2:3389"), ("modbus", "192.0.2.3:502")], &[]),
        (&[("ssh", "0.0.0.0:22"), ("rdp", "[::]:3389")], &[]),
        (&[("rdp", "0.0.0.0:3389"), ("mssql", "0.0.0.0:1433"), ("any", "0.0.0.0:99")], &[]),
        (&[("ssh", "0.0.0.0:22"), ("telnet", "0.0.0.0:23"), ("mssql", "0.0.0.0:1433"), ("smb", "0.0.0.0:445")], &[]),
    ];
    for (traps, lines) in table {
        let text_of: String = traps.iter().map(|(service, listen)| trap(service, listen)).collect();
        let file = config(dir.path(), &text_of);
        let output = honeymesh(&["check", "--config", &file]);
        assert!(output.status.success(), "it is a warning: {}", text(&output.stderr));
        let said = text(&output.stderr);
        let warned: Vec<&str> = said.lines().filter(|line| line.contains("which no machine has on one address")).collect();
        assert_eq!(warned.len(), lines.len(), "{traps:?}: {said}");
        for (line, number) in warned.iter().zip(lines) {
            assert!(line.starts_with(&format!("{file}:{number}:")) && line.contains("give it an address of its own"), "{line}");
        }
    }
    let file = config(dir.path(), &(trap("ssh", "192.0.2.1:22") + &trap("rdp", "192.0.2.1:3389")));
    let said = text(&honeymesh(&["check", "--config", &file]).stderr);
    assert!(said.contains("rdp is a Windows machine's and ssh (trap `ssh`) a Debian server's"), "{said}");
}

#[test]
fn run_refuses_a_bad_config_with_the_same_lines_and_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), "[xdp]\nintreface = [\"eth0\"]\n");
    let (code, line) = failed(&["run", "--config", &file]);
    assert_eq!(code, 2);
    assert_eq!(line, format!("{file}:2:1: unknown key `intreface` in [xdp]; the nearest known one is `interfaces`\n"));
    let (code, line) = failed(&["run", "--config", "/nonexistent/h.toml"]);
    assert!(code == 2 && line.contains("cannot be read") && line.contains("--config"), "{line}");
}

#[test]
fn check_speaks_json_with_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), "[scan]\nspoofable = \"all\"\nwindow = 5\n");
    let output = honeymesh(&["check", "--config", &file, "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let problems = report["problems"].as_array().unwrap();
    let error = problems.iter().find(|problem| problem["severity"] == "error").unwrap();
    assert_eq!((&error["line"], &error["column"]), (&3.into(), &10.into()));
    assert!(problems.iter().any(|problem| problem["severity"] == "warning" && problem["line"] == 2));
}

#[test]
fn check_accepts_a_good_config_and_reads_its_key_files() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("mesh.key");
    assert!(honeymesh(&["key", "new", key.to_str().unwrap()]).status.success());
    let trap = "[[trap]]\nname = \"ssh\"\nservice = \"ssh\"\nlisten = [\"127.0.0.1:2222\"]\n";
    let good = format!("[node]\nname = \"n\"\n{trap}[[cluster]]\nname = \"m\"\nkey_file = \"{}\"\n", key.display());
    let file = config(dir.path(), &good);
    let output = honeymesh(&["check", "--config", &file]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("{file}: ok\n"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, line) = failed(&["check", "--config", &file]);
    assert!(code == 2 && line.contains(":9:12: [[cluster]] key_file:") && line.contains("chmod 600"), "{line}");
    fs::remove_file(&key).unwrap();
    assert!(failed(&["check", "--config", &file]).1.contains("No such file"));
}

#[test]
fn a_new_key_is_secret_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.key");
    let file = file.to_str().unwrap();
    let made = honeymesh(&["key", "new", file, "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(told["file"], file);
    assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    let before = fs::read(file).unwrap();
    let (code, line) = failed(&["key", "new", file]);
    assert!(code == 1 && line.contains("not overwritten"), "{line}");
    assert_eq!(fs::read(file).unwrap(), before);
    assert!(!text(&made.stdout).contains(text(&before).trim()), "the key itself is never shown");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = format!("{} --help | true", env!("CARGO_BIN_EXE_honeymesh"));
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}
