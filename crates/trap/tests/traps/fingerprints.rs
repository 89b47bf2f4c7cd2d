//! What TLS clients are known by, reckoned a second time, from the bytes that they sent.

use crate::support::{Traps, printed, run};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// JA4 as its description says it, of the records on standard input's stead: hexadecimal digits in an argument.
const REFERENCE: &str = r#"
import sys, hashlib
b = bytes.fromhex(sys.argv[1]); hand = b''
while b[:1] == b'\x16':
    n = int.from_bytes(b[3:5], 'big'); hand += b[5:5+n]; b = b[5+n:]
hand = hand[4:4+int.from_bytes(hand[1:4], 'big')]
at = 0
def take(n):
    global at
    at += n
    return hand[at-n:at]
def sized(n): return take(int.from_bytes(take(n), 'big'))
def words(b): return [b[i:i+2].hex() for i in range(0, len(b), 2)]
def plain(l): return [w for w in l if not (w[0] == w[2] and w[1] == w[3] == 'a')]
version = take(2).hex(); take(32); sized(1)
ciphers = plain(words(sized(2))); sized(1)
rest = sized(2); kinds = []; what = {}
while rest:
    kind, n = rest[:2].hex(), int.from_bytes(rest[2:4], 'big')
    kinds.append(kind); what[kind] = rest[4:4+n]; rest = rest[4+n:]
kinds = plain(kinds)
offered = plain(words(what['002b'][1:])) if '002b' in what else [version]
names = {'0304': '13', '0303': '12', '0302': '11', '0301': '10', '0300': 's3'}
alpn = what['0010'][3:3+what['0010'][2]].decode() if '0010' in what else ''
first = 't%s%s%02d%02d%s' % (names[max(offered)], 'd' if '0000' in what else 'i', min(99, len(ciphers)), min(99, len(kinds)),
    alpn[0] + alpn[-1] if alpn else '00')
signatures = plain(words(what['000d'][2:])) if '000d' in what else []
def digest(s): return hashlib.sha256(s.encode()).hexdigest()[:12] if s else '0' * 12
others = sorted(k for k in kinds if k not in ('0000', '0010'))
print('_'.join([first, digest(','.join(sorted(ciphers))), digest('_'.join([','.join(others)] + ([','.join(signatures)] if signatures else [])))]))
"#;

/// Stands between a client and a trap and keeps what the client says. Where it stands, and what it has kept of the last connection.
async fn overheard(trap: SocketAddr) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&kept);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            said.lock().unwrap().clear();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_trap, mut to_trap) = TcpStream::connect(trap).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_trap, &mut to_client).await });
            let said = Arc::clone(&said);
            tokio::spawn(async move {
                let mut piece = [0; 4_096];
                while let Ok(length @ 1..) = from_client.read(&mut piece).await {
                    said.lock().unwrap().extend(&piece[..length]);
                    if to_trap.write_all(&piece[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, kept)
}

/// Clients of Debian 12, and what they are known by. Of another version only the second reckoning is asked.
const KNOWN: [(&str, &str, &str); 6] = [
    ("curl 7.88.1 ", "curl -sk https://localhost:PORT/", "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"),
    ("curl 7.88.1 ", "curl -sk https://127.0.0.1:PORT/", "t13i3111h2_e8f1e7e78f70_b26ce05bbdd6"),
    ("curl 7.88.1 ", "curl -sk --http1.1 https://127.0.0.1:PORT/", "t13i3111h1_e8f1e7e78f70_b26ce05bbdd6"),
    ("OpenSSL 3.0.", "openssl s_client -connect 127.0.0.1:PORT -servername shop.example", "t13d311000_e8f1e7e78f70_1f22a2ca17c4"),
    ("Python 3.11.", "/usr/bin/python3 -c PYTHON", "t13i311000_e8f1e7e78f70_d41ae481755e"),
    (
        "OpenSSL 3.0.",
        "openssl s_client -connect 127.0.0.1:PORT -servername shop.example -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256",
        "t12d",
    ),
];

const PYTHON: &str =
    "import socket, ssl\nssl._create_unverified_context().wrap_socket(socket.create_connection(('127.0.0.1', PORT)))";

async fn version(program: &str) -> String {
    let ask = if program == "openssl" { "version" } else { "--version" };
    printed(&run(program, &[ask]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_are_known_by_what_the_method_says() {
    let mut traps = Traps::usual();
    let (port, kept) = overheard(traps.address("https")).await;
    for (release, line, known) in KNOWN {
        let word = |word: &str| word.replace("PYTHON", PYTHON).replace("PORT", &port.to_string());
        let words: Vec<String> = line.split(' ').map(word).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(words[0], &words[1..]).await;
        let told = traps.visit_where(|visit| visit.fields.contains_key("ja4")).await.fields["ja4"].clone();
        let said: String = kept.lock().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        let again = printed(&run("/usr/bin/python3", &["-c", REFERENCE, &said]).await);
        assert_eq!(told, again.trim(), "{line}");
        let version = version(words[0]).await;
        if version.starts_with(release) {
            assert!(told.starts_with(known), "{line}: {told}");
        } else {
            eprintln!("SKIPPED: what {release} is known by: this is {version}");
        }
    }
}
