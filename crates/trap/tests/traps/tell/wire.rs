//! A connection, in the clear or with something laid over it, so that what stands behind can be kept as text.

#[path = "../../../../api/tests/api/house/anybody.rs"]
mod anybody;

use anybody::Anybody;
use honeymesh_trap_proto::ssh_testing::{Client, Meeting, Wants};
use rustls::{ClientConfig, ClientConnection, crypto::aws_lc_rs, pki_types::ServerName};
use std::{
    fmt, io,
    io::Read as _,
    mem,
    sync::{Arc, OnceLock},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// In place of a length: what follows is sent as it is, behind the layer's back.
const AS_IT_IS: [u8; 4] = [0xff; 4];
/// What stands for an end of the connection that TLS was not told of.
const CUT_OFF: &str = "{cut off}";

/// What is laid over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `tls NAME`: TLS, for a server of that name. A server that refuses is heard as `{alert}`, one that
    /// closes without a farewell as `{cut off}`.
    Tls(String),
    /// `ssh [strict] [ext-info] [zlib]`: the messages of SSH without their packets, each behind its length in four bytes. Laid over
    /// itself it exchanges keys anew: of that is heard the server's offer without its cookie, and of its half that it came. With
    /// `ping` or `channel` that is sent between the client's offer and its half.
    Ssh(Ssh),
}

/// What an SSH client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssh {
    options: Vec<String>,
}

impl Ssh {
    const OPTIONS: [&str; 5] = ["strict", "ext-info", "zlib", "ping", "channel"];

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|word| word == option)
    }

    fn wants(&self) -> Wants {
        Wants { strict: self.has("strict"), ext_info: self.has("ext-info"), zlib: self.has("zlib"), ..Wants::least() }
    }

    /// What is sent while keys are exchanged anew.
    fn between(&self) -> Vec<Vec<u8>> {
        let messages: [(&str, &[u8]); 2] =
            [("ping", b"\xc0\0\0\0\x04ping"), ("channel", b"\x5a\0\0\0\x07session\0\0\0\x07\0\x20\0\0\0\0\x80\0")];
        messages.iter().filter(|(name, _)| self.has(name)).map(|(_, message)| message.to_vec()).collect()
    }
}

impl Layer {
    pub fn read(text: &str) -> Result<Self, String> {
        let mut words = text.split(' ');
        match (words.next(), words.collect::<Vec<_>>().as_slice()) {
            (Some("tls"), [name]) => Ok(Self::Tls((*name).into())),
            (Some("ssh"), options) if options.iter().all(|option| Ssh::OPTIONS.contains(option)) => {
                Ok(Self::Ssh(Ssh { options: options.iter().map(|option| (*option).into()).collect() }))
            }
            _ => Err(format!("no layer: {text}")),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(name) => write!(out, "tls {name}"),
            Self::Ssh(ssh) => write!(out, "{}", [&["ssh".to_owned()], ssh.options.as_slice()].concat().join(" ")),
        }
    }
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
    over: Over,
    /// What was heard and not yet told.
    heard: Vec<u8>,
    closed: bool,
}

enum Over {
    Nothing,
    Tls(Box<ClientConnection>),
    Ssh(Box<Client>),
}

impl Wire {
    pub fn clear(stream: TcpStream) -> Self {
        Self { stream, over: Over::Nothing, heard: Vec::new(), closed: false }
    }

    /// Lays something over what was there.
    pub async fn lay(&mut self, layer: &Layer) {
        let laid = match layer {
            Layer::Tls(name) => self.shake_hands(name).await,
            Layer::Ssh(ssh) if matches!(self.over, Over::Ssh(_)) => self.exchange_keys_anew(ssh).await,
            Layer::Ssh(ssh) => self.exchange_keys(ssh).await,
        };
        if laid.is_err() {
            self.closed = true;
        }
    }

    async fn shake_hands(&mut self, name: &str) -> io::Result<()> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let client = ClientConnection::new(config(), name).map_err(io::Error::other)?;
        self.over = Over::Tls(Box::new(client));
        loop {
            self.flush().await?;
            match &self.over {
                Over::Tls(client) if client.is_handshaking() => {}
                _ => return Ok(()),
            }
            self.more().await;
            if self.closed {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn exchange_keys_anew(&mut self, ssh: &Ssh) -> io::Result<()> {
        let Over::Ssh(client) = &mut self.over else { return Ok(()) };
        let said = client.renew(ssh.wants(), &ssh.between());
        self.stream.write_all(&said).await?;
        while !self.closed && matches!(&self.over, Over::Ssh(client) if client.is_renewing()) {
            self.more().await;
        }
        let Over::Ssh(client) = &mut self.over else { return Ok(()) };
        let due = client.due();
        self.stream.write_all(&due).await
    }

    async fn exchange_keys(&mut self, ssh: &Ssh) -> io::Result<()> {
        let (mut meeting, hello) = Meeting::begin(ssh.wants());
        self.stream.write_all(&hello).await?;
        let mut chunk = vec![0; 16 * 1_024];
        loop {
            let count = self.stream.read(&mut chunk).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some((client, rest, last)) = meeting.hear(&chunk[..count]) else { continue };
            self.stream.write_all(&last).await?;
            self.over = Over::Ssh(Box::new(client));
            self.take(&rest);
            return Ok(());
        }
    }

    pub async fn write(&mut self, said: &[u8]) -> io::Result<()> {
        match &mut self.over {
            Over::Nothing => self.stream.write_all(said).await,
            Over::Tls(client) => {
                io::Write::write_all(&mut client.writer(), said)?;
                self.flush().await
            }
            Over::Ssh(client) => {
                let packets = packets(client, said);
                self.stream.write_all(&packets).await
            }
        }
    }

    /// Something that was heard; `None` at the end.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        while self.heard.is_empty() && !self.closed {
            self.more().await;
        }
        Some(mem::take(&mut self.heard)).filter(|heard| !heard.is_empty())
    }

    /// Waits for something on the wire, and takes it.
    async fn more(&mut self) {
        let mut chunk = vec![0; 16 * 1_024];
        match self.stream.read(&mut chunk).await {
            Ok(0) | Err(_) => {
                if let (Over::Tls(_), false) = (&self.over, self.closed) {
                    self.heard.extend_from_slice(CUT_OFF.as_bytes());
                }
                self.closed = true;
            }
            Ok(count) => self.take(&chunk[..count]),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        match &mut self.over {
            Over::Nothing => self.heard.extend_from_slice(bytes),
            Over::Ssh(client) => {
                let Some(payloads) = client.read(bytes) else { return self.closed = true };
                for payload in payloads.into_iter().map(without_secrets) {
                    self.heard.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
                    self.heard.extend(payload);
                }
            }
            Over::Tls(client) => {
                while !bytes.is_empty() && !self.closed {
                    let taken = client.read_tls(&mut bytes);
                    if let Err(error) = client.process_new_packets() {
                        self.heard.extend(format!("{{{error}}}").bytes());
                        self.closed = true;
                    }
                    match client.reader().read_to_end(&mut self.heard) {
                        Ok(_) => self.closed = true,
                        Err(error) => self.closed |= error.kind() != io::ErrorKind::WouldBlock,
                    }
                    self.closed |= taken.is_err();
                }
            }
        }
    }

    /// Sends what TLS has to say.
    async fn flush(&mut self) -> io::Result<()> {
        let Over::Tls(client) = &mut self.over else { return Ok(()) };
        let mut said = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut said)?;
        }
        self.stream.write_all(&said).await
    }
}

/// A message of SSH without what is another each time: the cookie of an offer, and all of what answers half a secret.
fn without_secrets(mut payload: Vec<u8>) -> Vec<u8> {
    match payload.first() {
        Some(20) => payload.iter_mut().skip(1).take(16).for_each(|byte| *byte = 0),
        Some(31) => payload.truncate(1),
        _ => {}
    }
    payload
}

/// Messages behind their lengths as packets.
fn packets(client: &mut Client, mut said: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    while let Some((length, rest)) = said.split_first_chunk::<4>() {
        if *length == AS_IT_IS {
            packets.extend_from_slice(rest);
            break;
        }
        let (payload, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        packets.extend(client.packet(payload));
        said = rest;
    }
    packets
}

fn config() -> Arc<ClientConfig> {
    static MADE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        Arc::new(config)
    });
    Arc::clone(made)
}
