//! What is ordered for long: the mode and other settings, the never-ban set, own addresses. The kernel may refuse it; it stays wanted,
//! and is said again. What it took is compared with what there is, and said again where somebody has changed it.

use super::Kernel;
use crate::{
    Error,
    load::{LOCAL_MAX, NETS_MAX},
    network, probe,
    tables::{AllowWatch, Allowed, Local},
};
use honeymesh_types::Subject;
use honeymesh_xdp_abi::{AddressKey, Gates, NetKey4, NetKey6, Settings};
use ipnet::IpNet;
use std::{net::IpAddr, sync::Arc};

/// What the kernel has refused and is wanted all the same.
#[derive(Debug, Default)]
pub(super) struct Owed {
    settings: bool,
    allow: Option<Arc<Allowed>>,
    local: Option<Local>,
}

impl Owed {
    pub(super) const fn is_any(&self) -> bool {
        self.settings || self.allow.is_some() || self.local.is_some()
    }

    /// Settings, allowlist, own addresses.
    pub(super) const fn each(&self) -> [bool; 3] {
        [self.settings, self.allow.is_some(), self.local.is_some()]
    }
}

/// What the kernel took last. Of the two lists there is none before the first order, and while one is owed.
#[derive(Debug)]
pub(super) struct Taken {
    settings: Settings,
    allow: Option<Arc<Allowed>>,
    local: Option<Local>,
    allow_watch: Arc<AllowWatch>,
}

impl Taken {
    pub(super) const fn new(settings: Settings, allow_watch: Arc<AllowWatch>) -> Self {
        Self { settings, allow: None, local: None, allow_watch }
    }

    /// Those that are open.
    pub(super) const fn gates(&self) -> Gates {
        self.settings.gates
    }
}

/// How long a comparison may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Somebody who bans waits for it: a long allowlist is left to the auditor, and only looked at if that found it doubtful.
    Quick,
    /// As long as it takes.
    Whole,
}

/// Prefixes that are compared while somebody waits: a thousand take 2.5 ms.
const COMPARED_AT_ONCE_MAX: usize = 1_024;

/// Which orders were not taken because they are too large: the one before holds.
#[derive(Debug, Default)]
pub(super) struct TooLarge {
    allow: bool,
    local: bool,
}

impl TooLarge {
    /// In words.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        let all = [(self.allow, probe::ALLOW_TOO_LARGE), (self.local, probe::LOCAL_TOO_LARGE)];
        all.into_iter().filter(|(is_too_large, _)| *is_too_large).map(|(_, words)| words.to_owned())
    }
}

impl Kernel {
    /// Writes the settings, if they are others than before or the kernel has refused those.
    pub(super) fn set_settings(&mut self, settings: Settings) -> Result<(), Error> {
        if settings == self.settings && !self.owed.settings {
            return Ok(());
        }
        self.settings = settings;
        self.write_settings()
    }

    fn write_settings(&mut self) -> Result<(), Error> {
        self.owed.settings = true;
        self.tables.set_settings(self.settings)?;
        (self.owed.settings, self.taken.settings) = (false, self.settings);
        Ok(())
    }

    /// Gives an order. What the kernel had refused before and takes with this one is told.
    pub(super) fn order(&mut self, order: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let was_owed = self.owed.is_any();
        let done = order(self);
        self.mended.taken |= was_owed && !self.owed.is_any();
        done
    }

    /// Is something that was ordered not in force, because the kernel has refused it? It is said again until the kernel takes it.
    #[must_use]
    pub const fn owes(&self) -> bool {
        self.owed.is_any()
    }

    /// Has the kernel taken a never-ban set since the start? If so, that one is there, or the part of a later one that it took.
    #[must_use]
    pub const fn has_allow(&self) -> bool {
        self.has_allow
    }

    /// Makes the kernel's allowlist equal to `nets`; what is added is added first.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 65,536 prefixes of one family): what was ordered before holds, and [`Kernel::probed`] tells it until an
    /// order fits. [`Error::Table`]: part of it may be there, and this is said again with every [`Kernel::guard`] until the kernel takes it.
    pub fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let (probed, is_for_all) = self.with_probe(nets);
        let (mut nets4, mut nets6) = (Vec::new(), Vec::new());
        for net in probed {
            match Subject::new(net).net() {
                IpNet::V4(net) => nets4.push(NetKey4::new(net.network().to_bits(), net.prefix_len().into())),
                IpNet::V6(net) => nets6.push(NetKey6::new(net.network().to_bits(), net.prefix_len().into())),
            }
        }
        let allowed = Allowed::new(nets4, nets6, is_for_all);
        self.too_large.allow = allowed.longest() > NETS_MAX as usize;
        if self.too_large.allow {
            return Err(Error::Full { table: "allowed prefixes", limit: NETS_MAX, mend: "allow fewer or wider ones" });
        }
        self.is_probe_allowed = probe::is_allowed(nets);
        self.order(|kernel| kernel.write_allow(Arc::new(allowed)))
    }

    fn write_allow(&mut self, allowed: Arc<Allowed>) -> Result<(), Error> {
        self.taken.allow_watch.tell(None);
        let done = self.tables.set_allow(&allowed);
        (self.taken.allow, self.owed.allow) = if done.is_ok() { (Some(allowed), None) } else { (None, Some(allowed)) };
        self.taken.allow_watch.tell(self.taken.allow.clone());
        self.has_allow |= done.is_ok();
        done
    }

    /// Makes the kernel's list of own addresses equal to `addrs`: only packets to these are ever probes. Also looks again
    /// which ports this machine sends from, and whether it forwards for others.
    ///
    /// # Errors
    /// As for [`Kernel::set_allow`], with at most 4,096 addresses.
    pub fn set_local(&mut self, addrs: &[IpAddr]) -> Result<(), Error> {
        let local: Local = addrs.iter().map(address_key).collect();
        self.too_large.local = local.len() > LOCAL_MAX as usize;
        if self.too_large.local {
            return Err(Error::Full {
                table: "own addresses",
                limit: LOCAL_MAX,
                mend: "remove some of this machine's addresses",
            });
        }
        self.order(|kernel| kernel.write_local(local))
    }

    fn write_local(&mut self, local: Local) -> Result<(), Error> {
        let (done, has_any) = (self.tables.set_local(&local), !local.is_empty());
        (self.taken.local, self.owed.local) = if done.is_ok() { (Some(local), None) } else { (None, Some(local)) };
        done?;
        let gates = self.settings.gates.with(Gates::LOCAL, has_any).with(Gates::FORWARDS, network::forwards());
        self.set_settings(Settings { gates, ephemeral: network::ephemeral_ports(), ..self.settings })
    }

    /// Has nobody changed what the kernel took last?
    pub(super) fn is_as_taken(&self, depth: Depth) -> Result<bool, Error> {
        let Taken { settings, local, .. } = &self.taken;
        let is_local = local.as_ref().map_or(Ok(true), |local| self.tables.is_local(local));
        Ok(self.tables.settings()? == *settings && is_local? && self.is_allow_as_taken(depth)?)
    }

    fn is_allow_as_taken(&self, depth: Depth) -> Result<bool, Error> {
        let is_doubtful = self.taken.allow_watch.take_doubt();
        let Some(allow) = &self.taken.allow else { return Ok(true) };
        if !self.tables.is_filtered(allow)? {
            return Ok(false);
        }
        let is_short = allow.len() <= COMPARED_AT_ONCE_MAX;
        let is_compared = depth == Depth::Whole || is_doubtful || is_short;
        if is_compared { self.tables.is_allowed(allow) } else { Ok(true) }
    }

    /// Says all of it again, what the kernel has refused included. What one is refused does not keep the others back.
    pub(super) fn say_lasting(&mut self) -> Result<(), Error> {
        // Who is let in first, and then perhaps a lockdown: one that begins before would keep them out meanwhile.
        let allow = self.owed.allow.take().or_else(|| self.taken.allow.take());
        let allow = allow.map_or(Ok(()), |allow| self.write_allow(allow));
        let local = self.owed.local.take().or_else(|| self.taken.local.take());
        let local = local.map_or(Ok(()), |local| self.write_local(local));
        let settings = self.write_settings();
        settings.and(allow).and(local)
    }
}

fn address_key(addr: &IpAddr) -> AddressKey {
    match addr.to_canonical() {
        IpAddr::V4(addr) => AddressKey::v4(addr.to_bits()),
        IpAddr::V6(addr) => AddressKey::v6(addr.to_bits()),
    }
}
