//! What the keeper and the self-probe need of the kernel's owner.

use super::Kernel;
use crate::{
    Drift, Error, InterfaceStatus, LinkHandle, Lookout, Probed, Steered, Watch, keeper, load, options::Options, pins::Pins,
    probe, spot::Spot,
};
use honeymesh_types::{Lockdown, Subject};
use honeymesh_xdp_abi::Gates;
use ipnet::IpNet;
use std::os::fd::{AsFd, OwnedFd};

impl Kernel {
    /// Both ends of the keeper: what the daemon listens to, and what the other process gets ([`crate::Keeper::receive`]), with
    /// everything that it needs to know in it already.
    ///
    /// # Errors
    /// [`Error::Keeper`].
    pub fn hand_over(&self, options: &Options) -> Result<(Watch, OwnedFd), Error> {
        let (watch, theirs) = Watch::pair()?;
        let program = load::loaded_program(&self.object)?;
        let told = keeper::Told {
            wanted: &options.interfaces,
            attach: options.attach,
            exit: options.exit,
            directory: self.pins.as_ref().map(Pins::version),
            program: program.as_fd(),
            steering: self.steering.program(),
            links: self.links.iter().chain(self.steering.links()).collect(),
        };
        keeper::send_kit(watch.as_fd(), &told)?;
        Ok((watch, theirs))
    }

    /// What looks at the interfaces, for another thread; it sees those of the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::Keeper`]: there is no netlink socket.
    pub fn lookout(&self, options: &Options) -> Result<Lookout, Error> {
        let mut lookout = super::lookout(&self.object, options)?;
        lookout.steering(self.steering.program_id());
        lookout.heed(self.steering.handles());
        Ok(lookout)
    }

    /// Takes a link of the second program that the keeper has made, to ask the kernel about it from now on. All there are
    /// now: what a [`Lookout`] should heed.
    pub fn heed(&mut self, link: LinkHandle) -> Vec<LinkHandle> {
        self.steering.heed(link);
        self.lookout.borrow_mut().heed(self.steering.handles());
        self.steering.handles()
    }

    /// The wanted interfaces: attached, detached, absent or occupied. Empty if the kernel does not answer.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        match self.lookout.borrow_mut().look() {
            Ok(sight) => sight.interfaces,
            Err(error) => {
                tracing::warn!(%error, "the interfaces cannot be looked at");
                Vec::new()
            }
        }
    }

    /// What is off although its interface is there. Nothing has come off before it was put on.
    pub(super) fn off(&self) -> Drift {
        if self.pending.is_some() {
            return Drift::default();
        }
        let there: Vec<_> = self.interfaces().into_iter().filter(|interface| interface.index != 0).collect();
        let names = |is_off: fn(&InterfaceStatus) -> bool| {
            there.iter().filter(|interface| is_off(interface)).map(|interface| interface.name.clone()).collect()
        };
        Drift {
            detached: names(|interface| !interface.attached),
            unsteered: names(|interface| interface.steering == Steered::Off),
            ..Drift::default()
        }
    }

    /// Bans the probe's one source for ever; its other one is allowed from the next [`Kernel::set_allow`] on, which the program
    /// heeds for frames of test runs and the loopback interface only. What probes of
    /// earlier starts have counted is left out from now on.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Table`].
    pub fn begin_probing(&mut self) -> Result<(), Error> {
        self.is_probing = true;
        let [banned4, banned6] = probe::banned();
        self.tally.dropped4 = self.drops(&banned4);
        self.tally.dropped6 = self.drops(&banned6);
        self.tally.passed = self.tally.dropped4.saturating_add(self.tally.dropped6);
        self.guard_probe().map(|_| ())
    }

    /// Takes what a probe came to, and judges it by what is wanted.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn probed(&mut self, probed: &Probed) -> Result<(), String> {
        self.tally.add(probed);
        // While locked down, bans are enforced whatever else was said.
        let is_locked = match self.lockdown() {
            Lockdown::Off => false,
            Lockdown::Until(end) => end > crate::now().mono,
            Lockdown::Confirmed => true,
        };
        let is_dropping = is_locked || self.settings.gates.has(Gates::ENFORCING);
        let judged = probed.judge_each(self.is_probe_allowed.map(|is_allowed| is_dropping && !is_allowed));
        let owed = self.owed.is_any().then(|| "the kernel has refused what was ordered last".to_owned());
        let wrong: Vec<String> = judged.err().into_iter().chain(owed).chain(self.too_large.words()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    /// Enters the probe's bans where they are missing, and names those.
    pub(super) fn guard_probe(&mut self) -> Result<Drift, Error> {
        let mut drift = Drift::default();
        let wanted = if self.is_probing { &probe::banned()[..] } else { &[] };
        for &subject in wanted {
            let held = self.held(&subject)?;
            let (home, what, now) = (Spot::home(&subject), probe::ban(subject), crate::now());
            if held.iter().any(|(spot, _)| *spot == home) {
                continue;
            }
            drift.missing.push(subject);
            let clock = self.tables.clock();
            self.enter(&home, &what, now, &clock)?;
            self.open_gates(home.table().gates())?;
        }
        Ok(drift)
    }

    /// The never-ban set, and with it the source of the probe that must pass; and whether the set covers that of each family by itself,
    /// so that it is allowed to everybody. Then it has an entry in any case, which is what says so.
    pub(super) fn with_probe(&self, nets: &[IpNet]) -> (Vec<IpNet>, [bool; 2]) {
        let is_covered = probe::honest().map(|own| nets.iter().any(|net| Subject::new(*net).net().contains(&own)));
        let own = probe::honest().into_iter().zip(is_covered).filter(|(_, is_covered)| *is_covered || self.is_probing);
        (nets.iter().copied().chain(own.map(|(own, _)| own)).collect(), is_covered)
    }
}
