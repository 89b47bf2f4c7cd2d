//! Reads the hello of whoever speaks TLS to a service that does not.

use super::{HANDSHAKE, Heard, HelloReader};
use crate::{Done, Errand, Findings, Flow, Patience, Pause, Session, Step, TlsManner};
use alloc::{boxed::Box, vec::Vec};
use honeymesh_types::WallTime;

/// So much answer to one hello is enough, in bytes: what is in it was not meant for this service.
const ANSWER_BYTES_ENOUGH: usize = 4 * 1_024;

/// A session in the clear. A hello is held back until it is whole; then the service gets it, and answers as it answers nonsense.
struct Overheard {
    inner: Box<dyn Session>,
    phase: Phase,
    findings: Findings,
}

enum Phase {
    /// Nothing was said.
    First,
    /// What was said may be a hello.
    Hello(Box<(HelloReader, Vec<u8>)>),
    /// It is not, or was.
    Past,
}

/// The same session, with an ear for a hello if its stranger's first byte begins one that it would not hear itself. Asked with that
/// byte and not before, so that sessions that only wait hold nothing for it.
#[must_use]
pub fn overhear(session: Box<dyn Session>, first: u8) -> Box<dyn Session> {
    if first == HANDSHAKE && !session.hears_tls() { Box::new(Overheard::new(session)) } else { session }
}

impl Overheard {
    fn new(inner: Box<dyn Session>) -> Self {
        Self { inner, phase: Phase::First, findings: Findings::default() }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Phase::Hello(hello) = &mut self.phase else { return Flow::Continue };
        let (reader, held) = &mut **hello;
        held.push(byte);
        match reader.push(byte) {
            Heard::More => return Flow::Continue,
            Heard::Whole => {
                if let Some(hello) = reader.hello() {
                    hello.note(&mut self.findings);
                }
            }
            Heard::Other => {}
        }
        self.let_through(now, answer)
    }

    /// What was held back, byte by byte.
    fn let_through(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Phase::Hello(hello) = core::mem::replace(&mut self.phase, Phase::Past) else { return Flow::Continue };
        let enough = answer.len() + ANSWER_BYTES_ENOUGH;
        let mut flow = Flow::Continue;
        for byte in hello.1 {
            flow = flow.and(self.inner.receive(&[byte], now, answer).flow);
            if flow == Flow::Close || answer.len() > enough {
                return Flow::Close;
            }
        }
        flow
    }
}

impl Session for Overheard {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        self.inner.open(answer)
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        if matches!(self.phase, Phase::First) {
            let may_be_hello = bytes.first() == Some(&HANDSHAKE);
            self.phase = if may_be_hello { Phase::Hello(Box::default()) } else { Phase::Past };
        }
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(self.phase, Phase::Past) {
                let step = self.inner.receive(&bytes[index..], now, answer);
                return Step { taken: index + step.taken, flow: step.flow };
            }
            let flow = self.byte(*byte, now, answer);
            // What follows is the service's alone, with an answer of its own.
            if flow != Flow::Continue || matches!(self.phase, Phase::Past) {
                return Step { taken: index + 1, flow };
            }
        }
        Step { taken: bytes.len(), flow: Flow::Continue }
    }

    fn end(&mut self) {
        // A hello that never became whole. Nobody is there for the answer.
        let _ = self.let_through(WallTime(0), &mut Vec::new());
        self.inner.end();
    }

    fn findings(&mut self) -> Findings {
        let mut findings = core::mem::take(&mut self.findings);
        findings.merge(self.inner.findings());
        findings
    }

    fn pause(&mut self) -> Pause {
        self.inner.pause()
    }

    fn patience(&self) -> Patience {
        self.inner.patience()
    }

    fn unread(&mut self) -> Vec<u8> {
        self.inner.unread()
    }

    fn resume(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        self.inner.resume(now, answer)
    }

    fn errand(&mut self) -> Option<Errand> {
        self.inner.errand()
    }

    fn done(&mut self, done: Done, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.inner.done(done, now, answer)
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        self.inner.said()
    }

    fn tls(&self) -> TlsManner {
        self.inner.tls()
    }

    fn is_secret(&self) -> bool {
        self.inner.is_secret()
    }

    fn leaves_tls(&self) -> bool {
        self.inner.leaves_tls()
    }

    fn has_heard_all(&self) -> bool {
        self.inner.has_heard_all()
    }

    fn purges(&mut self, behind: &[u8]) -> bool {
        self.inner.purges(behind)
    }

    fn misses_tls(&mut self, head: &[u8], answer: &mut Vec<u8>) {
        self.inner.misses_tls(head, answer);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Definition, Service, Session,
        drive::{self, said},
        tls::ja4::tests::chrome,
    };
    use alloc::boxed::Box;
    use honeymesh_types::Signs;
    use proptest::prelude::*;

    /// A box as the carrier has it, which gets its ear with the first byte.
    struct Boxed(Option<Box<dyn Session>>, bool);

    impl Boxed {
        fn inner(&mut self) -> &mut dyn Session {
            self.0.as_mut().unwrap().as_mut()
        }
    }

    impl Session for Boxed {
        fn open(&mut self, answer: &mut alloc::vec::Vec<u8>) -> crate::Flow {
            self.inner().open(answer)
        }

        fn receive(&mut self, bytes: &[u8], now: honeymesh_types::WallTime, answer: &mut alloc::vec::Vec<u8>) -> crate::Step {
            if !core::mem::replace(&mut self.1, true) {
                self.0 = self.0.take().map(|session| super::overhear(session, bytes[0]));
            }
            self.inner().receive(bytes, now, answer)
        }

        fn end(&mut self) {
            self.inner().end();
        }

        fn findings(&mut self) -> crate::Findings {
            self.inner().findings()
        }
    }

    fn session(name: &str) -> Boxed {
        let definition = Definition { service: name.into(), ..Definition::default() };
        Boxed(Some(Service::define(&definition, &crate::Persona::of([7; 32])).unwrap().session(7)), false)
    }

    #[test]
    fn who_speaks_tls_to_a_service_without_it_is_fingerprinted_and_answered_as_before() {
        for name in ["http", "ssh", "ftp", "telnet", "redis"] {
            let heard = drive::whole(&mut session(name), &chrome(20_000));
            assert_eq!(heard.findings.fields["ja4"], "t13d1516h2_8daaf6152771_e5627efa2ab1", "{name}");
            assert_eq!(heard.findings.fields["sni"], "example.org", "{name}");
        }
        let http = drive::whole(&mut session("http"), &chrome(20_000));
        assert!(said(&http.answer).starts_with("HTTP/1.1 400 Bad Request\r\n"), "{}", said(&http.answer));
        assert!(http.findings.signs.contains(Signs::MALFORMED));
    }

    #[test]
    fn who_speaks_something_else_meets_the_service_and_nothing_between() {
        let half = drive::whole(&mut session("http"), b"\x16\x03\x01\x02\x00");
        assert_eq!(half.findings.fields["request"], "\\u{16}");
        assert!(!half.findings.fields.contains_key("ja4"));
        let plain = drive::whole(&mut session("redis"), b"PING\r\n");
        assert_eq!(said(&plain.answer), "+PONG\r\n");
    }

    proptest! {
        #[test]
        fn packets_do_not_matter(at in 0_usize..220, byte: u8, name in prop_oneof![Just("http"), Just("redis"), Just("imap"), Just("https"), Just("any")], tail in drive::noise(), cuts in drive::cuts()) {
            let mut bytes = chrome(100);
            bytes[at] = byte;
            drive::law(|| session(name), &[bytes, tail].concat(), &cuts)?;
        }
    }
}
