//! A member that was taken over: it holds the cluster's key and its own, and says and seals whatever it likes.

use super::Mesh;
use crate::{
    Effect, Hlc, Statement,
    frame::{Message, Packer},
    post::To,
    record::wire,
};
use alloc::{sync::Arc, vec::Vec};
use core::net::SocketAddr;
use honeymesh_types::{NodeId, Now};

impl Mesh {
    /// A record signed with this node's key: as of any time, in anybody's name, whatever the limits say. `None`: not even
    /// an insider can write it down.
    #[must_use]
    pub fn insider_record(&self, statement: Statement, origin: NodeId, at: Hlc) -> Option<Arc<[u8]>> {
        let record = wire::compose(statement, origin, self.name.clone(), at);
        wire::sign(record, self.cluster, &self.signer).ok().map(|signed| signed.raw)
    }

    /// Pushes any records to one address, in as many datagrams as they need. `now` is the clock that is shown.
    pub fn insider_push(&mut self, to: SocketAddr, records: &[Arc<[u8]>], now: Now, out: &mut Vec<Effect>) {
        let mut rest = records;
        while !rest.is_empty() {
            let mut packer = Packer::default();
            let packed = rest.iter().take_while(|raw| packer.push(raw)).count().max(1);
            self.post.send(To { addr: to, peer: None }, Message::Push { until: None, records: packer.list() }, now, out);
            rest = rest.get(packed..).unwrap_or_default();
        }
    }

    /// Any bytes sealed as this node's next datagram. `None`: too many.
    #[must_use]
    pub fn insider_seal(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.post.seal_for_tests(body)
    }

    /// What is inside a datagram that this node may open; nothing else comes of it. `None`: it is none.
    #[must_use]
    pub fn insider_open(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.post.open_for_tests(datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Refused,
        testing::{Wire, addr, ban, hour, subject},
    };

    fn push(wire: &mut Wire, origin: NodeId, millis: u64, many: u8) {
        let (now, at) = (wire.now(), crate::testing::at(millis).wall);
        let about = |n: u8| Statement { subject: subject(&alloc::format!("203.0.113.{n}")), said: ban(hour()) };
        let records: Vec<_> = (1..=many).filter_map(|n| wire.mesh(1).insider_record(about(n), origin, Hlc::at(at))).collect();
        assert_eq!(records.len(), usize::from(many));
        let mut out = Vec::new();
        wire.mesh(1).insider_push(addr(2), &records, now, &mut out);
        let mut told = Vec::new();
        for effect in out {
            let Effect::Send { bytes, .. } = effect else { continue };
            wire.mesh(2).datagram(addr(1), &bytes, now, &mut told);
        }
    }

    #[test]
    fn what_an_insider_says_in_its_own_name_is_taken_and_in_anothers_is_not() {
        let mut wire = Wire::joined(3);
        let (me, other) = (wire.mesh(1).identity(), wire.mesh(3).identity());
        let millis = wire.millis;
        push(&mut wire, me, millis, 40);
        assert_eq!(wire.mesh(2).len(), 40, "in several datagrams");
        push(&mut wire, other, millis, 1);
        push(&mut wire, me, millis + 70_000, 1);
        let refused = wire.mesh(2).stats().refused;
        assert_eq!((refused.of(Refused::RecordSignature), refused.of(Refused::RecordFuture)), (1, 1));
        assert_eq!(wire.mesh(2).len(), 40);
    }
}
