//! The never-ban set: whom nobody can ban, and why.

use crate::prefix::PrefixMap;
use alloc::vec::Vec;
use core::{fmt, net::IpAddr};
use honeymesh_types::Subject;
use ipnet::IpNet;

/// Why a net is never banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// The operator allowlisted it.
    Allowlist,
    /// It is this node's own address.
    Own,
    /// It is a gateway.
    Gateway,
    /// It is a resolver.
    Resolver,
    /// It is a mesh peer.
    Peer,
    /// An operator is connected from there.
    Operator,
}

impl Protection {
    /// The word that users see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowlist => "allowlist",
            Self::Own => "own",
            Self::Gateway => "gateway",
            Self::Resolver => "resolver",
            Self::Peer => "peer",
            Self::Operator => "operator",
        }
    }

    /// What it is, in words that fit after "which is".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Allowlist => "on the allowlist",
            Self::Own => "this node's own address",
            Self::Gateway => "a gateway",
            Self::Resolver => "a resolver",
            Self::Peer => "a mesh peer",
            Self::Operator => "the address of a connected operator",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One member of the never-ban set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protected {
    /// Whom.
    pub net: IpNet,
    /// Why.
    pub why: Protection,
}

/// The never-ban set, ready for look-ups.
#[derive(Default)]
pub(crate) struct NeverBan {
    nets: PrefixMap<Vec<Protection>>,
}

impl NeverBan {
    pub(crate) fn new(all: &[Protected]) -> Self {
        let mut nets: PrefixMap<Vec<Protection>> = PrefixMap::default();
        for one in all {
            let whys = nets.get_or_insert(Subject::new(one.net));
            if let Err(place) = whys.binary_search(&one.why) {
                whys.insert(place, one.why);
            }
        }
        Self { nets }
    }

    /// The narrowest protected net that holds all of `subject`.
    pub(crate) fn holds(&self, subject: &Subject) -> Option<(Subject, Protection)> {
        let (net, whys) = self.nets.covering(subject).next()?;
        whys.first().map(|why| (*net, *why))
    }

    /// Everything that protects `addr`, narrowest first.
    pub(crate) fn covering(&self, addr: IpAddr) -> Vec<Protected> {
        let host = Subject::host(addr);
        let each = |(net, whys): (&Subject, &Vec<Protection>)| {
            let net = net.net();
            whys.iter().map(move |why| Protected { net, why: *why }).collect::<Vec<_>>()
        };
        self.nets.covering(&host).flat_map(each).collect()
    }

    /// The nets that are protected here but were not by `old`.
    pub(crate) fn added_since<'a>(&'a self, old: &'a Self) -> impl Iterator<Item = Subject> + 'a {
        self.nets.iter().map(|(net, _)| *net).filter(|net| old.nets.get(net).is_none())
    }

    /// Everything that is protected inside `net`, in order.
    pub(crate) fn within(&self, net: &Subject) -> Vec<Protected> {
        let each = |(net, whys): (&Subject, &Vec<Protection>)| {
            let net = net.net();
            whys.iter().map(move |why| Protected { net, why: *why }).collect::<Vec<_>>()
        };
        self.nets.within(net).flat_map(each).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Protected> + '_ {
        self.nets.iter().flat_map(|(net, whys)| whys.iter().map(|why| Protected { net: net.net(), why: *why }))
    }

    pub(crate) fn len(&self) -> usize {
        self.nets.len()
    }
}
