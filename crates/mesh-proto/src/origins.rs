//! What each origin may have pushed to this node in a second.

use crate::{Limits, bucket::Bucket};
use alloc::collections::BTreeMap;
use honeymesh_types::{MonoTime, NodeId};

/// The most origins whose budgets are remembered. At the bound those whose budget is whole again are forgotten, which
/// changes nothing; if there are none, newcomers are refused until there are.
const ORIGINS_MAX: usize = 4_096;

/// The budgets of all origins.
pub(crate) struct Origins {
    buckets: BTreeMap<NodeId, Bucket>,
    rate: u32,
    burst: u32,
}

impl Origins {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self { buckets: BTreeMap::new(), rate: limits.origin_rate, burst: limits.origin_burst }
    }

    /// May this origin have one more record looked at?
    pub(crate) fn allow(&mut self, origin: NodeId, now: MonoTime) -> bool {
        let (rate, burst) = (self.rate, self.burst);
        if !self.buckets.contains_key(&origin) && self.buckets.len() >= ORIGINS_MAX {
            self.buckets.retain(|_, bucket| !bucket.is_full(rate, burst, now));
            if self.buckets.len() >= ORIGINS_MAX {
                return false;
            }
        }
        self.buckets.entry(origin).or_insert_with(|| Bucket::full(burst, now)).take(rate, burst, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(n: usize) -> NodeId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(n as u64).to_be_bytes());
        NodeId(id)
    }

    #[test]
    fn one_loud_origin_does_not_silence_another() {
        let mut origins = Origins::new(&Limits { origin_rate: 1, origin_burst: 2, ..Limits::default() });
        let allowed: usize = (0..10).filter(|_| origins.allow(origin(1), MonoTime(0))).count();
        assert_eq!(allowed, 2);
        assert!(origins.allow(origin(2), MonoTime(0)));
    }

    #[test]
    fn too_many_origins_are_refused_until_budgets_are_whole_again() {
        let mut origins = Origins::new(&Limits { origin_rate: 1, origin_burst: 2, ..Limits::default() });
        assert!((0..ORIGINS_MAX).all(|n| origins.allow(origin(n), MonoTime(0))));
        assert!(!origins.allow(origin(ORIGINS_MAX), MonoTime(0)));
        assert!(origins.allow(origin(ORIGINS_MAX), MonoTime::from_millis(1_000)));
        assert_eq!(origins.buckets.len(), 1);
    }
}
