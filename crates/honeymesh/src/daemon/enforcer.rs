//! What the loop needs of a kernel, so that it can be tested with one that is only pretended.

use honeymesh_types::{Enforcement, Lockdown, Now, Subject};
use honeymesh_xdp::{Counters, Drift, Error, InterfaceStatus, Kernel, LinkHandle, Nft, Probed, Sight};
use ipnet::IpNet;
use std::net::IpAddr;

/// Says how the whole table seems to differ from the intent, while both may go on changing.
pub type Look = Box<dyn Fn(&[Enforcement], Now) -> Result<Drift, Error> + Send>;

/// A kernel's ban table; see [`Kernel`] for what each call does and how it fails, and [`Nft`] for what differs there.
pub trait Enforcer {
    /// Enters or changes a ban.
    ///
    /// # Errors
    /// The table is full or cannot be written; nothing was changed.
    fn raise(&mut self, what: &Enforcement, now: Now) -> Result<(), Error>;
    /// Removes a ban.
    ///
    /// # Errors
    /// The table cannot be written.
    fn lift(&mut self, subject: &Subject) -> Result<bool, Error>;
    /// Replaces the never-ban set.
    ///
    /// # Errors
    /// It does not fit, and what was ordered before holds; or it cannot be written: then it stays wanted, and [`Enforcer::guard`] says it
    /// again. So does the self-probe tell both, until an order is taken. The same holds for the next three.
    fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error>;
    /// Replaces the list of own addresses.
    ///
    /// # Errors
    /// The table is full or cannot be written.
    fn set_local(&mut self, addrs: &[IpAddr]) -> Result<(), Error>;
    /// Drop, or only count.
    ///
    /// # Errors
    /// The table cannot be written.
    fn set_enforcing(&mut self, on: bool) -> Result<(), Error>;
    /// Let in only who is allowed or connected, or everybody who is not banned again.
    ///
    /// # Errors
    /// The settings cannot be written.
    fn set_lockdown(&mut self, lockdown: Lockdown) -> Result<(), Error>;
    /// Makes the table equal to `intent`.
    ///
    /// # Errors
    /// The table is full or cannot be read or written; part of it may have been mended.
    fn reconcile(&mut self, intent: &[Enforcement], now: Now) -> Result<Drift, Error>;
    /// Compares one subject's entries with what they should be, and mends them.
    ///
    /// # Errors
    /// The table is full or cannot be read or written.
    fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Drift, Error>;
    /// Checks and mends what is not about single bans.
    ///
    /// # Errors
    /// The settings cannot be read or written.
    fn guard(&mut self) -> Result<Drift, Error>;
    /// What reads the tables from another thread; `None` once it was taken.
    fn take_look(&mut self) -> Option<Look>;
    /// Packets dropped by one ban.
    fn drops(&self, subject: &Subject) -> u64;
    /// Very many bans are to be asked for, or no more.
    fn look_everywhere(&mut self, _on: bool) {}
    /// Everything that was counted.
    ///
    /// # Errors
    /// The table cannot be read.
    fn counters(&self) -> Result<Counters, Error>;
    /// The interfaces that are to be guarded.
    fn interfaces(&self) -> Vec<InterfaceStatus>;
    /// Takes a link that the keeper has made; all that are to be looked at now.
    fn heed(&mut self, link: LinkHandle) -> Vec<LinkHandle>;
    /// Takes what a lookout saw; guards what came, if nobody else does. How the interfaces stand then.
    ///
    /// # Errors
    /// What came is not guarded yet.
    fn look_after(&mut self, sight: Sight) -> Result<Vec<InterfaceStatus>, Error>;
    /// What was mended since this was asked last and nobody was told, in passing or by an [`Enforcer::reconcile`] that failed: of what somebody
    /// else had changed (then bans may be missing, too), and of what the kernel had refused.
    fn take_mended(&mut self) -> Drift;
    /// Is something that was ordered not in force, because the kernel has refused it? It is said again until it is.
    fn owes(&self) -> bool;
    /// Was a never-ban set that was ordered since the start taken? Whatever is refused later, that one or a part of a later one is there.
    fn has_allow(&self) -> bool;
    /// Takes what a self-probe came to.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn probed(&mut self, probed: &Probed) -> Result<(), String>;
    /// Runs a self-probe. `None` where somebody else does, whose words [`Enforcer::probed`] takes.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn probe(&mut self) -> Option<Result<(), String>> {
        None
    }
    /// Gives the machine back as it was found.
    ///
    /// # Errors
    /// Something could not be removed.
    fn release(self) -> Result<(), Error>
    where
        Self: Sized;
}

/// The calls that either table takes under the same name.
macro_rules! forwarded {
    () => {
        fn raise(&mut self, what: &Enforcement, now: Now) -> Result<(), Error> {
            Self::raise(self, what, now)
        }

        fn lift(&mut self, subject: &Subject) -> Result<bool, Error> {
            Self::lift(self, subject)
        }

        fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
            Self::set_allow(self, nets)
        }

        fn set_enforcing(&mut self, on: bool) -> Result<(), Error> {
            Self::set_enforcing(self, on)
        }

        fn reconcile(&mut self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
            Self::reconcile(self, intent, now)
        }

        fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Drift, Error> {
            Self::mend(self, subject, what, now)
        }

        fn guard(&mut self) -> Result<Drift, Error> {
            Self::guard(self)
        }

        fn take_mended(&mut self) -> Drift {
            Self::take_mended(self)
        }

        fn owes(&self) -> bool {
            Self::owes(self)
        }

        fn has_allow(&self) -> bool {
            Self::has_allow(self)
        }

        fn take_look(&mut self) -> Option<Look> {
            let auditor = self.take_auditor()?;
            Some(Box::new(move |intent, now| auditor.audit(intent, now)))
        }

        fn drops(&self, subject: &Subject) -> u64 {
            Self::drops(self, subject)
        }

        fn counters(&self) -> Result<Counters, Error> {
            Self::counters(self)
        }

        fn interfaces(&self) -> Vec<InterfaceStatus> {
            Self::interfaces(self)
        }

        fn release(self) -> Result<(), Error> {
            Self::release(self)
        }
    };
}

impl Enforcer for Kernel {
    forwarded!();

    fn look_everywhere(&mut self, on: bool) {
        Self::look_everywhere(self, on);
    }

    fn set_local(&mut self, addrs: &[IpAddr]) -> Result<(), Error> {
        Self::set_local(self, addrs)
    }

    fn set_lockdown(&mut self, lockdown: Lockdown) -> Result<(), Error> {
        Self::set_lockdown(self, lockdown)
    }

    fn heed(&mut self, link: LinkHandle) -> Vec<LinkHandle> {
        Self::heed(self, link)
    }

    /// The keeper guards.
    fn look_after(&mut self, sight: Sight) -> Result<Vec<InterfaceStatus>, Error> {
        Ok(sight.interfaces)
    }

    fn probed(&mut self, probed: &Probed) -> Result<(), String> {
        Self::probed(self, probed)
    }
}

/// Its entries wait for another process, a moment each; nothing is asked of it for a packet.
impl Enforcer for Nft {
    forwarded!();

    /// The kernel's rules know its own addresses by themselves.
    fn set_local(&mut self, _addrs: &[IpAddr]) -> Result<(), Error> {
        Self::set_local(self)
    }

    fn set_lockdown(&mut self, lockdown: Lockdown) -> Result<(), Error> {
        Self::set_lockdown(self, lockdown)
    }

    /// Nobody steers here.
    fn heed(&mut self, _link: LinkHandle) -> Vec<LinkHandle> {
        Vec::new()
    }

    fn look_after(&mut self, sight: Sight) -> Result<Vec<InterfaceStatus>, Error> {
        Self::look_after(self, sight)
    }

    /// Nobody else probes here.
    fn probed(&mut self, _probed: &Probed) -> Result<(), String> {
        Ok(())
    }

    fn probe(&mut self) -> Option<Result<(), String>> {
        Self::probe(self)
    }
}
