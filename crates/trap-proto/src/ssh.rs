//! An SSH server: OpenSSH as Debian ships it, from its version line over the key exchange to the login, and behind it.
//!
//! What it offers it can do, and it offers what Debian 13's sshd offers, in the same order. The
//! version exchange, the `KEXINIT`, the answers to broken input and the ends of a connection were compared with that sshd. Every
//! try to log in is told before it is answered. Nobody is let in unless the operator wants it; who is meets the
//! [shell](crate::shell), which runs nothing.

mod acts;
mod channel;
mod cipher;
mod connection;
mod curves;
mod dice;
mod editor;
mod exchange;
mod held;
mod hostkey;
mod identification;
mod kexinit;
mod login;
mod mac;
mod packet;
mod rsa;
mod session;
mod sftp;
mod sntrup761;
mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
mod umac;
mod wire;
mod zlib;

pub use curves::{SshCurves, SshSigner};
pub use rsa::{RsaHash, RsaHostKey, RsaSigner};
pub use session::SshSession;

use crate::{BannerError, Persona, service::checked_banner};
use alloc::{
    string::{String, ToString},
    sync::Arc,
};
use hostkey::HostKeys;

/// What Debian 13's sshd calls itself.
const IDENTIFICATION: &str = "SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4";
/// Wrong tries until the connection ends: OpenSSH's `MaxAuthTries`.
pub const SSH_TRIES_MAX: u8 = 6;

const MSG_DISCONNECT: u8 = 1;
const MSG_IGNORE: u8 = 2;
const MSG_UNIMPLEMENTED: u8 = 3;
const MSG_DEBUG: u8 = 4;
const MSG_SERVICE_REQUEST: u8 = 5;
const MSG_SERVICE_ACCEPT: u8 = 6;
const MSG_EXT_INFO: u8 = 7;
const MSG_KEXINIT: u8 = 20;
const MSG_NEWKEYS: u8 = 21;
const MSG_KEX_INIT: u8 = 30;
const MSG_KEX_REPLY: u8 = 31;
const MSG_USERAUTH_REQUEST: u8 = 50;
const MSG_USERAUTH_FAILURE: u8 = 51;
const MSG_USERAUTH_SUCCESS: u8 = 52;
const MSG_USERAUTH_INFO_REQUEST: u8 = 60;
const MSG_USERAUTH_INFO_RESPONSE: u8 = 61;
const MSG_GLOBAL_REQUEST: u8 = 80;
const MSG_REQUEST_SUCCESS: u8 = 81;
const MSG_REQUEST_FAILURE: u8 = 82;
const MSG_CHANNEL_OPEN: u8 = 90;
const MSG_CHANNEL_OPEN_CONFIRMATION: u8 = 91;
const MSG_CHANNEL_OPEN_FAILURE: u8 = 92;
const MSG_CHANNEL_WINDOW_ADJUST: u8 = 93;
const MSG_CHANNEL_DATA: u8 = 94;
const MSG_CHANNEL_EXTENDED_DATA: u8 = 95;
const MSG_CHANNEL_EOF: u8 = 96;
const MSG_CHANNEL_CLOSE: u8 = 97;
const MSG_CHANNEL_REQUEST: u8 = 98;
const MSG_CHANNEL_SUCCESS: u8 = 99;
const MSG_CHANNEL_FAILURE: u8 = 100;
const MSG_PING: u8 = 192;
const MSG_PONG: u8 = 193;

/// An SSH server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh(Arc<Setup>);

/// What all sessions of a trap share.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setup {
    identification: String,
    /// The machine behind it.
    persona: Persona,
    /// Where the session's random numbers come from.
    secret: [u8; 32],
    keys: HostKeys,
    /// Which password of a connection is let in; 0: none is.
    let_in: u8,
}

/// The least that sshd waits before it refuses anything, in microseconds (`MIN_FAIL_DELAY_SECONDS`).
const FAIL_DELAY_US: u32 = 5_000;

impl Setup {
    /// What sshd waits besides for this user, always the same: up to 4.3 ms more.
    fn user_delay_us(&self, user: &[u8]) -> u32 {
        let [a, b, c, d, ..] = crate::persona::derived(&self.secret, &[b"sshd timing: ", user]);
        FAIL_DELAY_US + u32::from_be_bytes([a, b, c, d]) / 1_000_000
    }
}

impl Ssh {
    /// Debian 13's sshd on the machine that `persona` is: its host keys are always the same, and no other's.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        Self(Arc::new(Setup {
            identification: IDENTIFICATION.to_string(),
            persona: persona.clone(),
            secret: persona.key("ssh sessions"),
            keys: HostKeys::of(&persona.key("ssh host keys")),
            let_in: 0,
        }))
    }

    /// With an operator's identification line (without its end), such as `SSH-2.0-OpenSSH_10.0p2 Debian-7`.
    ///
    /// # Errors
    /// Says why the text is no identification line.
    pub fn new(identification: &str, persona: &Persona) -> Result<Self, BannerError> {
        let identification = checked_banner(identification)?;
        match identification.strip_prefix("SSH-2.0-") {
            Some(software) if !software.is_empty() => Ok(Self::of(persona).with(|setup| setup.identification = identification)),
            _ => Err(BannerError::NotSsh),
        }
    }

    /// The same, but the `let_in`th password of a connection is let in: 1 to [`SSH_TRIES_MAX`]; none if it is 0 or more than that.
    #[must_use]
    pub fn letting_in(self, let_in: u8) -> Self {
        self.with(|setup| setup.let_in = let_in)
    }

    /// The same with an RSA host key besides its own; without one, none is offered.
    #[must_use]
    pub fn proving(self, rsa: &RsaHostKey) -> Self {
        self.with(|setup| setup.keys.rsa = Some(rsa.clone()))
    }

    /// The same, with Curve25519 worked out by this library.
    #[must_use]
    pub fn leaving_curves_to(self, library: &Arc<dyn SshCurves>) -> Self {
        self.with(|setup| setup.keys.leave_to(library))
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, seed: u64) -> SshSession {
        SshSession::new(Arc::clone(&self.0), seed)
    }

    fn with(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

#[cfg(test)]
mod tests;
