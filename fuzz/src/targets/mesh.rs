//! What a mesh is told: by strangers, and by a member that holds the cluster's key and says whatever it likes.

pub(crate) mod pair;
mod seeds;

pub(crate) use seeds::seeds;

use crate::Input;
use honeymesh_mesh_proto::{
    Admission, Config, Effect, Hlc, JoinToken, Joining, Mesh, Role, STREAM_FRAME_BYTES_MAX, Said, Statement, StreamEvent,
    StreamId, StreamOrder, Touch, limits::DATAGRAM_BYTES_MAX, public_key, verify_record,
};
use honeymesh_types::{Grade, NodeId, Reasons, Scope, Subject, WallTime};
use pair::{HONEST, INSIDER, Pair, config};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// What is done with one input at most.
const STEPS_MAX: usize = 48;
/// What one datagram or frame makes a node do at most: whatever it says, and whoever says it.
const EFFECTS_MAX: usize = 256;
/// Datagrams that one makes it send.
const SENT_MAX: usize = 64;
/// Records that one can have brought.
const RECORDS_MAX: usize = 1_024;
/// How often in a row something is due at once.
const WAKES_MAX: usize = 32;

/// `steps: kind, part`.
pub(super) fn member(data: &[u8]) {
    let mut input = Input::new(data);
    let mut pair = Pair::met();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let (kind, part) = (input.below(8), input.part());
        step(&mut pair, kind, part);
    }
    pair.pass(60_000);
}

fn step(pair: &mut Pair, kind: usize, part: &[u8]) {
    let now = pair.now();
    match kind {
        // A message behind a true head.
        0 | 1 => {
            let body = [&pair::head(now)[..], part].concat();
            let sealed = pair.insider.insider_seal(&body);
            pair.hear(sealed.as_deref().unwrap_or_default());
        }
        // Anything, sealed.
        2 => {
            let sealed = pair.insider.insider_seal(part);
            pair.hear(sealed.as_deref().unwrap_or_default());
        }
        // A record, signed.
        3 => {
            let record = record(pair, part);
            let mut out = Vec::new();
            pair.insider.insider_push(HONEST, record.as_slice(), now, &mut out);
            pair.carry(out);
        }
        // Bytes that are no record, pushed as one.
        4 => {
            let mut out = Vec::new();
            pair.insider.insider_push(HONEST, &[Arc::from(part)], now, &mut out);
            pair.carry(out);
        }
        5 => pair.frame(part),
        6 => pair.frame(&[&[1], part].concat()),
        _ => pair.pass(u64::from(Input::new(part).short())),
    }
}

/// Any statement, as the insider signs it.
fn record(pair: &mut Pair, part: &[u8]) -> Option<Arc<[u8]>> {
    let mut input = Input::new(part);
    let said = match input.below(3) {
        0 => Said::Ban {
            reasons: Reasons::from_bits_truncate(input.short()),
            grade: Grade::from_code(input.byte() % 8).unwrap_or(Grade::Payload),
            scope: Scope::from_code(input.byte() % 4).unwrap_or(Scope::All),
            ttl: Duration::from_millis(u64::from(input.short()) << (input.byte() % 32)),
            score: input.byte(),
            note: (input.byte() & 1 == 1).then(|| String::from_utf8_lossy(input.part()).into_owned()),
        },
        1 => Said::Unban,
        _ => Said::Touches {
            page: u64::from(input.short()),
            ttl: Duration::from_millis(u64::from(input.short()) << (input.byte() % 32)),
            touches: (0..input.below(48)).map(|_| touch(&mut input, pair.now().wall)).collect(),
        },
    };
    let statement = Statement { subject: subject(&mut input), said };
    let origin = if input.byte() & 1 == 0 { pair.insider.identity() } else { NodeId([input.byte(); 32]) };
    let late = Duration::from_millis(u64::from(input.short()) * 4);
    let at = if input.byte() & 1 == 0 { pair.now().wall.minus(late) } else { pair.now().wall.plus(late) };
    let raw = pair.insider.insider_record(statement, origin, Hlc::at(at))?;
    match verify_record(&raw) {
        Ok(record) => assert_eq!(record.origin, pair.insider.identity(), "a signature for somebody else"),
        Err(_) => assert!(origin != pair.insider.identity() || raw.len() > 1, "its own record does not verify"),
    }
    Some(raw)
}

fn touch(input: &mut Input<'_>, now: WallTime) -> Touch {
    Touch { source: subject(input), port: input.short(), at: now.minus(Duration::from_secs(input.short().into())) }
}

fn subject(input: &mut Input<'_>) -> Subject {
    let kind = input.byte();
    let mut octets = [0; 16];
    octets.iter_mut().for_each(|octet| *octet = if kind & 64 == 0 { 0 } else { input.byte() });
    octets[..4].copy_from_slice(&[input.byte(), input.byte(), input.byte(), input.byte()]);
    let addr = if kind & 1 == 0 { IpAddr::from([octets[0], octets[1], octets[2], octets[3]]) } else { IpAddr::from(octets) };
    if kind & 2 == 0 {
        return Subject::host(addr);
    }
    let text = format!("{addr}/{}", kind >> 2 & 0x1f);
    text.parse::<Subject>().unwrap_or_else(|_| Subject::of_source(addr, &[]))
}

/// What one step made a node do is bounded, and nobody else's word is taken for what it is not.
fn check(effects: &[Effect], mesh: &Mesh, records_before: usize) {
    assert!(effects.len() <= EFFECTS_MAX, "{} effects of one step", effects.len());
    let sent = effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count();
    assert!(sent <= SENT_MAX, "{sent} datagrams for one");
    for effect in effects {
        match effect {
            Effect::Send { bytes, .. } => assert!(bytes.len() <= DATAGRAM_BYTES_MAX),
            Effect::Stream(StreamOrder::Send { frame, .. } | StreamOrder::Offer { frame, .. }) => {
                assert!(frame.len() <= STREAM_FRAME_BYTES_MAX);
            }
            Effect::Record { signed } => {
                let read = verify_record(&signed.raw);
                assert!(read.is_ok_and(|read| read == *signed.record), "a record that is not what was signed");
            }
            Effect::Deed { deed } => panic!("a deed without an authority: {deed:?}"),
            _ => {}
        }
    }
    assert!(mesh.len() <= records_before + RECORDS_MAX, "more records than a datagram holds");
}

/// `kind | bytes`.
pub(super) fn stranger(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(5) {
        4 => deed(&mut input),
        0 => proof(input.rest()),
        1 => joining(input.rest()),
        2 => {
            let mut mesh = Mesh::new(config(2), pair::at(0));
            let before = (mesh.len(), mesh.members().len());
            for _ in 0..STEPS_MAX {
                if input.is_empty() {
                    break;
                }
                let (mut out, part) = (Vec::new(), input.part());
                mesh.datagram(INSIDER, part, pair::at(0), &mut out);
                check(&out, &mesh, 0);
                assert!(out.iter().all(|effect| matches!(effect, Effect::Refused { .. })), "a stranger is answered: {out:?}");
            }
            assert_eq!((mesh.len(), mesh.members().len()), before, "a stranger's word was taken");
        }
        _ => {
            let mut mesh = Mesh::new(config(2), pair::at(0));
            let text = input.text();
            mesh.restore_tokens(&text);
            let kept = mesh.tokens();
            mesh.restore_tokens(&kept);
            assert_eq!(mesh.tokens(), kept, "what is kept of tokens reads as something else");
        }
    }
}

/// A record as a proof, and as it is put back from the store.
fn proof(raw: &[u8]) {
    let verified = verify_record(raw);
    let mut mesh = Mesh::new(config(2), pair::at(0));
    if let Ok(signed) = mesh.restore(raw, pair::at(0)) {
        assert!(verified.is_ok_and(|record| record == *signed.record));
    }
    let is_deed = mesh.restore_deed(raw, pair::at(0));
    assert!(!is_deed, "a deed without an authority");
}

/// What the authority has signed, changed in any way, and anything instead of it.
fn deed(input: &mut Input<'_>) {
    let secret = [3; 32];
    let authority = Some(public_key(&secret));
    let of_authority = |secret| Config { admission: Admission { authority, secret, ..Admission::default() }, ..config(2) };
    let mut issuer = Mesh::new(of_authority(Some(secret.into())), pair::at(0));
    let (who, now, mut out) = (NodeId([8; 32]), pair::at(0), Vec::new());
    let Ok(name) = "node-8".parse() else { return };
    let certified = issuer.certify(who, &name, &name, now, &mut out);
    let revoked = issuer.revoke(who, true, now, &mut out);
    assert!(certified.is_ok() && revoked.is_ok(), "{certified:?}, {revoked:?}");
    let deeds = issuer.deeds_about(who);
    let Some(deed) = deeds.get(input.below(deeds.len())) else { panic!("no deed about who was certified") };
    let mut heir = Mesh::new(of_authority(None), now);
    let mut raw = deed.raw.to_vec();
    let changes = input.rest();
    raw.iter_mut().zip(changes).for_each(|(byte, change)| *byte ^= change);
    assert_eq!(heir.restore_deed(&raw, now), *raw == *deed.raw, "a deed that was changed");
    assert_eq!(heir.deeds_about(who).len(), usize::from(*raw == *deed.raw));
    assert!(*changes == *deed.raw || !heir.restore_deed(changes, now), "a deed that nobody has signed");
}

/// A new machine hears anything instead of an answer; and who lets machines in hears anything instead of a request.
fn joining(bytes: &[u8]) {
    let token = JoinToken::new(config(2).cluster, HONEST, [5; 32]);
    let Ok(name) = "node-9".parse() else { return };
    let Some(joining) = Joining::new(&token, &[9; 32], &name, [1; 12], pair::at(0).wall) else { panic!("no request") };
    assert!(joining.answer(bytes).is_none(), "an answer that nobody sealed");
    let mut request = joining.datagram().to_vec();
    let mut mesh = Mesh::new(config(2), pair::at(0));
    let issued = mesh.issue_token(Duration::from_secs(60), None, [5; 32], pair::at(0).wall);
    assert!(issued.is_ok());
    for (at, byte) in bytes.iter().enumerate().take(request.len()) {
        request[at] ^= byte;
    }
    let mut out = Vec::new();
    mesh.datagram(INSIDER, &request, pair::at(0), &mut out);
    let is_changed = bytes.iter().take(request.len()).any(|byte| *byte != 0);
    let is_answered = out.iter().any(|effect| matches!(effect, Effect::Send { .. }));
    assert_eq!(is_answered, !is_changed, "a request that was changed: {out:?}");
}

impl Pair {
    /// The honest one hears a datagram from where the insider is.
    fn hear(&mut self, datagram: &[u8]) {
        let (now, mut out, before) = (self.now(), Vec::new(), self.honest.len());
        self.honest.datagram(INSIDER, datagram, now, &mut out);
        check(&out, &self.honest, before);
        self.wake();
    }

    /// The honest one gets what the insider sends.
    fn carry(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Send { bytes, .. } = effect {
                self.hear(&bytes);
            }
        }
    }

    /// A frame on a stream that both have proven.
    fn frame(&mut self, frame: &[u8]) {
        let (now, mut out, before) = (self.now(), Vec::new(), self.honest.len());
        let stream = self.stream();
        let frame = frame[..frame.len().min(STREAM_FRAME_BYTES_MAX)].to_vec();
        self.honest.stream(StreamEvent::Frame { stream, frame }, now, &mut out);
        check(&out, &self.honest, before);
        if out.contains(&Effect::Stream(StreamOrder::Close(stream))) {
            self.is_open = false;
        }
        self.wake();
    }

    /// The stream; a new one, if there is none.
    fn stream(&mut self) -> StreamId {
        if !std::mem::replace(&mut self.is_open, true) {
            self.streams += 1;
            let (stream, now, mut out) = (StreamId(self.streams), self.now(), Vec::new());
            let opened = |peer, addr, role| StreamEvent::Opened { stream, peer, addr, role, binding: [7; 32] };
            self.honest.stream(opened(self.insider.identity(), INSIDER, Role::Listener), now, &mut out);
            let mut proof = Vec::new();
            self.insider.stream(opened(self.honest.identity(), HONEST, Role::Dialer), now, &mut proof);
            for effect in proof {
                if let Effect::Stream(StreamOrder::Send { frame, .. }) = effect {
                    self.honest.stream(StreamEvent::Frame { stream, frame }, now, &mut out);
                }
            }
        }
        StreamId(self.streams)
    }

    /// Time passes, and what falls due is done.
    fn pass(&mut self, millis: u64) {
        self.millis += millis;
        self.wake();
    }

    fn wake(&mut self) {
        let now = self.now();
        for _ in 0..WAKES_MAX {
            if self.honest.wake_at() > now.mono {
                return;
            }
            let (mut out, before) = (Vec::new(), self.honest.len());
            self.honest.wake(now, &mut out);
            check(&out, &self.honest, before);
        }
        panic!("something is always due: it never sleeps");
    }
}
