//! The same requests to the real server, whose answers are held against ours.

extern crate std;

use super::*;
use std::{
    env,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where Debian has it, and where whoever runs the tests may say that another one is.
fn real_server() -> PathBuf {
    let path = env::var_os("HONEYMESH_SFTP_SERVER").map_or_else(|| PathBuf::from("/usr/lib/openssh/sftp-server"), PathBuf::from);
    assert!(path.exists(), "{} is missing; `cargo xtask setup` installs it", path.display());
    path
}

/// What a client says, one request behind the other: kind and body, in which `~` stands for a handle.
fn conversation() -> Vec<(u8, Vec<u8>)> {
    let name = |name: &str| string(name.as_bytes());
    let two = |one: &str, other: &str| [name(one), name(other)].concat();
    let extended = |what: &str, rest: &[u8]| (200, [name(what), rest.to_vec()].concat());
    let open = |path: &str, flags: u32, mode: u32| (3, [name(path), numbers(&[flags, 4, mode])].concat());
    let handle = |number: u32| numbers(&[4, number]);
    let write = |number: u32, at: u64, bytes: &[u8]| (6, [handle(number), at.to_be_bytes().to_vec(), string(bytes)].concat());
    let read = |number: u32, at: u64, bytes: u32| (5, [handle(number), at.to_be_bytes().to_vec(), numbers(&[bytes])].concat());
    let mkdir = |path: &str, mode: u32| (14, [name(path), numbers(&[4, mode])].concat());
    let set = |path: &str, rest: &[u32]| (9, [name(path), numbers(rest)].concat());
    let (all, w) = (u64::MAX, "w");
    let mut said = vec![
        (16, name(".")),
        (16, name("")),
        (16, name("w")),
        (16, name("nosuch/x")),
        (16, name("nosuch/")),
        (16, name("/bin/ls")),
        (16, name("/etc/passwd/x")),
        (16, name("/usr/../etc/./passwd")),
        (17, name("/etc/passwd")),
        (7, name("/bin")),
        (17, name("/bin")),
        (17, name("nosuch")),
        (17, name("")),
        (17, name("/etc/passwd/")),
        (17, name("/etc/passwd/x")),
        (19, name("/bin")),
        (19, name("/etc/passwd")),
        (19, name("nosuch")),
        (17, string(&[b'n'; 256])),
        (17, string(&b"x/".repeat(2_050))),
        mkdir(w, 0o777),
        mkdir(w, 0o777),
        mkdir("nosuch/x", 0o777),
        (7, name(w)),
        mkdir("w/d", 0o700),
        (7, name("w/d")),
        (14, [name("w/e"), numbers(&[0])].concat()),
        open("w/a", 0x1a, 0o666),
        (8, handle(0)),
        write(0, 0, b"hello world"),
        write(0, 6, b"there"),
        write(0, 20, b"!"),
        (8, handle(0)),
        read(0, 0, 10),
        (10, [handle(0), numbers(&[4, 0o100_755])].concat()),
        (8, handle(0)),
        (10, [handle(0), numbers(&[1, 0, 8])].concat()),
        (8, handle(0)),
        (10, [handle(0), numbers(&[8, 1_000, 1_000_000])].concat()),
        (8, handle(0)),
        write(0, all, b"x"),
        write(7, 0, b"x"),
        (6, [name("longname"), vec![0; 8], name("x")].concat()),
        (4, handle(0)),
        (4, handle(0)),
        (4, name("x")),
        (8, handle(0)),
        read(0, 0, 1),
        open("w/a", 1, 0),
        read(0, 0, 100),
        read(0, 8, 1),
        read(0, 3, 0),
        read(0, all, 1),
        write(0, 0, b"x"),
        (4, handle(0)),
        open("w/a", 0x2a, 0o644),
        open("w/new", 0x2a, 0o600),
        write(0, 0, b"1234567890"),
        (4, handle(0)),
        open("w/new", 6, 0),
        write(0, 0, b"app"),
        write(0, 2, b"end"),
        (8, handle(0)),
        (4, handle(0)),
        open("w/new", 3, 0),
        read(0, 0, 99),
        write(0, 1, b"Z"),
        read(0, 0, 4),
        (4, handle(0)),
        open("w/new", 0x12, 0),
        (8, handle(0)),
        (4, handle(0)),
        open("w/d", 2, 0),
        open("w/d", 1, 0),
        read(0, 0, 5),
        (4, handle(0)),
        open("nosuch", 1, 0),
        open("nosuch/x", 0x1a, 0o644),
        open("w/a/x", 0x1a, 0o644),
        open("w", 0x1a, 0o644),
        open("", 0x1a, 0),
        set("w/a", &[4, 0o600]),
        (7, name("w/a")),
        set("w/a", &[8, 5, 1_700_000_000]),
        (7, name("w/a")),
        set("w/a", &[1, 0, 3]),
        (7, name("w/a")),
        set("nosuch", &[4, 0o600]),
        set("w/d", &[1, 0, 3]),
        set("w/d", &[4, 0o711]),
        (7, name("w/d")),
        set("w/a", &[0]),
        set("nosuch", &[0]),
        (20, two("a", "w/link")),
        (20, two("a", "w/link")),
        (7, name("w/link")),
        (17, name("w/link")),
        (19, name("w/link")),
        (20, two("nowhere", "w/dangling")),
        (7, name("w/dangling")),
        (17, name("w/dangling")),
        (20, two("x", "nosuch/y")),
        (20, two("", "w/y")),
        open("w/link", 1, 0),
        read(0, 0, 99),
        (4, handle(0)),
        (16, name("w/link")),
        (18, two("w/a", "w/new")),
        (18, two("w/a", "w/b")),
        (18, two("w/a", "w/c")),
        (18, two("w/d", "w/e")),
        (18, two("w/d", "w/f")),
        (18, two("w/f", "w/f/g")),
        (7, name("w/f")),
        (18, two("w/b", "nosuch/b")),
        extended("posix-rename@openssh.com", &two("w/b", "w/new")),
        extended("posix-rename@openssh.com", &two("w/b", "w/new")),
        extended("posix-rename@openssh.com", &two("w/new", "w/f")),
        extended("posix-rename@openssh.com", &two("w/f", "w/new")),
        extended("posix-rename@openssh.com", &two("w/f", "w/e")),
        extended("posix-rename@openssh.com", &two("w/e", "w/e/x")),
        (17, name("w/new")),
        extended("hardlink@openssh.com", &two("w/new", "w/hard")),
        extended("hardlink@openssh.com", &two("w/new", "w/hard")),
        extended("hardlink@openssh.com", &two("w/e", "w/hard2")),
        extended("hardlink@openssh.com", &two("nosuch", "w/hard2")),
        extended("statvfs@openssh.com", &name("w")),
        extended("statvfs@openssh.com", &name("nosuch")),
        extended("limits@openssh.com", b""),
        extended("nosuch@openssh.com", b"x"),
        extended("lsetstat@openssh.com", &[name("w/new"), numbers(&[4, 0o640])].concat()),
        extended("lsetstat@openssh.com", &[name("w/new"), numbers(&[1, 0, 1])].concat()),
        extended("lsetstat@openssh.com", &[name("w/link"), numbers(&[4, 0o640])].concat()),
        extended("lsetstat@openssh.com", &[name("nosuch"), numbers(&[4, 0o640])].concat()),
        (7, name("w/new")),
        extended("expand-path@openssh.com", &name("w/x")),
        extended("expand-path@openssh.com", &name("~nosuchuser/x")),
        extended("expand-path@openssh.com", &name("/etc/../usr")),
        extended("expand-path@openssh.com", &name("")),
        extended("home-directory", &name("nosuchuser")),
        extended("users-groups-by-id@openssh.com", &[string(&numbers(&[0, 1, 54_321])), string(&numbers(&[0, 42]))].concat()),
        extended("users-groups-by-id@openssh.com", &[string(b""), string(b"")].concat()),
        open("w/new", 1, 0),
        open("w/copy", 0x1a, 0o644),
        extended("fstatvfs@openssh.com", &handle(0)),
        extended("fstatvfs@openssh.com", &handle(9)),
        extended("fsync@openssh.com", &handle(1)),
        extended("fsync@openssh.com", &handle(9)),
    ];
    let copy = |from: u32, length: u64, to: u32| {
        extended("copy-data", &[handle(from), vec![0; 8], length.to_be_bytes().to_vec(), handle(to), vec![0; 8]].concat())
    };
    said.extend([
        copy(0, 0, 1),
        (8, handle(1)),
        copy(0, 2, 1),
        copy(0, 999, 1),
        copy(0, 0, 0),
        copy(9, 0, 0),
        copy(1, 0, 0),
        (4, handle(1)),
        (4, handle(0)),
        (11, name("w/e")),
        (12, handle(0)),
        (12, handle(0)),
        (8, handle(0)),
        read(0, 0, 1),
        (4, handle(0)),
        (12, handle(0)),
        (11, name("nosuch")),
        (11, name("w/new")),
        (11, name("")),
        (13, name("w/e")),
        (13, name("nosuch")),
        (13, name("w/copy")),
        (13, name("w/link")),
        (13, name("w/dangling")),
        (13, name("w/hard")),
        (15, name("w")),
        (15, name("w/new")),
        (15, name("nosuch")),
        (13, name("w/new")),
        (15, name("w/e")),
        (15, name("w")),
        (17, name("w")),
        // One that is unknown is not answered, and what stands behind it is heard once more comes.
        (17, [name("/etc"), b"and more".to_vec()].concat()),
        (99, name("x")),
    ]);
    said
}

/// Answers without what differs from machine to machine and from moment to moment.
fn plain_answer(answer: &Answer, home: &str) -> String {
    let mut fields = Fields(&answer.body);
    let attributes = |fields: &mut Fields<'_>| {
        let flags = fields.number().unwrap();
        if flags == 0 {
            return "none".into();
        }
        let (size, _, _, mode, _, changed) = (
            u64::from(fields.number().unwrap()) << 32 | u64::from(fields.number().unwrap()),
            fields.number(),
            fields.number(),
            fields.number().unwrap(),
            fields.number(),
            fields.number().unwrap(),
        );
        // A folder's length is its file system's, a text's the machine's.
        let size = if mode & 0o170_000 == 0o100_000 && size < 100 || mode & 0o170_000 == 0o120_000 {
            format!("{size}")
        } else {
            "some".into()
        };
        let changed = if changed < 1_700_000_001 && changed % 1_000_000 == 0 { format!("{changed}") } else { "once".into() };
        format!("{flags:x} {mode:o} {size} {changed}")
    };
    let texts = |bytes: &[u8]| said(bytes).replace(home, "HOME");
    match answer.kind {
        101 => format!("status {} {:?}", fields.number().unwrap(), [(); 2].map(|()| said(fields.string().unwrap()))),
        102 => format!("handle {:?}", fields.string().unwrap()),
        103 => format!("data {:?}", said(fields.string().unwrap())),
        104 => {
            let count = fields.number().unwrap();
            let mut names: Vec<String> = (0..count)
                .map(|_| {
                    let (name, long) = (texts(fields.string().unwrap()), texts(fields.string().unwrap()));
                    let long = if long == name {
                        "the same".into()
                    } else {
                        format!(
                            "{} bytes",
                            long.len() - long.trim_start_matches(|letter: char| letter != ':').len().min(long.len())
                        )
                    };
                    let long = if long == "the same" { long } else { "a line".to_string() };
                    format!("{name} ({long}) {}", attributes(&mut fields))
                })
                .collect();
            names.sort();
            format!("names {names:?}")
        }
        105 => format!("attributes {}", attributes(&mut fields)),
        // How many files may be open is whoever's who runs it.
        201 if answer.body.len() == 32 => format!("limits {:?}", &answer.body[..24]),
        201 if answer.body.len() == 88 => {
            let flags = [&answer.body[..16], &answer.body[80..]].concat();
            format!("room {flags:?}")
        }
        201 => format!("extended {:?}", texts(&answer.body)),
        kind => format!("{kind} {:?}", texts(&answer.body)),
    }
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the real server answers, in an empty folder; and how it ends: at the end of its input, which comes behind so many answers, or by
/// itself.
fn asked_of_the_real_one(said: &[u8], folder: &Path, count: Option<usize>) -> (Vec<u8>, Option<i32>) {
    let mut server = Command::new(real_server());
    server.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = server.spawn().unwrap();
    let (mut input, mut output) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
    input.write_all(said).unwrap();
    let mut heard = Vec::new();
    for _ in 0..count.unwrap_or_default() {
        let mut length = [0; 4];
        output.read_exact(&mut length).unwrap();
        heard.extend_from_slice(&length);
        let at = heard.len();
        heard.resize(at + u32::from_be_bytes(length) as usize, 0);
        output.read_exact(&mut heard[at..]).unwrap();
    }
    let open = if count.is_some() {
        drop(input);
        None
    } else {
        Some(input)
    };
    output.read_to_end(&mut heard).unwrap();
    drop(open);
    (heard, server.wait().unwrap().code())
}

#[test]
fn the_real_server_answers_each_request_the_same() {
    let folder = Scratch(env::temp_dir().join(format!("honeymesh-sftp-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    let conversation = conversation();
    let packets: Vec<Vec<u8>> =
        (1..).zip(&conversation).map(|(id, (kind, body))| request(*kind, &[&u32::to_be_bytes(id)[..], body].concat())).collect();
    let said = [request(1, &[0, 0, 0, 3]), packets.concat()].concat();
    let (mut real, status) = asked_of_the_real_one(&said, &folder.0, Some(conversation.len()));
    assert_eq!(status, Some(0));
    let mut client = inside();
    client.ask(&channel_request("subsystem", |out| put_string(out, b"sftp")));
    let mut ours = Vec::new();
    for packet in [vec![request(1, &[0, 0, 0, 3])], packets].concat() {
        client.now.0 += BETWEEN_US;
        client
            .ask(&data(&packet))
            .iter()
            .filter(|payload| payload[0] == MSG_CHANNEL_DATA)
            .for_each(|payload| ours.extend_from_slice(&payload[9..]));
    }
    let (real, ours) = (answers(&mut real), answers(&mut ours));
    assert_eq!(real[0], ours[0], "the version, with what can be done besides");
    let home = folder.0.canonicalize().unwrap().to_str().unwrap().to_string();
    let mut wrong = Vec::new();
    for (id, (kind, body)) in (1..).zip(&conversation) {
        let of = |all: &[Answer], home: &str| {
            all.iter().skip(1).find(|answer| answer.id == id).map(|answer| plain_answer(answer, home))
        };
        let (real, ours) = (of(&real, &home), of(&ours, "/root"));
        if real != ours {
            wrong.push(format!("{kind} {:?}\n  real {real:?}\n  ours {ours:?}", super::super::said(body)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(real.len(), ours.len());
}

/// Packets that are none, each to a server of its own: what was answered before it ended, and how it ended.
#[test]
fn the_real_server_ends_on_the_same_packets() {
    let init = request(1, &[0, 0, 0, 3]);
    let stat = request(17, &[&[0, 0, 0, 7][..], &string(b"/")].concat());
    let table: [(Option<usize>, Vec<u8>); 12] = [
        (Some(0), vec![]),
        (None, stat.clone()),
        (None, [&init[..], b"\0\x04\0\x01\x03"].concat()),
        (Some(1), [&init[..], b"\0\x04\0\0\x03"].concat()),
        (None, [&init[..], &request(17, &[0, 0, 0, 7, 0, 0, 0, 9, b'/'])].concat()),
        (None, [&init[..], &request(17, &[0, 0, 0, 7, 0, 0, 0, 3, b'/', 0, b'x'])].concat()),
        (None, [&init[..], &request(17, &[0, 0])].concat()),
        (None, [&init[..], &request(6, &[0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1])].concat()),
        (
            None,
            [&init[..], &request(9, &[&[0, 0, 0, 7][..], &string(b"/"), &numbers(&[0x8000_0000, 0x20_0000])].concat())].concat(),
        ),
        (None, [&init[..], &request(1, &[0, 0])].concat()),
        (Some(2), [&request(1, &[0, 0, 0, 2]), &request(17, &[&[0, 0, 0, 7][..], &string(b"/nosuch")].concat())[..]].concat()),
        (Some(2), [&init[..], &init, &stat[..stat.len() - 1]].concat()),
    ];
    for (count, said) in table {
        let (real, code) = asked_of_the_real_one(&said, Path::new("/"), count);
        let mut client = inside();
        client.ask(&channel_request("subsystem", |out| put_string(out, b"sftp")));
        let mut heard = client.ask(&data(&said));
        heard.extend(client.ask(&message(MSG_CHANNEL_EOF, |out| out.extend_from_slice(&[0; 4]))));
        let ours: Vec<u8> =
            heard.iter().filter(|payload| payload[0] == MSG_CHANNEL_DATA).flat_map(|payload| payload[9..].to_vec()).collect();
        assert_eq!((printed(&heard).1.map(i32::from), ours), (code, real), "{said:?}");
    }
}
