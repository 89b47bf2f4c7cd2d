//! The key exchange (RFC 4253, section 8; RFC 5656, RFC 8731 and the hybrids with ML-KEM and NTRU Prime): the server's answer, the
//! hash that is signed, and the keys that come of it.

use super::{
    cipher::{Keys, Suite},
    curves::Curves,
    dice::Dice,
    sntrup761,
    wire::{put_mpint, put_string},
};
use alloc::vec::Vec;
use ml_kem::ml_kem_768::EncapsulationKey;
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey,
    sec1::{FromSec1Point, ModulusSize, ToSec1Point},
};
use sha2::{Digest, Sha256, Sha384, Sha512};

const MLKEM_KEY_BYTES: usize = 1_184;
/// Random numbers until one is a key; nearly all are.
const SCALAR_TRIES_MAX: usize = 64;

/// How a secret comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    MlKem768X25519,
    Sntrup761X25519,
    X25519,
    P256,
    P384,
    P521,
}

/// A secret, and what tells it the stranger.
pub(super) struct Shared {
    /// Our half, as it is sent.
    pub(super) public: Vec<u8>,
    /// The secret, encoded as it is hashed.
    secret: Vec<u8>,
}

impl Method {
    /// By its name in the offer.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"mlkem768x25519-sha256" => Self::MlKem768X25519,
            b"sntrup761x25519-sha512" | b"sntrup761x25519-sha512@openssh.com" => Self::Sntrup761X25519,
            b"curve25519-sha256" | b"curve25519-sha256@libssh.org" => Self::X25519,
            b"ecdh-sha2-nistp256" => Self::P256,
            b"ecdh-sha2-nistp384" => Self::P384,
            b"ecdh-sha2-nistp521" => Self::P521,
            _ => return None,
        })
    }

    /// Answers the stranger's half; `None` if it is none.
    pub(super) fn answer(self, theirs: &[u8], dice: &mut Dice, curves: &Curves) -> Option<Shared> {
        match self {
            Self::MlKem768X25519 => {
                let (kem, curve) = theirs.split_first_chunk::<MLKEM_KEY_BYTES>()?;
                let key = EncapsulationKey::new(&(*kem).into()).ok()?;
                let (ciphertext, first) = key.encapsulate_deterministic(&dice.bytes().into());
                let (public, second) = curves.x25519(curve, dice)?;
                Some(hybrid::<Sha256>(&ciphertext, &first, &public, &second))
            }
            Self::Sntrup761X25519 => {
                let (kem, curve) = theirs.split_first_chunk::<{ sntrup761::PUBLIC_KEY_BYTES }>()?;
                let (ciphertext, first) = sntrup761::encapsulate(kem, &dice.bytes())?;
                let (public, second) = curves.x25519(curve, dice)?;
                Some(hybrid::<Sha512>(&ciphertext, &first, &public, &second))
            }
            Self::X25519 => {
                let (public, secret) = curves.x25519(theirs, dice)?;
                Some(number(public.to_vec(), &secret))
            }
            Self::P256 => nist::<p256::NistP256>(theirs, dice),
            Self::P384 => nist::<p384::NistP384>(theirs, dice),
            Self::P521 => nist::<p521::NistP521>(theirs, dice),
        }
    }

    /// The method's hash over some parts, one behind the other.
    fn hash(self, parts: &[&[u8]]) -> Vec<u8> {
        fn with<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut digest = D::new();
            parts.iter().for_each(|part| digest.update(part));
            digest.finalize().to_vec()
        }
        match self {
            Self::MlKem768X25519 | Self::X25519 | Self::P256 => with::<Sha256>(parts),
            Self::P384 => with::<Sha384>(parts),
            Self::Sntrup761X25519 | Self::P521 => with::<Sha512>(parts),
        }
    }

    /// The hash that is signed: over identifications, offers, host key, both halves and the secret.
    pub(super) fn exchange_hash(self, strings: [&[u8]; 7], shared: &Shared) -> Vec<u8> {
        let mut hashed = Vec::new();
        strings.iter().for_each(|string| put_string(&mut hashed, string));
        self.hash(&[&hashed, &shared.secret])
    }

    /// The keys of a direction, which has its letters: for its IV, its key and its MAC's key.
    pub(super) fn keys(self, suite: Suite, shared: &Shared, hash: &[u8], session: &[u8], letters: [u8; 3]) -> Option<Keys> {
        let mac_bytes = suite.mac.map_or(0, super::mac::MacKind::key_bytes);
        let wanted = [suite.cipher.iv_bytes(), suite.cipher.key_bytes(), mac_bytes];
        let [iv, key, mac] = [0, 1, 2].map(|at: usize| {
            let mut bytes = self.hash(&[&shared.secret, hash, &letters[at..=at], session]);
            while bytes.len() < wanted[at] {
                let more = self.hash(&[&shared.secret, hash, &bytes]);
                bytes.extend_from_slice(&more);
            }
            bytes.truncate(wanted[at]);
            bytes
        });
        Keys::new(suite, &key, &iv, &mac)
    }
}

/// A secret that is hashed as a number.
pub(super) fn number(public: Vec<u8>, secret: &[u8]) -> Shared {
    let mut encoded = Vec::new();
    put_mpint(&mut encoded, secret);
    Shared { public, secret: encoded }
}

/// Two secrets that are hashed into one string.
pub(super) fn hybrid<D: Digest>(ciphertext: &[u8], first: &[u8], public: &[u8], second: &[u8]) -> Shared {
    let mut secret = Vec::new();
    put_string(&mut secret, &D::new().chain_update(first).chain_update(second).finalize());
    Shared { public: [ciphertext, public].concat(), secret }
}

fn nist<C>(theirs: &[u8], dice: &mut Dice) -> Option<Shared>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    // Only whole points, as OpenSSH: 4, then both coordinates.
    let theirs = if theirs.first() == Some(&4) { PublicKey::<C>::from_sec1_bytes(theirs).ok()? } else { return None };
    let ours = (0..SCALAR_TRIES_MAX).find_map(|_| {
        let mut bytes = p256::elliptic_curve::FieldBytes::<C>::default();
        dice.fill(&mut bytes);
        // The order of P-521 has 521 bits: of the first byte only one.
        if bytes.len() == 66 {
            bytes[0] &= 1;
        }
        SecretKey::<C>::from_bytes(&bytes).ok()
    })?;
    let secret = ours.diffie_hellman(&theirs);
    Some(number(ours.public_key().to_sec1_point(false).as_bytes().to_vec(), secret.raw_secret_bytes()))
}
