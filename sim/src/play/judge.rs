//! What must be true: every node drops exactly what the reference model says, and every measure is within its bound.

use super::{Awaited, Player, STAYS};
use crate::{
    measure::{Measure, median, millis, quantile},
    model::Verdict,
};
use honeymesh_types::Subject;
use std::{collections::BTreeSet, time::Duration};

/// How exactly the end of a ban is looked at, beside what the clocks may be wrong.
const SLACK: Duration = Duration::from_secs(2);
/// So many wrong verdicts are told one by one.
const TOLD_MAX: usize = 5;
/// One in so many others may be unknown for a moment: under loss somebody is always suspected.
const UNKNOWN_SHARE: usize = 50;

impl Player<'_> {
    /// Has what is awaited come?
    pub(super) fn has_come(&self, awaited: &Awaited) -> bool {
        match awaited.measure {
            Measure::Meet => self.have_met(&awaited.places, self.honest / UNKNOWN_SHARE),
            Measure::HealMembers => self.have_met(&awaited.places, 0),
            _ => self.first_wrong(&awaited.places).is_none(),
        }
    }

    /// Do these nodes know all others that run, but for so many?
    fn have_met(&self, places: &[usize], but: usize) -> bool {
        let others = self.running().len() + self.plan.rogues() - 1;
        let running = places.iter().filter(|place| self.world.runs(**place));
        running.into_iter().all(|place| self.world.met(*place) + but >= others)
    }

    /// Forgets what died with the only nodes that had heard of it.
    pub(super) fn forget(&mut self) {
        if self.forgetful.is_empty() {
            return;
        }
        let remembered = self.world.remembered();
        let theirs = self.model.words().filter(|word| self.forgetful.contains(&word.place));
        let lost: BTreeSet<_> = theirs.map(|word| word.record).filter(|record| !remembered.contains(record)).collect();
        self.model.forget(&lost);
    }

    /// The first of these nodes that drops what it must not, or does not drop what it must.
    fn first_wrong(&self, places: &[usize]) -> Option<String> {
        places.iter().filter(|place| self.world.runs(**place)).find_map(|place| self.wrong_at(*place).next())
    }

    fn wrong_at(&self, place: usize) -> impl Iterator<Item = String> + '_ {
        let now = self.world.clocks(place).wall;
        let options = &self.plan.options;
        let slack = SLACK + 2 * options.skew + self.now() * options.drift_ppm / 500_000;
        self.model.subjects().filter_map(move |subject| {
            let drops = self.world.drops(place, subject);
            match self.model.verdict(subject, now, slack) {
                Verdict::Drop if !drops => Some(format!("node {place} does not drop {subject}")),
                Verdict::Pass if drops => Some(format!("node {place} still drops {subject}")),
                _ => None,
            }
        })
    }

    /// Waits until every node drops exactly what it must, and sees that it stays so.
    pub(super) fn settle(&mut self) {
        self.forget();
        let end = self.now();
        let all = self.running();
        while self.first_wrong(&all).is_some() && self.now() < end + self.plan.patience {
            self.advance(self.now() + super::LOOK_EVERY);
        }
        self.worst(Measure::Settle, millis(self.now() - end));
        self.advance(self.now() + STAYS);
        self.wait_for_the_rest(end);
        let wrong: Vec<String> = all.iter().flat_map(|place| self.wrong_at(*place)).collect();
        let more = wrong.len().saturating_sub(TOLD_MAX);
        self.run.wrong.extend(wrong.into_iter().take(TOLD_MAX));
        if more > 0 {
            self.run.wrong.push(format!("and {more} verdicts more are not what the model says"));
        }
        self.judge_forged();
        if let Some((place, subject)) = self.world.unforgivable() {
            self.run.wrong.push(format!("node {place} drops {subject}, who must never be banned"));
        }
    }

    /// What is awaited and asked for may take as long as the verdicts may.
    fn wait_for_the_rest(&mut self, end: Duration) {
        let is_asked_for = |player: &Self| player.awaited.iter().any(|awaited| player.is_wanted(awaited.measure));
        while is_asked_for(self) && self.now() < end + self.plan.patience {
            self.advance(self.now() + super::LOOK_EVERY);
        }
        for awaited in std::mem::take(&mut self.awaited) {
            self.run.wrong.push(format!("{} never came, from {:?} on", awaited.measure, awaited.since));
        }
    }

    /// Gathers the way of a ban. One that was lifted on its way tells nothing.
    pub(super) fn follow(&mut self, subject: &Subject, must_arrive: bool) {
        if !self.watched.remove(subject) {
            return;
        }
        let Some(watch) = self.world.unwatch(subject) else { return };
        if !watch.missing().is_empty() {
            if must_arrive {
                let missing: Vec<_> = watch.missing().iter().take(TOLD_MAX).collect();
                self.run.wrong.push(format!("the ban of {subject} never came to {} nodes: {missing:?}", watch.missing().len()));
            }
            return;
        }
        let arrivals: Vec<f64> = watch.arrivals().into_iter().map(millis).collect();
        let at = |share| quantile(&arrivals, share).unwrap_or_default();
        self.spread.push([at(0.5), at(0.99), at(1.0)]);
        self.run.arrivals.extend(arrivals);
    }

    /// Ends the run: what is left to measure, and what is out of bounds.
    pub(super) fn close(&mut self) {
        for subject in self.watched.clone() {
            self.follow(&subject, true);
        }
        self.run.arrivals.sort_by(f64::total_cmp);
        self.measure_spread();
        self.measure_nodes();
        for (measure, most) in self.plan.expect.clone() {
            match self.run.values.get(&measure) {
                None => self.run.wrong.push(format!("{measure} was not measured: nothing in the timeline makes it")),
                Some(value) if *value > most => {
                    let (is, most) = (measure.show(*value), measure.show(most));
                    self.run.wrong.push(format!("{measure} is {is}, but at most {most} is expected"));
                }
                Some(_) => {}
            }
        }
        self.run.events = self.world.passed().0;
        self.run.trace = self.world.trace();
    }

    fn measure_spread(&mut self) {
        for (measure, column) in [(Measure::T50, 0), (Measure::T99, 1), (Measure::T100, 2)] {
            let times = self.spread.iter().map(|times| times[column]).collect();
            self.run.values.extend(median(times).map(|time| (measure, time)));
        }
        let slowest = self.spread.iter().map(|times| times[2]).max_by(f64::total_cmp);
        self.run.values.extend(slowest.map(|time| (Measure::Slowest, time)));
    }

    fn measure_nodes(&mut self) {
        let running = self.running();
        if self.is_wanted(Measure::Records) {
            let records = running.iter().filter_map(|place| Some(self.world.mesh(*place)?.0.records)).max();
            self.worst(Measure::Records, records.unwrap_or(0) as f64);
        }
        if self.is_wanted(Measure::Unknown) {
            let others = running.len() + self.plan.rogues() - 1;
            let unknown = running.iter().map(|place| others.saturating_sub(self.world.met(*place))).max();
            self.worst(Measure::Unknown, unknown.unwrap_or(0) as f64);
        }
    }
}
