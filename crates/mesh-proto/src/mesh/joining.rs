//! Letting new machines in that show a token.

use super::Mesh;
use crate::{
    Deed, Effect, JoinRefused, JoinToken, Refused,
    admission::{
        join::{self, Reply, Request, Way},
        token::{Issued, TOKEN_LIFE_MAX_SECS, TokenSeal},
    },
    limits::CLOCK_SKEW_MAX,
};
use alloc::{string::String, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::{ClusterName, NodeId, NodeName, Now, WallTime};

/// Join requests a second that are looked at, ...
const REQUESTS_PER_SECOND: u32 = 5;
/// ... and at once.
const REQUESTS_BURST: u32 = 20;

/// Why a token was not made. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// This node cannot admit.
    #[error("cluster `{0}` has an authority and its secret is not on this node; do it where [[cluster]] authority_file is set")]
    NoSecret(ClusterName),
    /// This node does not know where it is reached.
    #[error("this node does not know the address at which others reach it yet; set [[cluster]] advertise")]
    NoAddress,
    /// Nobody can reach this node.
    #[error(
        "this node can only dial out ([[cluster]] dial_out), so no new machine reaches it; make the token on one that can be reached"
    )]
    DialOut,
    /// Too many tokens wait to be used.
    #[error("64 join tokens wait to be used already; wait until some have expired")]
    Full,
}

impl Mesh {
    /// Makes a token that lets one machine in within `ttl` (at most seven days). `secret` are 32 fresh random bytes; only their
    /// hash is remembered. The text of [`Mesh::tokens`] is to be kept afterwards.
    ///
    /// # Errors
    /// See [`IssueError`]; nothing was changed.
    pub fn issue_token(
        &mut self,
        ttl: Duration,
        owner: Option<NodeName>,
        secret: [u8; 32],
        now: WallTime,
    ) -> Result<JoinToken, IssueError> {
        if self.authority().is_some() && !self.holds_authority() {
            return Err(IssueError::NoSecret(self.cluster_name.clone()));
        }
        if self.post.routes.is_dial_out {
            return Err(IssueError::DialOut);
        }
        if !self.is_placed() {
            return Err(IssueError::NoAddress);
        }
        let expires = now.plus(ttl.min(Duration::from_secs(TOKEN_LIFE_MAX_SECS)));
        let seal = TokenSeal::of(&secret, self.cluster);
        if !self.tokens.add(Issued { seal, expires, owner, used_by: None }, now) {
            return Err(IssueError::Full);
        }
        Ok(JoinToken::new(self.cluster_name.clone(), self.members.me().addr, secret))
    }

    /// What the store is to keep of the tokens: hashes and ends, never secrets.
    #[must_use]
    pub fn tokens(&self) -> String {
        self.tokens.to_text()
    }

    /// Puts kept tokens back at start-up.
    pub fn restore_tokens(&mut self, text: &str) {
        self.tokens = crate::admission::token::Tokens::from_text(text);
    }

    /// Takes a datagram about joining. Unknown tokens and forged requests get no answer.
    pub(super) fn joining(&mut self, from: SocketAddr, datagram: &[u8], now: Now, out: &mut Vec<Effect>) -> Result<(), Refused> {
        let (cluster, id) = join::names(datagram).ok_or(Refused::Length)?;
        if cluster != self.cluster.0 {
            return Err(Refused::Cluster);
        }
        if !self.join_requests.take(REQUESTS_PER_SECOND, REQUESTS_BURST, now.mono) {
            return Err(Refused::JoinRate);
        }
        let issued = self.tokens.find(id).ok_or(Refused::Join)?.clone();
        let body = join::open(Way::Request, &issued.seal, self.cluster, datagram).ok_or(Refused::Join)?;
        let (request, _extension) = postcard::take_from_bytes::<Request<'_>>(&body).map_err(|_| Refused::Join)?;
        let name: NodeName = request.name.parse().map_err(|_| Refused::Join)?;
        // Whoever has the hash alone does not have the token.
        if TokenSeal::of(&request.secret, self.cluster) != issued.seal || !join::is_signed(&issued.seal, &request) {
            return Err(Refused::Join);
        }
        let clock = WallTime::from_millis(request.clock_ms);
        let node = NodeId(request.node);
        let granted = self.grant(&issued, node, &name, clock, now, out);
        self.answer_join(from, &issued, granted, now, out);
        Ok(())
    }

    /// Lets a node in, or says why not. The same node may ask again: its answer may have been lost.
    fn grant(
        &mut self,
        issued: &Issued,
        node: NodeId,
        name: &NodeName,
        clock: WallTime,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<Option<Deed>, JoinRefused> {
        if issued.used_by.is_some_and(|used_by| used_by != node) {
            return Err(JoinRefused::Used);
        }
        if issued.expires <= now.wall {
            return Err(JoinRefused::Expired);
        }
        if clock.plus(CLOCK_SKEW_MAX) < now.wall || clock > now.wall.plus(CLOCK_SKEW_MAX) {
            return Err(JoinRefused::Clock);
        }
        let held = self.deeds_about(node).into_iter().find(Deed::is_certificate);
        let deed = match (self.authority(), held.filter(|_| issued.used_by.is_some())) {
            (None, _) => None,
            (Some(_), Some(deed)) => Some(deed),
            (Some(_), None) => Some(self.admit_new(node, name, issued.owner.as_ref().unwrap_or(name), now, out)?),
        };
        if issued.used_by.is_none() {
            if let Some(issued) = self.tokens.find(issued.seal.id()) {
                issued.used_by = Some(node);
            }
            out.push(Effect::Tokens);
        }
        Ok(deed)
    }

    fn admit_new(
        &mut self,
        node: NodeId,
        name: &NodeName,
        owner: &NodeName,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<Deed, JoinRefused> {
        if self.admission(node).standing == crate::Standing::Revoked {
            return Err(JoinRefused::Authority);
        }
        self.certify(node, name, owner, now, out).map_err(|_| JoinRefused::Authority)
    }

    fn answer_join(
        &mut self,
        to: SocketAddr,
        issued: &Issued,
        granted: Result<Option<Deed>, JoinRefused>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let clock_ms = now.wall.as_millis();
        let certificate = granted.as_ref().ok().cloned().flatten().map(|deed| deed.raw);
        let reply = match &granted {
            Err(why) => Reply::Denied { clock_ms, why: why.code() },
            Ok(_) => Reply::Granted {
                clock_ms,
                keys: self.keys.keys().iter().map(|key| key.bytes().as_slice()).collect(),
                authority: self.authority().map(|key| key.0),
                certificate: certificate.as_deref().unwrap_or_default(),
            },
        };
        // The salt of this run and a number that never repeats in it: no nonce is used twice under one token.
        self.join_replies += 1;
        let mut nonce = [0; 12];
        let (salt, number) = nonce.split_at_mut(8);
        salt.copy_from_slice(&self.boot_salt.to_be_bytes());
        number.copy_from_slice(&self.join_replies.to_be_bytes());
        if let Some(bytes) = join::seal_up(Way::Reply, &issued.seal, self.cluster, nonce, &reply) {
            self.post.stats.sent += 1;
            self.post.stats.sent_bytes += bytes.len() as u64;
            out.push(Effect::Send { to, bytes });
        }
    }

    /// A full bucket for join requests.
    pub(super) fn join_bucket(now: Now) -> crate::bucket::Bucket {
        crate::bucket::Bucket::full(REQUESTS_BURST, now.mono)
    }
}

#[cfg(test)]
mod tests;
