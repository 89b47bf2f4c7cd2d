//! The post office: seals what leaves, opens what arrives, and counts both.

use crate::{
    Config, Effect, KeyRing, MeshStats, Refused,
    cluster::ClusterTag,
    envelope::{ANYBODY, Header, Sealer, Vault},
    frame::{Frame, Hello, Message},
    peers::{self, Peers, Run, ShortId},
    relay::{Routes, Way},
    replay::Window,
};
use alloc::vec::Vec;
use core::net::SocketAddr;
use honeymesh_types::{NodeId, NodeName, Now};

/// Tokens of its budget that a bad signature costs a peer.
const BAD_SIGNATURE_FINE: u32 = 100;

const _: () = assert!(crate::limits::CHECK_PEER_MAX * (BAD_SIGNATURE_FINE as usize + 1) <= crate::bucket::DEBT_MAX as usize);

/// Where to send to, and whom that is, if known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct To {
    pub(crate) addr: SocketAddr,
    pub(crate) peer: Option<ShortId>,
}

/// The post office of one mesh.
pub(crate) struct Post {
    vault: Vault,
    sealer: Sealer,
    node: NodeId,
    me: ShortId,
    name: NodeName,
    peer_rate: u32,
    peer_burst: u32,
    pub(crate) peers: Peers,
    /// Where datagrams go over a stream.
    pub(crate) routes: Routes,
    pub(crate) stats: MeshStats,
}

impl Post {
    pub(crate) fn new(config: &Config, node: NodeId) -> Self {
        let vault = Vault::new(ClusterTag::of(&config.cluster), &config.keys);
        let me = ShortId::of(&node.0);
        Self {
            sealer: Sealer::new(&vault, me, config.boot_salt),
            vault,
            node,
            me,
            name: config.node_name.clone(),
            peer_rate: config.limits.peer_rate,
            peer_burst: config.limits.peer_burst,
            peers: Peers::default(),
            routes: Routes::new(config),
            stats: MeshStats::default(),
        }
    }

    /// Takes over a changed key ring.
    pub(crate) fn rekey(&mut self, ring: &KeyRing) {
        self.vault = Vault::new(self.vault.cluster, ring);
        self.sealer.rekey(&self.vault);
    }

    /// Seals a message and hands it out. What does not fit into a datagram is not sent.
    pub(crate) fn send(&mut self, to: To, message: Message<'_>, now: Now, out: &mut Vec<Effect>) {
        let peer = to.peer.and_then(|id| self.peers.get_mut(id));
        let known = peer.as_ref().is_some_and(|peer| peer.stats.node.is_some());
        let knows_us = peer.as_ref().is_some_and(|peer| peer.run.knows_us);
        let hello = (!knows_us).then_some(Hello { node: self.node.0, name: self.name.as_str() });
        let frame = Frame { clock_ms: now.wall.as_millis(), known, hello, message };
        let Some(bytes) = self.sealer.seal(to.peer.unwrap_or(ANYBODY), |datagram| frame.write(datagram)) else { return };
        if let Some(peer) = peer {
            peer.stats.sent += 1;
        }
        self.stats.sent += 1;
        self.stats.sent_bytes += bytes.len() as u64;
        match self.routes.way(to) {
            Way::Datagram => out.push(Effect::Send { to: to.addr, bytes }),
            Way::Stream(stream) => self.relay_over(stream, to.addr, &bytes, out),
            Way::Nowhere => {}
        }
    }

    /// Opens a datagram into `body`. Until the seal is open nothing is allocated and nothing changes but counters.
    pub(crate) fn open<'b>(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Now,
        body: &'b mut Vec<u8>,
    ) -> Result<(ShortId, Message<'b>), (Refused, Option<ShortId>)> {
        self.stats.received += 1;
        self.stats.received_bytes += datagram.len() as u64;
        let header = Header::read(datagram, self.vault.cluster).map_err(stranger)?;
        if header.receiver != self.me && header.receiver != ANYBODY {
            return Err(stranger(Refused::Elsewhere));
        }
        let fresh = self.unseal(&header, datagram, body).map_err(stranger)?;
        let id = header.sender;
        let frame = Frame::read(body).ok_or((Refused::Malformed, Some(id)))?;
        self.admit(&header, fresh, &frame, from, now).map_err(|why| (why, Some(id)))?;
        Ok((id, frame.message))
    }

    /// Opens a datagram that is for a guest of this node, to see that it is a member's and new; nothing of it is used here.
    pub(crate) fn vouch(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Now,
        body: &mut Vec<u8>,
    ) -> Result<ShortId, (Refused, Option<ShortId>)> {
        let header = Header::read(datagram, self.vault.cluster).map_err(stranger)?;
        let fresh = self.unseal(&header, datagram, body).map_err(stranger)?;
        let id = header.sender;
        let mut frame = Frame::read(body).ok_or((Refused::Malformed, Some(id)))?;
        // What it says about its receiver is not about this node.
        frame.known = self.peers.get(id).is_some_and(|peer| peer.run.salt == header.salt && peer.run.knows_us);
        self.admit(&header, fresh, &frame, from, now).map_err(|why| (why, Some(id)))?;
        Ok(id)
    }

    /// Opens the seal. Gives back the beginning of a new run, if it is the first datagram of one.
    fn unseal(&self, header: &Header, datagram: &[u8], body: &mut Vec<u8>) -> Result<Option<Run>, Refused> {
        if !self.vault.holds(header.key) {
            return Err(Refused::Key);
        }
        if header.sender == self.me {
            return Err(Refused::Own);
        }
        let run = self.peers.get(header.sender).map(|peer| &peer.run).filter(|run| run.salt == header.salt);
        if run.is_some_and(|run| !run.window.is_fresh(header.counter)) {
            return Err(Refused::Replayed);
        }
        if let Some(run) = run.filter(|run| run.key == header.key) {
            run.opener.open(header, datagram, body)?;
            return Ok(None);
        }
        let opener = self.vault.sender_key(header.key, header.sender, header.salt).ok_or(Refused::Key)?;
        opener.open(header, datagram, body)?;
        let (window, knows_us) = run.map_or((Window::default(), false), |run| (run.window.clone(), run.knows_us));
        Ok(Some(Run { salt: header.salt, key: header.key, opener, window, knows_us }))
    }

    /// Everything that is checked once the seal is open.
    fn admit(
        &mut self,
        header: &Header,
        fresh: Option<Run>,
        frame: &Frame<'_>,
        from: SocketAddr,
        now: Now,
    ) -> Result<(), Refused> {
        let id = header.sender;
        let peer = match fresh {
            None => self.peers.get_mut(id).ok_or(Refused::Clock)?,
            Some(run) => {
                let is_same_run = self.peers.get(id).is_some_and(|peer| peer.run.salt == run.salt);
                if !is_same_run && !self.peers.may_begin(id, frame.clock(), now.wall) {
                    return Err(Refused::Clock);
                }
                self.peers.begin(id, run, from, self.peer_burst, now)
            }
        };
        peer.run.window.mark(header.counter);
        if !peer.bucket.take(self.peer_rate, self.peer_burst, now.mono) {
            return Err(Refused::PeerRate);
        }
        peer.run.knows_us = frame.known;
        if let Some(hello) = frame.hello {
            peers::bind(peer, id, &hello.node, hello.name)?;
        }
        peer.heard(from, frame.clock(), now);
        Ok(())
    }

    /// Charges a peer for a signature that must be verified because it sent it unasked.
    pub(crate) fn charge(&mut self, id: ShortId, now: Now) -> bool {
        let (rate, burst) = (self.peer_rate, self.peer_burst);
        self.peers.get_mut(id).is_some_and(|peer| peer.bucket.take(rate, burst, now.mono))
    }

    /// Fines a peer for a bad signature: honest peers verify before they hand on.
    pub(crate) fn fine(&mut self, id: ShortId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.bucket.fine(BAD_SIGNATURE_FINE);
        }
    }

    /// Counts a refusal.
    pub(crate) fn count(&mut self, why: Refused, peer: Option<ShortId>) {
        self.stats.refused.count(why);
        if let Some(id) = peer {
            self.peers.count_refused(id, why);
        }
    }

    /// Counts a refusal and tells of it, unless it is one that happens to the best.
    pub(crate) fn refuse(&mut self, why: Refused, from: SocketAddr, peer: Option<ShortId>, out: &mut Vec<Effect>) {
        self.count(why, peer);
        if why != Refused::Unasked {
            out.push(Effect::Refused { from, why });
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Post {
    /// Opens a datagram of anybody's, replayed or not.
    pub(crate) fn open_for_tests(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let header = Header::read(datagram, self.vault.cluster).ok()?;
        let (key, mut body) = (self.vault.sender_key(header.key, header.sender, header.salt)?, Vec::new());
        key.open(&header, datagram, &mut body).ok()?;
        Some(body)
    }

    /// Seals any bytes, as an insider could.
    pub(crate) fn seal_for_tests(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.seal_to_for_tests(ANYBODY, body)
    }

    /// The same for one receiver.
    pub(crate) fn seal_to_for_tests(&mut self, receiver: ShortId, body: &[u8]) -> Option<Vec<u8>> {
        self.sealer.seal(receiver, |mut datagram| {
            datagram.extend_from_slice(body);
            Some(datagram)
        })
    }
}

const fn stranger(why: Refused) -> (Refused, Option<ShortId>) {
    (why, None)
}

#[cfg(test)]
mod tests;
