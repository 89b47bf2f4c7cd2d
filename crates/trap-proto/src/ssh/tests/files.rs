//! The subsystem `sftp`: what is brought by it, what it shows of the machine, and how the real server answers the same.

use super::{
    client::{channel_request, data, open_session},
    login::{exec, inside, printed},
    *,
};
use crate::Findings;

mod real;

/// What a client's requests have between them, in microseconds: as much work as they are.
const BETWEEN_US: u64 = 100_000;

/// A client with a server, which counts its requests.
struct Files {
    client: Client,
    id: u32,
    /// What came of an answer that is not whole.
    rest: Vec<u8>,
    status: Option<u8>,
}

/// What one answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    kind: u8,
    id: u32,
    body: Vec<u8>,
}

fn request(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[kind], body].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, bytes);
    out
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn answers(rest: &mut Vec<u8>) -> Vec<Answer> {
    let mut all = Vec::new();
    while let Some(length) = rest.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize)
        && rest.len() >= 4 + length
    {
        let packet: Vec<u8> = rest.drain(..4 + length).collect();
        all.push(Answer {
            kind: packet[4],
            id: u32::from_be_bytes(packet[5..9].try_into().unwrap()),
            body: packet[9..].to_vec(),
        });
    }
    all
}

impl Files {
    fn new() -> Self {
        let mut files = Self { client: inside(), id: 0, rest: Vec::new(), status: None };
        let started = files.client.ask(&channel_request("subsystem", |out| put_string(out, b"sftp")));
        assert_eq!(
            started.iter().map(|payload| payload[0]).collect::<Vec<_>>(),
            [MSG_CHANNEL_WINDOW_ADJUST, MSG_CHANNEL_SUCCESS]
        );
        assert_eq!(files.send(&request(1, &numbers(&[3])))[0].kind, 2);
        files
    }

    /// Says something; the answers that came whole.
    fn send(&mut self, bytes: &[u8]) -> Vec<Answer> {
        let mut all = Vec::new();
        for piece in bytes.chunks(30_000) {
            self.client.now.0 += BETWEEN_US;
            let payloads = self.client.ask(&data(piece));
            for payload in payloads {
                match payload[0] {
                    MSG_CHANNEL_DATA => self.rest.extend_from_slice(&payload[9..]),
                    MSG_CHANNEL_REQUEST => self.status = payload.last().copied(),
                    _ => {}
                }
            }
            all.extend(answers(&mut self.rest));
        }
        all
    }

    fn ask(&mut self, kind: u8, body: &[u8]) -> Answer {
        self.id += 1;
        let answer = self.send(&request(kind, &[&self.id.to_be_bytes()[..], body].concat())).remove(0);
        assert_eq!(answer.id, self.id);
        answer
    }

    fn status(&mut self, kind: u8, body: &[u8]) -> u8 {
        let answer = self.ask(kind, body);
        assert_eq!(answer.kind, 101, "{answer:?}");
        answer.body[3]
    }

    fn open(&mut self, name: &str, flags: u32, mode: u32) -> Vec<u8> {
        let answer = self.ask(3, &[string(name.as_bytes()), numbers(&[flags, 4, mode])].concat());
        assert_eq!(answer.kind, 102, "{name}: {answer:?}");
        answer.body
    }

    fn write(&mut self, handle: &[u8], at: u64, bytes: &[u8]) {
        assert_eq!(self.status(6, &[handle, &at.to_be_bytes(), &string(bytes)].concat()), 0);
    }

    fn close(&mut self, handle: &[u8]) {
        assert_eq!(self.status(4, handle), 0);
    }

    fn get(&mut self, name: &str) -> Vec<u8> {
        let handle = self.open(name, 1, 0);
        let mut all = Vec::new();
        loop {
            let answer = self.ask(5, &[&handle[..], &(all.len() as u64).to_be_bytes(), &numbers(&[32_768])].concat());
            match answer.kind {
                103 => all.extend_from_slice(&answer.body[4..]),
                _ => break,
            }
        }
        self.close(&handle);
        all
    }

    /// The names in a folder, with their lines.
    fn list(&mut self, name: &str) -> Vec<(String, String)> {
        let handle = self.ask(11, &string(name.as_bytes())).body;
        let mut all = Vec::new();
        loop {
            let answer = self.ask(12, &handle);
            if answer.kind != 104 {
                break;
            }
            let mut fields = Fields(&answer.body);
            for _ in 0..fields.number().unwrap() {
                all.push((said(fields.string().unwrap()), said(fields.string().unwrap())));
                fields.0 = &fields.0[32..];
            }
        }
        self.close(&handle);
        all.sort();
        all
    }

    /// Runs a command beside it, in another channel.
    fn shell(&mut self, command: &str) -> String {
        self.client.now.0 += BETWEEN_US;
        self.client.ask(&open_session());
        let mut exec = channel_request("exec", |out| put_string(out, command.as_bytes()));
        exec[4] = 1;
        let (text, _) = printed(&self.client.ask(&exec));
        self.client.ask(&message(MSG_CHANNEL_CLOSE, |out| out.extend_from_slice(&[0, 0, 0, 1])));
        text
    }

    fn last(&self) -> &(Findings, Vec<u8>) {
        self.client.heard.reports.last().unwrap()
    }
}

#[test]
fn what_is_brought_is_told_once_for_each_file_with_all_of_its_bytes() {
    let mut files = Files::new();
    let bytes: Vec<u8> = b"\x7fELF".iter().copied().chain((0..90_000_u32).map(|number| (number * 7 % 251) as u8)).collect();
    let handle = files.open("/tmp/../tmp/redtail", 0x1a, 0o755);
    let reports = files.client.heard.reports.len();
    for (at, piece) in (0..).zip(bytes.chunks(32_768)) {
        files.write(&handle, at * 32_768, piece);
    }
    assert_eq!(files.client.heard.reports.len(), reports, "one record, and not one for each piece");
    files.close(&handle);
    let (found, said) = files.last();
    assert_eq!((said.len(), said == &bytes), (bytes.len(), true));
    assert_eq!((found.fields["upload"].as_str(), found.fields["upload_bytes"].as_str()), ("/tmp/redtail", "90004"));
    assert!(!found.fields.contains_key("upload_parts"));
    assert_eq!((found.signs, found.fields["username"].as_str()), (Signs::RULE | Signs::UPLOAD, "root"));
    assert!(found.fields["sftp"].contains("open \"/tmp/../tmp/redtail\" flags WRITE,CREATE,TRUNCATE mode 0755"), "{found:?}");
}

#[test]
fn pieces_that_come_in_any_order_are_told_with_their_places_and_files_apart() {
    let mut files = Files::new();
    let one = files.open("a", 0x1a, 0o644);
    let other = files.open("b", 0x1a, 0o644);
    files.write(&one, 3, b"def");
    files.write(&one, 0, b"abc");
    files.write(&other, 5_000, b"far");
    let (found, said) = files.last();
    assert_eq!(
        (found.fields["upload"].as_str(), found.fields["upload_parts"].as_str(), said.as_slice()),
        ("/root/a", "3+3 0+3", &b"defabc"[..])
    );
    files.write(&one, 2, b"XY");
    let (found, said) = files.last();
    assert_eq!(
        (found.fields["upload"].as_str(), found.fields["upload_parts"].as_str(), said.as_slice()),
        ("/root/b", "5000+3", &b"far"[..])
    );
    assert_eq!(files.shell("cat a; wc -c b; ls -l a b | cut -d' ' -f1"), "abXYef5003 b\n-rw-r--r--\n-rw-r--r--\n");
    let (found, said) = files.client.heard.reports.iter().rev().find(|(found, _)| found.fields.contains_key("command")).unwrap();
    assert_eq!((found.fields["upload"].as_str(), found.fields["upload_parts"].as_str()), ("/root/a", "2+2"));
    assert!(said.starts_with(b"XY"), "what others tell is told with what it was captured with");
    assert!(!files.client.leave().0.fields.contains_key("upload"));
}

#[test]
fn what_was_not_finished_is_told_at_the_end() {
    let mut files = Files::new();
    let handle = files.open("half", 0x1a, 0o600);
    files.write(&handle, 0, b"#!/bin/sh\n");
    // The packet says that more will come.
    let begun = [&[0, 0, 1, 0, 6][..], &numbers(&[9]), &handle, &10_u64.to_be_bytes(), &numbers(&[200]), b"wget"].concat();
    assert!(files.send(&begun).is_empty());
    let (found, said) = files.client.leave();
    assert_eq!((found.fields["upload"].as_str(), found.fields["upload_bytes"].as_str()), ("/root/half", "14"));
    assert_eq!((said.as_slice(), found.signs), (&b"#!/bin/sh\nwget"[..], Signs::RULE | Signs::UPLOAD));
}

#[test]
fn files_are_those_of_the_shell_and_the_other_way_round() {
    let mut files = Files::new();
    let handle = files.open("run.sh", 0x1a, 0o777);
    files.write(&handle, 0, b"echo I ran in $(pwd)\n");
    files.close(&handle);
    assert_eq!(
        files.shell("sh run.sh; ./run.sh; stat nosuch"),
        "I ran in /root\nI ran in /root\nstat: cannot statx 'nosuch': No such file or directory\n"
    );
    assert_eq!(files.shell("mkdir /tmp/d; echo hi > /tmp/d/f; rm /etc/motd; chmod 600 /tmp/d/f"), "");
    assert_eq!(files.get("/tmp/d/f"), b"hi\n");
    let listed: Vec<String> = files.list("/tmp/d").into_iter().map(|(_, line)| line).collect();
    assert!(
        listed.iter().any(|line| line.starts_with("-rw-------    1 root     root            3 Nov 22 10:00 f")),
        "{listed:?}"
    );
    assert_eq!(files.status(17, &string(b"/etc/motd")), 2);
    for name in ["/etc/passwd", "/etc/os-release", "/proc/cpuinfo", "/root/.bashrc", "/etc/ssh/sshd_config"] {
        let shown = exec(&format!("cat {name}")).1;
        assert_eq!(said(&files.get(name)), shown, "{name}");
    }
    for folder in ["/", "/etc", "/var/run", "/root", "/usr/bin", "/bin", "/tmp"] {
        let names: Vec<String> = files.list(folder).into_iter().map(|(name, _)| name).collect();
        let shown: Vec<String> = files.shell(&format!("ls -a {folder}")).lines().map(Into::into).collect();
        assert_eq!(names, shown, "{folder}");
    }
    assert!(files.get("/bin/ls").starts_with(b"\x7fELF") && files.get("/usr/bin/ls").len() == 158_632);
}

#[test]
fn the_same_is_told_of_files_as_ls_tells() {
    let mut files = Files::new();
    for folder in ["/", "/etc", "/root", "/var/log"] {
        let table = files.shell(&format!("ls -la {folder}"));
        for (name, line) in files.list(folder) {
            let shown = table
                .lines()
                .find(|line| line.split_whitespace().nth(8) == Some(&name))
                .unwrap_or_else(|| panic!("{name}: {table}"));
            let words = |line: &str| line.split_whitespace().take(8).map(Into::into).collect::<Vec<String>>();
            assert_eq!(words(&line), words(shown), "{folder}/{name}");
        }
    }
}

#[test]
fn bounds_are_kept_and_what_is_there_is_answered_at_them() {
    let mut files = Files::new();
    let home = |name: &str| [string(b"home-directory"), string(name.as_bytes())].concat();
    // Debian 12's server gives everybody's home as its own user's, Debian 13's does not.
    assert!(said(&files.ask(200, &home("daemon")).body).contains("/usr/sbin"));
    assert!(said(&files.ask(200, &home("")).body).contains("/root"));
    let mut open = Vec::new();
    loop {
        let answer = files.ask(3, &[string(b"/etc/passwd"), numbers(&[1, 0])].concat());
        if answer.kind != 102 {
            assert_eq!(answer.body[3], 4);
            break;
        }
        open.push(answer.body);
    }
    assert_eq!(open.len(), 64, "handles");
    files.close(&open[9]);
    assert_eq!(files.open("/etc/passwd", 1, 0), open[9], "what was closed last is given next");
    assert_eq!(files.status(17, &string(&[b'a'; 300])), 5, "a name too long for a kernel");
    assert_eq!(files.status(17, &string(&b"a/".repeat(150))), 2);
    assert_eq!(files.status(17, &string(&b"a/".repeat(20_000))), 5, "a request that is not held");
    assert_eq!(files.ask(5, &[&open[0][..], &[0; 8], &[0xff; 4]].concat()).kind, 103, "so much is not given at once");
    let many = (0..1_100).flat_map(|id| request(5, &[&numbers(&[id]), &open[0][..], &[0; 8], &numbers(&[32_768])].concat()));
    let many: Vec<u8> = many.collect();
    assert_eq!(files.send(&many).len(), 1_100, "each is answered");
    for (packet, status) in [
        (&b"\0\x04\0\x01\x03"[..], 11),
        (b"\0\0\0\0\x03", 255),
        (b"\0\0\0\x05\x03\0\0\0\x01", 255),
        (b"\0\0\0\x06\x06\0\0\0\x01\0", 255),
    ] {
        let mut files = Files::new();
        files.send(packet);
        assert_eq!(files.status, Some(status), "{packet:?}");
        assert_eq!(files.client.ask(&data(b"more")), Vec::<Vec<u8>>::new());
    }
    let mut early = inside();
    early.ask(&channel_request("subsystem", |out| put_string(out, b"sftp")));
    assert_eq!(printed(&early.ask(&data(&request(17, &[&[0; 4][..], &string(b"/")].concat())))).1, Some(255), "before it began");
    let mut many = inside();
    let kinds: Vec<u8> = (0..4_u8)
        .map(|channel| {
            many.ask(&open_session());
            let mut subsystem = channel_request("subsystem", |out| put_string(out, b"sftp"));
            subsystem[4] = channel;
            many.ask(&subsystem).last().unwrap()[0]
        })
        .collect();
    assert_eq!(kinds, [MSG_CHANNEL_SUCCESS, MSG_CHANNEL_SUCCESS, MSG_CHANNEL_SUCCESS, MSG_CHANNEL_FAILURE]);
}

/// A client whose window is closed is waited for, and one that goes on all the same is given up.
#[test]
fn requests_wait_for_the_clients_window() {
    let mut client = inside();
    client.ask(&message(MSG_CHANNEL_OPEN, |out| {
        put_string(out, b"session");
        [6_u32, 100, 32_768].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
    }));
    let in_it = |mut payload: Vec<u8>| {
        payload[4] = 1;
        payload
    };
    client.ask(&in_it(channel_request("subsystem", |out| put_string(out, b"sftp"))));
    let lists: Vec<u8> = [request(1, &[0, 0, 0, 3]), request(16, &[&[0; 4][..], &string(b"/usr/../etc")].concat())].concat();
    let mut heard = client.ask(&in_it(data(&lists)));
    assert_eq!(heard.len(), 1);
    let adjust = |bytes: u32| {
        in_it(message(MSG_CHANNEL_WINDOW_ADJUST, |out| out.extend_from_slice(&[[0; 4], bytes.to_be_bytes()].concat())))
    };
    heard.extend(client.ask(&adjust(5_000)));
    let mut bytes: Vec<u8> = heard.iter().flat_map(|payload| payload[9..].to_vec()).collect();
    assert_eq!(answers(&mut bytes).len(), 2);
    let reads = request(3, &[&[0; 4][..], &string(b"/bin/bash"), &numbers(&[1, 0])].concat());
    client.ask(&in_it(data(&reads)));
    let read = request(5, &[&numbers(&[1, 4, 0, 0, 0]), &numbers(&[32_768])[..]].concat());
    let mut ended = None;
    for _ in 0..20 {
        ended = ended.or(printed(&client.ask(&in_it(data(&read.repeat(300))))).1);
    }
    client.ask(&adjust(u32::MAX));
    assert_eq!(printed(&client.ask(&adjust(1))).1.or(ended).or(Some(255)), Some(255));
}
