//! Datagrams on the daemon's side: taken without being parsed, handed over, told, and answered if the answer may leave.

use super::{ACCEPT_PAUSE, Coming, Hearing, Shared};
use crate::{
    line::Inward,
    post::{Letter, Verdict, answer, arrival},
    report::REPORT_WAIT,
    status::count,
    wire::{Admission, Body, PLACE_BYTES_MAX, body_bytes_max, read_body},
};
use honeymesh_trap_proto::{Findings, NONCE_BYTES, safe_text};
use honeymesh_types::{Marks, Signs, Transport, Visit};
use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering::Relaxed};
use tokio::{net::UdpSocket, sync::watch, time::sleep};

/// One socket for datagrams.
pub(super) struct Mailbox {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) address: SocketAddr,
    pub(super) trap: usize,
    pub(super) inward: Arc<Inward>,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: watch::Receiver<()>,
}

impl Mailbox {
    pub(super) async fn keep(mut self) {
        loop {
            tokio::select! {
                arrived = arrival(&self.socket, self.address) => match arrived {
                    Ok(arrived) => {
                        count(&self.shared.traps[self.trap].1.datagrams);
                        match self.shared.post.take(arrived, self.trap, &self.socket) {
                            Some(letter) => self.hand_over(&letter),
                            None => count(&self.shared.traps[self.trap].1.datagrams_limited),
                        }
                    }
                    Err(error) => {
                        count(&self.shared.traps[self.trap].1.accept_errors);
                        tracing::debug!(address = %self.address, %error, "cannot take a datagram");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                _ = self.stop.changed() => break,
            }
        }
    }

    /// Without waiting: whoever sends datagrams can wait for an answer, and holds up nobody who connects. What finds no room is
    /// told, and not answered.
    fn hand_over(&self, letter: &Letter) {
        let admission = Admission::Datagram {
            number: letter.number.0,
            trap: u16::try_from(self.trap).unwrap_or(u16::MAX),
            port: self.address.port(),
            nonce_at: letter.nonce_at.and_then(|at| u16::try_from(at).ok()),
            bytes: letter.bytes.clone(),
        };
        if self.inward.try_hand(&admission).is_err() {
            count(&self.shared.traps[self.trap].1.datagrams_limited);
            self.shared.tell_letters(self.shared.post.leave(letter.number.0).and_then(|(_, letter)| letter));
        }
    }
}

impl Shared {
    /// What was found is the process's word. Who sent it, what it was, and whether a nonce came back is not.
    fn letter_visit(&self, letter: Letter, findings: Findings, marks: Option<Marks>) -> Visit {
        let (plays, counters) = &self.traps[letter.trap];
        let mut payload = letter.bytes;
        let bytes = payload.len() as u64;
        let mut signs = findings.signs | plays.signs();
        if letter.nonce_at.is_none() {
            signs.remove(Signs::RETURNED);
        }
        signs.set(Signs::TRUNCATED, letter.is_cut || payload.len() > self.capture_bytes_max);
        payload.truncate(self.capture_bytes_max);
        Visit {
            at: (self.household.clock)(),
            session: letter.number,
            trap: counters.name.clone(),
            service: plays.at(letter.local.address.port()).name().to_owned(),
            source: letter.source,
            local: letter.local.address,
            transport: Transport::Udp,
            payload,
            bytes,
            signs,
            fields: findings.fields,
            marks,
        }
    }

    /// Tells of datagrams of which nothing was told, if there is room.
    pub(super) fn tell_letters(&self, letters: impl IntoIterator<Item = Letter>) {
        for letter in letters {
            let trap = letter.trap;
            self.traps[trap].1.bytes.fetch_add(letter.bytes.len() as u64, Relaxed);
            let visit = self.letter_visit(letter, Findings::default(), None);
            self.was_told(trap, self.household.visits.try_send(visit).is_ok());
        }
    }
}

impl Hearing {
    /// How long the body of a report about a datagram may be: what it was stands here already.
    pub(super) const fn letter_body_max() -> usize {
        body_bytes_max(0)
    }

    /// A whole report about a datagram has come.
    pub(super) async fn report_letter(&self, Coming { head, body }: Coming) {
        let Some(Body { findings, marks, .. }) = read_body(head.signs, &body) else { return self.stray().await };
        let Some(letter) = self.shared.post.told(head.session) else { return self.stray().await };
        let trap = letter.trap;
        self.shared.note_cut(&findings.fields);
        self.shared.traps[trap].1.bytes.fetch_add(letter.bytes.len() as u64, Relaxed);
        let visit = self.shared.letter_visit(letter, findings, marks);
        let taken = self.shared.household.visits.send_timeout(visit, REPORT_WAIT).await.is_ok();
        self.shared.was_told(trap, taken);
    }

    /// Sends an answer, if it may leave: to where the datagram came from and nowhere else, once, and not longer than it.
    pub(super) async fn answer(&self, number: u64, nonce_at: Option<usize>, bytes: &[u8]) {
        let counters = |trap: usize| &self.shared.traps[trap].1;
        let letter = match self.shared.post.answer(number, bytes.len(), nonce_at) {
            Verdict::Stray => return self.stray().await,
            Verdict::Refused(trap) => return count(&counters(trap).answers_refused),
            Verdict::Limited(trap) => return count(&counters(trap).answers_limited),
            Verdict::Send(letter) => letter,
        };
        let mut said = bytes.to_vec();
        if let Some(at) = nonce_at {
            said[at..at + NONCE_BYTES].copy_from_slice(&self.shared.post.nonce(&letter));
        }
        match answer(&letter.socket, letter.local, letter.source, &said) {
            Ok(()) => {
                count(&counters(letter.trap).answered);
                counters(letter.trap).answered_bytes.fetch_add(said.len() as u64, Relaxed);
            }
            Err(error) => {
                count(&counters(letter.trap).answers_limited);
                tracing::debug!(%error, "an answer cannot be sent");
            }
        }
    }

    /// Nothing more will be said of a datagram.
    pub(super) async fn letter_is_over(&self, number: u64, lost: u32, fault: &[u8]) {
        let Some((trap, untold)) = self.shared.post.leave(number) else { return self.stray().await };
        let counters = &self.shared.traps[trap].1;
        counters.reports_lost.fetch_add(u64::from(lost.min(1)), Relaxed);
        if !fault.is_empty() {
            count(&counters.panics);
            let place = safe_text(fault, PLACE_BYTES_MAX);
            tracing::error!(trap = %counters.name, %place, "a trap's protocol broke over a datagram");
        }
        self.shared.tell_letters(untold);
    }
}

#[cfg(test)]
mod tests;
