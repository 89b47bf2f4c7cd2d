//! Answers: what a peer asks is told from what is at hand, and nothing is remembered of it.

use crate::{
    Refused,
    frame::{Answer, Bytes, Children, IDS_MAX, Ids, LIST_BYTES_MAX, Packer, Prefix, Question, Tally},
    limits::CLOCK_SKEW_MAX,
    membership::Membership,
    peers::ShortId,
    set::Set,
    sketch::{SYMBOLS_SENT, Symbols},
    stream::{STREAM_IDS_MAX, STREAM_LIST_BYTES_MAX},
};
use alloc::vec::Vec;
use honeymesh_types::WallTime;

/// What fits into an answer: it depends on the way that it goes.
pub(crate) struct Room {
    list_bytes: usize,
    ids: usize,
}

impl Room {
    /// In a datagram.
    pub(crate) const DATAGRAM: Self = Self { list_bytes: LIST_BYTES_MAX, ids: IDS_MAX };
    /// On a stream.
    pub(crate) const STREAM: Self = Self { list_bytes: STREAM_LIST_BYTES_MAX, ids: STREAM_IDS_MAX };
}

/// Answers a question. `tell` is called once, or never if the question cannot be answered.
pub(crate) fn answer(
    question: Question<'_>,
    set: &Set,
    members: &dyn Membership,
    now: WallTime,
    room: &Room,
    tell: impl FnOnce(Answer<'_>),
) -> Result<(), Refused> {
    match question {
        Question::Look { prefix, horizon_ms, mine } => look(checked(prefix)?, horizon(horizon_ms, now)?, mine, set, room, tell),
        Question::Fetch(ids) => fetch(&ids, set, room, tell),
        Question::Page { prefix, horizon_ms, after } => page(checked(prefix)?, horizon(horizon_ms, now)?, after, set, room, tell),
        Question::Members { after } => list_members(after, members, room, tell),
        Question::Symbols { horizon_ms, from } => symbols(from.into(), horizon(horizon_ms, now)?, set, tell),
    }
    Ok(())
}

fn checked(prefix: Prefix) -> Result<Prefix, Refused> {
    if prefix.is_valid() { Ok(prefix) } else { Err(Refused::Malformed) }
}

/// A horizon must be near our clock: what is further back has left our memory.
pub(crate) fn horizon(millis: u64, now: WallTime) -> Result<WallTime, Refused> {
    let horizon = WallTime::from_millis(millis);
    let is_near = horizon.plus(CLOCK_SKEW_MAX) >= now && horizon <= now.plus(CLOCK_SKEW_MAX);
    if is_near { Ok(horizon) } else { Err(Refused::Clock) }
}

fn look(prefix: Prefix, horizon: WallTime, theirs: Tally, set: &Set, room: &Room, tell: impl FnOnce(Answer<'_>)) {
    let ours = set.tally(prefix, horizon);
    if ours == theirs {
        tell(Answer::Same);
    } else if ours.count as usize > room.ids && prefix.is_inner() {
        tell(Answer::Children(Children(Bytes(&Children::pack(&set.children(prefix, horizon))))));
    } else {
        let ids = Ids::pack(set.below(prefix, horizon).map(|(id, _)| id.stub()).take(room.ids));
        tell(Answer::Ids(Ids(Bytes(&ids))));
    }
}

/// Beyond what is kept there are none: the answer is empty.
fn symbols(from: usize, horizon: WallTime, set: &Set, tell: impl FnOnce(Answer<'_>)) {
    let symbols = set.symbols(from.saturating_add(SYMBOLS_SENT), horizon);
    let packed = Symbols::pack(symbols.get(from..).unwrap_or_default());
    tell(Answer::Symbols(Symbols(Bytes(&packed))));
}

fn fetch(ids: &Ids<'_>, set: &Set, room: &Room, tell: impl FnOnce(Answer<'_>)) {
    let mut packer = Packer::with_room(room.list_bytes);
    let mut handled = 0;
    for id in ids.iter().take(usize::from(u8::MAX)) {
        let (first, last) = id.range();
        if !set.between(first, last, WallTime(0)).all(|(_, raw)| packer.push(raw)) {
            break;
        }
        handled += 1;
    }
    tell(Answer::Records { handled, records: packer.list() });
}

fn page(prefix: Prefix, horizon: WallTime, after: Option<u64>, set: &Set, room: &Room, tell: impl FnOnce(Answer<'_>)) {
    let mut packer = Packer::with_room(room.list_bytes);
    let range = prefix.range();
    let first = after.map_or(Some(*range.start()), |after| after.checked_add(1)).filter(|first| first <= range.end());
    let mut next = None;
    if let Some(first) = first {
        let mut last = None;
        for (id, raw) in set.between(first.max(*range.start()), *range.end(), horizon) {
            if !packer.push(raw) {
                next = last;
                break;
            }
            last = Some(id.short());
        }
    }
    tell(Answer::Page { records: packer.list(), next });
}

fn list_members(after: Option<u64>, members: &dyn Membership, room: &Room, tell: impl FnOnce(Answer<'_>)) {
    let mut packer = Packer::with_room(room.list_bytes);
    let (mut last, mut next) = (None, None);
    for known in members.list(after.map(ShortId)) {
        let Ok(bytes) = postcard::to_extend(&known, Vec::new()) else { continue };
        if !packer.push(&bytes) {
            next = last;
            break;
        }
        last = Some(known.ident.short().0);
    }
    tell(Answer::Members { members: packer.list(), next });
}

#[cfg(test)]
mod tests;
