//! Touches: finished handshakes with dark ports that are too few for a ban, packed into a page as its origin signs it.
//!
//! The exact list and no sketch of it: `docs/mesh/slow-attacks.md` says why, with figures.

use super::RecordError;
use alloc::vec::Vec;
use core::{net::IpAddr, time::Duration};
use honeymesh_types::{PREFIX_V6_CUSTOMER, Subject, WallTime};
use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};

/// One unit of a touch's age on the wire: 16 bits of them are more than the longest life of a page.
pub(super) const AGE_UNIT: Duration = Duration::from_secs(10);
/// Port and age.
const TAIL_BYTES: usize = 4;
/// A customer's prefix is written without its host bits.
const CUSTOMER_BYTES: usize = 8;

/// A finished handshake with a dark port of the node that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    /// Who: one IPv4 address, one IPv6 /64, or one IPv6 address.
    pub source: Subject,
    /// Which port, or one of several that are the same to its origin.
    pub port: u16,
    /// When, to the second on the origin's clock; ten seconds earlier at most once it was on the wire.
    pub at: WallTime,
}

impl Touch {
    /// What it weighs in a page, in bytes: see [`crate::limits::TOUCH_PAGE_BYTES_MAX`].
    #[must_use]
    pub fn weight(&self) -> usize {
        TAIL_BYTES
            + match Shape::of(&self.source) {
                Some(Shape::V4) => 4,
                Some(Shape::Customer) => CUSTOMER_BYTES,
                Some(Shape::V6) | None => 16,
            }
    }
}

/// The touches of a page as others will read them: IPv4 first, ages in whole units.
pub(super) fn composed(mut touches: Vec<Touch>, said: WallTime) -> Vec<Touch> {
    touches.sort_by_key(|touch| Shape::of(&touch.source));
    for touch in &mut touches {
        touch.at = said.minus(AGE_UNIT * u32::from(age(touch.at, said)));
    }
    touches
}

fn age(at: WallTime, said: WallTime) -> u16 {
    u16::try_from(said.since(at).as_secs().div_ceil(AGE_UNIT.as_secs())).unwrap_or(u16::MAX)
}

/// In which of three lists a source is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    V4,
    Customer,
    V6,
}

impl Shape {
    fn of(source: &Subject) -> Option<Self> {
        match source.net() {
            IpNet::V4(_) if source.is_host() => Some(Self::V4),
            IpNet::V6(net) if net.prefix_len() == PREFIX_V6_CUSTOMER => Some(Self::Customer),
            IpNet::V6(_) if source.is_host() => Some(Self::V6),
            IpNet::V4(_) | IpNet::V6(_) => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::Customer => CUSTOMER_BYTES,
            Self::V6 => 16,
        }
    }

    fn source(self, bytes: &[u8]) -> Option<Subject> {
        let (subject, shape) = match self {
            Self::V4 => (Subject::host(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)), Self::V4),
            Self::V6 => (Subject::host(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)), Self::V6),
            Self::Customer => {
                let high = u64::from_be_bytes(<[u8; 8]>::try_from(bytes).ok()?);
                let net = Ipv6Net::new((u128::from(high) << 64).into(), PREFIX_V6_CUSTOMER).ok()?;
                (Subject::new(IpNet::V6(net)), Self::Customer)
            }
        };
        // An IPv4 address that is written as an IPv6 one has one canonical form, and this is not it.
        (Self::of(&subject) == Some(shape)).then_some(subject)
    }
}

/// The touches of a page on the wire: three lists of entries of equal length.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Lists<'a> {
    v4: &'a [u8],
    customers: &'a [u8],
    v6: &'a [u8],
}

/// The three lists, packed.
#[derive(Default)]
pub(super) struct Packed([Vec<u8>; 3]);

impl Packed {
    /// Packs touches as seen from when the page was said. A source of another shape cannot be written.
    pub(super) fn pack(touches: &[Touch], said: WallTime) -> Result<Self, RecordError> {
        let mut packed = Self::default();
        for touch in touches {
            let shape = Shape::of(&touch.source).ok_or(RecordError::Malformed)?;
            let list = &mut packed.0[shape as usize];
            match touch.source.addr() {
                IpAddr::V4(addr) => list.extend_from_slice(&addr.octets()),
                IpAddr::V6(addr) => list.extend(addr.octets().iter().take(shape.bytes())),
            }
            list.extend_from_slice(&touch.port.to_be_bytes());
            list.extend_from_slice(&age(touch.at, said).to_be_bytes());
        }
        Ok(packed)
    }

    pub(super) fn lists(&self) -> Lists<'_> {
        let [v4, customers, v6] = &self.0;
        Lists { v4, customers, v6 }
    }
}

impl Lists<'_> {
    /// The touches, IPv4 first. `None`: a list is cut short, or an entry is not in its canonical form. Bounded by the bytes.
    pub(super) fn read(&self, said: WallTime) -> Option<Vec<Touch>> {
        let lists = [(Shape::V4, self.v4), (Shape::Customer, self.customers), (Shape::V6, self.v6)];
        let mut touches = Vec::new();
        for (shape, list) in lists {
            let entries = list.chunks_exact(shape.bytes() + TAIL_BYTES);
            if !entries.remainder().is_empty() {
                return None;
            }
            for entry in entries {
                let (source, tail) = entry.split_at_checked(shape.bytes())?;
                let (port, age) = tail.split_at_checked(2)?;
                let (port, age) = (u16::from_be_bytes(port.try_into().ok()?), u16::from_be_bytes(age.try_into().ok()?));
                let at = said.minus(AGE_UNIT * u32::from(age));
                touches.push(Touch { source: shape.source(source)?, port, at });
            }
        }
        Some(touches)
    }
}

#[cfg(test)]
mod tests;
