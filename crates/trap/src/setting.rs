//! What is to be played, as the daemon tells it to the process that plays.

use crate::{Limits, TlsIdentity, bind::Plays};
use honeymesh_trap_proto::{Bait, Definition, Persona, Service};
use serde::{Deserialize, Serialize};
use std::io;

/// All traps and their limits: what the process that plays gets to know, and nothing else of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The traps, in the order of the configuration.
    pub traps: Vec<Definition>,
    /// Whether dark ports are traps, too.
    pub dark: bool,
    /// The machine that they pretend to be.
    pub persona: Persona,
    /// What all share.
    pub limits: Limits,
    /// The user and the group that the process becomes, if it is root.
    pub user: (u32, u32),
    /// What the machine shows to whoever speaks TLS; without it, TLS is refused.
    pub tls: Option<TlsIdentity>,
}

impl Setting {
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        postcard::to_allocvec(self).map_err(io::Error::other)
    }

    pub(crate) fn read(bytes: &[u8]) -> io::Result<Self> {
        postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// What each trap plays, the one on dark ports last.
    ///
    /// # Errors
    /// A definition that is none: the daemon has checked them, so it is not this daemon's.
    pub(crate) fn plays(&self) -> io::Result<Vec<Plays>> {
        let services: Result<Vec<Service>, _> = self.traps.iter().map(|trap| Service::define(trap, &self.persona)).collect();
        let services = services.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let bait = self.dark.then(|| Plays::Bait(Bait::like(services.iter(), &self.persona)));
        Ok(services.into_iter().map(Plays::One).chain(bait).collect())
    }
}
