//! Clients that bring and fetch files by SSH: sftp, scp as it is and as it was, paramiko.

use crate::support::{Traps, printed, run};
use honeymesh_trap_proto::Definition;
use honeymesh_types::{Signs, Visit};
use std::{fs, path::PathBuf};

/// What is brought: several messages of SSH, and of SFTP, long.
const BROUGHT_BYTES: usize = 50_000;

fn trap() -> Traps {
    Traps::one(&Definition { service: "ssh".into(), let_in: Some(1), ..Definition::default() })
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("honeymesh-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A program to bring.
    fn program(&self, name: &str) -> (String, Vec<u8>) {
        let bytes: Vec<u8> = (0..BROUGHT_BYTES).map(|at| u8::try_from(at * at % 251).unwrap_or_default()).collect();
        let bytes = [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".as_slice(), &bytes].concat();
        fs::write(self.path(name), &bytes).unwrap();
        (self.path(name), bytes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client of OpenSSH's, with a password. Its status, and what it said.
async fn client(traps: &Traps, program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let port = traps.port("ssh").to_string();
    let plain = ["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    let flag = if program == "ssh" { "-p" } else { "-P" };
    let output = run("sshpass", &[&["-p", "s3cret", program], &plain[..], &[flag, &port], arguments].concat()).await;
    (output.status.code(), printed(&output))
}

async fn brought(traps: &mut Traps, path: &str) -> Visit {
    traps.visit_where(|visit| visit.fields.get("upload").is_some_and(|upload| upload == path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sftp_brings_and_fetches_and_changes() {
    let (mut traps, folder) = (trap(), Folder::new("sftp"));
    let (program, bytes) = folder.program("bot");
    let batch = folder.path("batch");
    let got = folder.path("got");
    let lines = format!(
        "pwd\nmkdir up\ncd up\nput {program} bot\nls -l\nchmod 755 bot\nls -l bot\nrename bot b\nmkdir d\nln -s b l\nls -la\n\
         get /etc/passwd {got}\nget /bin/ls {got}.ls\nrm b\nrm l\nrmdir d\nls\ndf -h\n-rm /nosuch\ncd /\nls\n"
    );
    fs::write(&batch, lines).unwrap();
    let (status, said) = client(&traps, "sftp", &["-o", "BatchMode=no", "-b", &batch, "root@127.0.0.1"]).await;
    assert_eq!(status, Some(0), "{said}");
    for line in [
        "Remote working directory: /root",
        "-rw-r--r--",
        "-rwxr-xr-x    ? root     root        50020 ",
        "drwxr-xr-x    ? root     root         4096 ",
        "lrwxrwxrwx    ? root     root            1 ",
        "remote delete /nosuch: No such file or directory",
        "vmlinuz",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let visit = brought(&mut traps, "/root/up/bot").await;
    assert_eq!((visit.payload.len(), visit.payload == bytes), (bytes.len(), true), "byte for byte");
    assert_eq!((visit.fields["upload_bytes"].as_str(), visit.fields.get("upload_parts")), ("50020", None));
    assert!(visit.signs.contains(Signs::RULE | Signs::UPLOAD) && visit.fields["file"].starts_with("ELF 64-bit"), "{visit:?}");
    let (_, passwd) = client(&traps, "ssh", &["root@127.0.0.1", "cat /etc/passwd; wc -c < /bin/ls"]).await;
    let got = [fs::read_to_string(&got).unwrap(), format!("{}\n", fs::metadata(format!("{got}.ls")).unwrap().len())].concat();
    assert!(passwd.contains(&got), "{passwd} {got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scp_brings_and_fetches_in_both_its_ways() {
    let (mut traps, folder) = (trap(), Folder::new("scp"));
    let (program, bytes) = folder.program("bot");
    let (status, said) = client(&traps, "scp", &["-p", &program, "root@127.0.0.1:/tmp/new"]).await;
    assert_eq!(status, Some(0), "{said}");
    let visit = brought(&mut traps, "/tmp/new").await;
    assert!(visit.payload == bytes && visit.signs.contains(Signs::UPLOAD), "byte for byte: {:?}", visit.fields);
    let (status, said) = client(&traps, "scp", &["-O", &program, "root@127.0.0.1:/tmp/old"]).await;
    assert_eq!(status, Some(0), "{said}");
    let old = traps.visit_where(|visit| visit.fields.get("command").is_some_and(|told| told.contains("scp -t"))).await;
    // Whoever brings a file by the new way has done no less.
    assert!(visit.signs.contains(old.signs), "{:?} {:?}", visit.signs, old.signs);
    let got = [folder.path("new"), folder.path("old")];
    for (way, got) in [&["-s"][..], &["-O"]].into_iter().zip(&got) {
        let (status, said) = client(&traps, "scp", &[way, &["root@127.0.0.1:/etc/passwd", got]].concat()).await;
        assert_eq!(status, Some(0), "{way:?}: {said}");
    }
    let (_, passwd) = client(&traps, "ssh", &["root@127.0.0.1", "cat /etc/passwd"]).await;
    assert!(got.iter().all(|got| passwd.contains(&fs::read_to_string(got).unwrap())), "{passwd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paramiko_brings_a_script_and_runs_it() {
    let (mut traps, folder) = (trap(), Folder::new("paramiko"));
    let port = traps.port("ssh");
    fs::write(folder.path("run.sh"), "#!/bin/sh\necho it runs\n").unwrap();
    let script = format!(
        "import paramiko, sys\nc = paramiko.SSHClient()\nc.set_missing_host_key_policy(paramiko.AutoAddPolicy())\n\
         c.connect('127.0.0.1', {port}, 'root', 'pass', allow_agent=False, look_for_keys=False)\ns = c.open_sftp()\n\
         print(s.normalize('.'), s.put('{0}/run.sh', '/tmp/run.sh').st_size)\ns.chmod('/tmp/run.sh', 0o700)\n\
         print(oct(s.stat('/tmp/run.sh').st_mode), 'hostname' in s.listdir('/etc'))\ns.mkdir('/tmp/d')\ns.rename('/tmp/run.sh', '/tmp/d/x')\n\
         _, out, _ = c.exec_command('/tmp/d/x; ls -l /tmp/d')\nprint(out.read().decode())\n\
         c.exec_command('echo made > /tmp/d/y')[1].read()\nprint(s.open('/tmp/d/y').read(), s.open('/etc/hostname').read())\n\
         f = s.open('/tmp/z', 'w')\nf.seek(5)\nf.write('late')\nf.seek(0)\nf.write('early')\nf.close()\nprint(s.open('/tmp/z').read())\n\
         s.remove('/tmp/d/x')\ns.remove('/tmp/d/y')\ns.rmdir('/tmp/d')\n\
         try: s.stat('/tmp/d')\nexcept IOError as error: print(error)\nc.close()\n",
        folder.0.display()
    );
    let said = printed(&run("/usr/bin/python3", &["-c", &script]).await);
    for line in [
        "/root 23\n",
        "0o100700 True\n",
        "it runs\n",
        "-rwx------ 1 root root 23 ",
        "b'made\\n' b'",
        "b'earlylate'",
        "No such file",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let visit = brought(&mut traps, "/tmp/run.sh").await;
    assert_eq!(visit.payload, b"#!/bin/sh\necho it runs\n");
    assert_eq!(brought(&mut traps, "/tmp/z").await.fields["upload_parts"], "5+4 0+5");
}
