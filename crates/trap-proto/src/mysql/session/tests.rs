//! What is said to it, in packets.

use super::*;
use crate::{
    FIELD_BYTES_MAX, Mysql, Persona,
    drive::{self, Heard, NOW, said},
    kept_text,
};
use alloc::{collections::BTreeSet, vec};
use proptest::prelude::*;

/// `HandshakeResponse41` with a plugin's name.
fn answer(user: &str, scramble: &[u8], plugin: &str) -> Vec<u8> {
    let length = u8::try_from(scramble.len()).unwrap();
    let body = [&[0, 0x82, 0x08, 0][..], &[0; 28], user.as_bytes(), &[0, length], scramble, plugin.as_bytes(), &[0]].concat();
    packet(1, &body)
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet_of(number, body, &mut bytes);
    bytes
}

fn talk(bytes: &[u8]) -> Heard {
    drive::whole(&mut Mysql::default().session(7), bytes)
}

#[test]
fn it_greets_as_the_real_servers_do() {
    let heard = talk(b"");
    assert!(heard.answer[4..].starts_with(b"\x0a11.8.9-MariaDB-0+deb13u1 from Debian\0"), "{:?}", said(&heard.answer));
    assert!(heard.answer.ends_with(b"\0mysql_native_password\0") && usize::from(heard.answer[0]) == heard.answer.len() - 4);
    let eight = drive::whole(&mut Mysql::new("8.4.8").unwrap().session(7), b"").answer;
    assert!(eight.ends_with(b"\0caching_sha2_password\0"), "{:?}", said(&eight));
}

/// A real MariaDB's salts are of `!` to `~`, a MySQL's of seven bits without NUL and `$`.
#[test]
fn salts_are_of_the_real_servers_characters_and_tell_nothing() {
    let salts: Vec<[u8; SALT_BYTES]> = (0..400).map(|seed| salt(seed, true)).collect();
    let count = |wanted: u8| salts.iter().flatten().filter(|byte| **byte == wanted).count();
    assert!((b'!'..=b'~').all(|char| (30..150).contains(&count(char))), "each about 85 times");
    assert!(salts.iter().flatten().all(u8::is_ascii_graphic));
    let mysql: Vec<u8> = (0..400).flat_map(|seed| salt(seed, false)).collect();
    assert!(mysql.iter().all(|byte| !matches!(byte, 0 | b'$' | 0x80..)) && mysql.iter().any(|byte| *byte < b' '));
}

#[test]
fn connections_are_numbered_as_they_come() {
    let number = |seed: u8, second: u64, before: u64| {
        let mut session = Mysql::default().of(&Persona::of([seed; 32])).session(second ^ before);
        session.meet(WallTime(NOW.0 + second * 1_000_000), before);
        let mut greeting = Vec::new();
        let _ = session.open(&mut greeting);
        let end = greeting.iter().skip(5).position(|byte| *byte == 0).unwrap() + 6;
        u32::from_le_bytes(greeting[end..end + 4].try_into().unwrap())
    };
    for seed in 0..20 {
        let told: Vec<u32> = (0..200).map(|visit| number(seed, visit * 7 / 5, visit)).collect();
        assert!(told.windows(2).all(|pair| (1..=2).contains(&(pair[1] - pair[0]))) && told[0] >= 30, "{told:?}");
        let later = number(seed, 3_600, 0) - number(seed, 0, 0);
        assert!(
            (29..=181).contains(&later) || number(seed, 3_600, 0) < 300,
            "{later}: others come, too, unless it started again"
        );
    }
    let first: BTreeSet<u32> = (0..20).map(|seed| number(seed, 0, 0)).collect();
    assert!(first.len() > 15, "each machine its own");
}

fn login_of(flags: [u8; 4], user: &str, proof: &[u8], plugin: &[u8]) -> Vec<u8> {
    let length = u8::try_from(proof.len()).unwrap();
    packet(1, &[&flags[..], &[0; 28], user.as_bytes(), &[0, length], proof, plugin].concat())
}

type Fields<'a> = &'a [(&'a str, &'a str)];

#[test]
fn what_a_login_brings_is_kept_however_it_goes_on() {
    let all = [0x8d, 0xa2, 0x0f, 0];
    let tls = [0x8d, 0xae, 0x0f, 0];
    let salt = hex(&Mysql::default().session(7).salt);
    let scramble = "ab".repeat(20);
    let of = |plugin: &'static str| [("plugin", plugin), ("salt", salt.as_str()), ("scramble", scramble.as_str())];
    let database = b"shop\0mysql_native_password\0";
    let table: [(&str, Vec<u8>, Fields<'_>); 6] = [
        ("the flag of TLS in the clear", login_of(tls, "backup", &[0xab; 20], database), &of(NATIVE)),
        ("another plugin", login_of(all, "backup", &[0xab; 20], b"shop\0client_ed25519\0"), &of("client_ed25519")),
        (
            "a clear password",
            login_of(all, "backup", b"hunter2\0", b"shop\0mysql_clear_password\0"),
            &[("plugin", "mysql_clear_password"), ("password", "hunter2")],
        ),
        ("no password", login_of(all, "backup", b"", b"shop\0caching_sha2_password\0"), &[("plugin", SHA2), ("password", "")]),
        (
            "a plugin whose server speaks first, and the number of nobody's turn",
            [login_of(all, "root", b"", b"shop\0auth_gssapi_client\0"), packet(9, b"x")].concat(),
            &[],
        ),
        (
            "a clear password, and nothing to the other plugin",
            [login_of(all, "backup", b"hunter2\0", b"shop\0mysql_clear_password\0"), packet(3, b"")].concat(),
            &[("first_plugin", "mysql_clear_password"), ("plugin", NATIVE), ("password", "hunter2")],
        ),
    ];
    for (what, bytes, expected) in table {
        let found = talk(&bytes).findings;
        let told: Vec<_> = found.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let user = if what.contains("nobody") { "root" } else { "backup" };
        let mut all = [expected, &[("username", user), ("database", "shop")]].concat();
        all.sort_unstable();
        assert_eq!(told, all, "{what}");
        assert_eq!(found.signs.contains(Signs::CREDENTIALS), !expected.is_empty(), "{what}");
    }
    let old = talk(&packet(1, b"\x01\0\0\0\0backup\0abcdefgh\0")).findings;
    assert_eq!((old.fields["plugin"].as_str(), old.fields["scramble"].as_str()), ("mysql_old_password", "6162636465666768"));
}

#[test]
fn a_login_behind_another_does_not_take_its_place() {
    let told = |bytes: &[u8], expected: Fields<'_>| {
        // As a carrier does it: nothing is told when TLS is asked for.
        let mut session = Mysql::default().session(7);
        let (mut rest, mut answer) = (bytes, Vec::new());
        while !rest.is_empty() {
            rest = &rest[session.receive(rest, NOW, &mut answer).taken..];
        }
        let found = session.findings();
        let own: Vec<_> = found
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| *name != "salt")
            .collect();
        assert_eq!((own.as_slice(), found.signs.contains(Signs::CREDENTIALS)), (expected, true));
    };
    let (a, b, c) = ("61".repeat(32), "62".repeat(20), "63".repeat(20));
    let switched = [answer("backup", &[b'a'; 32], SHA2), packet(3, &[b'b'; 20])].concat();
    let both = [("first_plugin", SHA2), ("first_scramble", &a), ("plugin", NATIVE), ("scramble", &b), ("username", "backup")];
    told(&switched, &both);
    let shown = login_of([0x8d, 0xae, 0x0f, 0], "root", &[b'c'; 20], b"shop\0mysql_native_password\0");
    let mut inside = login_of([0x8d, 0xa2, 0x0f, 0], "admin", &[b'a'; 32], b"blog\0caching_sha2_password\0");
    inside[3] = 2;
    let mut last = packet(3, &[b'b'; 20]);
    last[3] = 4;
    let all = [
        ("database", "blog"),
        ("first_database", "shop"),
        ("first_plugin", NATIVE),
        ("first_scramble", &c),
        ("first_username", "root"),
        ("plugin", NATIVE),
        ("scramble", &b),
        ("second_plugin", SHA2),
        ("second_scramble", &a),
        ("username", "admin"),
    ];
    told(&[shown, inside, last].concat(), &all);
    let lying = login_of([0x85, 0xa6, 0x03, 0], "root", b"", b"");
    let lying = [&lying[..lying.len() - 1], &[0xff], &[b'c'; 20]].concat();
    let lying = packet(1, &lying[4..]);
    told(&lying, &[("plugin", NATIVE), ("scramble", &c), ("username", "root")]);
    assert!(said(&talk(&lying).answer).ends_with("#08S01Bad handshake"));
    let long = packet(
        1,
        &[&[0x85, 0xa6, 0x2b, 0][..], &[0; 28], b"backup\0\xfd\x14\0\0", &[b'c'; 20], b"mysql_native_password\0"].concat(),
    );
    told(&long, &[("plugin", NATIVE), ("scramble", &c), ("username", "backup")]);
    assert!(said(&talk(&long).answer).ends_with("(using password: YES)"));
    told(&packet(1, &[&[0x85, 0xa6, 0x03, 0][..], &[0; 28], b"root\0"].concat()), &[("username", "root")]);
}

#[test]
fn a_scramble_is_kept_with_its_salt_and_refused() {
    let heard = talk(&answer("backup", &[0xab; 20], NATIVE));
    let error = "\u{2}\u{fffd}\u{15}\u{4}#28000Access denied for user 'backup'@'localhost' (using password: YES)";
    assert!(said(&heard.answer).ends_with(error), "{:?}", said(&heard.answer));
    let fields = ["username", "plugin", "scramble"].map(|name| heard.findings.fields[name].as_str());
    assert_eq!(fields, ["backup", NATIVE, &"ab".repeat(20)]);
    assert_eq!(heard.findings.fields["salt"], hex(&Mysql::default().session(7).salt));
    assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::CREDENTIALS));
    let root = talk(&answer("root", &[0xab; 20], NATIVE));
    assert!(said(&root.answer).ends_with("\u{6}#28000Access denied for user 'root'@'localhost'"), "{:?}", said(&root.answer));
    assert_eq!((root.findings.fields["username"].as_str(), root.findings.signs), ("root", Signs::CREDENTIALS));
    let empty = talk(&answer("backup", b"", NATIVE));
    assert!(said(&empty.answer).ends_with("(using password: NO)") && empty.findings.fields["password"].is_empty());
}

#[test]
fn a_client_with_another_plugin_is_asked_again() {
    let first = answer("backup", &[1; 32], SHA2);
    let asked = talk(&first);
    let salt = Mysql::default().session(7).salt;
    assert!(asked.answer.ends_with(&[&b"\x02\xfe"[..], NATIVE.as_bytes(), &[0], &salt, &[0]].concat()));
    let heard = talk(&[first.clone(), packet(3, &[0xcd; 20])].concat());
    assert_eq!((heard.findings.fields["scramble"].as_str(), heard.flow), ("cd".repeat(20).as_str(), Flow::Close));
    let empty = talk(&[first, packet(3, b"")].concat());
    assert!(said(&empty.answer).ends_with("(using password: NO)"));
}

#[test]
fn who_asks_for_tls_logs_in_with_the_next_number() {
    let request = packet(1, &[&[0x85, 0xae, 0x0f, 0][..], &[0; 28]].concat());
    let asked = talk(&request);
    assert_eq!((asked.flow, asked.answer.len()), (Flow::StartTls, talk(b"").answer.len()), "without a word");
    let mut login = answer("backup", &[0xab; 20], NATIVE);
    login[3] = 2;
    let heard = talk(&[request, login].concat());
    assert_eq!((heard.flow, heard.findings.fields["username"].as_str()), (Flow::Close, "backup"));
    assert!(said(&heard.answer).contains("\u{3}\u{fffd}\u{15}\u{4}#28000Access denied"), "{:?}", said(&heard.answer));
    let mut last = Vec::new();
    Mysql::default().session(7).misses_tls(b"b NOO", &mut last);
    assert!(said(&last).ends_with("#08S01Bad handshake"));
}

#[test]
fn what_is_no_client_is_refused_before_its_packet_is_held() {
    let order = talk(b"GET / HTTP/1.0\r\n\r\n");
    assert!(said(&order.answer).ends_with("#08S01Got packets out of order"));
    let long = packet(1, &[0xff; 200_000]);
    assert_eq!(talk(&long[..long.len() - 1]).flow, Flow::Continue, "it is heard to its end");
    let old = [&packet(1, b"xyz"), &packet(1, &[0; 70_000])];
    for bytes in [&b"\0\0\0\x01".to_vec(), &long, old[0], old[1]] {
        let heard = talk(bytes);
        let words = if old.contains(&bytes) { "\u{13}\u{4}Bad handshake" } else { "#08S01Bad handshake" };
        assert!(said(&heard.answer).ends_with(words), "{:?}", said(&heard.answer));
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED));
    }
}

/// However long the rest is: who logs in, and with what, stands before it.
#[test]
fn a_login_that_is_too_long_leaves_what_its_beginning_says() {
    let (all, lengths) = ([0x8d, 0xa2, 0x1f, 0], [0x8d, 0xa2, 0x3f, 0]);
    let salt = hex(&Mysql::default().session(7).salt);
    let long = vec![b'x'; 2 * PACKET_BYTES_MAX];
    let attributes = [&b"shop\0mysql_native_password\0"[..], &long].concat();
    let endless = [&lengths[..], &[0; 28], b"backup\0\xfd\0\x80\0", &long].concat();
    // As much as a field holds.
    let (scramble, cut) = ("ab".repeat(20), kept_text(&b"78".repeat(PACKET_BYTES_MAX), FIELD_BYTES_MAX));
    let table: [(&str, Vec<u8>, Fields<'_>, bool); 4] = [
        (
            "long attributes",
            login_of(all, "backup", &[0xab; 20], &attributes),
            &[("database", "shop"), ("plugin", NATIVE), ("salt", &salt), ("scramble", &scramble), ("username", "backup")],
            true,
        ),
        (
            "a long clear password",
            login_of(all, "backup", b"hunter2\0", &[&b"shop\0mysql_clear_password\0"[..], &long].concat()),
            &[("database", "shop"), ("password", "hunter2"), ("plugin", "mysql_clear_password"), ("username", "backup")],
            true,
        ),
        (
            "a long proof",
            packet(1, &endless),
            &[("plugin", NATIVE), ("salt", &salt), ("scramble", &cut), ("username", "backup")],
            true,
        ),
        (
            "a long name",
            packet(1, &[&all[..], &[0; 28], &long].concat()),
            &[("username", &kept_text(&long, FIELD_BYTES_MAX))],
            false,
        ),
    ];
    for (what, bytes, expected, is_login) in table {
        let heard = talk(&bytes);
        let told: Vec<_> = heard.findings.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, expected, "{what}");
        let signs = if is_login { Signs::CREDENTIALS | Signs::MALFORMED } else { Signs::MALFORMED };
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, signs), "{what}");
        assert!(said(&heard.answer).ends_with("#08S01Bad handshake"), "{what}: {:?}", said(&heard.answer));
        let gone = talk(&bytes[..HEAD_BYTES + PACKET_BYTES_MAX]);
        assert_eq!((gone.flow, &gone.findings.fields), (Flow::Continue, &heard.findings.fields), "{what}, and he leaves");
    }
    let switched = [answer("backup", &[1; 32], SHA2), packet(3, &long)].concat();
    let found = talk(&switched).findings;
    let told = ["username", "first_scramble", "scramble"].map(|name| found.fields[name].as_str());
    assert_eq!(told, ["backup", &"01".repeat(32), cut.as_str()], "an answer to the other plugin is no login");
}

/// A client that leaves, or is cut off by a line, in the middle of its login: what was there is told, and no more.
#[test]
fn a_login_that_is_broken_off_leaves_what_was_said_of_it() {
    let salt = hex(&Mysql::default().session(7).salt);
    let login = login_of([0x8d, 0xa2, 0x0f, 0], "backup", &[0xab; 20], b"shop\0mysql_native_password\0");
    let name = HEAD_BYTES + 32;
    let whole = name + b"backup\0".len() + 1 + 20;
    let scramble = "ab".repeat(20);
    let proof = [("plugin", NATIVE), ("salt", salt.as_str()), ("scramble", scramble.as_str()), ("username", "backup")];
    let table: [(usize, Fields<'_>, bool); 6] = [
        (name, &[], false),
        (name + 3, &[("username", "bac")], false),
        (name + 7, &[("username", "backup")], true),
        (name + 10, &[("plugin", NATIVE), ("salt", &salt), ("scramble", "abab"), ("username", "backup")], true),
        (whole, &proof, true),
        (whole + 5, &[&[("database", "shop")][..], &proof].concat(), true),
    ];
    for (length, expected, is_login) in table {
        let found = talk(&login[..length]).findings;
        let told: Vec<_> = found.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((told.as_slice(), found.signs.contains(Signs::CREDENTIALS)), (expected, is_login), "{length}");
    }
    let switched = [&answer("backup", &[1; 32], SHA2)[..], &packet(3, &[0xcd; 20])[..HEAD_BYTES + 2]].concat();
    assert_eq!(talk(&switched).findings.fields["scramble"], "cdcd");
}

/// What was found may be asked for before the proof comes: the proof has its user all the same.
#[test]
fn a_proof_that_breaks_off_or_is_too_long_has_its_user_in_whatever_report() {
    let long = packet(3, &[0xcd; PACKET_BYTES_MAX + 2]);
    for proof in [&packet(3, &[0xcd; 20])[..HEAD_BYTES + 2], &long[..HEAD_BYTES + PACKET_BYTES_MAX], &long[..]] {
        let mut session = Mysql::default().session(7);
        let mut answers = Vec::new();
        let _ = session.receive(&answer("backup", &[1; 32], SHA2), NOW, &mut answers);
        assert_eq!(session.findings().fields["username"], "backup");
        let _ = session.receive(proof, NOW, &mut answers);
        session.end();
        let found = session.findings();
        assert!(found.signs.contains(Signs::CREDENTIALS) && found.fields["scramble"].starts_with("cdcd"), "{found:?}");
        assert_eq!(found.fields.get("username").map(alloc::string::String::as_str), Some("backup"), "{}", proof.len());
    }
}

fn chat() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(answer("a", &[1; 20], NATIVE)),
        Just(answer("a", &[1; 32], SHA2)),
        Just(packet(3, &[2; 20])),
        proptest::collection::vec(any::<u8>(), 0..99).prop_map(|body| packet(1, &body)),
    ];
    proptest::collection::vec(word, 0..4).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
        drive::law(|| Mysql::default().session(7), &bytes, &cuts)?;
    }
}
