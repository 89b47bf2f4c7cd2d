//! What is sent to a source so that it can bring it back: a keyed hash of the source and the time, so that nothing is kept.

use honeymesh_trap_proto::NONCE_BYTES;
use std::{io, net::SocketAddr, time::Duration};
use tokio::time::Instant;

/// How long one nonce is given out; it is believed as long again, and no longer.
const EPOCH: Duration = Duration::from_secs(64);

/// Makes nonces and knows them again.
pub(super) struct Nonces {
    /// New at each start; never leaves this process.
    key: [u8; 32],
    began: Instant,
}

impl Nonces {
    pub(super) fn new(began: Instant) -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self { key, began })
    }

    /// What a source (address and port) is sent by a trap now.
    pub(super) fn of(&self, source: SocketAddr, trap: usize, now: Instant) -> [u8; NONCE_BYTES] {
        self.at(source, trap, self.epoch(now))
    }

    /// Where it stands in a datagram, if it does: found by its octets alone, whatever stands around it.
    pub(super) fn find(&self, bytes: &[u8], source: SocketAddr, trap: usize, now: Instant) -> Option<usize> {
        if bytes.len() < NONCE_BYTES {
            return None;
        }
        let epoch = self.epoch(now);
        let epochs = [Some(epoch), epoch.checked_sub(1)];
        epochs.into_iter().flatten().find_map(|epoch| memchr::memmem::find(bytes, &self.at(source, trap, epoch)))
    }

    fn epoch(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / EPOCH.as_secs()
    }

    fn at(&self, source: SocketAddr, trap: usize, epoch: u64) -> [u8; NONCE_BYTES] {
        let address = match source.ip() {
            std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            std::net::IpAddr::V6(v6) => v6,
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&address.octets());
        hasher.update(&source.port().to_be_bytes());
        hasher.update(&(trap as u64).to_be_bytes());
        hasher.update(&epoch.to_be_bytes());
        let digits = hasher.finalize().to_hex();
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&digits.as_bytes()[..NONCE_BYTES]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_one_sources_at_one_trap_for_a_short_time() {
        let start = Instant::now();
        let nonces = Nonces::new(start).unwrap();
        let source: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let nonce = nonces.of(source, 0, start);
        assert!(nonce.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
        let said = [&b"nonce=\"1/"[..], &nonce, b"\""].concat();
        assert_eq!(nonces.find(&said, source, 0, start + Duration::from_secs(100)), Some(9));
        assert_eq!(nonces.find(&said, source, 0, start + 2 * EPOCH), None, "too late");
        assert_eq!(nonces.find(&said, source, 1, start), None, "another trap");
        for other in ["192.0.2.2:5060", "192.0.2.1:5061", "[2001:db8::1]:5060"] {
            assert_eq!(nonces.find(&said, other.parse().unwrap(), 0, start), None, "{other}");
        }
        let stranger = Nonces::new(start).unwrap();
        assert_eq!(stranger.find(&said, source, 0, start), None, "another start");
        assert_eq!(nonces.find(&nonce[..31], source, 0, start), None);
    }
}
