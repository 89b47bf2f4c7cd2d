//! The trap against a client that is made of its own parts, and against bytes of all kinds.

use super::{
    cipher::Suite,
    dice::Dice,
    exchange::{self, Method, Shared},
    hostkey::HostKeys,
    identification::{INVALID, MAJOR_DIFFERS},
    packet::{Incoming, Outgoing},
    wire::{Fields, message, put_string},
    *,
};
use crate::{
    Flow, Persona, Session,
    drive::{self, Heard, NOW, said},
};
use alloc::{format, vec, vec::Vec};
use honeymesh_types::Signs;
use proptest::prelude::*;

mod client;
mod files;
mod login;
mod uploads;

use client::Client;

const HELLO: &[u8] = b"SSH-2.0-test\r\n";
/// A `KEXINIT` of a client that can do one of each.
const LISTS: [&str; 4] = ["curve25519-sha256", "ssh-ed25519", "chacha20-poly1305@openssh.com", "hmac-sha2-256"];

fn persona() -> Persona {
    Persona::of([7; 32])
}

fn session() -> SshSession {
    Ssh::of(&persona()).session(7)
}

/// `payload` as a packet before there are keys.
fn plain(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Outgoing::default().send(payload, &mut Dice::new(&[0; 32], 0), &mut bytes);
    bytes
}

fn offer(lists: [&str; 4], mark: &str, zlib: &str, guesses: bool) -> Vec<u8> {
    let [method, key, cipher, mac] = lists;
    message(MSG_KEXINIT, |out| {
        out.extend_from_slice(&[1; 16]);
        for list in [&(String::from(method) + mark), key, cipher, cipher, mac, mac, zlib, zlib, "", ""] {
            put_string(out, list.as_bytes());
        }
        out.extend_from_slice(&[u8::from(guesses), 0, 0, 0, 0]);
    })
}

fn usual_offer() -> Vec<u8> {
    offer(LISTS, "", "none", false)
}

#[test]
fn a_login_has_two_minutes_however_it_goes() {
    let mut session = session();
    assert_eq!(session.patience(), crate::Patience::default(), "who says nothing has what all others have");
    let _ = drive::begun(&mut session, &[HELLO, &plain(&usual_offer())]);
    assert_eq!((session.patience().all_ms, session.patience().silence_ms), (Some(120_000), Some(120_000)));
}

fn heard(parts: &[&[u8]]) -> Heard {
    heard_by(&mut session(), parts)
}

fn heard_by(session: &mut SshSession, parts: &[&[u8]]) -> Heard {
    drive::whole(session, &parts.concat())
}

/// What the trap answered in plain packets behind its own offer.
fn answered(heard: &Heard) -> Vec<Vec<u8>> {
    let behind = heard.answer.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (mut incoming, mut rest) = (Incoming::default(), &heard.answer[behind..]);
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        let (taken, payload) = incoming.take(rest);
        rest = &rest[taken..];
        payloads.extend(payload.unwrap());
    }
    assert_eq!(payloads.remove(0)[0], MSG_KEXINIT);
    payloads
}

fn last_words(payload: &[u8]) -> String {
    let mut fields = Fields(&payload[1..]);
    assert_eq!((payload[0], fields.number()), (MSG_DISCONNECT, Some(2)));
    said(fields.string().unwrap())
}

#[test]
fn it_greets_as_debians_sshd() {
    assert_eq!(heard(&[]).answer, b"SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4\r\n");
    let mut own = Vec::new();
    let _ = Ssh::new("SSH-2.0-dropbear_2022.83", &persona()).unwrap().session(0).open(&mut own);
    assert_eq!(own, b"SSH-2.0-dropbear_2022.83\r\n");
    for bad in ["", "OpenSSH", "SSH-2.0-", "SSH-1.5-x", "SSH-2.0-a\r\nb", "SSH-2.0-ä"] {
        assert!(Ssh::new(bad, &persona()).is_err(), "{bad:?}");
    }
}

/// Captured from Debian 13's sshd (1:10.0p1-7+deb13u4) and its three usual host keys.
#[test]
fn the_offer_is_debians_byte_for_byte() {
    let mut keys = HostKeys::of(&[1; 32]);
    assert!(!said(&kexinit::ours([0; 16], &keys, true)).contains("rsa"), "not without one");
    keys.rsa = Some(rsa::tests::toy());
    let ours = kexinit::ours([0; 16], &keys, true);
    let real = "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
        curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,ext-info-s,\
        kex-strict-s-v00@openssh.com;rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519;\
        chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr;\
        chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr;\
        umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,\
        hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1;\
        umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,\
        hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1;\
        none,zlib@openssh.com;none,zlib@openssh.com;;";
    let mut expected = vec![MSG_KEXINIT];
    expected.extend_from_slice(&[0; 16]);
    real.split(';').for_each(|list| put_string(&mut expected, list.as_bytes()));
    expected.extend_from_slice(&[0; 5]);
    assert_eq!(said(&ours), said(&expected));
    // What is offered can be done.
    let lists = real.split(';').collect::<Vec<_>>();
    assert!(lists[0].split(',').take(8).all(|name| Method::named(name.as_bytes()).is_some()));
    assert!(lists[1].split(',').all(|name| keys.named(name.as_bytes()).is_some()));
    assert!(lists[2].split(',').all(|name| cipher::CipherKind::named(name.as_bytes()).is_some()));
    assert!(lists[4].split(',').all(|name| mac::MacKind::named(name.as_bytes()).is_some()));
}

/// Each line was sent to a real OpenSSH, 9.2p1 and 10.0p1, which answered the same.
#[test]
fn first_lines_are_answered_as_openssh_does() {
    let long = [b"SSH-2.0-".as_slice(), &[b'A'; 8_000], b"\n"].concat();
    let table: [(&[u8], &str); 12] = [
        (b"SSH-2.0-test\r\n", ""),
        (b"SSH-2.0-test\n", ""),
        (b"SSH-1.99-x\n", ""),
        (&long, ""),
        (b"GET / HTTP/1.0\r\n\r\n", INVALID),
        (b"SSH-1.5-x\r\n", MAJOR_DIFFERS),
        (b"SSH-2.0-\r\n", INVALID),
        (b"SSH-2.0\r\n", INVALID),
        (b"SSH-2.0-a\rb\n", INVALID),
        (b"SSH-2.0-a\0\n", INVALID),
        (&[b'A'; 9_000], INVALID),
        (b"\n", INVALID),
    ];
    for (line, last_words) in table {
        let heard = heard(&[line]);
        let answer = heard.answer.strip_prefix(b"SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4\r\n".as_slice()).unwrap();
        if last_words.is_empty() {
            assert_eq!((heard.flow, answer.get(5)), (Flow::Continue, Some(&MSG_KEXINIT)), "{line:?}");
            assert!(!heard.findings.signs.contains(Signs::MALFORMED));
        } else {
            assert_eq!((heard.flow, said(answer)), (Flow::Close, last_words.into()), "{line:?}");
            assert!(heard.findings.signs.contains(Signs::MALFORMED));
        }
    }
}

#[test]
fn the_client_is_told_and_bounded() {
    let go = heard(&[b"SSH-2.0-Go\r\n"]);
    assert_eq!((go.flow, go.reports.len()), (Flow::Continue, 1), "not before it has shown more, or leaves");
    assert_eq!(go.findings.fields["client"], "SSH-2.0-Go");
    let long = heard(&[b"SSH-2.0-", &[b'A'; 8_000], b"\n"]);
    assert_eq!(long.findings.fields["client"].len(), 255);
    let cut_off = heard(&[b"SSH-2.0-libssh_0.1"]);
    assert_eq!(cut_off.findings.fields["client"], "SSH-2.0-libssh_0.1", "a line without an end is told at the end");
}

#[test]
fn an_offer_becomes_fields_and_a_hassh() {
    let heard = heard(&[HELLO, &plain(&kexinit::ours([9; 16], &HostKeys::of(&[1; 32]), true))]);
    assert_eq!(heard.reports.len(), 1);
    let fields = &heard.findings.fields;
    // hasshserver of Debian 13's sshd, whose lists are the same in both directions.
    assert_eq!(fields["hassh"], "671c5858369db8e0a60108d866bbf8ec");
    assert!(fields["kex_algorithms"].starts_with("mlkem768x25519-sha256,"));
    assert_eq!(fields["compression"], "none,zlib@openssh.com");
}

/// A name, what is sent, how it goes on, and the messages that answer it.
type Case<'a> = (&'a str, Vec<u8>, Flow, &'a [Vec<u8>]);

/// Each sequence was sent to a real OpenSSH 10.0p1, which did the same.
#[test]
fn packets_out_of_place_are_answered_as_openssh_does() {
    let half = message(MSG_KEX_INIT, |out| put_string(out, &[0x78; 32]));
    let strict = plain(&offer(LISTS, ",kex-strict-c-v00@openssh.com", "none", false));
    let unimplemented = |number: u8| vec![MSG_UNIMPLEMENTED, 0, 0, 0, number];
    let silent: &[Vec<u8>] = &[];
    let table: [Case; 14] = [
        ("ignore", plain(&[MSG_IGNORE, 0, 0, 0, 0]), Flow::Continue, silent),
        ("type 50", plain(&[50]), Flow::Close, silent),
        ("type 200", plain(&[200]), Flow::Close, silent),
        ("a half before the offer", plain(&half), Flow::Continue, &[unimplemented(0)]),
        ("new keys", plain(&[MSG_NEWKEYS]), Flow::Continue, &[unimplemented(0)]),
        ("a service", plain(&[MSG_SERVICE_REQUEST]), Flow::Continue, &[unimplemented(0)]),
        ("an empty offer", plain(&[MSG_KEXINIT]), Flow::Close, silent),
        ("two offers", [plain(&usual_offer()), plain(&usual_offer())].concat(), Flow::Continue, &[unimplemented(1)]),
        ("nothing in common", plain(&offer(["diffie-hellman-group1-sha1", "", "", ""], "", "none", false)), Flow::Close, silent),
        ("a short half", [plain(&usual_offer()), plain(&half[..36])].concat(), Flow::Close, silent),
        ("a long half", [plain(&usual_offer()), plain(&[&half[..], b"z"].concat())].concat(), Flow::Close, silent),
        ("HTTP", b"GET / HTTP/1.0\r\n\r\n".to_vec(), Flow::Close, silent),
        ("a strange length", b"\0\0\0\x0d\x0a\x63\0\0\0\0\0\0\0\0\0\0\0".to_vec(), Flow::Close, silent),
        ("strict, then type 50", [strict.clone(), plain(&[50])].concat(), Flow::Close, silent),
    ];
    for (name, bytes, flow, expected) in table {
        let heard = heard(&[HELLO, &bytes]);
        assert_eq!((heard.flow, answered(&heard).as_slice()), (flow, expected), "{name}");
    }
    let said = |bytes: &[u8]| last_words(&answered(&heard(&[HELLO, bytes]))[0]);
    let late = [plain(&[MSG_IGNORE, 0, 0, 0, 0]), strict.clone()].concat();
    assert_eq!(said(&late), "strict KEX violation: KEXINIT was not the first packet");
    let between = [strict, plain(&[MSG_IGNORE, 0, 0, 0, 0])].concat();
    assert_eq!(said(&between), "strict KEX violation: unexpected packet type 2 (seqnr 1)");
    let padded = b"\0\0\0\x0c\x03\x02xxxxxxxxxx";
    assert_eq!(said(padded), "Corrupted padlen 3 on input.");
}

#[test]
fn a_wrong_guess_is_thrown_away() {
    let guessing = offer(["foo,curve25519-sha256", LISTS[1], LISTS[2], LISTS[3]], "", "none", true);
    let guess = message(MSG_KEX_INIT, |out| put_string(out, b"guess"));
    let half = message(MSG_KEX_INIT, |out| put_string(out, &[0x78; 32]));
    let heard = heard(&[HELLO, &plain(&guessing), &plain(&guess), &plain(&half)]);
    assert_eq!(answered(&heard)[0][0], MSG_KEX_REPLY);
}

#[test]
fn host_keys_stay_and_no_two_machines_share_them() {
    let of = |seed: u8| HostKeys::of(&Persona::of([seed; 32]).key("ssh host keys"));
    for kind in of(1).kinds() {
        assert_eq!(of(1).public(kind), of(1).public(kind));
        assert_ne!(of(1).public(kind), of(2).public(kind));
    }
    let cookie = |seed| drive::whole(&mut Ssh::of(&persona()).session(seed), HELLO).answer[47..63].to_vec();
    assert_ne!(cookie(1), cookie(2));
    assert_eq!(cookie(1), cookie(1));
}

/// Without the key's other half nobody is fooled, but the names and the signature's place are right.
#[test]
fn an_rsa_key_is_told_and_signs_as_it_was_asked_to() {
    let offers = |key| plain(&offer([LISTS[0], key, LISTS[2], LISTS[3]], "", "none", false));
    let half = plain(&message(MSG_KEX_INIT, |out| put_string(out, &[0x78; 32])));
    for (name, number) in [("rsa-sha2-512", 1), ("rsa-sha2-256", 0)] {
        let mut session = Ssh::of(&persona()).proving(&rsa::tests::toy()).session(7);
        let heard = drive::whole(&mut session, &[HELLO, &offers(name), &half].concat());
        let reply = &answered(&heard)[0];
        let mut fields = Fields(&reply[1..]);
        assert_eq!((reply[0], fields.string()), (MSG_KEX_REPLY, Some(rsa::tests::toy().public())));
        let signature = fields.string().and(fields.string()).unwrap();
        let mut signature = Fields(signature);
        assert_eq!((signature.string(), signature.string()), (Some(name.as_bytes()), Some(&[number, 32][..])));
        let without = heard_by(&mut super::Ssh::of(&persona()).session(7), &[HELLO, &offers(name)]);
        assert_eq!(without.flow, Flow::Close, "nothing in common without one");
    }
}

/// `cargo xtask bench` measures the whole; this bounds what a session adds to it.
#[test]
fn an_idle_connection_holds_next_to_nothing() {
    assert!(size_of::<SshSession>() <= 256, "{} bytes", size_of::<SshSession>());
}

#[test]
fn every_method_cipher_and_mac_carries_a_login() {
    let methods = [
        "mlkem768x25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
    ];
    let ciphers = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"];
    let macs = [
        "umac-64-etm@openssh.com",
        "umac-128-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha1-etm@openssh.com",
        "umac-64@openssh.com",
        "umac-128@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha1",
    ];
    let mut sets = vec![LISTS];
    sets.extend(methods.map(|method| [method, "ecdsa-sha2-nistp256", LISTS[2], LISTS[3]]));
    sets.extend(ciphers.map(|cipher| [LISTS[0], LISTS[1], cipher, LISTS[3]]));
    sets.extend(macs.map(|mac| [LISTS[0], LISTS[1], "aes256-ctr", mac]));
    for lists in sets {
        let mut client = Client::of(session(), lists, "none");
        client.begin_login();
        assert_eq!(client.ask(&client::password("root", "toor"))[0][0], MSG_USERAUTH_FAILURE, "{lists:?}");
        assert_eq!(client.heard.findings.fields["password"], "toor");
    }
}

#[test]
fn a_changed_byte_ends_it_in_silence() {
    for lists in
        [LISTS, [LISTS[0], LISTS[1], "aes128-gcm@openssh.com", ""], [LISTS[0], LISTS[1], "aes128-ctr", "umac-64-etm@openssh.com"]]
    {
        let mut client = Client::of(session(), lists, "none");
        let mut packet = client.packet(&[MSG_IGNORE, 0, 0, 0, 4, 1, 2, 3, 4]);
        let last = packet.len() - 20;
        packet[last] ^= 1;
        assert!(client.feed(&packet).is_empty());
        assert_eq!((client.heard.flow, client.heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{lists:?}");
    }
}

fn open_session() -> SshSession {
    Ssh::of(&persona()).letting_in(1).session(7)
}

fn let_in() -> Client {
    let mut client = Client::of(open_session(), LISTS, "none");
    client.begin_login();
    client.ask(&client::password("root", "a"));
    client
}

#[test]
fn keys_are_exchanged_anew_when_the_client_wants_it() {
    for mark in ["", ",kex-strict-c-v00@openssh.com"] {
        let mut client = Client::marked(open_session(), LISTS, mark, "none");
        client.begin_login();
        let refused = client.ask(&usual_offer());
        assert_eq!(refused[0][0], MSG_UNIMPLEMENTED, "not before the login is over");
        client.ask(&client::password("root", "a"));
        client.exchange(mark);
        let ping = message(MSG_PING, |out| put_string(out, b"hey"));
        assert_eq!(client.ask(&ping)[0][0], MSG_PONG);
    }
}

#[test]
fn exchanges_are_bounded() {
    let mut client = let_in();
    for _ in 1..64 {
        client.exchange("");
    }
    assert_ne!(client.heard.flow, Flow::Close);
    client.ask(&usual_offer());
    assert_eq!((client.heard.flow, client.heard.findings.signs), (Flow::Close, Signs::CREDENTIALS | Signs::MALFORMED));
}

#[test]
fn pings_are_answered_behind_the_login() {
    let ping = message(MSG_PING, |out| put_string(out, b"hey"));
    assert!(Client::of(session(), LISTS, "none").ask(&ping).is_empty());
    let mut client = let_in();
    assert_eq!(client.ask(&ping), [message(MSG_PONG, |out| put_string(out, b"hey"))]);
    let long = message(MSG_PING, |out| put_string(out, &[b'x'; 30_000]));
    assert!(client.ask(&long)[0].len() < 17_000, "bounded");
}

fn lead() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(HELLO.to_vec()),
        Just([HELLO, &plain(&usual_offer())].concat()),
        (0..4_usize).prop_map(client::talk),
    ]
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(lead in lead(), noise in drive::noise(), cuts in drive::cuts()) {
        drive::law(client::let_in, &[lead, noise].concat(), &cuts)?;
    }

    #[test]
    fn a_mutated_offer_does_not_break_it(at in 0_usize..1_000, byte: u8, cuts in drive::cuts()) {
        let mut offer = plain(&kexinit::ours([1; 16], &HostKeys::of(&[1; 32]), true));
        offer[at] = byte;
        drive::law(session, &[HELLO, &offer].concat(), &cuts)?;
    }

    #[test]
    fn messages_of_all_kinds_do_not_break_what_is_behind_the_keys(messages in proptest::collection::vec(client::any_message(), 1..12), cuts in drive::cuts()) {
        let mut client = Client::of(client::let_in(), LISTS, "none");
        client.begin_login();
        for message in messages {
            if client.heard.flow == Flow::Close {
                break;
            }
            client.ask(&message);
        }
        drive::law(client::let_in, &client.sent, &cuts)?;
    }
}
