//! One connection to a box's debugging port.

use super::{
    Adb,
    message::{AUTH, BODY_BYTES_MAX, CLSE, CNXN, Message, Messages, OKAY, OPEN, WRTE, write},
    shell,
    sync::{Done, Sync},
};
use crate::{ANSWER_BYTES_MAX, Findings, Flow, Session, Step, text::random_bytes};
use alloc::{format, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Streams of one connection; more are refused.
const STREAMS_MAX: usize = 8;
/// The longest line that is typed at a prompt, in bytes; what is behind is not looked at.
const LINE_BYTES_MAX: usize = 1_024;
/// The longest answer to one message, in bytes: what was typed with its outputs, or what was pushed with its acknowledgements.
const REPLY_BYTES_MAX: usize = 16 * 1_024;
/// What one message's outputs are cut to, in bytes.
const OUTPUT_BYTES_MAX: usize = 3 * BODY_BYTES_MAX;
/// The protocol before checksums were left out.
const VERSION: u32 = 0x0100_0000;

const TOKEN: u32 = 1;
const SIGNATURE: u32 = 2;
const PUBLIC_KEY: u32 = 3;
const TOKEN_BYTES: usize = 20;

/// One connection to a box's debugging port.
pub struct AdbSession {
    adb: Arc<Adb>,
    seed: u64,
    messages: Messages,
    phase: Phase,
    streams: Vec<Stream>,
    /// The last number of a stream.
    last: u32,
    findings: Findings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    /// A key is asked for.
    Asked,
    In,
    Over,
}

struct Stream {
    theirs: u32,
    ours: u32,
    kind: Kind,
}

enum Kind {
    /// All is said; closes once that has arrived.
    Said,
    /// A prompt, and the line so far.
    Prompt(Vec<u8>),
    Files(Sync),
}

impl AdbSession {
    pub(super) fn new(adb: Arc<Adb>, seed: u64) -> Self {
        let (messages, streams, findings) = (Messages::default(), Vec::new(), Findings::default());
        Self { adb, seed, messages, phase: Phase::New, streams, last: 0, findings }
    }

    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        if self.phase == Phase::Over {
            return Flow::Close;
        }
        match self.messages.push(byte) {
            Ok(None) => Flow::Continue,
            Ok(Some(message)) => self.message(&message, answer),
            Err(()) => self.broken(),
        }
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        self.phase = Phase::Over;
        Flow::Close
    }

    fn message(&mut self, message: &Message, answer: &mut Vec<u8>) -> Flow {
        match (self.phase, message.command) {
            (_, CNXN) => self.connect(message, answer),
            (Phase::Asked, AUTH) => self.key(message, answer),
            (Phase::In, OPEN) => self.open_stream(message, answer),
            (Phase::In, WRTE) => self.written(message, answer),
            (Phase::In, OKAY) => self.arrived(message, answer),
            (Phase::In, CLSE) => self.closed(message),
            // adbd hears what it has no use for, and goes on.
            (_, AUTH | OPEN | WRTE | OKAY | CLSE) => Flow::Continue,
            _ => self.broken(),
        }
    }

    fn connect(&mut self, message: &Message, answer: &mut Vec<u8>) -> Flow {
        self.findings.note("client", trimmed(&message.body));
        self.findings.note("version", format!("{:#010x}", message.first).as_bytes());
        self.streams.clear();
        if !self.adb.lets_in {
            self.phase = Phase::Asked;
            self.ask(answer);
            return Flow::Telling;
        }
        self.phase = Phase::In;
        let Adb { product, model, device, .. } = &*self.adb;
        let banner = format!("device::ro.product.name={product};ro.product.model={model};ro.product.device={device};\0");
        write(CNXN, VERSION, u32::try_from(BODY_BYTES_MAX).unwrap_or_default(), banner.as_bytes(), answer);
        Flow::Telling
    }

    fn ask(&mut self, answer: &mut Vec<u8>) {
        self.seed = self.seed.wrapping_add(1);
        write(AUTH, TOKEN, 0, &random_bytes::<TOKEN_BYTES>(self.seed), answer);
    }

    /// A signature is by a key that nobody knows here; a key waits for somebody to press a button.
    fn key(&mut self, message: &Message, answer: &mut Vec<u8>) -> Flow {
        match message.first {
            SIGNATURE => {
                self.findings.note("signature", crate::text::hex(&message.body).as_bytes());
                self.ask(answer);
            }
            PUBLIC_KEY => self.findings.note("public_key", trimmed(&message.body)),
            _ => return Flow::Continue,
        }
        self.findings.signs |= Signs::CREDENTIALS;
        Flow::Telling
    }

    fn open_stream(&mut self, message: &Message, answer: &mut Vec<u8>) -> Flow {
        let (theirs, service) = (message.first, trimmed(&message.body));
        self.findings.note("service", service);
        if theirs == 0 || self.streams.len() >= STREAMS_MAX {
            write(CLSE, 0, theirs, &[], answer);
            return Flow::Telling;
        }
        self.findings.signs |= Signs::RULE;
        let end = service.iter().position(|byte| *byte == b':').unwrap_or(service.len());
        let (name, argument) = (&service[..end], service.get(end + 1..).unwrap_or_default());
        let name = name.split(|byte| *byte == b',').next().unwrap_or_default();
        match (name, argument) {
            (b"shell", b"") => {
                let prompt = self.prompt();
                self.accept(theirs, Kind::Prompt(Vec::new()), &prompt, answer);
            }
            (b"shell", command) => {
                let output = through_terminal(&self.command(command));
                self.accept(theirs, Kind::Said, &output, answer);
            }
            (b"exec", command) => {
                let output = self.command(command);
                self.accept(theirs, Kind::Said, &output, answer);
            }
            (b"sync", _) => self.accept(theirs, Kind::Files(Sync::default()), b"", answer),
            (b"root", _) => self.accept(theirs, Kind::Said, b"adbd is already running as root\n", answer),
            (b"remount", _) => self.accept(theirs, Kind::Said, b"remount succeeded\n", answer),
            (b"tcpip", _) => self.accept(theirs, Kind::Said, b"restarting in TCP mode port: 5555\n", answer),
            (b"reboot", _) => {
                self.accept(theirs, Kind::Said, b"", answer);
                self.phase = Phase::Over;
                return Flow::Close;
            }
            // Nobody is passed on to anywhere.
            _ => write(CLSE, 0, theirs, &[], answer),
        }
        Flow::Telling
    }

    fn command(&mut self, command: &[u8]) -> Vec<u8> {
        self.findings.note("command", command);
        shell::run(command, &self.adb).unwrap_or_default()
    }

    fn prompt(&self) -> Vec<u8> {
        [b"root@", self.adb.device.as_bytes(), b":/ # "].concat()
    }

    fn accept(&mut self, theirs: u32, kind: Kind, output: &[u8], answer: &mut Vec<u8>) {
        self.last = self.last.checked_add(1).unwrap_or(1);
        let ours = self.last;
        write(OKAY, ours, theirs, &[], answer);
        if !output.is_empty() {
            write(WRTE, ours, theirs, output, answer);
        } else if matches!(kind, Kind::Said) {
            write(CLSE, ours, theirs, &[], answer);
            return;
        }
        self.streams.push(Stream { theirs, ours, kind });
    }

    /// What was said has arrived.
    fn arrived(&mut self, message: &Message, answer: &mut Vec<u8>) -> Flow {
        let said = |stream: &Stream| stream.ours == message.second && matches!(stream.kind, Kind::Said);
        if let Some(at) = self.streams.iter().position(said) {
            let stream = self.streams.remove(at);
            write(CLSE, stream.ours, stream.theirs, &[], answer);
        }
        Flow::Continue
    }

    fn closed(&mut self, message: &Message) -> Flow {
        let Some(at) = self.streams.iter().position(|stream| stream.ours == message.second) else { return Flow::Continue };
        let stream = self.streams.remove(at);
        self.note_unfinished(stream)
    }

    fn note_unfinished(&mut self, mut stream: Stream) -> Flow {
        let unfinished = if let Kind::Files(sync) = &mut stream.kind { sync.unfinished() } else { None };
        let Some((path, bytes)) = unfinished else { return Flow::Continue };
        self.note_file(&path, bytes);
        Flow::Telling
    }

    fn note_file(&mut self, path: &str, bytes: u64) {
        self.findings.note("path", path.as_bytes());
        self.findings.note("file_bytes", format!("{bytes}").as_bytes());
        self.findings.signs |= Signs::RULE;
    }

    fn written(&mut self, message: &Message, answer: &mut Vec<u8>) -> Flow {
        let Some(at) = self.streams.iter().position(|stream| stream.ours == message.second) else {
            write(CLSE, 0, message.first, &[], answer);
            return Flow::Continue;
        };
        let mut stream = self.streams.remove(at);
        write(OKAY, stream.ours, stream.theirs, &[], answer);
        let (flow, is_open) = match &mut stream.kind {
            Kind::Said => (Flow::Continue, true),
            Kind::Prompt(line) => {
                let mut line = core::mem::take(line);
                let (flow, is_open, output) = self.typed(&mut line, &message.body);
                stream.kind = Kind::Prompt(line);
                say(&stream, &output, answer);
                (flow, is_open)
            }
            Kind::Files(sync) => {
                let mut output = Vec::new();
                let done = sync.take(&message.body, &mut output);
                say(&stream, &output, answer);
                self.transferred(done)
            }
        };
        if is_open {
            self.streams.insert(at, stream);
        } else {
            write(CLSE, stream.ours, stream.theirs, &[], answer);
        }
        flow
    }

    fn transferred(&mut self, done: Result<Vec<Done>, ()>) -> (Flow, bool) {
        let Ok(done) = done else {
            self.findings.signs |= Signs::MALFORMED;
            return (Flow::Telling, false);
        };
        let (mut flow, mut is_open) = (Flow::Continue, true);
        for done in done {
            match done {
                Done::Pushed(path, bytes) => {
                    self.note_file(&path, bytes);
                    flow = Flow::Telling;
                }
                Done::Asked(path) => self.findings.note("path", path.as_bytes()),
                Done::Quit => is_open = false,
            }
        }
        (flow, is_open)
    }

    /// What is typed at a prompt is echoed, and each line is answered.
    fn typed(&mut self, line: &mut Vec<u8>, bytes: &[u8]) -> (Flow, bool, Vec<u8>) {
        let (mut flow, mut output) = (Flow::Continue, Vec::new());
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => {
                    let typed = core::mem::take(line);
                    output.extend_from_slice(b"\r\n");
                    if !typed.trim_ascii().is_empty() {
                        self.findings.note("command", &typed);
                        self.findings.signs |= Signs::RULE;
                        flow = Flow::Telling;
                    }
                    let Some(printed) = shell::run(&typed, &self.adb) else { return (flow, false, output) };
                    output.extend_from_slice(&through_terminal(&printed));
                    output.extend_from_slice(&self.prompt());
                }
                3 => {
                    line.clear();
                    output.extend_from_slice(b"^C\r\n");
                    output.extend_from_slice(&self.prompt());
                }
                4 if line.is_empty() => return (flow, false, output),
                8 | 127 if line.pop().is_some() => output.extend_from_slice(b"\x08 \x08"),
                8 | 127 => {}
                byte if line.len() < LINE_BYTES_MAX => {
                    line.push(*byte);
                    output.push(*byte);
                }
                _ => {}
            }
            output.truncate(OUTPUT_BYTES_MAX);
        }
        (flow, true, output)
    }
}

/// Appends an output in as many messages as it takes.
fn say(stream: &Stream, output: &[u8], answer: &mut Vec<u8>) {
    output.chunks(BODY_BYTES_MAX).for_each(|part| write(WRTE, stream.ours, stream.theirs, part, answer));
}

/// A terminal makes LF to CR LF.
fn through_terminal(output: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    for byte in output {
        if *byte == b'\n' {
            shown.push(b'\r');
        }
        shown.push(*byte);
    }
    shown.truncate(BODY_BYTES_MAX);
    shown
}

/// A text without the NUL at its end.
fn trimmed(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

impl Session for AdbSession {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, answer))
    }

    fn end(&mut self) {
        if let (Some(message), false) = (self.messages.finish(), self.phase == Phase::Over) {
            let _ = self.message(&message, &mut Vec::new());
        }
        for stream in core::mem::take(&mut self.streams) {
            let _ = self.note_unfinished(stream);
        }
        self.phase = Phase::Over;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}
