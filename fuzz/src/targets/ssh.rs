//! Messages of a client that has exchanged keys with the trap.

use crate::{
    Input,
    input::Cuts,
    memory,
    talk::{NOW, bounded, trap},
};
use honeymesh_trap_proto::{
    ANSWER_BYTES_MAX, Flow, Session,
    ssh_testing::{CIPHERS, Client, MACS, Wants, usual},
};

const SEED: u64 = 7;
/// Messages of one input.
const MESSAGES_MAX: usize = 64;
/// A packet that unpacks to so much is taken, and told.
const SAID_BYTES_MAX: usize = 40_000;

/// The longest piece in one message, in bytes.
const PIECE_BYTES: usize = 32_768;
/// What a session with one server holds, with its client's beside it, in bytes.
const FILES_HELD_BYTES_MAX: usize = 200 * 1_024;
/// The wish for it.
const SUBSYSTEM: &[u8] = b"\x62\0\0\0\0\0\0\0\x09subsystem\x01\0\0\0\x04sftp";

/// `trap, cipher, options | how much of a usual login comes first | messages: length, payload`.
pub(super) fn inside(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let (cipher, mac) = (CIPHERS[usize::from(choice >> 1) % CIPHERS.len()], MACS[usize::from(choice >> 4) % MACS.len()]);
    let options = input.byte();
    let wants = Wants { cipher, mac, zlib: options & 8 != 0, strict: options & 16 != 0, ext_info: false, ..Wants::least() };
    let mut session = trap("ssh", choice).session(SEED);
    let Some(mut client) = Client::meet(&mut *session, wants, NOW) else { panic!("the exchange of keys failed: {wants:?}") };
    let usual = usual();
    let usual = usual.iter().take(usize::from(options & 7)).map(Vec::as_slice);
    let others = std::iter::from_fn(|| (!input.is_empty()).then(|| input.part())).take(MESSAGES_MAX);
    for payload in usual.chain(others).filter(|payload| !payload.is_empty()) {
        let packet = client.packet(payload);
        if tell(&mut *session, &mut client, &packet) == Flow::Close {
            break;
        }
    }
    session.end();
    bounded(&session.findings());
}

/// `window, cuts | stream`: what is said to the subsystem `sftp` of somebody who is in.
pub(super) fn files(data: &[u8]) {
    let mut input = Input::new(data);
    let window = 2_u32.pow(u32::from(input.byte() % 32));
    let cuts = Cuts::read(&mut input);
    let mut session = trap("ssh", 1).session(SEED);
    let before = memory::held();
    let Some(mut client) = Client::meet(&mut *session, Wants::least(), NOW) else { panic!("the exchange of keys failed") };
    let adjust = [&b"\x5d\0\0\0\0"[..], &window.to_be_bytes()].concat();
    let [service, password, channel, ..] = usual();
    let begun = [service, password, channel, SUBSYSTEM.to_vec(), adjust];
    let stream = cuts.pieces(input.rest()).into_iter().flat_map(|piece| piece.chunks(PIECE_BYTES));
    let said = stream.map(|piece| {
        let length = u32::try_from(piece.len()).unwrap_or_default().to_be_bytes();
        [&b"\x5e\0\0\0\0"[..], &length, piece].concat()
    });
    for payload in begun.into_iter().chain(said) {
        let packet = client.packet(&payload);
        if tell(&mut *session, &mut client, &packet) == Flow::Close {
            break;
        }
        let held = memory::held().saturating_sub(before);
        assert!(held <= FILES_HELD_BYTES_MAX, "it holds {held} bytes");
    }
    session.end();
    bounded(&session.findings());
}

/// Sends a packet. What is answered must be whole packets that open with the keys.
fn tell(session: &mut dyn Session, client: &mut Client, packet: &[u8]) -> Flow {
    let (mut rest, mut answer, mut flow) = (packet, Vec::new(), Flow::Continue);
    while !rest.is_empty() && flow != Flow::Close {
        let before = answer.len();
        let step = session.receive(rest, NOW, &mut answer);
        assert!(answer.len() - before <= ANSWER_BYTES_MAX && (step.taken > 0 || step.flow == Flow::Close));
        assert!(session.said().is_none_or(|said| said.len() <= SAID_BYTES_MAX));
        (rest, flow) = (&rest[step.taken..], step.flow);
        if flow != Flow::Continue {
            bounded(&session.findings());
        }
        while let Some(next) = session.resume(NOW, &mut answer) {
            assert!(answer.len() <= 64 * ANSWER_BYTES_MAX, "an answer without end");
            flow = next;
            bounded(&session.findings());
        }
    }
    // Keys may be changed in the middle: what is sealed under the new ones this client does not have.
    let _payloads = client.read(&answer);
    flow
}
