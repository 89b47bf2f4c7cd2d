//! What is to be played, as the daemon tells it to the process that plays.

use crate::{
    Limits, SshIdentity, TlsIdentity,
    bind::Plays,
    rules::{RuleFile, RuleProblem, Rules, compile},
};
use honeymesh_trap_proto::{Bait, Definition, Lure, Persona, Service};
use serde::{Deserialize, Serialize};
use std::io;

/// All traps and their limits: what the process that plays gets to know, and nothing else of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The traps, in the order of the configuration.
    pub traps: Vec<Definition>,
    /// Whether dark ports are traps, too.
    pub dark: bool,
    /// Strings whose use is hostile. Only what they are, not what they were derived from.
    pub tokens: Vec<String>,
    /// The operator's rules, as text; the daemon has compiled them once and found nothing wrong.
    pub rules: Vec<RuleFile>,
    /// What the traps let a thief find, if they do.
    pub lure: Option<Lure>,
    /// The machine that they pretend to be.
    pub persona: Persona,
    /// What all share.
    pub limits: Limits,
    /// The user and the group that the process becomes, if it is root.
    pub user: (u32, u32),
    /// What the machine shows to whoever speaks TLS; without it, TLS is refused.
    pub tls: Option<TlsIdentity>,
    /// Its RSA key for SSH; without it, none is offered.
    pub ssh: Option<SshIdentity>,
}

impl Setting {
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        postcard::to_allocvec(self).map_err(io::Error::other)
    }

    pub(crate) fn read(bytes: &[u8]) -> io::Result<Self> {
        postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// The rules, ready; none where there are none, and then nothing is touched for them.
    ///
    /// # Errors
    /// They are none: the daemon has checked them, so they are not this daemon's.
    pub(crate) fn compiled(&self) -> io::Result<Option<Rules>> {
        if self.rules.is_empty() {
            return Ok(None);
        }
        let wrong = |problems: Vec<RuleProblem>| {
            let first = problems.into_iter().next().map(|problem| problem.what);
            io::Error::new(io::ErrorKind::InvalidData, first.unwrap_or_default())
        };
        compile(&self.rules).map(|(rules, _warned_already)| Some(rules)).map_err(wrong)
    }

    /// What each trap plays, the one on dark ports last.
    ///
    /// # Errors
    /// A definition that is none: the daemon has checked them, so it is not this daemon's.
    pub(crate) fn plays(&self) -> io::Result<Vec<Plays>> {
        let services: Result<Vec<Service>, _> = self.traps.iter().map(|trap| Service::define(trap, &self.persona)).collect();
        let services = services.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let show = |service: Service| self.lure.iter().fold(service, Service::showing);
        let bait = self.dark.then(|| Bait::like(services.iter(), &self.persona));
        let bait = bait.map(|bait| Plays::Bait(self.lure.iter().fold(bait, Bait::showing)));
        let plays = services.into_iter().map(show).map(Plays::One).chain(bait);
        match &self.ssh {
            None => Ok(plays.collect()),
            Some(ssh) => {
                let key = ssh.host_key().map_err(io::Error::other)?;
                Ok(plays.map(|plays| plays.proving(&key)).collect())
            }
        }
    }
}
