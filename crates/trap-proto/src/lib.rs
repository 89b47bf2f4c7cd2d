//! A stranger's bytes in, an answer and a transcript out, one module a service.
//!
//! A [`Service`] is what an operator configured; a [`Session`] is one connection to it. A session owns no
//! socket and no clock: its carrier feeds it bytes, writes its answers, and reports its findings when the
//! [`Flow`] says so. Every buffer is bounded by a named constant, no byte sequence can make a session panic,
//! and what is found depends on the bytes alone, never on how they were cut into packets.
//! Services over UDP have no session: each [`Datagram`] is answered by itself, in a [`Reply`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod adb;
mod any;
mod babble;
mod bait;
mod ber;
mod calendar;
mod datagram;
mod dialogue;
mod dns;
#[cfg(test)]
mod drive;
mod errand;
mod exactly;
mod findings;
mod ftp;
mod http;
mod imap;
mod ldap;
mod line;
mod lure;
mod memcached;
mod modbus;
mod mongodb;
mod mqtt;
mod mssql;
mod mysql;
mod ntlm;
mod ntp;
mod packets;
mod pause;
mod persona;
mod pop3;
mod postgresql;
mod rdp;
mod redis;
mod sasl;
mod script;
mod service;
mod shell;
mod sip;
mod smb;
mod smtp;
mod snmp;
mod spnego;
mod ssdp;
mod ssh;
mod store;
mod telnet;
mod text;
mod tftp;
mod tls;
mod vnc;
mod wide;

pub use adb::{Adb, AdbSession};
pub use any::{Any, AnySession};
pub use babble::Babble;
pub use bait::Bait;
pub use datagram::{
    DATAGRAM_ANSWER_BYTES_MAX, DATAGRAM_BYTES_MAX, Datagram, Leaves, NONCE_BYTES, Reply, TRANSFER_BYTES, Transfer,
};
pub use dns::Dns;
pub use errand::{Done, Errand, GIVEN_BYTES_MAX};
pub use findings::{FIELD_BYTES_MAX, FIELDS_MAX, Findings};
pub use ftp::{FTP_TRIES_MAX, Ftp};
pub use http::{Http, HttpSession, Site};
pub use imap::Imap;
pub use ldap::Ldap;
pub use lure::Lure;
pub use memcached::Memcached;
pub use modbus::Modbus;
pub use mongodb::Mongodb;
pub use mqtt::{Mqtt, MqttSession};
pub use mssql::Mssql;
pub use mysql::{Mysql, MysqlSession};
pub use ntp::Ntp;
pub use pause::{DELAY_MS_MAX, Patience, Pause};
pub use persona::{Era, HOST_BYTES_MAX, Kernel, Machine, NameError, Persona};
pub use pop3::Pop3;
pub use postgresql::{Postgresql, PostgresqlSession};
pub use rdp::Rdp;
pub use redis::{Redis, RedisSession};
pub use script::{
    ANSWER_TEXT_BYTES_MAX, DefinitionError, Frames, PATTERN_BYTES_MAX, Problem, RULES_MAX, RuleDefinition, Script,
    ScriptDefinition, SearchError,
};
pub use service::{BANNER_BYTES_MAX, BannerError, Definition, Service, ServiceError};
pub use sip::Sip;
pub use smb::Smb;
pub use smtp::Smtp;
pub use snmp::Snmp;
pub use ssdp::Ssdp;
#[cfg(feature = "testing")]
pub use ssh::testing as ssh_testing;
pub use ssh::{RsaHash, RsaHostKey, RsaSigner, SSH_TRIES_MAX, Ssh, SshCurves, SshSession, SshSigner};
pub use telnet::{TRIES_MAX, Telnet, TelnetSession};
pub use text::{kept_text, safe_text};
pub use tftp::Tftp;
pub use tls::{HELLO_BYTES_MAX, Heard, Hello, HelloReader, RECORD_HEAD_BYTES, TdsEnvelope, TlsManner, overhear};
pub use vnc::{Vnc, VncSession};

use alloc::vec::Vec;
use honeymesh_types::WallTime;

/// The most that one call of [`Session::open`] or [`Session::receive`] appends to the answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024;

/// What a session wants its carrier to do next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Nothing to report yet: write the answer, go on reading.
    #[default]
    Continue,
    /// Enough was said: report [`Session::findings`] at once, *then* write the answer and go on.
    Telling,
    /// Write the answer; from the next byte on the stranger speaks TLS, and the bytes of [`Session::unread`] were its first. Once
    /// both sides agree on a key, [`Session::open`] is called again, and everything said and answered is inside TLS. A carrier
    /// that speaks no TLS closes.
    StartTls,
    /// Write the answer, then do what [`Session::errand`] wants and tell [`Session::done`] what came of it, before anything else is
    /// heard. A carrier that cannot do it says that it failed.
    Errand,
    /// Report what was not reported yet, write the answer, close. Nothing more is understood.
    Close,
}

impl Flow {
    /// The more urgent of two.
    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Close, _) | (_, Self::Close) => Self::Close,
            (Self::StartTls, _) | (_, Self::StartTls) => Self::StartTls,
            (Self::Errand, _) | (_, Self::Errand) => Self::Errand,
            (Self::Telling, _) | (_, Self::Telling) => Self::Telling,
            _ => Self::Continue,
        }
    }
}

/// What one call of [`Session::receive`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// How many of the given bytes were used up: all of them, or those up to the one that ended a report or
    /// filled the answer. At least one if any was given and the flow is not [`Flow::Close`]. The carrier
    /// gives the rest again, after it has done what `flow` says.
    pub taken: usize,
    /// What to do now.
    pub flow: Flow,
}

impl Step {
    /// Takes one byte after the other, up to the first that wants more of the carrier than to go on.
    pub(crate) fn by_byte(bytes: &[u8], mut take: impl FnMut(u8) -> Flow) -> Self {
        Self::by_byte_until_full(bytes, &mut Vec::new(), usize::MAX, |byte, _| take(byte))
    }

    /// The same where many answers may follow one another: the byte that makes `answer` longer than `full` is the last, too.
    pub(crate) fn by_byte_until_full(
        bytes: &[u8],
        answer: &mut Vec<u8>,
        full: usize,
        mut take: impl FnMut(u8, &mut Vec<u8>) -> Flow,
    ) -> Self {
        Self::by_byte_until_paused(bytes, answer, full, |byte, answer| (take(byte, answer), false))
    }

    /// The same where `take` says besides whether its answer is kept back: then the byte is the last, too.
    pub(crate) fn by_byte_until_paused(
        bytes: &[u8],
        answer: &mut Vec<u8>,
        full: usize,
        mut take: impl FnMut(u8, &mut Vec<u8>) -> (Flow, bool),
    ) -> Self {
        for (index, byte) in bytes.iter().enumerate() {
            let (flow, is_paused) = take(*byte, answer);
            if flow != Flow::Continue || is_paused || answer.len() > full {
                return Self { taken: index + 1, flow };
            }
        }
        Self { taken: bytes.len(), flow: Flow::Continue }
    }
}

/// One connection to a trap.
pub trait Session: Send {
    /// Before [`Session::open`], once, for servers that number their connections: the stranger comes at `now`, and `before` others came
    /// before him, to this service of this trap, since the carrier began.
    fn meet(&mut self, _now: WallTime, _before: u64) {}

    /// The stranger has connected: appends the greeting, if the service speaks first.
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow;

    /// The stranger sent `bytes`: takes some or all of them and appends at most [`ANSWER_BYTES_MAX`] bytes to
    /// `answer`. `now` only dates answers (HTTP's `Date`).
    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step;

    /// How long the answer of the last call of [`Session::open`] or [`Session::receive`] is kept back; asked once after each.
    /// Reports do not wait for it.
    fn pause(&mut self) -> Pause {
        Pause::default()
    }

    /// How long the stranger may take with what comes next; asked before it is waited for.
    fn patience(&self) -> Patience {
        Patience::default()
    }

    /// No more bytes will come (closed, reset, deadline): what was said in part becomes findings.
    fn end(&mut self);

    /// What was recognised since the previous call.
    fn findings(&mut self) -> Findings;

    /// Whether it understands a TLS hello by itself.
    fn hears_tls(&self) -> bool {
        false
    }

    /// After [`Flow::StartTls`], once: bytes that were taken before it was known that they are TLS.
    fn unread(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Goes on with what was put off until the previous step's report and answer were out, as if the stranger had sent more;
    /// `None`: nothing was.
    fn resume(&mut self, _now: WallTime, _answer: &mut Vec<u8>) -> Option<Flow> {
        None
    }

    /// After [`Flow::Errand`]: what is to be done. `None`: nothing any more.
    fn errand(&mut self) -> Option<Errand> {
        None
    }

    /// What came of the last [`Session::errand`]; appends what is said to that, as [`Session::receive`] does.
    fn done(&mut self, _done: Done, _now: WallTime, _answer: &mut Vec<u8>) -> Flow {
        Flow::Close
    }

    /// After [`Flow::StartTls`]: how TLS is spoken here.
    fn tls(&self) -> TlsManner {
        TlsManner::Usual
    }

    /// After [`Flow::StartTls`]: whether `_behind`, which came together with the request, is thrown away unheard, and only noted.
    /// Otherwise it counts as the beginning of TLS.
    fn purges(&mut self, _behind: &[u8]) -> bool {
        false
    }

    /// After [`Flow::StartTls`]: the stranger goes on with something that is no TLS at all, as `_head` shows, where a record's head
    /// would be. Appends the last words, in the clear.
    fn misses_tls(&mut self, _head: &[u8], _answer: &mut Vec<u8>) {}

    /// After [`Flow::StartTls`], asked after each call of [`Session::receive`]: whether TLS is over, so that its answer and all that
    /// follows is in the clear again.
    fn leaves_tls(&self) -> bool {
        false
    }

    /// What the stranger said with the bytes taken by the last call, where those are only a disguise of it (encrypted), or only
    /// its beginning (a handshake): then it is empty. `None`: they are what it said.
    fn said(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// How many octets at the beginning of the last answer are a part of how both sides agree on a key; more than it has: all of them.
    fn agreement(&self) -> usize {
        0
    }

    /// Whether what comes next is encrypted: by itself it says nothing.
    fn is_secret(&self) -> bool {
        false
    }

    /// After [`Flow::Close`]: whether nothing more belongs to what was answered last. Then the connection is closed at once, as servers
    /// do, if nothing more has come either; else what still comes is read and thrown away for a while, so that the answer is not lost to a
    /// reset.
    fn has_heard_all(&self) -> bool {
        false
    }
}
