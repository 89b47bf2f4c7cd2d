//! Which ports a source probed of late, to name them when it turns out to scan. Only for reports: the kernel counts by itself.

use honeymesh_types::{MonoTime, Subject};
use honeymesh_xdp_abi::PORTS_MAX;
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

/// Sources that are remembered; then the one that came first is forgotten, and a scan of it names fewer ports.
const SOURCES_MAX: usize = 4_096;

/// Ports of sources.
#[derive(Debug)]
pub(super) struct Recent {
    window: Duration,
    ports: BTreeMap<Subject, Vec<(u16, MonoTime)>>,
    order: VecDeque<Subject>,
}

impl Recent {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, ports: BTreeMap::new(), order: VecDeque::new() }
    }

    /// One more port.
    pub(super) fn note(&mut self, source: IpAddr, port: u16, at: MonoTime) {
        let source = Subject::of_source(source, &[]);
        if !self.ports.contains_key(&source) {
            self.make_room();
            self.order.push_back(source);
        }
        let ports = self.ports.entry(source).or_default();
        ports.retain(|(known, seen)| *known != port && at.since(*seen) < self.window);
        if ports.len() == PORTS_MAX {
            ports.remove(0);
        }
        ports.push((port, at));
    }

    fn make_room(&mut self) {
        while self.order.len() >= SOURCES_MAX {
            let Some(first) = self.order.pop_front() else { return };
            self.ports.remove(&first);
        }
    }

    /// The ports within the window and this one, the one probed longest ago first. The source begins anew.
    pub(super) fn take(&mut self, source: IpAddr, port: u16, at: MonoTime) -> Vec<u16> {
        self.note(source, port, at);
        let source = Subject::of_source(source, &[]);
        self.order.retain(|known| *known != source);
        self.ports.remove(&source).unwrap_or_default().into_iter().map(|(port, _)| port).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> MonoTime {
        MonoTime::from_millis(count * 1_000)
    }

    #[test]
    fn ports_within_the_window_are_named_once_each_in_their_order() {
        let mut recent = Recent::new(Duration::from_secs(60));
        let source = |last: u8| IpAddr::from([203, 0, 113, last]);
        for (at, port) in [(0, 1), (30, 22), (40, 23), (50, 22)] {
            recent.note(source(7), port, seconds(at));
        }
        recent.note(source(8), 99, seconds(50));
        assert_eq!(recent.take(source(7), 80, seconds(61)), [23, 22, 80]);
        assert_eq!(recent.take(source(7), 81, seconds(62)), [81]);
        assert_eq!(recent.take(source(8), 100, seconds(62)), [99, 100]);
        assert!(recent.ports.is_empty() && recent.order.is_empty());
    }

    #[test]
    fn neither_many_ports_nor_many_sources_grow_it() {
        let mut recent = Recent::new(Duration::from_secs(60));
        for number in 0..3 * u32::try_from(SOURCES_MAX).unwrap() {
            recent.note(IpAddr::from(number.to_be_bytes()), 22, seconds(1));
        }
        assert_eq!((recent.ports.len(), recent.order.len()), (SOURCES_MAX, SOURCES_MAX));
        let last = IpAddr::from((3 * u32::try_from(SOURCES_MAX).unwrap() - 1).to_be_bytes());
        for port in 100..200 {
            recent.note(last, port, seconds(2));
        }
        let told = recent.take(last, 7, seconds(3));
        assert_eq!((told.len(), told.last()), (PORTS_MAX, Some(&7)));
    }
}
