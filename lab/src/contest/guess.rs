//! A guesser at SSH: one name and one password by an own connection, hundreds of them in one process, as `hydra` and the bots do it.

use super::visit::{PASSWORD, USER};
use anyhow::{Context, Result, bail};
use honeymesh_trap_proto::ssh_testing::{Client, Meeting, Wants};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// What all contenders speak: the same work for each.
const WANTS: Wants = Wants {
    cipher: "aes128-ctr",
    mac: "hmac-sha2-256",
    host_keys: "ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ssh-rsa",
    ..Wants::least()
};
/// The most that a server may say before the keys are exchanged, in octets.
const MEETING_BYTES_MAX: usize = 64 * 1_024;

/// Kinds of messages (RFC 4252, section 6; RFC 4253, section 12).
const SERVICE_REQUEST: u8 = 5;
const SERVICE_ACCEPT: u8 = 6;
const USERAUTH_REQUEST: u8 = 50;
const USERAUTH_FAILURE: u8 = 51;
const USERAUTH_SUCCESS: u8 = 52;

/// Asks as whom one may come in, then tries the password.
///
/// # Errors
/// The server breaks off, or does not answer as a server of SSH.
pub fn guess(stream: TcpStream) -> Result<()> {
    let mut guesser = Guesser::meet(stream)?;
    guesser.ask(&words(SERVICE_REQUEST, &[b"ssh-userauth"]), SERVICE_ACCEPT)?;
    guesser.ask(&words(USERAUTH_REQUEST, &[USER.as_bytes(), b"ssh-connection", b"none"]), USERAUTH_FAILURE)?;
    let mut password = words(USERAUTH_REQUEST, &[USER.as_bytes(), b"ssh-connection", b"password"]);
    // It is no change of the password.
    password.push(0);
    put(&mut password, PASSWORD.as_bytes());
    guesser.ask(&password, USERAUTH_FAILURE)
}

struct Guesser {
    stream: TcpStream,
    client: Client,
}

impl Guesser {
    fn meet(mut stream: TcpStream) -> Result<Self> {
        let (mut meeting, hello) = Meeting::begin(WANTS);
        stream.write_all(&hello)?;
        let mut left = MEETING_BYTES_MAX;
        loop {
            let mut piece = [0; 4_096];
            let length = stream.read(&mut piece).context("no keys")?;
            if length == 0 || length > left {
                bail!("it ends before keys are exchanged");
            }
            left -= length;
            if let Some((mut client, rest, last)) = meeting.hear(&piece[..length]) {
                client.read(&rest).context("what follows on its keys is no packet")?;
                stream.write_all(&last)?;
                return Ok(Self { stream, client });
            }
        }
    }

    /// Says it, and waits for an answer of this kind, or to be let in.
    fn ask(&mut self, payload: &[u8], kind: u8) -> Result<()> {
        self.stream.write_all(&self.client.packet(payload))?;
        loop {
            let mut piece = [0; 4_096];
            let length = self.stream.read(&mut piece).context("no answer")?;
            if length == 0 {
                bail!("it ends before it has answered");
            }
            let payloads = self.client.read(&piece[..length]).context("its answer is no packet")?;
            if payloads
                .iter()
                .any(|payload| matches!(payload.first(), Some(&first) if first == kind || first == USERAUTH_SUCCESS))
            {
                return Ok(());
            }
        }
    }
}

fn words(kind: u8, words: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![kind];
    words.iter().for_each(|word| put(&mut message, word));
    message
}

/// A string (RFC 4251, section 5).
fn put(message: &mut Vec<u8>, word: &[u8]) {
    // The words above are short.
    message.extend_from_slice(&u32::try_from(word.len()).unwrap_or_default().to_be_bytes());
    message.extend_from_slice(word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_trap_proto::{Definition, Flow, Persona, Service};
    use honeymesh_types::WallTime;
    use std::{net::TcpListener, thread};

    /// Serves one connection, and gives what was found, as text; `let_in`: the try that is let in.
    fn visited(let_in: u8) -> String {
        let definition = Definition { service: "ssh".into(), let_in: Some(let_in), ..Definition::default() };
        let trap = Service::define(&definition, &Persona::of([7; 32])).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let guesser = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let guesser = thread::spawn(move || guess(guesser));
        let (mut stream, _) = listener.accept().unwrap();
        let (mut session, mut answer, mut found) = (trap.session(7), Vec::new(), String::new());
        let _ = session.open(&mut answer);
        loop {
            stream.write_all(&std::mem::take(&mut answer)).unwrap();
            let mut piece = [0; 1_024];
            let length = stream.read(&mut piece).unwrap_or_default();
            let mut rest = &piece[..length];
            while !rest.is_empty() {
                let step = session.receive(rest, WallTime(0), &mut answer);
                assert_ne!(step.flow, Flow::Close);
                rest = &rest[step.taken..];
                while session.resume(WallTime(0), &mut answer).is_some() {}
            }
            found += &format!("{:?}", session.findings());
            if length == 0 {
                break;
            }
        }
        guesser.join().unwrap().unwrap();
        found
    }

    #[test]
    fn a_guesser_comes_as_far_as_the_password_refused_or_let_in() {
        for let_in in [0, 1] {
            let found = visited(let_in);
            assert!(found.contains(PASSWORD) && found.contains(USER), "{found}");
        }
    }

    #[test]
    fn whoever_speaks_no_ssh_is_no_session() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let guesser = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 ready\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(guess(guesser).is_err());
    }
}
