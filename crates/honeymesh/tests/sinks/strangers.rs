//! Strangers who say each value in each protocol, over real sockets.

use super::corpus::Value;
use std::{
    io::{Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream, UdpSocket},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Strangers at once.
const STRANGERS: usize = 24;
/// Whoever has said everything listens as long for more.
const SILENCE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(10);

/// A fact that a trap must have noted, and the bytes that it was made of.
type Fact = (&'static str, Vec<u8>);

/// A way to say a value.
pub struct Way {
    pub trap: &'static str,
    service: &'static str,
    port: u16,
    is_udp: bool,
    says: fn(&[u8]) -> Vec<u8>,
    facts: fn(&[u8]) -> Vec<Fact>,
}

/// What somebody said: from which port, and what must be found of it.
#[derive(Debug)]
pub struct Said {
    pub trap: &'static str,
    pub value: String,
    pub from: u16,
    pub bytes: Vec<u8>,
    pub facts: Vec<Fact>,
}

const fn way(
    trap: &'static str,
    service: &'static str,
    port: u16,
    says: fn(&[u8]) -> Vec<u8>,
    facts: fn(&[u8]) -> Vec<Fact>,
) -> Way {
    Way { trap, service, port, is_udp: false, says, facts }
}

const fn datagram(trap: &'static str, service: &'static str, port: u16, says: fn(&[u8]) -> Vec<u8>) -> Way {
    Way { trap, service, port, is_udp: true, says, facts: nothing }
}

/// Where SSH is played; [`ssh`] goes there.
pub const SSH_PORT: u16 = 2022;

/// Every way, the page's last.
pub const WAYS: [Way; 19] = [
    way("request", "http", 8001, request, nothing),
    way("headers", "http", 8002, headers, nothing),
    way("form", "http", 8003, form, nothing),
    way("sni", "https", 8004, hello, nothing),
    way("ftp", "ftp", 8005, |v| [b"USER ", v, b"\r\nPASS ", v, b"\r\nSTOR ", v, b"\r\n"].concat(), nothing),
    way("ssh", "ssh", SSH_PORT, |v| [b"SSH-2.0-", v, b"\r\n"].concat(), nothing),
    way("telnet", "telnet", 8006, |v| [v, b"\r\n", v, b"\r\n", v, b"\r\n"].concat(), nothing),
    way("script", "script", 8007, |v| [b"SAY ", v, b"\r\n"].concat(), nothing),
    way("smtp", "smtp", 8008, mail, nothing),
    way("pop3", "pop3", 8009, |v| [b"USER ", v, b"\r\nPASS ", v, b"\r\n"].concat(), nothing),
    way("imap", "imap", 8010, |v| [b"a LOGIN \"", v, b"\" \"", v, b"\"\r\n"].concat(), nothing),
    way("rdp", "rdp", 8011, cookie, nothing),
    way("postgresql", "postgresql", 8012, startup, nothing),
    way("redis", "redis", 8013, redis, |v| vec![("username", v.to_vec()), ("password", v.to_vec())]),
    way("ldap", "ldap", 8014, ldap, |v| {
        if v.is_empty() { Vec::new() } else { vec![("username", v.to_vec()), ("password", v.to_vec())] }
    }),
    way("mqtt", "mqtt", 8015, mqtt, nothing),
    datagram("dns", "dns", 8016, question),
    way("sip", "sip", 8017, invite, nothing),
    way("basic", "http", 8018, basic, credentials),
];

/// The traps as a configuration has them.
pub fn config(address: &str) -> String {
    let mut text = "[traps]\nsessions_per_source_max = 512\n".to_owned();
    for Way { trap, service, port, .. } in &WAYS {
        let more = match *service {
            "ssh" => "let_in = 1\n",
            "sip" => "transport = \"tcp\"\n",
            "dns" => "transport = \"udp\"\n",
            "http" if *trap == "basic" => "site = \"basic\"\n",
            "script" => "banner = \"hello\\r\\n\"\n[[trap.rule]]\nregex = '^SAY (?<said>.*)$'\nanswer = \"{said}\\r\\n\"\n",
            _ => "",
        };
        text += &format!("[[trap]]\nname = \"{trap}\"\nservice = \"{service}\"\nlisten = [\"{address}:{port}\"]\n{more}");
    }
    text
}

/// Everybody says everything: each value in each way.
pub fn say_everything(to: IpAddr, ways: &[Way], values: &[Value]) -> Vec<Said> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // Their sockets stay open until all is said: a port that is free again may be given to the next who speaks, and whose visit
    // it was could not be told.
    let datagrams = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..STRANGERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(way), value) = (ways.get(number / values.len()), &values[number % values.len()]) else { return };
                    let bytes = (way.says)(&value.bytes);
                    let to = SocketAddr::from((to, way.port));
                    let from = if way.is_udp {
                        let socket = send(to, &bytes);
                        let from = socket.local_addr().unwrap().port();
                        datagrams.lock().unwrap().push(socket);
                        from
                    } else {
                        speak(to, &bytes)
                    };
                    let facts = (way.facts)(&value.bytes);
                    all.lock().unwrap().push(Said { trap: way.trap, value: value.name.clone(), from, bytes, facts });
                }
            });
        }
    });
    all.into_inner().unwrap()
}

fn send(to: SocketAddr, bytes: &[u8]) -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // What does not fit into a datagram is not sent.
    socket.send_to(&bytes[..bytes.len().min(1_400)], to).unwrap();
    socket
}

/// Says it, and goes once nobody answers any more.
fn speak(to: SocketAddr, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    let from = stream.local_addr().unwrap().port();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // A trap may have closed before everything was said.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    while stream.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {}
    from
}

fn nothing(_: &[u8]) -> Vec<Fact> {
    Vec::new()
}

fn request(v: &[u8]) -> Vec<u8> {
    [b"GET /", v, b"?q=", v, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"].concat()
}

fn headers(v: &[u8]) -> Vec<u8> {
    let head = [b"GET / HTTP/1.1\r\nHost: ", v, b"\r\nUser-Agent: ", v, b"\r\nReferer: ", v, b"\r\nCookie: ", v];
    [head.concat().as_slice(), b"\r\nConnection: close\r\n\r\n"].concat()
}

fn form(v: &[u8]) -> Vec<u8> {
    let quoted: String = v.iter().map(|byte| format!("%{byte:02x}")).collect();
    let body = [b"username=", quoted.as_bytes(), b"&password=", quoted.as_bytes(), b"&raw=", v].concat();
    let head = "POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
    [head.as_bytes(), body.len().to_string().as_bytes(), b"\r\n\r\n", &body].concat()
}

fn basic(v: &[u8]) -> Vec<u8> {
    let token = honeymesh_format::base64_text(&[v, b":", v].concat());
    format!("GET /admin HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {token}\r\n\r\n").into_bytes()
}

/// The name ends at the first colon; a header that is too long is not read at all.
fn credentials(v: &[u8]) -> Vec<Fact> {
    if v.len() > 2_000 {
        return Vec::new();
    }
    let both = [v, b":", v].concat();
    let colon = both.iter().position(|byte| *byte == b':').unwrap();
    vec![("username", both[..colon].to_vec()), ("password", both[colon + 1..].to_vec())]
}

fn two_bytes(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

/// A TLS 1.2 hello with the value as the server's name, and as a protocol.
fn hello(v: &[u8]) -> Vec<u8> {
    let name = [&two_bytes(v.len() + 3)[..], &[0], &two_bytes(v.len()), v].concat();
    let short = &v[..v.len().min(255)];
    let protocols = [&two_bytes(short.len() + 1)[..], &[u8::try_from(short.len()).unwrap()], short].concat();
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &two_bytes(body.len()), body].concat();
    let extensions = [extension(0, &name), extension(16, &protocols)].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2f], &[1, 0], &two_bytes(extensions.len()), &extensions].concat();
    let handshake = [&[1, 0][..], &two_bytes(body.len()), &body].concat();
    [&[22, 3, 1][..], &two_bytes(handshake.len()), &handshake].concat()
}

fn mail(v: &[u8]) -> Vec<u8> {
    let token = honeymesh_format::base64_text(&[b"\0", v, b"\0", v].concat());
    let head = [b"EHLO ", v, b"\r\nMAIL FROM:<", v, b">\r\nRCPT TO:<", v, b">\r\n"].concat();
    [&head, b"AUTH PLAIN ".as_slice(), token.as_bytes(), b"\r\n"].concat()
}

fn cookie(v: &[u8]) -> Vec<u8> {
    let words = [&b"Cookie: mstshash="[..], &v[..v.len().min(200)], b"\r\n\x01\0\x08\0\x03\0\0\0"].concat();
    let length = u8::try_from(words.len() + 6).unwrap();
    [&[3, 0][..], &two_bytes(words.len() + 11), &[length, 0xe0, 0, 0, 0, 0, 0], &words].concat()
}

fn startup(v: &[u8]) -> Vec<u8> {
    let body = [b"\0\x03\0\0user\0", v, b"\0database\0", v, b"\0application_name\0", v, b"\0\0"].concat();
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], &body].concat()
}

fn redis(v: &[u8]) -> Vec<u8> {
    let bulk = [format!("${}\r\n", v.len()).as_bytes(), v, b"\r\n"].concat();
    [b"*3\r\n$4\r\nAUTH\r\n", bulk.as_slice(), &bulk].concat()
}

fn ber(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag, 0x82][..], &two_bytes(body.len()), body].concat()
}

fn ldap(v: &[u8]) -> Vec<u8> {
    let bind = [&[2, 1, 3][..], &ber(4, v), &ber(0x80, v)].concat();
    ber(0x30, &[&[2, 1, 1][..], &ber(0x60, &bind)].concat())
}

fn mqtt(v: &[u8]) -> Vec<u8> {
    let text = |bytes: &[u8]| [&two_bytes(bytes.len())[..], bytes].concat();
    let body = [b"\0\x04MQTT\x04\xc2\0\x3c".to_vec(), text(v), text(v), text(v)].concat();
    let length = [u8::try_from(body.len() % 128).unwrap() | 128, u8::try_from(body.len() / 128 % 128).unwrap() | 128];
    [&[0x10][..], &length, &[u8::try_from(body.len() / 128 / 128).unwrap()], &body].concat()
}

fn question(v: &[u8]) -> Vec<u8> {
    let label = &v[..v.len().min(63)];
    let mut name = vec![u8::try_from(label.len()).unwrap()];
    name.extend_from_slice(label);
    let end: &[u8] = if label.is_empty() { b"" } else { b"\0" };
    [b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0", name.as_slice(), end, b"\0\x01\0\x01"].concat()
}

fn invite(v: &[u8]) -> Vec<u8> {
    let v = &v[..v.len().min(150)];
    let head =
        [b"REGISTER sip:", v, b" SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\nFrom: <sip:", v, b">;tag=1\r\nTo: <sip:", v];
    [
        &head.concat(),
        b">\r\nCall-ID: ".as_slice(),
        v,
        b"\r\nCSeq: 1 REGISTER\r\nUser-Agent: ",
        v,
        b"\r\nContent-Length: 0\r\n\r\n",
    ]
    .concat()
}

/// SSH as most scripts speak it: each value as user, password and command; `None`, loudly, where there is no paramiko.
pub fn ssh(namespace: &str, to: IpAddr) -> Option<Vec<Said>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sinks/ssh.py");
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{namespace}")).args(["/usr/bin/python3", script, super::corpus::FOLDER]);
    let output = command.args([to.to_string(), SSH_PORT.to_string()]).output().unwrap();
    if output.status.code() == Some(77) {
        eprintln!("SKIPPED: nobody logs in by SSH: python3-paramiko is not installed");
        return None;
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    eprint!("{complaints}");
    let said = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let value = line["value"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(std::path::Path::new(super::corpus::FOLDER).join(&value)).unwrap();
        let facts = vec![("username", bytes.clone()), ("password", bytes.clone())];
        Said { trap: "ssh", value, from: u16::try_from(line["from"].as_u64().unwrap()).unwrap(), bytes: Vec::new(), facts }
    };
    Some(String::from_utf8(output.stdout).unwrap().lines().map(said).collect())
}
