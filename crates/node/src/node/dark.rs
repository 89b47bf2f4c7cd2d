//! Visits to dark ports that are no attack by themselves: counted port by port, until they are a scan.

use super::{
    Node,
    evidence::{describe_verdict, describe_visit, list},
};
use crate::gate::Topic;
use alloc::format;
use core::net::IpAddr;
use honeymesh_detect::{Contact, Verdict, judge_handshakes};
use honeymesh_types::{Event, EventKind, Grade, Reasons, Transport, Visit};

impl Node {
    /// A visit that may have been a mistake earns nothing. It proves that its source touched this port; so many different
    /// ones within the window are a scan.
    pub(super) fn contact(&mut self, visit: Visit, verdict: &Verdict) {
        self.counters.contacts += 1;
        let (source, port) = (visit.source, visit.local.port());
        let contact = self.handshakes.note(self.subject_of(source.ip()), port, self.now.mono);
        let mut event = self.event_at(EventKind::Visit, visit.at.wall);
        let at = visit.at;
        describe_visit(visit, &mut event);
        describe_verdict(verdict, &mut event);
        let so_far = match &contact {
            Contact::Below { ports } => *ports,
            Contact::Scan { ports } => ports.len(),
        };
        event.fields.insert("dark_ports".into(), format!("{so_far} of {}", self.handshakes.threshold()));
        if self.gate_passes(Topic::Contact, source.ip()) {
            self.out.tell(event);
        }
        if let Contact::Below { .. } = contact {
            self.touched(source, port);
        }
        if let Contact::Scan { ports } = contact
            && !self.is_proven(source.ip())
        {
            let mut event = self.event_at(EventKind::Scan, at.wall);
            event.source = Some(source.ip());
            event.source_port = Some(source.port());
            event.port = Some(port);
            event.transport = Some(Transport::Tcp);
            self.proven_scan(&ports, event);
        }
    }

    /// Is the source banned for that already? It still comes through while the node only observes.
    fn is_proven(&self, source: IpAddr) -> bool {
        let ban = self.ban(&self.subject_of(source));
        ban.is_some_and(|ban| ban.reasons.contains(Reasons::SCAN) && ban.grade >= Grade::Handshake)
    }

    /// Nobody can forge finished handshakes: the whole source is closed out, everywhere.
    fn proven_scan(&mut self, ports: &[u16], mut event: Event) {
        let Some(source) = event.source else { return };
        self.counters.scans += 1;
        let subject = self.subject_of(source);
        let verdict = judge_handshakes(ports);
        event.fields.insert("ports".into(), list(ports));
        self.bring(subject, &verdict, event, Some(Topic::Scan), false);
    }
}
