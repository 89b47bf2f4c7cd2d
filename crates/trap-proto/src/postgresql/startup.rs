//! The first packet: what the stranger wants, and who he says he is.

use crate::{Findings, exactly::Reader};
use alloc::vec::Vec;

/// Parameters of one packet, which has a bound of its own: more than fit into it.
const PARAMETERS_MAX: usize = 5_000;

const SSL: u32 = 80_877_103;
const GSSAPI: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;
/// Protocol 3.
const MAJOR: u32 = 3;

/// What the first packet asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Startup {
    /// TLS.
    Tls,
    /// Encryption by Kerberos.
    Gssapi,
    /// That another connection stops; nothing is answered.
    Cancel,
    /// A session, as this user (who may be missing), in this minor version, with these options of the protocol that nobody
    /// knows here.
    Session { user: Vec<u8>, minor: u32, options: Vec<Vec<u8>> },
    /// A protocol that is not spoken: major, minor.
    Other(u32, u32),
    /// A session, but its parameters end too early, or something follows them.
    Cut,
    /// What was asked to be replicated is no truth.
    Replication(Vec<u8>),
    /// No packet of this protocol.
    Broken,
}

/// Reads a packet without its length, noting its parameters.
pub(super) fn read(packet: &[u8], findings: &mut Findings) -> Startup {
    let Some((code, parameters)) = packet.split_first_chunk() else { return Startup::Broken };
    match u32::from_be_bytes(*code) {
        SSL => Startup::Tls,
        GSSAPI => Startup::Gssapi,
        CANCEL => Startup::Cancel,
        code if code >> 16 == MAJOR => session(code & 0xffff, parameters, findings),
        code => Startup::Other(code >> 16, code & 0xffff),
    }
}

fn session(minor: u32, parameters: &[u8], findings: &mut Findings) -> Startup {
    let mut reader = Reader(parameters);
    let (mut user, mut options) = (Vec::new(), Vec::new());
    for _ in 0..PARAMETERS_MAX {
        let Some(name) = reader.text() else { return Startup::Cut };
        if name.is_empty() {
            if !reader.0.is_empty() {
                return Startup::Cut;
            }
            return Startup::Session { user, minor, options };
        }
        let Some(value) = reader.text() else { return Startup::Cut };
        match name {
            b"user" => {
                findings.note("username", value);
                user = value.to_vec();
            }
            b"database" => findings.note("database", value),
            b"application_name" => findings.note("client", value),
            b"replication" if value != b"database" && !is_truth(value) => return Startup::Replication(value.to_vec()),
            name if name.starts_with(b"_pq_.") => options.push(name.to_vec()),
            _ => {}
        }
    }
    Startup::Broken
}

/// Whether it takes this for yes or no (`parse_bool`): a beginning of a word that means nothing else, in any case.
fn is_truth(value: &[u8]) -> bool {
    let is_begun = |word: &str, least: usize| {
        value.len() >= least && word.as_bytes().get(..value.len()).is_some_and(|begun| begun.eq_ignore_ascii_case(value))
    };
    [("true", 1), ("false", 1), ("yes", 1), ("no", 1), ("on", 2), ("off", 2), ("1", 1), ("0", 1)]
        .into_iter()
        .any(|(word, least)| is_begun(word, least))
}
