//! Wrong tokens, counted per source: who guesses too often is not listened to for a while.

use crate::source::SourceKey;
use lru::LruCache;
use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong tokens in a row before a source must wait.
const TRIES: u32 = 10;
/// Every so often a source gets one try back.
const TRY_BACK: Duration = Duration::from_secs(6);
/// Sources remembered at the same time; the one that has not tried for longest is forgotten first.
const SOURCES_MAX: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// A token bucket per source. A source out of tries is refused before its token is looked at, a right one too: else
/// the limit would not slow a guesser. The control socket is not limited, so nobody can lock the operator out.
#[derive(Debug)]
pub(crate) struct Attempts(Mutex<LruCache<SourceKey, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tries: u32,
    since: Instant,
}

impl Default for Attempts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(SOURCES_MAX)))
    }
}

impl Attempts {
    /// How long this source must wait before it is listened to again; `None`: it may try.
    pub(crate) fn wait(&self, source: IpAddr, now: Instant) -> Option<Duration> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = sources.get_mut(&SourceKey::of(source))?;
        bucket.refill(now);
        (bucket.tries == 0).then(|| TRY_BACK.saturating_sub(now.saturating_duration_since(bucket.since)))
    }

    /// This source has presented a wrong token.
    pub(crate) fn failed(&self, source: IpAddr, now: Instant) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = sources.get_or_insert_mut(SourceKey::of(source), || Bucket { tries: TRIES, since: now });
        bucket.refill(now);
        bucket.tries = bucket.tries.saturating_sub(1);
    }
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        while self.tries < TRIES && now.saturating_duration_since(self.since) >= TRY_BACK {
            self.tries += 1;
            self.since += TRY_BACK;
        }
        if self.tries == TRIES {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guesser_waits_and_others_do_not() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let (guesser, neighbour, other): (IpAddr, IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..TRIES {
            assert_eq!(attempts.wait(guesser, start), None);
            attempts.failed(guesser, start);
        }
        assert_eq!(attempts.wait(guesser, start), Some(TRY_BACK));
        assert!(attempts.wait(neighbour, start).is_some(), "a /64 is one source");
        assert_eq!(attempts.wait(other, start), None);
        assert_eq!(attempts.wait(guesser, start + TRY_BACK), None, "one try back");
        attempts.failed(guesser, start + TRY_BACK);
        assert!(attempts.wait(guesser, start + TRY_BACK).is_some());
        assert_eq!(attempts.wait(guesser, start + TRY_BACK * 1_000), None);
    }

    #[test]
    fn the_number_of_sources_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..10_000u32 {
            attempts.failed(IpAddr::V4(number.into()), Instant::now());
        }
        assert_eq!(attempts.0.lock().unwrap().len(), SOURCES_MAX.get());
    }
}
