//! Datagrams on the daemon's side: taken without being parsed, handed over, told, and answered if the answer may leave.

use super::{Coming, Hearing, Shared, entrance::ACCEPT_PAUSE};
use crate::{
    line::Inward,
    post::{Arrived, Begun, Ear, Letter, Verdict, Wish, answer, arrival, connected},
    report::REPORT_WAIT,
    status::count,
    wire::{Admission, Body, PLACE_BYTES_MAX, body_bytes_max, read_body},
};
use honeymesh_trap_proto::{Findings, Leaves, NONCE_BYTES, safe_text};
use honeymesh_types::{Marks, Signs, Transport, Visit};
use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering::Relaxed};
use tokio::{sync::watch, time::sleep};

/// The field of a report that names the port of our own that a datagram came to, where it was not the trap's.
const TRANSFER_PORT: &str = "transfer_port";

/// One socket for datagrams.
pub(super) struct Mailbox {
    pub(super) ear: Ear,
    pub(super) address: SocketAddr,
    pub(super) inward: Arc<Inward>,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: watch::Receiver<()>,
}

impl Mailbox {
    pub(super) async fn keep(mut self) {
        loop {
            tokio::select! {
                arrived = arrival(&self.ear.socket, self.address) => match arrived {
                    Ok(arrived) => self.shared.take_letter(arrived, &self.ear, &self.inward),
                    Err(error) => {
                        count(&self.shared.traps[self.ear.trap].1.accept_errors);
                        tracing::debug!(address = %self.address, %error, "cannot take a datagram");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                _ = self.stop.changed() => break,
            }
        }
    }
}

impl Shared {
    /// A datagram comes: it is handed over without waiting, for whoever sends datagrams can wait for an answer, and holds up nobody who
    /// connects. What finds no room is told, and not answered.
    pub(super) fn take_letter(&self, arrived: Arrived, ear: &Ear, inward: &Inward) {
        let counters = &self.traps[ear.trap].1;
        count(&counters.datagrams);
        let Some(letter) = self.post.take(arrived, ear) else { return count(&counters.datagrams_limited) };
        let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let admission = Admission::Datagram {
            number: letter.number.0,
            trap: short(ear.trap),
            port: letter.local.address.port(),
            cut: short(letter.cut),
            nonce_at: letter.nonce_at.map(short),
            transfer: letter.known,
            bytes: letter.bytes,
        };
        if inward.try_hand(&admission).is_err() {
            count(&counters.datagrams_limited);
            self.tell_letters(self.post.leave(letter.number.0).and_then(|(_, letter)| letter));
        }
    }

    /// What was found is the process's word. Who sent it, what it was, and whether a nonce came back is not.
    fn letter_visit(&self, letter: Letter, findings: Findings, marks: Option<Marks>) -> Visit {
        let (plays, counters) = &self.traps[letter.ear.trap];
        let mut payload = letter.bytes;
        let bytes = payload.len() as u64;
        let Findings { signs, mut fields } = findings;
        let mut signs = signs | plays.signs();
        if let Some((_, port)) = letter.ear.transfer {
            fields.insert(TRANSFER_PORT.to_owned(), port.to_string());
        }
        if letter.nonce_at.is_none() {
            signs.remove(Signs::RETURNED);
        }
        signs.set(Signs::TRUNCATED, letter.cut > 0 || payload.len() > self.capture_bytes_max);
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
            fields,
            marks,
        }
    }

    /// Tells of datagrams of which nothing was told, if there is room.
    pub(super) fn tell_letters(&self, letters: impl IntoIterator<Item = Letter>) {
        for letter in letters {
            let trap = letter.ear.trap;
            self.traps[trap].1.bytes.fetch_add(letter.bytes.len() as u64, Relaxed);
            let visit = self.letter_visit(letter, Findings::default(), None);
            self.was_told(trap, self.household.visits.try_send(visit).is_ok());
        }
    }
}

/// Where an answer leaves from.
enum From {
    Asked,
    Own,
    Transfer(Begun),
}

impl Hearing {
    /// How long the body of a report about a datagram may be: what it was stands here already.
    pub(super) const fn letter_body_max() -> usize {
        body_bytes_max(0)
    }

    /// A whole report about a datagram has come.
    pub(super) async fn report_letter(&mut self, Coming { head, body }: Coming) {
        let Some(Body { findings, marks, .. }) = read_body(head.signs, &body) else { return self.stray().await };
        let Some(letter) = self.shared.post.told(head.session) else { return self.stray().await };
        let trap = letter.ear.trap;
        self.shared.note_cut(&findings.fields);
        self.shared.traps[trap].1.bytes.fetch_add(letter.bytes.len() as u64, Relaxed);
        let visit = self.shared.letter_visit(letter, findings, marks);
        self.tell(trap, visit, REPORT_WAIT).await;
    }

    /// Sends an answer, if it may leave: to where the datagram came from and nowhere else, once, and not longer than it.
    pub(super) async fn answer(&mut self, number: u64, bytes: &[u8], nonce_at: Option<usize>, leaves: Leaves) {
        let verdict = self.shared.post.answer(number, Wish { length: bytes.len(), nonce_at, leaves });
        let (letter, begun) = match verdict {
            Verdict::Stray => return self.stray().await,
            Verdict::Refused(trap) => return count(&self.shared.traps[trap].1.answers_refused),
            Verdict::Limited(trap) => return count(&self.shared.traps[trap].1.answers_limited),
            Verdict::Crowded(trap) => return count(&self.shared.traps[trap].1.transfers_limited),
            Verdict::Silent => return,
            Verdict::Send(letter) => (letter, From::Asked),
            Verdict::Once(letter) => (letter, From::Own),
            Verdict::Begin(letter, begun) => (letter, From::Transfer(begun)),
        };
        let mut said = bytes.to_vec();
        if let Some(at) = nonce_at {
            said[at..at + NONCE_BYTES].copy_from_slice(&self.shared.post.nonce(&letter));
        }
        let sent = match begun {
            From::Asked if letter.ear.transfer.is_some() => letter.ear.socket.try_send(&said).map(drop),
            From::Asked => answer(&letter.ear.socket, letter.local, letter.source, &said),
            From::Own => connected(letter.local, letter.source).and_then(|own| own.send(&said)).map(drop),
            From::Transfer(begun) => self.begin_transfer(&letter, begun, &said),
        };
        let counters = &self.shared.traps[letter.ear.trap].1;
        match sent {
            Ok(()) => {
                count(&counters.answered);
                counters.answered_bytes.fetch_add(said.len() as u64, Relaxed);
            }
            Err(error) => {
                count(&counters.answers_limited);
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
