//! On which rung a start would stand: the daemon's own condition (`daemon/ladder.rs`), from the kernel's version and what was tried.

use super::works;
use crate::config::Attach;
use honeymesh_xdp::doctor::{Feature, Tried};

/// The oldest kernel that the program starts on.
pub const FLOOR: (u32, u32) = (5, 18);
/// What the program is made of: without one of them there is no XDP for us.
const XDP: [Feature; 7] = [
    Feature::Maps,
    Feature::SharedMaps,
    Feature::RingBuffer,
    Feature::Xdp,
    Feature::LargePackets,
    Feature::Program,
    Feature::Generic,
];

/// What there is to stand on. `None`: this process may not find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    pub wanted: Attach,
    pub has_xdp: Option<bool>,
    pub has_nftables: Option<bool>,
}

impl Ladder {
    pub fn new(wanted: Attach, tried: &[(Feature, Tried)], version: Option<(u32, u32)>) -> Self {
        let all: Option<Vec<bool>> = XDP.into_iter().map(|feature| works(tried, feature)).collect();
        let is_one_missing = XDP.into_iter().any(|feature| works(tried, feature) == Some(false));
        let has_xdp = match version {
            Some(version) if version < FLOOR => Some(false),
            _ if is_one_missing => Some(false),
            _ => all.map(|_| true),
        };
        Self { wanted, has_xdp, has_nftables: works(tried, Feature::Nftables) }
    }

    /// A start drops by nftables: because that is wanted, or because there is nothing better and it is left to the machine.
    pub fn rests_on_nftables(self) -> bool {
        match self.wanted {
            Attach::Nftables => true,
            Attach::Auto => self.has_xdp == Some(false) && self.has_nftables == Some(true),
            Attach::Native | Attach::Generic => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every wish, with every feature missing in turn, on an old kernel and on a new one.
    #[test]
    fn a_start_stands_on_nftables_exactly_where_the_daemon_would() {
        for wanted in [Attach::Auto, Attach::Native, Attach::Generic, Attach::Nftables] {
            for missing in Feature::ALL.into_iter().map(Some).chain([None]) {
                for version in [Some((5, 10)), Some((6, 18)), None] {
                    let tried = |feature| if Some(feature) == missing { Tried::Fails("no".into()) } else { Tried::Works };
                    let tried: Vec<_> = Feature::ALL.into_iter().map(|feature| (feature, tried(feature))).collect();
                    let ladder = Ladder::new(wanted, &tried, version);
                    let has_xdp = version != Some((5, 10)) && missing.is_none_or(|missing| !XDP.contains(&missing));
                    assert_eq!(ladder.has_xdp, Some(has_xdp), "{missing:?} {version:?}");
                    let is_left_to_it = wanted == Attach::Auto && !has_xdp && missing != Some(Feature::Nftables);
                    assert_eq!(ladder.rests_on_nftables(), wanted == Attach::Nftables || is_left_to_it, "{wanted:?} {missing:?}");
                }
            }
        }
        let denied: Vec<_> = Feature::ALL.into_iter().map(|feature| (feature, Tried::Denied)).collect();
        assert_eq!(Ladder::new(Attach::Auto, &denied, Some((6, 18))).has_xdp, None);
        assert_eq!(Ladder::new(Attach::Auto, &denied, Some((5, 10))).has_xdp, Some(false), "the version is enough to know");
    }
}
