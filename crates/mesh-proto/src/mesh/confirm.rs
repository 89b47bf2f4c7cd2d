//! Who has a record? Asked of everybody when an operator wants to know, which a receipt cannot tell: that goes to whoever has pushed
//! the record, and is given for what was refused, too.

use super::{Mesh, Sender};
use crate::{
    Effect, Member, RecordId,
    frame::{Bytes, IDS_MAX, Ids, Message, Stub},
    membership::State,
    peers::ShortId,
    post::To,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;
use honeymesh_types::{MonoTime, Now};

/// Records about which everybody is asked at once; nobody is asked about more.
pub(super) const CONFIRMS_MAX: usize = 16;
/// The record has so long to get there before anybody is asked ...
const FIRST_AFTER: Duration = Duration::from_millis(30);
/// ... and whoever has not said that it is there is asked again after this. An answer is lost as easily as a question.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Everything that is asked.
#[derive(Default)]
pub(super) struct Confirms(BTreeMap<Stub, Confirm>);

struct Confirm {
    id: RecordId,
    missing: BTreeSet<ShortId>,
    confirmed: BTreeSet<ShortId>,
    due: MonoTime,
    until: MonoTime,
}

impl Confirms {
    pub(super) fn wake_at(&self) -> MonoTime {
        self.0.values().map(|confirm| confirm.due).min().unwrap_or(MonoTime::MAX)
    }
}

impl Mesh {
    /// Asks all members, again and again until `until`, whether they have this record of the set, and tells it by
    /// [`Effect::Confirmed`]: as soon as all have it, or at that time. Gives `false`, and never tells, if 16 (`CONFIRMS_MAX`)
    /// records are asked about already.
    pub fn confirm(&mut self, id: RecordId, until: MonoTime, now: Now) -> bool {
        if self.confirms.0.len() >= CONFIRMS_MAX {
            return false;
        }
        let missing = self.members.list(None).iter().map(|known| known.ident.short()).collect();
        let due = now.mono.plus(FIRST_AFTER).min(until);
        self.confirms.0.insert(id.stub(), Confirm { id, missing, confirmed: BTreeSet::new(), due, until });
        true
    }

    /// Asks again, and tells what is over.
    pub(super) fn wake_confirms(&mut self, now: Now, out: &mut Vec<Effect>) {
        let due: Vec<Stub> =
            self.confirms.0.iter().filter(|(_, confirm)| confirm.due <= now.mono).map(|(stub, _)| *stub).collect();
        for stub in due {
            let Some(confirm) = self.confirms.0.get_mut(&stub) else { continue };
            if confirm.missing.is_empty() || confirm.until <= now.mono {
                self.confirm_ends(stub, out);
                continue;
            }
            confirm.due = now.mono.plus(AGAIN_AFTER).min(confirm.until);
            let asked = Ids::pack(core::iter::once(stub));
            for id in &confirm.missing {
                // Whoever is down is not asked: it says so itself when it is back, by asking what it has missed.
                let Some(known) = self.members.get(*id).filter(|known| known.state != State::Down) else { continue };
                let to = To { addr: known.ident.addr, peer: Some(*id) };
                self.post.send(to, Message::Confirm(Ids(Bytes(&asked))), now, out);
            }
        }
    }

    /// Somebody asks: those that are in the set are here.
    pub(super) fn asked_to_confirm(&mut self, sender: Sender, ids: &Ids<'_>, now: Now, out: &mut Vec<Effect>) {
        let held = Ids::pack(ids.iter().take(IDS_MAX).filter(|id| self.set.contains_stub(*id)));
        if !held.is_empty() {
            self.post.send(sender.to(), Message::Confirmed(Ids(Bytes(&held))), now, out);
        }
    }

    /// Somebody has what was asked for.
    pub(super) fn confirmed(&mut self, sender: Sender, ids: &Ids<'_>, out: &mut Vec<Effect>) {
        for stub in ids.iter().take(IDS_MAX) {
            let Some(confirm) = self.confirms.0.get_mut(&stub) else { continue };
            if confirm.missing.remove(&sender.id) {
                confirm.confirmed.insert(sender.id);
            }
            if confirm.missing.is_empty() {
                self.confirm_ends(stub, out);
            }
        }
    }

    fn confirm_ends(&mut self, stub: Stub, out: &mut Vec<Effect>) {
        let Some(Confirm { id, missing, confirmed, .. }) = self.confirms.0.remove(&stub) else { return };
        let all = self.members();
        let named = |ids: &BTreeSet<ShortId>| -> Vec<Member> {
            all.iter().filter(|member| ids.contains(&ShortId::of(&member.node.0))).cloned().collect()
        };
        out.push(Effect::Confirmed { id, confirmed: named(&confirmed), unconfirmed: named(&missing) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Wire, addr, ban, hour};
    use alloc::string::{String, ToString};

    const WHO: &str = "203.0.113.7";

    /// What was told of node 1's questions: who confirmed, who did not.
    fn told(wire: &Wire) -> Vec<(Vec<String>, Vec<String>)> {
        let names = |members: &[Member]| {
            let mut names: Vec<String> = members.iter().map(|member| member.name.as_ref().unwrap().to_string()).collect();
            names.sort();
            names
        };
        let one = |effect: &Effect| match effect {
            Effect::Confirmed { confirmed, unconfirmed, .. } => Some((names(confirmed), names(unconfirmed))),
            _ => None,
        };
        wire.told.iter().filter(|(at, _)| *at == addr(1)).filter_map(|(_, effect)| one(effect)).collect()
    }

    fn ask(wire: &mut Wire, millis: u64) {
        let id = wire.say(1, WHO, ban(hour())).id();
        let (now, until) = (wire.now(), wire.now().mono.plus(Duration::from_millis(millis)));
        assert!(wire.mesh(1).confirm(id, until, now));
    }

    fn expected(confirmed: &[&str], unconfirmed: &[&str]) -> Vec<(Vec<String>, Vec<String>)> {
        let text = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        alloc::vec![(text(confirmed), text(unconfirmed))]
    }

    #[test]
    fn it_is_told_as_soon_as_everybody_has_it() {
        let mut wire = Wire::joined(4);
        ask(&mut wire, 10_000);
        assert!(told(&wire).is_empty());
        wire.run(300);
        assert_eq!(told(&wire), expected(&["node-2", "node-3", "node-4"], &[]));
    }

    #[test]
    fn who_is_cut_off_has_not_confirmed_when_the_time_is_over_and_nobody_waits_longer() {
        let mut wire = Wire::joined(4);
        wire.cut = |from, to| from == addr(3) || to == addr(3);
        ask(&mut wire, 2_000);
        wire.run(1_900);
        assert!(told(&wire).is_empty());
        wire.run(200);
        assert_eq!(told(&wire), expected(&["node-2", "node-4"], &["node-3"]));
        assert!(wire.mesh(1).confirms.0.is_empty());
    }

    #[test]
    fn a_lost_answer_is_asked_for_again() {
        let mut wire = Wire::joined(3);
        wire.cut = |from, _| from == addr(2);
        ask(&mut wire, 10_000);
        wire.run(500);
        assert!(told(&wire).is_empty());
        wire.cut = |_, _| false;
        wire.run(300);
        assert_eq!(told(&wire), expected(&["node-2", "node-3"], &[]));
    }

    #[test]
    fn who_lacks_it_says_nothing_and_who_was_not_asked_is_not_counted() {
        let mut wire = Wire::joined(3);
        ask(&mut wire, 1_000);
        let stub = *wire.mesh(1).confirms.0.keys().next().unwrap();
        let (now, mut out) = (wire.now(), Vec::new());
        let unknown = Ids::pack(core::iter::once(Stub::from_bytes([9; Stub::BYTES])));
        let other = Sender { id: ShortId::of(&wire.mesh(1).identity().0), addr: addr(1) };
        wire.mesh(2).asked_to_confirm(other, &Ids(Bytes(&unknown)), now, &mut out);
        assert!(out.is_empty(), "{out:?}");
        let known = Ids::pack(core::iter::once(stub));
        let stranger = Sender { id: ShortId::of(&[77; 32]), addr: addr(7) };
        wire.mesh(1).confirmed(stranger, &Ids(Bytes(&known)), &mut out);
        assert!(out.is_empty() && wire.mesh(1).confirms.0[&stub].confirmed.is_empty());
    }

    #[test]
    fn no_more_than_so_many_are_asked_about_at_once() {
        let mut wire = Wire::joined(2);
        wire.cut = |_, _| true;
        for n in 0..CONFIRMS_MAX {
            let id = wire.say(1, &alloc::format!("198.51.100.{n}"), ban(hour())).id();
            let now = wire.now();
            assert!(wire.mesh(1).confirm(id, now.mono.plus(hour()), now));
        }
        let id = wire.say(1, WHO, ban(hour())).id();
        let now = wire.now();
        assert!(!wire.mesh(1).confirm(id, now.mono.plus(hour()), now));
    }
}
