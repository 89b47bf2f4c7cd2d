//! Joining: one datagram each way on the mesh's own port, sealed under the hash of a token's secret.
//!
//! `0x81 | cluster tag(8) | token id(8) | nonce(12) | AES-256-GCM(body) | tag(16)`; all before the body is authenticated with
//! it. Each way has a key of its own. The first byte is no version of a mesh datagram. A request is signed with the identity
//! of who joins, so that nobody is given a certificate for another's key.

use super::token::{JoinToken, TokenSeal};
use crate::{Key, KeyRing, cluster::ClusterTag};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use alloc::vec::Vec;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use honeymesh_types::{NodeId, NodeName, WallTime};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How a datagram begins that is about joining.
pub(crate) const JOIN_VERSION: u8 = 0x81;
/// Bytes in front of the body.
const HEAD_BYTES: usize = 29;
const SEAL_BYTES: usize = 16;
const DOMAIN: &[u8] = b"honeymesh join request v1\0";

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Request,
    Reply,
}

impl Way {
    fn key(self, seal: &TokenSeal) -> Zeroizing<[u8; 32]> {
        let context = match self {
            Self::Request => "honeymesh 2026 join request key v1",
            Self::Reply => "honeymesh 2026 join reply key v1",
        };
        Zeroizing::new(blake3::derive_key(context, &seal.0))
    }
}

/// What a new machine asks.
#[derive(Serialize, Deserialize)]
pub(crate) struct Request<'a> {
    /// The token's secret itself: its hash, which seals, is in the issuer's store.
    pub(crate) secret: [u8; 32],
    pub(crate) node: [u8; 32],
    pub(crate) name: &'a str,
    pub(crate) clock_ms: u64,
    #[serde(borrow)]
    pub(crate) signature: &'a [u8],
}

/// What it is told.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply<'a> {
    Granted {
        clock_ms: u64,
        #[serde(borrow)]
        keys: Vec<&'a [u8]>,
        authority: Option<[u8; 32]>,
        #[serde(borrow)]
        certificate: &'a [u8],
    },
    Denied {
        clock_ms: u64,
        why: u8,
    },
}

/// Why a join was refused, in the issuer's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefused {
    /// Too late.
    #[error("the join token has expired; make a new one with `honeymesh join-token new` on the node that made it")]
    Expired,
    /// Another node was faster.
    #[error(
        "the join token was used by another node already; make a new one, and if that was not you: `honeymesh peers` shows who"
    )]
    Used,
    /// The clocks differ by more than 90 seconds.
    #[error("this machine's clock and the other node's differ by more than 90 seconds; set the clock (NTP) and try again")]
    Clock,
    /// The issuer may not admit any more.
    #[error(
        "the node that made the token cannot sign a certificate: it does not hold the authority's secret, the node is revoked, or the register is full"
    )]
    Authority,
}

impl JoinRefused {
    const ALL: [Self; 4] = [Self::Expired, Self::Used, Self::Clock, Self::Authority];

    pub(crate) fn code(self) -> u8 {
        Self::ALL.iter().position(|one| *one == self).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    fn of(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// What a new machine has been given.
pub struct Granted {
    /// The cluster's keys, the one that seals first.
    pub keys: KeyRing,
    /// The cluster's authority, if it has one.
    pub authority: Option<NodeId>,
    /// The certificate of the new node; empty without an authority.
    pub certificate: Vec<u8>,
}

/// The new machine's side of a join: what it sends, and what it makes of what comes.
pub struct Joining {
    seal: TokenSeal,
    cluster: ClusterTag,
    request: Vec<u8>,
}

impl Joining {
    /// A join with this token, of a node with this identity. `nonce` are 12 random bytes. The same datagram is sent again
    /// until an answer comes.
    #[must_use]
    pub fn new(token: &JoinToken, identity: &[u8; 32], name: &NodeName, nonce: [u8; 12], now: WallTime) -> Option<Self> {
        let (seal, cluster) = (token.seal(), ClusterTag::of(&token.cluster));
        let key = SigningKey::from_bytes(identity);
        let node = key.verifying_key().to_bytes();
        let signature = key.sign(&signed(&seal, &node, name.as_str(), now.as_millis())).to_bytes();
        let (secret, clock_ms) = (*token.secret(), now.as_millis());
        let body = Request { secret, node, name: name.as_str(), clock_ms, signature: &signature };
        let request = seal_up(Way::Request, &seal, cluster, nonce, &body)?;
        Some(Self { seal, cluster, request })
    }

    /// The datagram to send.
    #[must_use]
    pub fn datagram(&self) -> &[u8] {
        &self.request
    }

    /// Reads an answer; `None`: it is none, and the wait goes on.
    #[must_use]
    pub fn answer(&self, datagram: &[u8]) -> Option<Result<Granted, JoinRefused>> {
        let body = Zeroizing::new(open(Way::Reply, &self.seal, self.cluster, datagram)?);
        let (reply, _extension) = postcard::take_from_bytes::<Reply<'_>>(&body).ok()?;
        match reply {
            Reply::Denied { why, .. } => JoinRefused::of(why).map(Err),
            Reply::Granted { keys, authority, certificate, .. } => {
                let mut keys = keys.into_iter().map(|key| <[u8; 32]>::try_from(key).map(Key::from_bytes));
                let mut ring = KeyRing::new(keys.next()?.ok()?);
                for key in keys {
                    ring.add(key.ok()?).ok()?;
                }
                Some(Ok(Granted { keys: ring, authority: authority.map(NodeId), certificate: certificate.into() }))
            }
        }
    }
}

/// What a request's signature covers.
fn signed(seal: &TokenSeal, node: &[u8; 32], name: &str, clock_ms: u64) -> Vec<u8> {
    [DOMAIN, &seal.id(), node, &clock_ms.to_be_bytes(), name.as_bytes()].concat()
}

/// Has the holder of this identity signed this request?
pub(crate) fn is_signed(seal: &TokenSeal, request: &Request<'_>) -> bool {
    let signature = request.signature.try_into().map(Signature::from_bytes);
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&request.node), signature) else { return false };
    key.verify_strict(&signed(seal, &request.node, request.name, request.clock_ms), &signature).is_ok()
}

/// The cluster and token that a datagram about joining names; `None`: it is about something else.
pub(crate) fn names(datagram: &[u8]) -> Option<([u8; 8], [u8; 8])> {
    let rest = datagram.strip_prefix(&[JOIN_VERSION])?;
    let (cluster, rest) = rest.split_first_chunk::<8>()?;
    Some((*cluster, *rest.first_chunk::<8>()?))
}

pub(crate) fn seal_up(
    way: Way,
    seal: &TokenSeal,
    cluster: ClusterTag,
    nonce: [u8; 12],
    body: &impl Serialize,
) -> Option<Vec<u8>> {
    let head = [&[JOIN_VERSION][..], &cluster.0, &seal.id(), &nonce].concat();
    let mut datagram = postcard::to_extend(body, head).ok()?;
    let cipher = Aes256Gcm::new((&*way.key(seal)).into());
    let (head, body) = datagram.split_at_mut_checked(HEAD_BYTES)?;
    let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), head, body.into()).ok()?;
    datagram.extend_from_slice(&tag);
    (datagram.len() <= crate::limits::DATAGRAM_BYTES_MAX).then_some(datagram)
}

pub(crate) fn open(way: Way, seal: &TokenSeal, cluster: ClusterTag, datagram: &[u8]) -> Option<Vec<u8>> {
    if datagram.len() > crate::limits::DATAGRAM_BYTES_MAX || names(datagram)? != (cluster.0, seal.id()) {
        return None;
    }
    let (head, sealed) = datagram.split_at_checked(HEAD_BYTES)?;
    let nonce: [u8; 12] = *head.last_chunk()?;
    let (secret, tag) = sealed.split_last_chunk::<SEAL_BYTES>()?;
    let mut body = secret.to_vec();
    let cipher = Aes256Gcm::new((&*way.key(seal)).into());
    cipher.decrypt_inout_detached(&Nonce::from(nonce), head, body.as_mut_slice().into(), &Tag::from(*tag)).ok()?;
    Some(body)
}
