//! The self-probe, as whoever gives orders sees it.

use super::{
    Nft,
    answers::unexpected,
    compare::{self, Plan},
    orders::{Answer, Order},
    tier::Class,
};
use crate::{Error, probe};
use honeymesh_types::Subject;

impl Nft {
    /// Bans the probe's one source for ever. Its other one is on no allowlist: the rules excuse the probe's own frames alone.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Nftables`].
    pub fn begin_probing(&mut self) -> Result<(), Error> {
        self.is_probing = true;
        self.guard_probe().map(|_| ())
    }

    /// Sends frames of a banned source and of another one through the rules. `None` before [`Nft::begin_probing`].
    ///
    /// # Errors
    /// What is wrong, in words: bans are not enforced, or nothing could be proved.
    pub fn probe(&mut self) -> Option<Result<(), String>> {
        if !self.is_probing {
            return None;
        }
        let outcome = match self.ask(&Order::Probe) {
            Ok(Answer::Probed(outcome)) => outcome,
            Ok(_) => return Some(Err(unexpected().to_string())),
            Err(error) => return Some(Err(error.to_string())),
        };
        let too_large = self.is_allow_too_large.then(|| probe::ALLOW_TOO_LARGE.to_owned());
        let wrong: Vec<String> = outcome.judge(self.is_probe_allowed).err().into_iter().chain(too_large).collect();
        Some(if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) })
    }

    /// What is banned for the probe stays as it is, whoever wants it otherwise.
    pub(super) fn is_probes(&self, subject: &Subject) -> bool {
        self.is_probing && probe::banned().contains(subject)
    }

    /// Enters the probe's bans where they are missing, and names those.
    pub(super) fn guard_probe(&mut self) -> Result<Vec<Subject>, Error> {
        let mut missing = Vec::new();
        let wanted = if self.is_probing { &probe::banned()[..] } else { &[] };
        for &subject in wanted {
            if self.held(&subject)?.iter().any(|held| held.class == Class::Ban) {
                continue;
            }
            missing.push(subject);
            let element = compare::element(&probe::ban(subject), crate::now());
            self.insist(&Order::Raise { all: vec![element], are_new: false })?;
        }
        Ok(missing)
    }
}

/// Leaves the probe's own entries out of what a comparison with the ledger found.
pub(super) fn leave_out(plan: &mut Plan) {
    let own = probe::banned();
    plan.lift.retain(|net| !own.contains(&Subject::new(*net)));
    for all in [&mut plan.enter, &mut plan.change] {
        all.retain(|what| !own.contains(&what.subject));
    }
    for subjects in [&mut plan.drift.missing, &mut plan.drift.extra, &mut plan.drift.different] {
        subjects.retain(|subject| !own.contains(subject));
    }
}
