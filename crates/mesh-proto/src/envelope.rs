//! The envelope: what a stranger sees of a datagram, and what it takes to open one.
//!
//! `ver(1) | cluster tag(8) | key id(4) | sender(8) | boot salt(8) | counter(8) | receiver(8) | AES-256-GCM(body) | tag(16)`;
//! all before the body is authenticated with it. The receiver is who it is for, or 0 for whoever is there: so nobody can play a
//! datagram to another node, and a relay knows to which of its guests to hand it on. Each sender seals under a key of its own, made of the cluster key, its
//! identity and the salt of its present run, so that a plain counter is a nonce that never repeats.

use crate::{Key, KeyRing, Refused, cluster::ClusterTag, limits::DATAGRAM_BYTES_MAX, peers::ShortId};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use alloc::vec::Vec;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The only version there is.
const VERSION: u8 = 2;
/// Bytes in front of the body.
pub(crate) const HEADER_BYTES: usize = 45;
/// Where the ends are named in it.
const SENDER_AT: usize = 13;
const RECEIVER_AT: usize = 37;
/// Bytes of the seal behind the body.
const SEAL_BYTES: usize = 16;
/// The receiver of what is for whoever is there.
pub(crate) const ANYBODY: ShortId = ShortId(0);
/// What an envelope adds to a body.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + SEAL_BYTES;

/// Which key of a ring sealed a datagram: a hash of the key, so that rings need not agree on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) [u8; 4]);

impl KeyId {
    pub(crate) fn of(key: &Key) -> Self {
        let hash = blake3::derive_key("honeymesh 2026 mesh key id v1", key.bytes());
        let mut id = [0; 4];
        id.copy_from_slice(&hash[..4]);
        Self(id)
    }
}

/// The part of a datagram that is not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) key: KeyId,
    pub(crate) sender: ShortId,
    pub(crate) salt: u64,
    pub(crate) counter: u64,
    /// Whom it is for.
    pub(crate) receiver: ShortId,
}

impl Header {
    /// Reads the header of a datagram of this cluster.
    pub(crate) fn read(datagram: &[u8], cluster: ClusterTag) -> Result<Self, Refused> {
        if datagram.len() <= OVERHEAD_BYTES || datagram.len() > DATAGRAM_BYTES_MAX {
            return Err(Refused::Length);
        }
        let mut rest = datagram;
        let [version] = take::<1>(&mut rest)?;
        if version != VERSION {
            return Err(Refused::Version);
        }
        if take::<8>(&mut rest)? != cluster.0 {
            return Err(Refused::Cluster);
        }
        Ok(Self {
            key: KeyId(take(&mut rest)?),
            sender: ShortId(u64::from_be_bytes(take(&mut rest)?)),
            salt: u64::from_be_bytes(take(&mut rest)?),
            counter: u64::from_be_bytes(take(&mut rest)?),
            receiver: ShortId(u64::from_be_bytes(take(&mut rest)?)),
        })
    }

    fn write(&self, cluster: ClusterTag, datagram: &mut Vec<u8>) {
        datagram.push(VERSION);
        datagram.extend_from_slice(&cluster.0);
        datagram.extend_from_slice(&self.key.0);
        datagram.extend_from_slice(&self.sender.0.to_be_bytes());
        datagram.extend_from_slice(&self.salt.to_be_bytes());
        datagram.extend_from_slice(&self.counter.to_be_bytes());
        datagram.extend_from_slice(&self.receiver.0.to_be_bytes());
    }

    fn nonce(&self) -> Nonce<aes_gcm::aead::consts::U12> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        nonce.into()
    }
}

/// Sender and receiver as a datagram names them; nothing is proven by that. `None`: it is no datagram of the mesh.
pub(crate) fn ends(datagram: &[u8]) -> Option<(ShortId, ShortId)> {
    let is_one = datagram.len() > OVERHEAD_BYTES && datagram.len() <= DATAGRAM_BYTES_MAX && datagram.first() == Some(&VERSION);
    let end = |at: usize| datagram.get(at..)?.first_chunk().map(|id| ShortId(u64::from_be_bytes(*id)));
    is_one.then_some(())?;
    Some((end(SENDER_AT)?, end(RECEIVER_AT)?))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Refused> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Refused::Length)?;
    *rest = tail;
    Ok(*head)
}

/// The key under which one run of one sender seals.
pub(crate) struct SenderKey(Aes256Gcm);

impl SenderKey {
    /// Opens a datagram into `body`. On failure `body` is empty.
    pub(crate) fn open(&self, header: &Header, datagram: &[u8], body: &mut Vec<u8>) -> Result<(), Refused> {
        body.clear();
        let (head, sealed) = datagram.split_at_checked(HEADER_BYTES).ok_or(Refused::Length)?;
        let (secret, seal) = sealed.split_last_chunk::<SEAL_BYTES>().ok_or(Refused::Length)?;
        body.extend_from_slice(secret);
        let opened = self.0.decrypt_inout_detached(&header.nonce(), head, body.as_mut_slice().into(), &Tag::from(*seal));
        opened.map_err(|_| {
            body.clear();
            Refused::Forged
        })
    }

    /// Seals `datagram`, which holds the header and the body in clear.
    fn seal(&self, header: &Header, datagram: &mut Vec<u8>) -> bool {
        let Some((head, body)) = datagram.split_at_mut_checked(HEADER_BYTES) else { return false };
        match self.0.encrypt_inout_detached(&header.nonce(), head, body.into()) {
            Ok(seal) => {
                datagram.extend_from_slice(&seal);
                true
            }
            Err(_) => false,
        }
    }
}

/// A cluster key, ready to make sender keys.
struct Lock {
    id: KeyId,
    root: Hkdf<Sha256>,
}

/// Everything needed to open this cluster's datagrams.
pub(crate) struct Vault {
    pub(crate) cluster: ClusterTag,
    locks: Vec<Lock>,
}

impl Vault {
    pub(crate) fn new(cluster: ClusterTag, ring: &KeyRing) -> Self {
        let locks = ring.keys().iter().map(|key| Lock { id: KeyId::of(key), root: Hkdf::new(None, key.bytes()) });
        Self { cluster, locks: locks.collect() }
    }

    /// Is this key in the ring?
    pub(crate) fn holds(&self, key: KeyId) -> bool {
        self.locks.iter().any(|lock| lock.id == key)
    }

    /// The key under which this header's sender seals, if the ring has what it takes.
    pub(crate) fn sender_key(&self, key: KeyId, sender: ShortId, salt: u64) -> Option<SenderKey> {
        let lock = self.locks.iter().find(|lock| lock.id == key)?;
        let info: [&[u8]; 4] = [b"honeymesh mesh seal v1", &self.cluster.0, &sender.0.to_be_bytes(), &salt.to_be_bytes()];
        let mut okm = Zeroizing::new([0; 32]);
        lock.root.expand_multi_info(&info, okm.as_mut_slice()).ok()?;
        Some(SenderKey(Aes256Gcm::new((&*okm).into())))
    }

    /// The id of the key that seals.
    pub(crate) fn primary(&self) -> Option<KeyId> {
        self.locks.first().map(|lock| lock.id)
    }
}

/// Seals this node's datagrams.
pub(crate) struct Sealer {
    cluster: ClusterTag,
    sender: ShortId,
    salt: u64,
    counter: u64,
    key: Option<(KeyId, SenderKey)>,
}

impl Sealer {
    pub(crate) fn new(vault: &Vault, sender: ShortId, salt: u64) -> Self {
        let mut sealer = Self { cluster: vault.cluster, sender, salt, counter: 0, key: None };
        sealer.rekey(vault);
        sealer
    }

    /// Seals with the ring's first key from now on. The counter runs on: it never repeats under any key.
    pub(crate) fn rekey(&mut self, vault: &Vault) {
        self.key = vault.primary().and_then(|id| Some((id, vault.sender_key(id, self.sender, self.salt)?)));
    }

    /// A sealed datagram for this receiver with what `write` puts into it; `None` if it does not fit, and nothing is sent.
    pub(crate) fn seal(&mut self, receiver: ShortId, write: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let (id, key) = self.key.as_ref()?;
        self.counter += 1;
        let header = Header { key: *id, sender: self.sender, salt: self.salt, counter: self.counter, receiver };
        let mut datagram = Vec::with_capacity(256);
        header.write(self.cluster, &mut datagram);
        let mut datagram = write(datagram)?;
        (datagram.len() + SEAL_BYTES <= DATAGRAM_BYTES_MAX && key.seal(&header, &mut datagram)).then_some(datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn vault(name: &str, fill: u8) -> Vault {
        Vault::new(ClusterTag::of(&name.parse().unwrap()), &KeyRing::new(Key::from_bytes([fill; 32])))
    }

    fn sealed(vault: &Vault, text: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(vault, ShortId(7), 9);
        sealer
            .seal(ShortId(5), |mut datagram| {
                datagram.extend_from_slice(text);
                Some(datagram)
            })
            .unwrap()
    }

    fn open(vault: &Vault, datagram: &[u8]) -> Result<Vec<u8>, Refused> {
        let header = Header::read(datagram, vault.cluster)?;
        let key = vault.sender_key(header.key, header.sender, header.salt).ok_or(Refused::Key)?;
        let mut body = vec![1, 2, 3];
        key.open(&header, datagram, &mut body).inspect_err(|_| assert!(body.is_empty()))?;
        Ok(body)
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let ours = vault("alpha", 1);
        let datagram = sealed(&ours, b"hello");
        assert_eq!(datagram.len(), OVERHEAD_BYTES + 5);
        assert_eq!(open(&ours, &datagram).unwrap(), b"hello");
        assert_eq!(open(&vault("alpha", 2), &datagram), Err(Refused::Key));
        assert_eq!(open(&vault("beta", 1), &datagram), Err(Refused::Cluster));
    }

    #[test]
    fn a_flipped_bit_anywhere_and_every_truncation_are_refused() {
        let ours = vault("alpha", 1);
        let datagram = sealed(&ours, b"hello");
        for bit in 0..datagram.len() * 8 {
            let mut bent = datagram.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&ours, &bent).is_err(), "bit {bit}");
        }
        for len in 0..datagram.len() {
            assert!(open(&ours, &datagram[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn the_longest_datagram_is_the_limit() {
        let ours = vault("alpha", 1);
        let most = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES;
        assert_eq!(sealed(&ours, &vec![0; most]).len(), DATAGRAM_BYTES_MAX);
        let mut sealer = Sealer::new(&ours, ShortId(7), 9);
        let too_long = sealer.seal(ANYBODY, |mut datagram| {
            datagram.resize(datagram.len() + most + 1, 0);
            Some(datagram)
        });
        assert_eq!(too_long, None);
        assert_eq!(Header::read(&vec![VERSION; DATAGRAM_BYTES_MAX + 1], ours.cluster), Err(Refused::Length));
    }

    #[test]
    fn no_two_datagrams_share_a_nonce_and_runs_share_no_key() {
        let ours = vault("alpha", 1);
        let mut sealer = Sealer::new(&ours, ShortId(7), 9);
        let first = sealer.seal(ANYBODY, Some).map(|d| Header::read(&[d, vec![0]].concat(), ours.cluster).unwrap());
        let second = sealer.seal(ANYBODY, Some).map(|d| Header::read(&[d, vec![0]].concat(), ours.cluster).unwrap());
        assert_eq!((first.unwrap().counter, second.unwrap().counter), (1, 2));
        let one_run = sealed(&ours, b"hello");
        let mut other = Sealer::new(&ours, ShortId(7), 10);
        let other_run = other.seal(ShortId(5), |mut d| {
            d.extend_from_slice(b"hello");
            Some(d)
        });
        assert_ne!(one_run[HEADER_BYTES..], other_run.unwrap()[HEADER_BYTES..]);
    }

    #[test]
    fn the_wire_format_is_fixed() {
        let datagram = sealed(&vault("alpha", 1), b"hello");
        let hash = blake3::hash(&datagram).to_hex();
        assert_eq!(&hash[..16], "174c11569fa4a8be", "the envelope's bytes changed: nodes of the last release cannot read this");
    }
}
