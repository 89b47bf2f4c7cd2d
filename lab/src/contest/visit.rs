//! The visitors: one complete session, to the password.

use super::guess;
use crate::Host;
use anyhow::{Context, Result, bail};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

/// Whom they claim to be, and what for a password: one that nothing else says.
pub const USER: &str = "admin";
pub const PASSWORD: &str = "hunter2hunter2";
/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// What a visitor speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// To the password, as guessers do it: many in one process
    Ssh,
    /// The same by `ssh`, a process each
    #[value(name = "openssh")]
    OpenSsh,
    /// Name and password
    Telnet,
    /// Name and password
    Ftp,
    /// A login form
    Http,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ssh, Self::OpenSsh, Self::Telnet, Self::Ftp, Self::Http];
}

/// A session from a host.
pub fn visit(from: &Host, protocol: Protocol, at: SocketAddr, time_max: Duration) -> Result<()> {
    match protocol {
        Protocol::OpenSsh => ssh(from, at, time_max),
        other => from.namespace.inside(|| talk(other, at, time_max)),
    }
}

/// A session of this thread, where it is.
pub fn talk(protocol: Protocol, at: SocketAddr, time_max: Duration) -> Result<()> {
    let stream = TcpStream::connect_timeout(&at, time_max)?;
    stream.set_read_timeout(Some(time_max))?;
    stream.set_nodelay(true)?;
    let mut talk = Talk { stream, heard: Vec::new(), is_over: false };
    match protocol {
        Protocol::Ftp => {
            talk.until("220")?;
            talk.say(&format!("USER {USER}\r\n"))?;
            talk.until("331")?;
            talk.say(&format!("PASS {PASSWORD}\r\n"))?;
            talk.until("530")?;
            talk.say("QUIT\r\n")
        }
        Protocol::Telnet => {
            // `login: ` of most, `Username: ` of some.
            talk.until_one(|heard| heard.ends_with(b"ogin: ") || heard.ends_with(b"sername: "))?;
            talk.say(&format!("{USER}\r\n"))?;
            talk.until("assword: ")?;
            talk.say(&format!("{PASSWORD}\r\n"))?;
            // Each says it in its own words, and OpenCanary says nothing at all: a letter, or the end, is enough.
            talk.stream.shutdown(Shutdown::Write)?;
            talk.until_one(|heard| heard.iter().any(u8::is_ascii_alphabetic)).or_else(|error| talk.has_ended(error))
        }
        Protocol::Http => {
            let form = format!("username={USER}&password={PASSWORD}");
            talk.say(&format!(
                "POST /index.html HTTP/1.1\r\nHost: {}\r\nUser-Agent: Mozilla/5.0\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                at.ip(),
                form.len()
            ))?;
            talk.until("HTTP/1.")?;
            talk.stream.read_to_end(&mut talk.heard)?;
            Ok(())
        }
        Protocol::Ssh => guess::guess(talk.stream),
        Protocol::OpenSsh => bail!("`ssh` is a process of its own"),
    }
}

struct Talk {
    stream: TcpStream,
    heard: Vec<u8>,
    /// The other side has closed.
    is_over: bool,
}

/// Telnet's commands (RFC 854): what is offered is taken, what is asked for is not done. Without an answer some servers wait.
const IAC: u8 = 255;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;

impl Talk {
    fn say(&mut self, words: &str) -> Result<()> {
        self.heard.clear();
        self.stream.write_all(words.as_bytes()).context("it does not listen")
    }

    fn until(&mut self, words: &str) -> Result<()> {
        self.until_one(|heard| heard.windows(words.len()).any(|window| window == words.as_bytes()))
    }

    fn until_one(&mut self, is_it: impl Fn(&[u8]) -> bool) -> Result<()> {
        let mut piece = [0; 4_096];
        while !is_it(&self.heard) {
            let length = self.stream.read(&mut piece).context("no answer")?;
            self.is_over = length == 0;
            if length == 0 || self.heard.len() > ANSWER_BYTES_MAX {
                bail!("it ends with {:?}", String::from_utf8_lossy(&self.heard));
            }
            self.negotiate(&piece[..length])?;
            self.heard.extend_from_slice(&piece[..length]);
        }
        Ok(())
    }

    fn has_ended(&self, error: anyhow::Error) -> Result<()> {
        if self.is_over { Ok(()) } else { Err(error) }
    }

    /// Answers what a Telnet server offers and asks for.
    fn negotiate(&mut self, heard: &[u8]) -> Result<()> {
        let commands = heard.windows(3).filter(|three| three[0] == IAC && matches!(three[1], WILL | DO));
        let answers: Vec<u8> = commands.flat_map(|three| [IAC, if three[1] == WILL { DO } else { WONT }, three[2]]).collect();
        if !answers.is_empty() {
            self.stream.write_all(&answers).context("it does not listen")?;
        }
        Ok(())
    }
}

fn ssh(from: &Host, at: SocketAddr, time_max: Duration) -> Result<()> {
    let options = [
        // What all three speak, and most guessers use.
        "KexAlgorithms=curve25519-sha256",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "PreferredAuthentications=password",
        "NumberOfPasswordPrompts=1",
        "LogLevel=ERROR",
    ];
    let mut ssh = Command::new("sshpass");
    ssh.args(["-p", PASSWORD, "ssh", "-F", "/dev/null"]).args(options.iter().flat_map(|option| ["-o", *option]));
    ssh.args(["-p", &at.port().to_string(), &format!("{USER}@{}", at.ip()), "id"]);
    let ended = from.run(&mut ssh, time_max)?;
    // What the server said to the password; before that, nothing is said of permissions.
    let is_over = ended.ok() || ended.stderr.contains("Permission denied");
    if is_over { Ok(()) } else { bail!("ssh did not come to the password: {ended:?}") }
}
