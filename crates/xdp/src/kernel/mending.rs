//! One subject after the other is made what it should be, where an audit has found a difference.

use super::Kernel;
use crate::{
    Drift, Error, compare, deadline,
    spot::{Spot, Table},
    ticks::Clock,
};
use honeymesh_types::{Enforcement, Now, Subject};
use honeymesh_xdp_abi::BanEntry;

impl Kernel {
    /// Compares what stands for one subject with what should (`None`: nothing), and mends it. What the kernel placed by
    /// itself is left alone.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Table`]; part of the difference may have been mended.
    pub fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Drift, Error> {
        if self.is_probes(subject) {
            return Ok(Drift::default());
        }
        let (home, clock) = (Spot::home(subject), self.tables.clock());
        let mut drift = Drift::default();
        let what = what.filter(|what| deadline::is_ahead(what.until, now));
        match (self.tables.get(&home)?, what) {
            (None, None) => {}
            (Some(held), Some(what)) if compare::is_same(held, as_held(&home, what, now, &clock)) => {}
            (held, Some(what)) => {
                self.recount()?;
                if held.is_some() { &mut drift.different } else { &mut drift.missing }.push(*subject);
                self.raise(what, now)?;
            }
            (Some(held), None) => {
                if held.is_live(deadline::boot_ns(now)) {
                    self.recount()?;
                    drift.extra.push(*subject);
                }
                self.tables.remove(&home)?;
            }
        }
        if let Some(astray) = Spot::astray(subject)
            && self.tables.get(&astray)?.is_some()
        {
            self.tables.remove(&astray)?;
            drift.extra.push(*subject);
        }
        self.close_gates();
        Ok(drift)
    }

    /// What is there differs from what was entered: before any of it goes, what its lines and gates depend on is counted anew. Once from one
    /// look to the next, because it goes through whole tables.
    pub(super) fn recount(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_recounted, true) {
            self.tables.recount()?;
        }
        Ok(())
    }
}

/// The entry for a ban as it would be read back: exact bans know their end in ticks only.
fn as_held(home: &Spot, what: &Enforcement, now: Now, clock: &Clock) -> BanEntry {
    let entry = deadline::entry(what, 0, now);
    match home.table() {
        Table::Bans4 | Table::Bans6 => BanEntry { deadline_ns: clock.deadline_ns(clock.expiry(entry.deadline_ns)), ..entry },
        _ => entry,
    }
}
