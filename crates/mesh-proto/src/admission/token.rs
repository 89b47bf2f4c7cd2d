//! Join tokens: what an operator carries to a new machine, and what the node that made it remembers of it.
//!
//! `hmj1.` and hexadecimal digits of: length and cluster name, length and address, a secret of 32 bytes, and four bytes that
//! tell a typing error. The issuer keeps a hash of the secret, which seals both ways; whoever steals that hash still cannot
//! join, because the secret itself is shown inside the seal.

use crate::cluster::ClusterTag;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::SocketAddr};
use honeymesh_types::{ClusterName, NodeId, NodeName, WallTime};
use zeroize::{Zeroize, Zeroizing};

/// Tokens that one node remembers in one cluster, used and over ones included. At the bound one that is over gives way, the
/// oldest first; if there is none, a new token is refused.
pub const TOKENS_MAX: usize = 64;
/// The longest time for which a token may be good, in seconds.
pub const TOKEN_LIFE_MAX_SECS: u64 = 7 * 24 * 60 * 60;
/// How every token begins.
const HEAD: &str = "hmj1.";

/// A join token. Its secret is wiped from memory when it is dropped, and never printed but by [`JoinToken::to_text`].
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The cluster to join.
    pub cluster: ClusterName,
    /// Where to knock.
    pub addr: SocketAddr,
    secret: Zeroizing<[u8; 32]>,
}

/// Why a text is no token. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin as one does.
    #[error("a join token begins with `hmj1.`; paste the whole line that `honeymesh join-token new` printed")]
    Head,
    /// Some of it is missing or wrong.
    #[error("the join token is damaged or cut off; paste the whole line that `honeymesh join-token new` printed")]
    Damaged,
}

impl JoinToken {
    /// A token with 32 random bytes that nobody else knows.
    #[must_use]
    pub fn new(cluster: ClusterName, addr: SocketAddr, secret: [u8; 32]) -> Self {
        Self { cluster, addr, secret: Zeroizing::new(secret) }
    }

    /// A token from its text.
    ///
    /// # Errors
    /// Anything else; the error does not repeat what was given.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let digits = text.trim().strip_prefix(HEAD).ok_or(TokenError::Head)?;
        let bytes = Zeroizing::new(unhex(digits).ok_or(TokenError::Damaged)?);
        let (bytes, sum) = bytes.split_last_chunk::<4>().ok_or(TokenError::Damaged)?;
        if checksum(bytes) != *sum {
            return Err(TokenError::Damaged);
        }
        let mut rest = bytes;
        let cluster = word(&mut rest)?.parse().map_err(|_| TokenError::Damaged)?;
        let addr = word(&mut rest)?.parse().map_err(|_| TokenError::Damaged)?;
        let secret = Zeroizing::new(rest.try_into().map_err(|_| TokenError::Damaged)?);
        Ok(Self { cluster, addr, secret })
    }

    /// The text form: the only place where the secret is shown.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        for word in [self.cluster.as_str(), &self.addr.to_string()] {
            bytes.push(u8::try_from(word.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(word.as_bytes());
        }
        bytes.extend_from_slice(&*self.secret);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Zeroizing::new(format!("{HEAD}{}", hex(&bytes)))
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub(crate) fn seal(&self) -> TokenSeal {
        TokenSeal::of(&self.secret, ClusterTag::of(&self.cluster))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("cluster", &self.cluster).field("addr", &self.addr).finish_non_exhaustive()
    }
}

fn word<'a>(rest: &mut &'a [u8]) -> Result<&'a str, TokenError> {
    let (len, tail) = rest.split_first().ok_or(TokenError::Damaged)?;
    let (word, tail) = tail.split_at_checked(usize::from(*len)).ok_or(TokenError::Damaged)?;
    *rest = tail;
    core::str::from_utf8(word).map_err(|_| TokenError::Damaged)
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    blake3::hash(bytes).as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The hash of a token's secret: what the issuer keeps, and what both sides seal with.
#[derive(Clone, PartialEq, Eq, Zeroize, zeroize::ZeroizeOnDrop)]
pub(crate) struct TokenSeal(pub(crate) [u8; 32]);

impl TokenSeal {
    pub(crate) fn of(secret: &[u8; 32], cluster: ClusterTag) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("honeymesh 2026 join token seal v1");
        hasher.update(&cluster.0).update(secret);
        Self(*hasher.finalize().as_bytes())
    }

    /// What a datagram names the token by.
    pub(crate) fn id(&self) -> [u8; 8] {
        let hash = blake3::derive_key("honeymesh 2026 join token id v1", &self.0);
        hash.first_chunk().copied().unwrap_or_default()
    }
}

/// What the issuer remembers of a token.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) seal: TokenSeal,
    pub(crate) expires: WallTime,
    pub(crate) owner: Option<NodeName>,
    /// Who has used it.
    pub(crate) used_by: Option<NodeId>,
}

/// The tokens of one cluster; at most [`TOKENS_MAX`].
#[derive(Default)]
pub(crate) struct Tokens(Vec<Issued>);

impl Tokens {
    /// Takes in a new token; false if there is no room.
    pub(crate) fn add(&mut self, issued: Issued, now: WallTime) -> bool {
        if self.0.len() >= TOKENS_MAX {
            let over = |(_, one): &(usize, &Issued)| one.expires <= now || one.used_by.is_some();
            let oldest = self.0.iter().enumerate().filter(over).min_by_key(|(_, one)| one.expires).map(|(place, _)| place);
            let Some(place) = oldest else { return false };
            self.0.remove(place);
        }
        self.0.push(issued);
        true
    }

    pub(crate) fn find(&mut self, id: [u8; 8]) -> Option<&mut Issued> {
        self.0.iter_mut().find(|issued| issued.seal.id() == id)
    }

    /// All of them as a text for the store: hashes, never secrets.
    pub(crate) fn to_text(&self) -> String {
        let one = |issued: &Issued| {
            let owner = issued.owner.as_ref().map_or("-", |owner| owner.as_str());
            let used = issued.used_by.map_or_else(|| "-".into(), |node| node.to_string());
            format!("{}:{}:{owner}:{used}", hex(&issued.seal.0), issued.expires.as_millis())
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// The other way round; what cannot be read is left out.
    pub(crate) fn from_text(text: &str) -> Self {
        let one = |word: &str| {
            let mut parts = word.split(':');
            let seal = TokenSeal(unhex(parts.next()?)?.try_into().ok()?);
            let expires = WallTime::from_millis(parts.next()?.parse().ok()?);
            let owner = Some(parts.next()?).filter(|owner| *owner != "-").map(str::parse).transpose().ok()?;
            let used_by = match parts.next()? {
                "-" => None,
                node => Some(NodeId(unhex(node)?.try_into().ok()?)),
            };
            Some(Issued { seal, expires, owner, used_by })
        };
        Self(text.split_whitespace().filter_map(one).take(TOKENS_MAX).collect())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    pairs.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}
