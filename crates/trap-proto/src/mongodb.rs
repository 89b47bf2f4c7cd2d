//! A MongoDB that asks nobody for a password: 8.0 (MongoDB's "Wire Protocol" and command reference).
//!
//! Whoever comes may look at a small database, drop it and leave a note; what he does ends with his connection. Who logs in all
//! the same goes through SCRAM to the proof, which is kept with all that it proves.

mod bson;
mod commands;
mod data;
mod scram;
mod session;

use crate::{BannerError, Persona, Session, packets::ByPacket};
use alloc::{string::String, sync::Arc, vec::Vec};

/// This year's, of the release with long support.
const VERSION: [i32; 3] = [8, 0, 17];

/// A MongoDB that asks nobody for a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mongodb {
    version: [i32; 3],
    persona: Arc<Persona>,
}

impl Mongodb {
    /// On the machine that `persona` is, with an operator's version such as `8.0.17`, or the usual one.
    ///
    /// # Errors
    /// The text is no version of three numbers.
    pub fn new(version: Option<&str>, persona: &Persona) -> Result<Self, BannerError> {
        let version = match version {
            None => VERSION,
            Some(text) => {
                let parts: Result<Vec<u8>, _> = text.split('.').map(str::parse::<u8>).collect();
                let parts = parts.map_err(|_| BannerError::NotVersion)?;
                <[u8; 3]>::try_from(parts).map_err(|_| BannerError::NotVersion)?.map(i32::from)
            }
        };
        Ok(Self { version, persona: Arc::new(persona.clone()) })
    }

    /// A new connection; `seed` makes the nonce.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::MongodbSession::new(self.clone(), seed))
    }

    fn version(&self) -> String {
        let [major, minor, patch] = self.version;
        alloc::format!("{major}.{minor}.{patch}")
    }

    /// Does it still answer every command in the old message? From 5.1 on only the first one of a driver, and a few for old ones.
    fn is_old(&self) -> bool {
        self.version < [5, 1, 0]
    }

    /// The newest protocol that this version speaks.
    const fn wire_version(&self) -> i32 {
        match self.version[0] {
            ..=3 => 6,
            4 => 9,
            5 => 13,
            6 => 17,
            7 => 21,
            _ => 25,
        }
    }
}
