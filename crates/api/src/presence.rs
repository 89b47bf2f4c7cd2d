//! From where operators speak over HTTPS: whoever has shown the token is not to be banned while he works.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Addresses that are known at once; for a further one, whoever was not heard for longest is forgotten.
const ADDRESSES_MAX: usize = 64;
/// For how long an operator is there who says nothing more: as long as somebody reads what he asked for.
const STAYS: Duration = Duration::from_secs(15 * 60);

/// The addresses of operators who were heard at the HTTPS door: of those with the right token, within the last 15 minutes, at most 64,
/// none of them loopback. Shared between the door, which notes them, and whoever protects them.
#[derive(Debug, Default)]
pub struct Presence(Mutex<BTreeMap<IpAddr, Instant>>);

impl Presence {
    /// One has shown the token.
    pub(crate) fn note(&self, source: IpAddr, now: Instant) {
        if source.is_loopback() || source.is_unspecified() {
            return;
        }
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= ADDRESSES_MAX
            && !heard.contains_key(&source)
            && let Some(oldest) = heard.iter().min_by_key(|(_, at)| **at).map(|(addr, _)| *addr)
        {
            heard.remove(&oldest);
        }
        heard.insert(source, now);
    }

    /// Those who are there, sorted. Whoever is not any more is forgotten.
    #[must_use]
    pub fn addresses(&self, now: Instant) -> Vec<IpAddr> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, at| now.saturating_duration_since(*at) < STAYS);
        heard.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn operators_are_there_for_a_while_and_the_oldest_give_way() {
        let (presence, start) = (Presence::default(), Instant::now());
        let address = |number: u8| IpAddr::V4(Ipv4Addr::new(198, 51, 100, number));
        let at = |second| start + Duration::from_secs(second);
        presence.note("127.0.0.1".parse().unwrap(), start);
        presence.note("::".parse().unwrap(), start);
        assert!(presence.addresses(start).is_empty());
        presence.note(address(1), start);
        presence.note(address(2), at(1));
        presence.note(address(1), at(2));
        assert_eq!(presence.addresses(at(STAYS.as_secs())), [address(1), address(2)]);
        assert_eq!(presence.addresses(at(STAYS.as_secs() + 1)), [address(1)]);
        for number in 0..=200 {
            presence.note(address(number), at(2_000 + u64::from(number)));
        }
        let last: Vec<IpAddr> = (137..=200).map(address).collect();
        assert_eq!((last.len(), presence.addresses(at(2_201))), (ADDRESSES_MAX, last));
    }
}
