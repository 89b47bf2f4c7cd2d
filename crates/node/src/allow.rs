//! The allowlist: what the configuration file says, and what operators changed since.

use crate::{AllowEntry, AllowSource, Keep, Refused};
use alloc::{collections::BTreeSet, vec::Vec};
use honeymesh_types::Subject;
use ipnet::IpNet;

/// The most nets that operators may add; one more is refused.
pub const ALLOW_MAX: usize = 4_096;

/// The allowlist. Nets are kept in their canonical form.
#[derive(Default)]
pub(crate) struct Allow {
    configured: BTreeSet<IpNet>,
    added: BTreeSet<IpNet>,
    removed: BTreeSet<IpNet>,
}

impl Allow {
    pub(crate) fn new(configured: &[IpNet]) -> Self {
        Self { configured: configured.iter().map(canonical).collect(), ..Self::default() }
    }

    /// Takes back what operators changed before a restart. What the configuration file does not hold any more cannot be
    /// removed from it; what it holds now need not be added.
    pub(crate) fn restore(&mut self, added: &[IpNet], removed: &[IpNet]) {
        let added = added.iter().map(canonical).filter(|net| !self.configured.contains(net));
        self.added = added.take(ALLOW_MAX).collect();
        self.removed = removed.iter().map(canonical).filter(|net| self.configured.contains(net)).collect();
    }

    /// Whether it was not there before.
    pub(crate) fn add(&mut self, net: &IpNet) -> Result<bool, Refused> {
        let net = canonical(net);
        if self.configured.contains(&net) {
            return Ok(self.removed.remove(&net));
        }
        if !self.added.contains(&net) && self.added.len() >= ALLOW_MAX {
            return Err(Refused::AllowFull(ALLOW_MAX));
        }
        Ok(self.added.insert(net))
    }

    pub(crate) fn remove(&mut self, net: &IpNet) -> Result<(), Refused> {
        let net = canonical(net);
        let was_added = self.added.remove(&net);
        let was_configured = self.configured.contains(&net) && self.removed.insert(net);
        if was_added || was_configured { Ok(()) } else { Err(Refused::NotAllowed(net)) }
    }

    pub(crate) fn keep(&self) -> Keep {
        Keep::Allow { added: self.added.iter().copied().collect(), removed: self.removed.iter().copied().collect() }
    }

    /// Everything that is allowed, in order.
    pub(crate) fn entries(&self) -> Vec<AllowEntry> {
        let configured =
            self.configured.difference(&self.removed).map(|net| AllowEntry { net: *net, source: AllowSource::Config });
        let added = self.added.iter().map(|net| AllowEntry { net: *net, source: AllowSource::Operator });
        let mut all: Vec<AllowEntry> = configured.chain(added).collect();
        all.sort_unstable_by_key(|entry| entry.net);
        all
    }

    /// Nets of the configuration file that operators took out.
    pub(crate) fn removed(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.removed.iter().copied()
    }
}

/// Host bits cleared, IPv4-mapped IPv6 as IPv4.
pub(crate) fn canonical(net: &IpNet) -> IpNet {
    Subject::new(*net).net()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn nets(allow: &Allow) -> Vec<alloc::string::String> {
        allow.entries().iter().map(|entry| alloc::format!("{}", entry.net)).collect()
    }

    #[test]
    fn operators_add_and_remove_over_the_configuration() {
        let mut allow = Allow::new(&[net("10.0.0.0/8"), net("192.0.2.1/24")]);
        assert_eq!(nets(&allow), ["10.0.0.0/8", "192.0.2.0/24"]);
        assert!(allow.add(&net("198.51.100.7/32")).unwrap());
        assert!(!allow.add(&net("198.51.100.7/32")).unwrap() && !allow.add(&net("10.0.0.0/8")).unwrap());
        allow.remove(&net("10.0.0.0/8")).unwrap();
        assert_eq!(allow.remove(&net("10.0.0.0/8")), Err(Refused::NotAllowed(net("10.0.0.0/8"))));
        assert_eq!(nets(&allow), ["192.0.2.0/24", "198.51.100.7/32"]);
        assert!(allow.add(&net("10.0.0.0/8")).unwrap(), "it comes back");
    }

    #[test]
    fn what_operators_changed_survives_a_restart_and_a_changed_file() {
        let mut before = Allow::new(&[net("10.0.0.0/8"), net("192.0.2.0/24")]);
        before.add(&net("198.51.100.0/24")).unwrap();
        before.remove(&net("10.0.0.0/8")).unwrap();
        before.remove(&net("192.0.2.0/24")).unwrap();
        let Keep::Allow { added, removed } = before.keep() else { unreachable!() };
        let mut after = Allow::new(&[net("10.0.0.0/8"), net("198.51.100.0/24")]);
        after.restore(&added, &removed);
        assert_eq!(nets(&after), ["198.51.100.0/24"]);
        assert_eq!(after.entries()[0].source, AllowSource::Config);
    }

    #[test]
    fn the_list_has_an_end() {
        let mut allow = Allow::new(&[]);
        for index in 0..ALLOW_MAX {
            let addr = core::net::Ipv4Addr::from_bits(u32::try_from(index).unwrap());
            allow.add(&IpNet::from(core::net::IpAddr::V4(addr))).unwrap();
        }
        assert_eq!(allow.add(&net("203.0.113.0/24")), Err(Refused::AllowFull(ALLOW_MAX)));
    }
}
