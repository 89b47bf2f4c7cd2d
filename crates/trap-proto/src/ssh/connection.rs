//! Behind the login (RFC 4254): channels, what is asked for in them, and what is taken down.
//!
//! A shell answers, and the subsystem `sftp`; forwarding is refused as by a server that does not allow it. Every command, address and
//! target is told at once. Whoever gives commands here got in by guessing.

use super::{
    MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_FAILURE, MSG_CHANNEL_OPEN,
    MSG_CHANNEL_OPEN_CONFIRMATION, MSG_CHANNEL_OPEN_FAILURE, MSG_CHANNEL_REQUEST, MSG_CHANNEL_SUCCESS, MSG_CHANNEL_WINDOW_ADJUST,
    MSG_DEBUG, MSG_GLOBAL_REQUEST, MSG_REQUEST_FAILURE, MSG_REQUEST_SUCCESS,
    acts::Acts,
    channel::{Channel, Runs},
    held::Held,
    hostkey::HostKeyKind,
    sftp,
    transport::{Desk, Transport, malformed},
    wire::{Fields, message, put_string},
};
use crate::{
    Findings, Flow,
    shell::{
        Outcome,
        debian::{Allowance, Disk, OUTPUT_BYTES_MAX, Output, Shell},
    },
};
use alloc::{format, string::String, vec::Vec};

/// Channels at once: OpenSSH's `MaxSessions`. A further one is refused.
const CHANNELS_MAX: usize = 10;
/// Proofs of host keys in one connection; a client needs one for each key.
const PROOFS_MAX: usize = 8;
/// What sshd lets a client send before it opens the window again, and when it does, in bytes.
const WINDOW_BYTES: u32 = 2_097_152;
const WINDOW_STEP_BYTES: u32 = 98_304;
const PACKET_BYTES: u32 = 32_768;
/// Nods to scp for one message.
const NODS_MAX: usize = 64;
/// Reasons for which a channel is not opened.
const PROHIBITED: u32 = 1;
const CONNECT_FAILED: u32 = 2;

/// The stranger's channels; a closed one leaves its number free.
#[derive(Default)]
pub(super) struct Connection {
    channels: Vec<Option<Channel>>,
    /// What the stranger changed on the machine, whose place in a channel is empty while that is not heard.
    disk: Disk,
    proofs: usize,
    /// What the shells may do for it.
    allowance: Allowance,
    /// The client wants no further session.
    is_closed: bool,
}

/// What a message led to.
#[derive(Default)]
pub(super) struct Reply {
    messages: Vec<Vec<u8>>,
    /// Output bytes of this packet so far, which has its own limit.
    pub(super) printed: usize,
    pub(super) acts: Acts,
    /// What is captured of a message that is not captured as it is.
    pub(super) said: Vec<u8>,
    /// The connection ends with these words.
    last_words: Option<String>,
}

impl Transport {
    /// What a server tells a client that was let in: all its keys (OpenSSH's PROTOCOL, section 2.5).
    pub(super) fn tell_host_keys(&mut self, desk: &mut Desk<'_>) {
        let payload = message(MSG_GLOBAL_REQUEST, |out| {
            put_string(out, b"hostkeys-00@openssh.com");
            out.push(0);
            self.setup.keys.kinds().for_each(|kind| put_string(out, &self.setup.keys.public(kind)));
        });
        self.send(&payload, desk);
    }

    pub(super) fn connection_message(&mut self, payload: &[u8], desk: &mut Desk<'_>) -> Flow {
        let Some((kind, body)) = payload.split_first() else { return malformed(desk) };
        let mut fields = Fields(body);
        let mut reply = Reply::default();
        let heard = match *kind {
            MSG_GLOBAL_REQUEST => self.global_request(&mut fields, &mut reply),
            MSG_CHANNEL_OPEN => self.connection.open(&mut fields, &mut reply),
            MSG_CHANNEL_OPEN_CONFIRMATION..=MSG_CHANNEL_REQUEST => self.in_channel(*kind, &mut fields, &mut reply, desk),
            // Answers to what nobody asked.
            MSG_REQUEST_SUCCESS | MSG_REQUEST_FAILURE | MSG_CHANNEL_SUCCESS | MSG_CHANNEL_FAILURE => Some(()),
            _ => return self.unimplemented(desk),
        };
        self.reply(heard, reply, desk)
    }

    /// Goes on where something waits: requests, or answers to them. `None`: nothing does, or it cannot.
    pub(super) fn resume(&mut self, desk: &mut Desk<'_>) -> Option<Flow> {
        if !self.has_due() {
            return None;
        }
        let mut reply = Reply::default();
        let number = self.connection.channels.iter().position(|channel| channel.as_ref().is_some_and(Channel::has_due))?;
        self.transfer(number, &mut reply, desk);
        Some(self.reply(Some(()), reply, desk))
    }

    /// Whether something waits that can be said.
    pub(super) fn has_due(&self) -> bool {
        self.is_at_rest() && self.connection.channels.iter().flatten().any(Channel::has_due)
    }

    fn transfer(&mut self, number: usize, reply: &mut Reply, desk: &Desk<'_>) {
        let Connection { channels, disk, allowance, .. } = &mut self.connection;
        let Some(channel) = channels.get_mut(number).and_then(Option::as_mut) else { return };
        core::mem::swap(&mut channel.place.disk, disk);
        channel.place.enter(desk.now);
        let shell = Shell::new(&self.setup.persona, self.login.user(), desk.now, false).working(allowance.grant(desk.now));
        if channel.has_requests() {
            channel.transfer(&[], &shell, reply);
        }
        channel.flush(&mut reply.messages);
        allowance.put_back(shell.steps_left());
        core::mem::swap(&mut channel.place.disk, disk);
    }

    /// The connection ends: what was not told yet.
    pub(super) fn tell_rest(&mut self, findings: &mut Findings) {
        let mut acts = Acts::default();
        self.connection.channels.iter_mut().flatten().for_each(|channel| channel.untold(&mut acts));
        if acts.tell(findings) {
            self.note_client(findings);
            findings.note("username", self.login.user());
        }
    }

    fn reply(&mut self, heard: Option<()>, mut reply: Reply, desk: &mut Desk<'_>) -> Flow {
        // What is captured is told with whatever tells first.
        if !reply.acts.is_empty() {
            self.connection.channels.iter_mut().flatten().for_each(|channel| channel.untold(&mut reply.acts));
        }
        let is_told = reply.acts.tell(desk.findings);
        self.said.append(&mut reply.said);
        for message in &reply.messages {
            self.send(message, desk);
        }
        if let Some(words) = reply.last_words {
            return self.disconnect(words.as_bytes(), desk);
        }
        match heard {
            None => malformed(desk),
            Some(()) if is_told => {
                self.note_client(desk.findings);
                desk.findings.note("username", self.login.user());
                Flow::Telling
            }
            Some(()) => Flow::Continue,
        }
    }

    fn global_request(&mut self, fields: &mut Fields<'_>, reply: &mut Reply) -> Option<()> {
        let (name, wants_reply) = (fields.string()?, fields.flag()?);
        let closes = name == b"no-more-sessions@openssh.com";
        self.connection.is_closed |= closes;
        if name == b"tcpip-forward" {
            let (host, port) = (fields.string()?, fields.number()?);
            reply.acts.note("listen", format!("{}:{port}", String::from_utf8_lossy(host)).as_bytes());
        }
        let proofs = if name == b"hostkeys-prove-00@openssh.com" { self.prove(fields) } else { None };
        self.connection.proofs += usize::from(proofs.is_some());
        if wants_reply {
            let refused = || alloc::vec![MSG_REQUEST_FAILURE];
            reply.messages.push(if closes { alloc::vec![MSG_REQUEST_SUCCESS] } else { proofs.unwrap_or_else(refused) });
        }
        Some(())
    }

    /// Signs each of our keys that the client does not know yet.
    fn prove(&self, fields: &mut Fields<'_>) -> Option<Vec<u8>> {
        if self.connection.proofs >= PROOFS_MAX {
            return None;
        }
        let mut proofs = alloc::vec![MSG_REQUEST_SUCCESS];
        for _ in self.setup.keys.kinds() {
            if fields.0.is_empty() {
                break;
            }
            let key = fields.string()?;
            let kind = self.setup.keys.kinds().find(|kind| self.setup.keys.public(*kind) == key)?;
            // An RSA key signs as in the last exchange, if that was its.
            let kind = match (kind, self.proven) {
                (HostKeyKind::Rsa(_), Some(proven @ HostKeyKind::Rsa(_))) => proven,
                _ => kind,
            };
            let mut signed = Vec::new();
            [b"hostkeys-prove-00@openssh.com", &self.session[..], key].into_iter().for_each(|part| put_string(&mut signed, part));
            put_string(&mut proofs, &self.setup.keys.sign(kind, &signed)?);
        }
        Some(proofs)
    }

    fn in_channel(&mut self, kind: u8, fields: &mut Fields<'_>, reply: &mut Reply, desk: &mut Desk<'_>) -> Option<()> {
        let number = match fields.number().filter(|number| i32::try_from(*number).is_ok()) {
            Some(number) => number,
            None if kind == MSG_CHANNEL_REQUEST => return None,
            None => return reply.end(format!("Invalid {} message", what(kind))),
        };
        let place = usize::try_from(number).ok()?;
        let servers = self.connection.channels.iter().flatten().filter(|channel| channel.files.is_some()).count();
        let Connection { channels, disk, allowance, .. } = &mut self.connection;
        let Some(channel) = channels.get_mut(place).and_then(Option::as_mut) else {
            return nowhere(kind, number, fields, reply);
        };
        let interactive = channel.has_terminal;
        core::mem::swap(&mut channel.place.disk, disk);
        channel.place.enter(desk.now);
        let work = allowance.grant(desk.now);
        let shell = Shell::new(&self.setup.persona, self.login.user(), desk.now, interactive).working(work);
        let heard = match kind {
            MSG_CHANNEL_WINDOW_ADJUST => fields.number().map(|bytes| channel.open_window(bytes)),
            // Of no kind that a shell reads.
            MSG_CHANNEL_EXTENDED_DATA => Some(()),
            MSG_CHANNEL_OPEN_CONFIRMATION | MSG_CHANNEL_OPEN_FAILURE => {
                reply.end(format!("Received {} for non-opening channel {number}.", what(kind)))
            }
            MSG_CHANNEL_DATA => fields.string().map(|bytes| channel.hear(bytes, &shell, reply)),
            MSG_CHANNEL_EOF => {
                channel.end_of_input(&shell, reply);
                Some(())
            }
            MSG_CHANNEL_REQUEST => channel.request(fields, &shell, reply, desk.findings, servers < sftp::SERVERS_MAX),
            _ => {
                reply.messages.extend(channel.close());
                channel.untold(&mut reply.acts);
                Some(())
            }
        };
        if heard.is_some() && reply.last_words.is_none() && kind != MSG_CHANNEL_CLOSE {
            channel.flush(&mut reply.messages);
        }
        allowance.put_back(shell.steps_left());
        core::mem::swap(&mut channel.place.disk, disk);
        if kind == MSG_CHANNEL_CLOSE {
            channels[place] = None;
        }
        heard
    }
}

impl Connection {
    /// Whether a message is of a channel that serves files: what is captured of it is what the server makes of it.
    pub(super) fn is_of_files(&self, payload: &[u8]) -> bool {
        let [MSG_CHANNEL_DATA | MSG_CHANNEL_WINDOW_ADJUST, number @ ..] = payload else { return false };
        let number = Fields(number).number().and_then(|number| usize::try_from(number).ok());
        let channel = number.and_then(|number| self.channels.get(number)?.as_ref());
        channel.is_some_and(|channel| channel.files.is_some())
    }

    fn open(&mut self, fields: &mut Fields<'_>, reply: &mut Reply) -> Option<()> {
        let (kind, theirs) = (fields.string()?, fields.number()?);
        let (window, packet) = (fields.number()?, fields.number()?);
        if kind == b"direct-tcpip" || kind == b"direct-streamlocal@openssh.com" {
            let target = if kind == b"direct-tcpip" {
                let (host, port) = (fields.string()?, fields.number()?);
                format!("{}:{port}", String::from_utf8_lossy(host))
            } else {
                String::from_utf8_lossy(fields.string()?).into_owned()
            };
            reply.acts.note("forward", target.as_bytes());
            // Of a socket OpenSSH gives no reason.
            let reason = if kind == b"direct-tcpip" { PROHIBITED } else { CONNECT_FAILED };
            reply.messages.push(refusal(theirs, reason, "open failed"));
            return Some(());
        }
        if kind == b"session" {
            fields.end()?;
            if self.is_closed {
                return reply.end("Possible attack: attempt to open a session after additional sessions disabled".into());
            }
        }
        let free = self.channels.iter().position(Option::is_none).unwrap_or(self.channels.len());
        if kind != b"session" || free >= CHANNELS_MAX {
            if kind == b"tun@openssh.com" {
                reply.messages.push(remark("Server has rejected tunnel device forwarding"));
            }
            reply.messages.push(refusal(theirs, CONNECT_FAILED, "open failed"));
            return Some(());
        }
        if free == self.channels.len() {
            self.channels.push(None);
        }
        self.channels[free] = Some(Channel::new(theirs, window, packet));
        reply.messages.push(message(MSG_CHANNEL_OPEN_CONFIRMATION, |out| {
            // The window is opened once something runs.
            for number in [theirs, u32::try_from(free).unwrap_or_default(), 0, PACKET_BYTES] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        }));
        Some(())
    }
}

impl Channel {
    /// Whether something more waits than a client's window hinders.
    fn has_due(&self) -> bool {
        self.is_due() || self.has_requests()
    }

    fn request(
        &mut self,
        fields: &mut Fields<'_>,
        shell: &Shell<'_>,
        reply: &mut Reply,
        findings: &mut Findings,
        may_serve: bool,
    ) -> Option<()> {
        let (name, wants_reply) = (fields.string()?, fields.flag()?);
        let is_new = self.runs == Runs::Nothing;
        let mut started = None;
        let granted = match name {
            b"pty-req" if is_new && self.has_terminal => return reply.end("Protocol error: you already have a pty.".into()),
            b"pty-req" if is_new => {
                findings.note("terminal", fields.string()?);
                self.place.widen(fields.number()?);
                for _ in 0..3 {
                    fields.number()?;
                }
                self.has_terminal = true;
                true
            }
            b"env" => {
                let name = fields.c_string()?;
                fields.c_string()?;
                accepted(name)
            }
            // No way back is opened, and without `xauth` none is for pictures.
            b"auth-agent-req@openssh.com" => true,
            b"x11-req" => {
                reply.messages.push(remark("No xauth program; cannot forward X11."));
                false
            }
            b"exec" if is_new => {
                let command = fields.string()?;
                reply.acts.command(command);
                started = Some(Started::Command(command));
                true
            }
            b"shell" if is_new => {
                started = Some(Started::Shell);
                true
            }
            b"subsystem" => {
                let name = fields.string()?;
                reply.acts.note("subsystem", name);
                let serves = is_new && may_serve && name == b"sftp";
                started = serves.then_some(Started::Files);
                serves
            }
            b"window-change" => {
                fields.number().into_iter().for_each(|columns| self.place.widen(columns));
                true
            }
            b"signal" => !is_new,
            _ => false,
        };
        if started.is_some() {
            reply.messages.push(self.adjustment(WINDOW_BYTES));
        }
        if wants_reply {
            let kind = if granted { MSG_CHANNEL_SUCCESS } else { MSG_CHANNEL_FAILURE };
            reply.messages.push(message(kind, |out| out.extend_from_slice(&self.theirs.to_be_bytes())));
        }
        match started {
            Some(Started::Command(command)) => self.execute(command, shell, reply),
            Some(Started::Shell) => self.start_shell(shell),
            Some(Started::Files) => self.serve_files(),
            None => {}
        }
        Some(())
    }

    fn start_shell(&mut self, shell: &Shell<'_>) {
        if self.has_terminal {
            self.runs = Runs::Terminal;
            self.is_shell = true;
            let prompt = self.prompt_of(shell);
            self.print((shell.greeting() + &prompt).as_bytes());
        } else {
            self.runs = Runs::Commands;
            self.print(shell.greeting().as_bytes());
        }
    }

    fn execute(&mut self, command: &[u8], shell: &Shell<'_>, reply: &mut Reply) {
        let before = self.place.clone();
        let mut output = Output::shown(self.has_terminal);
        let _ = shell.run(command, &mut self.place, &mut output);
        reply.acts.addresses(command, self.place.addresses());
        self.show(&output, reply);
        match output.reads {
            Some(kind) => self.hold(Held::new(command, before, kind, &output), kind),
            None => self.finish(output.status),
        }
    }

    fn show(&mut self, output: &Output, reply: &mut Reply) {
        let room = OUTPUT_BYTES_MAX.saturating_sub(reply.printed);
        let shown = &output.out[..output.out.len().min(room)];
        self.print(shown);
        let complaint = &output.err[..output.err.len().min(room - shown.len())];
        self.complain(complaint);
        reply.printed += shown.len() + complaint.len();
    }

    fn hear(&mut self, bytes: &[u8], shell: &Shell<'_>, reply: &mut Reply) {
        self.taken = self.taken.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if self.taken >= WINDOW_STEP_BYTES {
            reply.messages.push(self.adjustment(self.taken));
            self.taken = 0;
        }
        self.data(bytes, shell, reply);
    }

    fn data(&mut self, bytes: &[u8], shell: &Shell<'_>, reply: &mut Reply) {
        if bytes.is_empty() {
            return;
        }
        match self.runs {
            Runs::File | Runs::Echo if !self.has_terminal => {
                self.input(bytes, reply);
                if self.held.as_ref().and_then(Held::nods) == Some(true) {
                    self.go_on(shell, reply);
                }
            }
            Runs::Terminal | Runs::Commands | Runs::File | Runs::Echo | Runs::Asking => self.typed(bytes, shell, reply),
            Runs::Files => self.transfer(bytes, shell, reply),
            Runs::Nothing | Runs::Ended => {}
        }
    }

    /// What a program reads.
    pub(super) fn input(&mut self, bytes: &[u8], reply: &mut Reply) {
        if self.held.as_ref().is_none_or(|held| held.nods().is_none()) {
            reply.acts.note("input", bytes);
        }
        if self.runs == Runs::Echo {
            self.print(bytes);
        }
        let nods = self.held.as_mut().map_or(0, |held| held.take(bytes));
        self.print(&alloc::vec![0; nods.min(NODS_MAX)]);
    }

    /// Answers a line; `false` if it was the last.
    pub(super) fn line(&mut self, line: &[u8], shell: &Shell<'_>, reply: &mut Reply) -> bool {
        if !line.trim_ascii().is_empty() {
            reply.acts.command(line);
        }
        // What nobody would see is not worked out.
        if reply.printed < OUTPUT_BYTES_MAX {
            let mut output = Output::shown(self.has_terminal);
            let before = self.place.clone();
            let outcome = shell.run_line(line, &mut self.place, &mut output);
            reply.acts.addresses(line, self.place.addresses());
            self.recall(line, shell, &mut output);
            self.show(&output, reply);
            if outcome == Outcome::Exit {
                return self.leave_inner(shell, reply);
            }
            if self.reads_on(line, output.reads, shell, reply) {
                if let Some(kind) = output.reads {
                    self.hold(Held::new(line, before, kind, &output), kind);
                }
                return true;
            }
        }
        self.prompt(shell, reply);
        true
    }

    /// The stranger sends no more.
    fn end_of_input(&mut self, shell: &Shell<'_>, reply: &mut Reply) {
        self.is_deaf = true;
        if matches!(self.runs, Runs::Terminal | Runs::Commands)
            && let Some(line) = self.rest()
        {
            let goes_on = self.line(&line, shell, reply);
            if !goes_on {
                return self.leave();
            }
        }
        match self.runs {
            Runs::Terminal | Runs::Commands | Runs::File | Runs::Echo => self.go_on(shell, reply),
            Runs::Asking => self.finish(0),
            Runs::Files => self.transfer(&[], shell, reply),
            Runs::Nothing | Runs::Ended => {}
        }
    }

    /// All that a command reads has come, and no more comes: it goes on to its end.
    fn go_on(&mut self, shell: &Shell<'_>, reply: &mut Reply) {
        let read_commands = self.runs == Runs::Commands;
        let before = self.place.status();
        let is_silent = self.finish_reading(shell, reply);
        // Where commands were read, the last of them counts if nothing came behind.
        let status = if read_commands && is_silent { before } else { self.place.status() };
        self.finish(status);
    }

    /// A command that read goes on with what it read; whether it printed no more.
    pub(super) fn finish_reading(&mut self, shell: &Shell<'_>, reply: &mut Reply) -> bool {
        let Some(held) = self.held.take() else { return true };
        let (command, place, (out, err)) = held.ready();
        if command.is_empty() {
            return true;
        }
        self.place = place;
        let mut output = Output::shown(self.has_terminal);
        let _ = shell.run(&command, &mut self.place, &mut output);
        self.place.reopen();
        reply.acts.addresses(&command, self.place.addresses());
        output.out.drain(..out.min(output.out.len()));
        output.err.drain(..err.min(output.err.len()));
        self.show(&output, reply);
        output.out.is_empty()
    }

    fn adjustment(&self, bytes: u32) -> Vec<u8> {
        message(MSG_CHANNEL_WINDOW_ADJUST, |out| {
            out.extend_from_slice(&self.theirs.to_be_bytes());
            out.extend_from_slice(&bytes.to_be_bytes());
        })
    }
}

/// What a channel is to run.
enum Started<'a> {
    Shell,
    Command(&'a [u8]),
    Files,
}

/// What Debian's sshd takes from a client's environment (`AcceptEnv LANG LC_* COLORTERM NO_COLOR`).
fn accepted(name: &[u8]) -> bool {
    name.starts_with(b"LC_") || matches!(name, b"LANG" | b"COLORTERM" | b"NO_COLOR")
}

impl Reply {
    fn end(&mut self, last_words: String) -> Option<()> {
        self.last_words = Some(last_words);
        Some(())
    }
}

/// What OpenSSH calls a message in a channel.
const fn what(kind: u8) -> &'static str {
    match kind {
        MSG_CHANNEL_OPEN_CONFIRMATION => "open confirmation",
        MSG_CHANNEL_OPEN_FAILURE => "open failure",
        MSG_CHANNEL_WINDOW_ADJUST => "window adjust",
        MSG_CHANNEL_DATA => "data",
        MSG_CHANNEL_EXTENDED_DATA => "extended data",
        MSG_CHANNEL_EOF => "ieof",
        _ => "oclose",
    }
}

/// A message in a channel that is not there.
fn nowhere(kind: u8, number: u32, fields: &mut Fields<'_>, reply: &mut Reply) -> Option<()> {
    match kind {
        MSG_CHANNEL_WINDOW_ADJUST => fields.number().map(|_| ()),
        MSG_CHANNEL_REQUEST => {
            let (_name, _wants_reply) = (fields.string()?, fields.flag()?);
            reply.end(format!("server_input_channel_req: unknown channel {number}"))
        }
        _ => reply.end(format!("{} packet referred to nonexistent channel {number}", what(kind))),
    }
}

/// Something that OpenSSH tells besides.
fn remark(text: &str) -> Vec<u8> {
    message(MSG_DEBUG, |out| {
        out.push(0);
        put_string(out, text.as_bytes());
        put_string(out, b"");
    })
}

fn refusal(theirs: u32, reason: u32, text: &str) -> Vec<u8> {
    message(MSG_CHANNEL_OPEN_FAILURE, |out| {
        out.extend_from_slice(&theirs.to_be_bytes());
        out.extend_from_slice(&reason.to_be_bytes());
        put_string(out, text.as_bytes());
        put_string(out, b"");
    })
}
