//! The reference: from the list of what was said alone, what every node must drop in the end.
//!
//! It knows no network, no order of arrival and no node. A ban holds from the moment at which its origin says it was said,
//! until it ends or until an unban of the same subject that was said in the same millisecond or later.

use honeymesh_mesh_proto::RecordId;
use honeymesh_types::{Subject, WallTime};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Something that an honest node has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// About whom.
    pub subject: Subject,
    /// Who said it.
    pub place: usize,
    /// When, by the origin's own account.
    pub at: WallTime,
    /// What.
    pub said: Kind,
    /// The record that carries it.
    pub record: RecordId,
}

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ban that ends by itself; `None`: its origin says it again for ever.
    Ban(Option<WallTime>),
    /// Everything said so far is lifted.
    Unban,
}

/// What a node must do with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Drop it.
    Drop,
    /// Let it pass.
    Pass,
    /// Either is right: a ban is just ending.
    Either,
}

/// All that was said.
#[derive(Clone, Debug, Default)]
pub struct Model(BTreeMap<Subject, Vec<Word>>);

impl Model {
    /// Takes note of something.
    pub fn say(&mut self, word: Word) {
        self.0.entry(word.subject).or_default().push(word);
    }

    /// Takes note that somebody is spoken of, whom nobody has said anything against.
    pub fn mention(&mut self, subject: Subject) {
        self.0.entry(subject).or_default();
    }

    /// Forgets what died with the only nodes that had heard of it.
    pub fn forget(&mut self, lost: &BTreeSet<RecordId>) {
        self.0.values_mut().for_each(|words| words.retain(|word| !lost.contains(&word.record)));
    }

    /// An origin has forgotten that it wanted to say its bans for ever: they end when what it said last does.
    pub fn end_promises(&mut self, place: usize, lease: Duration) {
        let all = self.0.values_mut().flatten();
        for word in all.filter(|word| word.place == place && word.said == Kind::Ban(None)) {
            word.said = Kind::Ban(Some(word.at.plus(lease)));
        }
    }

    /// Every subject that was spoken of.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.0.keys()
    }

    /// Everything that was said.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.0.values().flatten()
    }

    /// What a node whose clock shows `now` must do with a subject. Around the end of a ban, `slack` either way is free.
    #[must_use]
    pub fn verdict(&self, subject: &Subject, now: WallTime, slack: Duration) -> Verdict {
        let words = self.0.get(subject).map(Vec::as_slice).unwrap_or_default();
        let lifted = words.iter().filter(|word| word.said == Kind::Unban).map(|word| word.at.as_millis()).max();
        let standing = words.iter().filter(|word| lifted.is_none_or(|lifted| word.at.as_millis() > lifted));
        let ends = standing.filter_map(|word| match word.said {
            Kind::Ban(until) => Some(until.unwrap_or(WallTime::MAX)),
            Kind::Unban => None,
        });
        match ends.max() {
            Some(until) if until > now.plus(slack) => Verdict::Drop,
            Some(until) if until > now.minus(slack) => Verdict::Either,
            _ => Verdict::Pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        crate::scenario::culprit(1)
    }

    fn model(words: &[(usize, u64, Kind)]) -> Model {
        let mut model = Model::default();
        for (number, (place, at_ms, said)) in (0..).zip(words) {
            let at = WallTime::from_millis(*at_ms);
            model.say(Word { subject: subject(), place: *place, at, said: *said, record: RecordId([number; 32]) });
        }
        model
    }

    fn verdict(words: &[(usize, u64, Kind)], now_ms: u64) -> Verdict {
        model(words).verdict(&subject(), WallTime::from_millis(now_ms), Duration::from_millis(10))
    }

    const fn ban(until_ms: u64) -> Kind {
        Kind::Ban(Some(WallTime::from_millis(until_ms)))
    }

    #[test]
    fn a_ban_holds_until_it_ends() {
        let words = [(0, 100, ban(1_000))];
        assert_eq!([200, 985, 995, 1_005, 1_015].map(|now| verdict(&words, now)), {
            use Verdict::{Drop, Either, Pass};
            [Drop, Drop, Either, Either, Pass]
        });
        assert_eq!(verdict(&[], 5), Verdict::Pass);
        assert_eq!(verdict(&[(0, 100, ban(300)), (1, 50, Kind::Ban(None))], 1 << 40), Verdict::Drop);
    }

    #[test]
    fn an_unban_lifts_what_was_said_up_to_its_millisecond_in_whatever_order_it_is_heard() {
        for words in [[(0, 100, ban(9_000)), (1, 100, Kind::Unban)], [(1, 100, Kind::Unban), (0, 100, ban(9_000))]] {
            assert_eq!(verdict(&words, 200), Verdict::Pass);
        }
        assert_eq!(verdict(&[(1, 100, Kind::Unban), (0, 101, ban(9_000))], 200), Verdict::Drop);
    }

    #[test]
    fn what_nobody_remembers_was_never_said_and_promises_end_with_their_memory() {
        let mut model = model(&[(0, 100, Kind::Ban(None)), (1, 200, Kind::Ban(None))]);
        model.forget(&BTreeSet::from([RecordId([1; 32])]));
        assert_eq!(model.words().count(), 1);
        model.end_promises(0, Duration::from_millis(50));
        assert_eq!(model.verdict(&subject(), WallTime::from_millis(500), Duration::ZERO), Verdict::Pass);
    }
}
