//! Tables that another process has left, perhaps in the middle of a step.

use super::{Bans, Capacity, Stash, held};
use crate::{
    Error,
    lines::{Lines, Shape},
};
use honeymesh_xdp_abi::{Life, Way};

/// What was not as a writer leaves it, and was mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Bans that were in two places: their writer ended in the middle of a move. One stays.
    pub(crate) doubled: usize,
    /// Bans that no reader could have found: removed.
    pub(crate) misplaced: usize,
    /// Flags that were missing.
    pub(crate) unflagged: usize,
    /// Lines whose front hid what is there.
    pub(crate) hidden: usize,
}

impl Damage {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl<S: Shape, T: Stash> Bans<S, T> {
    /// Takes over whatever is there, and mends it.
    pub(crate) fn adopt(lines: Lines<S>, stash: T, capacity: Capacity) -> Result<(Self, Damage), Error> {
        let away = vec![0; lines.header().lines as usize + 1];
        let mut bans = Self { lines, stash, capacity, away, len: 0, stashed: 0 };
        let damage = bans.survey_again()?;
        Ok((bans, damage))
    }

    /// Learns anew what is there, and mends it. No ban that a reader finds is hidden meanwhile. If the hash table cannot be read, the counts
    /// are of the lines alone.
    pub(crate) fn survey_again(&mut self) -> Result<Damage, Error> {
        let mut damage = Damage::default();
        // Anew, because zeros that are written take memory, and those of fresh memory none.
        self.away = vec![0; self.away.len()];
        (self.len, self.stashed) = (0, 0);
        self.survey(&mut damage);
        self.survey_stash(&mut damage)?;
        damage.unflagged = self.flag();
        damage.hidden = self.settle_fronts();
        Ok(damage)
    }

    fn survey(&mut self, damage: &mut Damage) {
        for part in self.lines.parts() {
            let mut taken = Vec::new();
            self.lines.each_in(part, |element, way, key| taken.push((element, way, key)));
            taken.into_iter().for_each(|(element, way, key)| self.survey_one(element, way, key, damage));
        }
    }

    fn survey_one(&mut self, element: u32, way: usize, key: u64, damage: &mut Damage) {
        let (first, second) = self.lines.place(key);
        let is_here_before = (0..way).any(|other| S::key(&self.lines.line(element), other) == key);
        let is_doubled = is_here_before || (element != first && is_in(&self.lines, first, key));
        if element != first && element != second {
            damage.misplaced += 1;
        } else if is_doubled {
            damage.doubled += 1;
        } else {
            self.len += 1;
            if element != first {
                self.count_away(first);
            }
            return;
        }
        S::set_key(&self.lines.line(element), way, 0);
    }

    fn survey_stash(&mut self, damage: &mut Damage) -> Result<(), Error> {
        for (key, _) in self.stash.all()? {
            if self.lines.header().lines > 0 {
                let (first, second) = self.lines.place(key);
                if is_in(&self.lines, first, key) || is_in(&self.lines, second, key) {
                    damage.doubled += 1;
                    self.stash.remove(key)?;
                    continue;
                }
                self.count_away(first);
                self.count_away(second);
            }
            self.len += 1;
            self.stashed += 1;
        }
        Ok(())
    }

    fn count_away(&mut self, element: u32) {
        if let Some(away) = self.away.get_mut(element as usize) {
            *away = away.saturating_add(1);
        }
    }

    /// Makes every flag what it should be. How many were missing.
    fn flag(&self) -> usize {
        let _walk = self.lines.walk();
        let mut missing = 0;
        // The fronts behind the lines have no count.
        for (element, away) in (0..).zip(&self.away).skip(1) {
            let line = self.lines.line(element);
            let (is, should) = (S::is_overflowed(&line), *away > 0);
            if is != should {
                missing += usize::from(should);
                S::set_overflowed(&line, should);
            }
        }
        missing
    }

    /// Makes every front what it should be. How many hid something.
    fn settle_fronts(&self) -> usize {
        let _walk = self.lines.walk();
        (1..=self.lines.header().lines).filter(|element| self.lines.settle_front(*element)).count()
    }

    /// Takes in the bans of a table that this one replaces. How many did not fit.
    pub(crate) fn take_in(&mut self, entries: impl Iterator<Item = (u64, Way)>) -> Result<usize, Error> {
        let mut left = 0;
        for (key, way) in entries {
            match self.put(key, Life(way.life).of_ban(), way.hits) {
                Ok(_) => {}
                Err(Error::Full { .. }) => left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(left)
    }
}

fn is_in<S: Shape>(lines: &Lines<S>, element: u32, key: u64) -> bool {
    let line = lines.line(element);
    (0..S::WAYS).any(|way| S::key(&line, way) == key)
}

/// Every ban in the lines of a table.
pub(crate) fn entries<S: Shape>(lines: &Lines<S>) -> Vec<(u64, Way)> {
    let mut all = Vec::new();
    lines.each(|element, way, key| {
        let held = held::<S>(&lines.line(element), way);
        all.push((key, Way { key: 0, hits: held.hits, life: held.life.0 }));
    });
    all
}
