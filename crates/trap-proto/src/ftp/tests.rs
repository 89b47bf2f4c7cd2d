//! Conversations, held with a real server before.

use super::*;
use crate::drive::{self, said};
use alloc::string::{String, ToString};
use alloc::vec;
use proptest::prelude::*;

fn session() -> FtpSession {
    Ftp::default().session(7)
}

fn replies(bytes: &[u8]) -> String {
    said(&drive::whole(&mut session(), bytes).answer).replace("\r\n", "|")
}

/// Each conversation was held with a real vsftpd 3.0.5, which answered the same.
#[test]
fn commands_are_answered_as_vsftpd_does() {
    let first = "530 Please login with USER and PASS.|";
    let features = PASSIVE_FEATURES.replace("\r\n", "|");
    let table: [(&[u8], String); 18] = [
        (b"SYST\r\n", first.into()),
        (b"FEAT\r\n", features.clone()),
        (b"feat x\n", features.clone()),
        (b"FEAT\r\r\n FEAT\r\nFEAT \r\n", [features.as_str(), first, &features].concat()),
        (b"AUTH TLS\r\n", first.into()),
        (b"OPTS UTF8 ON\r\n", "200 Always in UTF8 mode.|".into()),
        (b"opts foo\r\n", "501 Option not understood.|".into()),
        (b"HELP\r\n", first.into()),
        (b"\r\n\n", "".into()),
        (b"  \r\n", first.into()),
        (b"PASS x\r\n", "503 Login with USER first.|".into()),
        (b"USER\r\nPASS x\r\n", "331 Please specify the password.|503 Login with USER first.|".into()),
        (b"USER root\r\nNOOP\r\n", ["331 Please specify the password.|", first].concat()),
        (b"USER root\r\npass x\r\n", "331 Please specify the password.|530 Login incorrect.|".into()),
        (b"FOO\0BAR\r\n\xff\xf4\xff\xf2ABOR\r\nPUT / HTTP/1.0\r\n", first.repeat(3)),
        (b"GET / HTTP/1.0\r\nHost: a\r\n", "500 HTTP protocol commands not allowed.|".into()),
        (b"QUIT now\nNOOP\n", "221 Goodbye.|".into()),
        (
            b"USER a\r\nPASS b\r\nPASS c\r\n",
            "331 Please specify the password.|530 Login incorrect.|503 Login with USER first.|".into(),
        ),
    ];
    for (bytes, answer) in table {
        assert_eq!(replies(bytes), "220 (vsFTPd 3.0.5)|".to_string() + &answer, "{:?}", said(bytes));
    }
}

#[test]
fn a_line_may_be_as_long_as_with_vsftpd() {
    let line = |length: usize| [alloc::vec![b'A'; length].as_slice(), b"\r\n"].concat();
    assert!(replies(&line(4_094)).ends_with("|530 Please login with USER and PASS.|"));
    assert!(replies(&line(4_095)).ends_with("|500 Input line too long.|"));
    let heard = drive::whole(&mut session(), &[b'A'; 9_000]);
    assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED));
}

#[test]
fn each_password_is_a_report_with_its_user() {
    let heard = drive::whole(&mut session(), b"USER root\r\nPASS toor\r\nUSER admin\r\nPASS a b\r\n");
    let told: Vec<_> =
        heard.reports.iter().map(|(found, _)| (found.fields["username"].as_str(), found.fields["password"].as_str())).collect();
    assert_eq!(told, [("root", "toor"), ("admin", "a b")]);
    assert_eq!(heard.reports[1].1, b"USER admin\r\nPASS a b\r\n", "a report has the bytes that made it");
    assert!(heard.reports.iter().all(|(found, _)| found.signs == Signs::CREDENTIALS));
}

#[test]
fn the_third_wrong_password_ends_it() {
    let heard = drive::whole(&mut session(), &b"USER a\r\nPASS b\r\n".repeat(5));
    assert_eq!(heard.pauses.len(), 3, "each costs vsftpd's and PAM's wait: {:?}", heard.pauses);
    assert!(heard.pauses.iter().all(|(at, ms)| (2_000..4_000).contains(ms) && heard.answer[*at..].starts_with(b"530 ")));
    assert_eq!((heard.flow, heard.reports.len()), (Flow::Close, 3));
}

#[test]
fn a_password_without_an_end_is_found_at_the_end() {
    let heard = drive::whole(&mut session(), b"USER root\r\nPASS half");
    assert_eq!(heard.findings.fields["password"], "half");
    assert!(heard.findings.signs.contains(Signs::CREDENTIALS));
}

#[test]
fn another_protocol_is_malformed_and_a_command_after_login_is_not() {
    assert!(drive::whole(&mut session(), b"\x16\x03\x01\n").findings.signs.contains(Signs::MALFORMED));
    assert!(drive::whole(&mut session(), b"SYST\r\n").findings.signs.is_empty());
}

#[test]
fn the_banner_can_be_changed_but_not_split() {
    let mut answer = Vec::new();
    let _ = Ftp::default().saying("ProFTPD Server ready.").unwrap().session(7).open(&mut answer);
    assert_eq!(answer, b"220 ProFTPD Server ready.\r\n");
    assert_eq!(Ftp::default().saying("a\r\n230 b"), Err(BannerError::Characters));
}

const COMMANDS: &[&[u8]] = &[
    b"STOR",
    b"APPE",
    b"STOU",
    b"LIST",
    b"NLST -al",
    b"MKD",
    b"RMD",
    b"CWD",
    b"DELE",
    b"RNFR",
    b"RNTO",
    b"SIZE",
    b"MDTM",
    b"REST 5\r\nSTOR",
    b"PASV\r\n",
    b"EPSV 2\r\n",
    b"RETR",
    b"PORT",
    b"SITE",
];

fn talk() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"USER anonymous\r\nPASS \r\nCWD incoming\r\nEPSV\r\n".to_vec()),
        proptest::sample::select(COMMANDS).prop_map(|command| [command, &b" "[..]].concat()),
        Just(b"a/../\"b\xff".to_vec()),
        Just(b"USER ".to_vec()),
        Just(b"PASS ".to_vec()),
        Just(b"FEAT".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"QUIT".to_vec()),
        Just(alloc::vec![b'x'; 2_000]),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(noise in prop_oneof![drive::noise(), talk()], cuts in drive::cuts()) {
        drive::law(session, &noise, &cuts)?;
    }
}

#[test]
fn a_flood_of_short_lines_is_answered_in_bounded_pieces() {
    let heard = drive::whole(&mut session(), &b"x\n".repeat(10_000));
    assert_eq!(heard.answer.len(), 20 + 10_000 * LOGIN_FIRST.len());
}

/// What is answered behind the login, but for what stands before it.
fn inside(commands: &str) -> String {
    let bytes = ["USER anonymous\r\nPASS a@b\r\n", commands].concat();
    let said = replies(bytes.as_bytes());
    said.split_once("230 Login successful.|").unwrap_or_else(|| panic!("{said}")).1.to_string()
}

#[test]
fn the_nameless_are_let_in_and_told_as_whoever_has_tried_nothing() {
    for name in ["anonymous", "FTP", "Anonymous"] {
        let heard = drive::whole(&mut session(), alloc::format!("USER {name}\r\nPASS a@b\r\nPWD\r\n").as_bytes());
        assert!(said(&heard.answer).ends_with("230 Login successful.\r\n257 \"/\" is the current directory\r\n"));
        assert_eq!((heard.reports.len(), heard.findings.signs, heard.pauses.len()), (1, Signs::empty(), 0));
        assert_eq!((heard.findings.fields["username"].as_str(), heard.findings.fields["password"].as_str()), (name, "a@b"));
    }
}

/// What the shell behind SSH says of the same machine.
#[test]
fn the_folders_are_of_the_machines_day_and_of_its_own_user() {
    for persona in crate::persona::tests::seeds().take(20) {
        let played =
            ["redis", "ftp"].map(|service| crate::Definition { service: service.into(), ..crate::Definition::default() });
        let persona = persona.serving(&played);
        let Ftp { set_up, .. } = Ftp::of(&persona);
        let (mut place, mut output) = (crate::shell::debian::Place::default(), crate::shell::debian::Output::default());
        let shell = crate::shell::debian::Shell::new(&persona, b"root", drive::NOW, false);
        let _ = shell.run(b"cat /etc/passwd; ls -l /srv/ftp; ls /srv; cd /srv/ftp/incoming; pwd", &mut place, &mut output);
        let told = said(&output.out);
        assert!(told.contains(&alloc::format!("\nftp:x:{}:{}:", set_up.user, set_up.group)), "{told}");
        let date = crate::calendar::Moment::of(persona.set_up("ftp"));
        let row = alloc::format!("ftp  4096 {} {:>2}  2025 incoming\n", date.month_name(), date.day);
        assert!(told.contains(&row) && told.ends_with(" pub\nftp\n/srv/ftp/incoming\n"), "{row} {told}");
        assert_eq!(set_up.at, persona.set_up("ftp"));
    }
}

#[test]
fn nobody_is_let_in_where_the_operator_wants_that_or_the_try_that_he_names() {
    let talk = b"USER ftp\r\nPASS a\r\nUSER root\r\nPASS b\r\nUSER root\r\nPASS c\r\nPWD\r\n";
    let refused = drive::whole(&mut Ftp::default().letting_in(0).session(7), talk);
    assert_eq!((refused.reports.len(), refused.flow), (3, Flow::Close));
    assert_eq!(refused.findings.signs, Signs::CREDENTIALS);
    let talk = b"USER root\r\nPASS b\r\nUSER root\r\nPASS c\r\nUSER root\r\nUSER x\r\nPASS y\r\nSITE CHMOD 777 pub\r\n";
    let heard = drive::whole(&mut Ftp::default().letting_in(2).session(7), talk);
    assert!(
        said(&heard.answer).replace("\r\n", "|").ends_with(
            "530 Login incorrect.|331 Please specify the password.|230 Login successful.|331 Any password will do.|\
             530 Can't change to another user.|230 Already logged in.|200 SITE CHMOD command ok.|"
        ),
        "{}",
        said(&heard.answer)
    );
    let passwords: Vec<_> = heard.reports.iter().filter_map(|(found, _)| found.fields.get("password").cloned()).collect();
    assert_eq!((passwords, heard.pauses.len()), (["b", "c", "y"].map(String::from).to_vec(), 1));
}

#[test]
fn what_is_brought_is_asked_for_on_a_port_of_its_own_and_told_with_its_name_and_length() {
    let heard = drive::whole(
        &mut session(),
        b"USER ftp\r\nPASS x\r\nCWD incoming\r\nEPSV\r\nSTOR a b.elf\r\nSIZE /incoming/a b.elf\r\nQUIT\r\n",
    );
    assert_eq!(heard.errands, [Errand::Listen, Errand::Await { ms: 60_000 }, Errand::Take]);
    let told = &heard.reports[0].0;
    assert_eq!(
        (told.signs, told.fields["upload"].as_str(), told.fields["upload_bytes"].as_str()),
        (Signs::UPLOAD, "/incoming/a b.elf", "9")
    );
    let answer = said(&heard.answer).replace("\r\n", "|");
    let end = "229 Entering Extended Passive Mode (|||50000|)|150 Ok to send data.|226 Transfer complete.|213 9|221 Goodbye.|";
    assert!(answer.ends_with(end), "{answer}");
}

#[test]
fn a_listing_is_the_same_machine_s_each_time_and_has_what_was_made() {
    let given = |talk: &str| {
        let talk = ["USER ftp\r\nPASS x\r\n", talk].concat();
        let heard = drive::whole(&mut session(), talk.as_bytes());
        let given = heard.errands.iter().rev().find_map(|errand| match errand {
            Errand::Give(bytes) => Some(said(bytes)),
            _ => None,
        });
        given.expect("nothing was given").replace("\r\n", "|")
    };
    let empty = "drwxrwxrwx    2 101      103          4096 Oct 01  2025 incoming|drwxr-xr-x    2 0        0            4096 Oct 01  2025 pub|";
    assert_eq!(given("PASV\r\nLIST\r\n"), empty);
    let made = "CWD incoming\r\nPASV\r\nSTOR x.sh\r\nMKD d\r\n";
    let more = given(&[made, "PASV\r\nLIST\r\n"].concat());
    assert!(more.contains("drwx------    2 101      103          4096 Nov 22 10:00 d|"), "{more}");
    assert!(more.contains("-rw-------    1 101      103             9 Nov 22 10:00 x.sh|"), "{more}");
    assert_eq!(given(&[made, "EPSV\r\nNLST x*h\r\n"].concat()), "x.sh|");
    assert_eq!(given("EPSV\r\nNLST -a pub\r\n"), "pub/.|pub/..|");
}

#[test]
fn what_no_port_was_opened_for_is_refused_and_still_told() {
    assert_eq!(inside("STOR a\r\nLIST\r\nRETR a\r\n"), "425 Use PORT or PASV first.|".repeat(3));
    let heard = drive::whole(&mut session(), b"USER ftp\r\nPASS x\r\nSTOR a\r\n");
    assert_eq!(heard.findings.fields["upload"], "a");
    assert_eq!(
        inside("PORT 192,0,2,1,200,7\r\nEPRT |1|192.0.2.1|51207|\r\n"),
        "550 Permission denied.|".repeat(2),
        "nothing goes out"
    );
}

#[test]
fn a_port_that_nobody_opens_and_a_connection_that_never_comes_are_answered() {
    let mut session = session();
    let mut answer = Vec::new();
    let _ = session.open(&mut answer);
    let talk = b"USER ftp\r\nPASS x\r\nPASV\r\n";
    let step = session.receive(talk, drive::NOW, &mut answer);
    assert_eq!((step.taken, step.flow, session.errand()), (talk.len(), Flow::Errand, Some(Errand::Listen)));
    answer.clear();
    assert_eq!(session.done(Done::Failed, drive::NOW, &mut answer), Flow::Continue);
    assert_eq!(said(&answer), "425 Failed to establish connection.\r\n");
    let _ = session.receive(b"PASV\r\n", drive::NOW, &mut answer);
    assert_eq!(session.done(Done::Listening(([192, 0, 2, 1], 0x1234).into()), drive::NOW, &mut answer), Flow::Continue);
    assert!(said(&answer).ends_with("227 Entering Passive Mode (192,0,2,1,18,52).\r\n"));
    assert_eq!(session.receive(b"APPE incoming/f\r\n", drive::NOW, &mut answer).flow, Flow::Errand);
    answer.clear();
    // It goes on as if it had been done; it was not.
    let step = session.receive(b"NOOP\r\n", drive::NOW, &mut answer);
    assert_eq!((step.flow, said(&answer).as_str()), (Flow::Continue, "425 Failed to establish connection.\r\n200 NOOP ok.\r\n"));
    assert_eq!(session.findings().fields["upload"], "/incoming/f");
}

#[test]
fn an_upload_that_breaks_off_is_told_with_what_there_was() {
    let mut session = session();
    let mut answer = Vec::new();
    let _ = session.receive(b"USER ftp\r\nPASS x\r\nCWD incoming\r\nEPSV\r\n", drive::NOW, &mut answer);
    let _ = session.done(Done::Listening(([192, 0, 2, 1], 1_024).into()), drive::NOW, &mut answer);
    let _ = session.receive(b"STOR f\r\n", drive::NOW, &mut answer);
    assert_eq!(session.done(Done::Met, drive::NOW, &mut answer), Flow::Errand);
    assert_eq!(session.done(Done::Taken { bytes: 5, is_whole: false }, drive::NOW, &mut answer), Flow::Telling);
    assert!(said(&answer).ends_with("150 Ok to send data.\r\n426 Failure reading network stream.\r\n"));
    let told = session.findings();
    assert_eq!((told.signs, told.fields["upload_bytes"].as_str()), (Signs::UPLOAD, "5"));
}
