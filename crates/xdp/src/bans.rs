//! The one writer of a family's exact bans.
//!
//! A new ban takes a free way of its first line, else of its second, else one that a neighbour leaves for its own second
//! line, else it goes to the hash table. Bans only ever move onward and a copy stands before its original goes, so a
//! reader finds a ban at every moment. A line's flag is taken back when nobody depends on it any more, so that a table
//! that has seen much is as fast as a new one.

mod adopt;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use adopt::{Damage, entries};

use crate::{
    Error,
    lines::{Lines, Seat, Shape},
};
use honeymesh_xdp_abi::{HITS_MAX, Life, Way};
use std::sync::atomic::Ordering::Relaxed;

/// A family's hash table: what no line has room for, or everything.
pub(crate) trait Stash {
    fn get(&self, key: u64) -> Result<Option<Way>, Error>;
    /// Enters or replaces.
    fn put(&mut self, key: u64, way: Way) -> Result<(), Error>;
    /// Was there an entry?
    fn remove(&mut self, key: u64) -> Result<bool, Error>;
    fn all(&self) -> Result<Vec<(u64, Way)>, Error>;
}

/// How many fit, and what to say when they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    /// Bans in all.
    pub(crate) bans: u32,
    /// Of these, in the hash table.
    pub(crate) stashed: u32,
    /// What the table holds, in words.
    pub(crate) words: &'static str,
    /// What to do about a full one.
    pub(crate) mend: &'static str,
}

impl Capacity {
    fn full(&self, limit: u32) -> Error {
        Error::Full { table: self.words, limit, mend: self.mend }
    }
}

/// A ban as it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) life: Life,
    pub(crate) hits: u32,
}

/// One family's exact bans. Keys are never 0.
#[derive(Debug)]
pub(crate) struct Bans<S, T> {
    lines: Lines<S>,
    stash: T,
    capacity: Capacity,
    /// For each element how many keys are not there although it is their first line, or their second and they are in the
    /// hash table. What reaches the end stays there, and so does the flag.
    away: Vec<u16>,
    len: usize,
    stashed: usize,
}

/// A seat that a new ban can take, in the order they are preferred.
enum Room {
    First {
        way: usize,
    },
    Second {
        way: usize,
    },
    /// After the ban there has gone on to its second line.
    Behind {
        element: u32,
        way: usize,
        to: u32,
        to_way: usize,
    },
    Stash,
}

impl<S: Shape, T: Stash> Bans<S, T> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many of them are in the hash table.
    pub(crate) const fn stashed(&self) -> usize {
        self.stashed
    }

    pub(crate) const fn lines(&self) -> &Lines<S> {
        &self.lines
    }

    /// Many steps are done: see [`Lines::rest`].
    pub(crate) fn rest(&mut self) {
        self.lines.rest();
    }

    pub(crate) const fn stash(&self) -> &T {
        &self.stash
    }

    /// A ban that its line's front hides is none: the program would not find it.
    pub(crate) fn get(&self, key: u64) -> Result<Option<Held>, Error> {
        match self.lines.seat(key) {
            Seat::Line { element, .. } if !self.lines.is_shown(element, key) => Ok(None),
            Seat::Line { element, way } => Ok(Some(held::<S>(&self.lines.line(element), way))),
            Seat::Stash => Ok(self.stash.get(key)?.map(|way| Held { life: Life(way.life), hits: way.hits })),
            Seat::None => Ok(None),
        }
    }

    /// Enters a ban, or changes the one there is in one store; its hits stay and get `hits` more. Was there none?
    pub(crate) fn put(&mut self, key: u64, life: Life, hits: u32) -> Result<bool, Error> {
        let is_new = self.enter_or_change(key, life, hits);
        self.lines.ease();
        is_new
    }

    fn enter_or_change(&mut self, key: u64, life: Life, hits: u32) -> Result<bool, Error> {
        match self.lines.seat(key) {
            Seat::Line { element, way } => {
                let line = self.lines.line(element);
                S::set_life(&line, way, life);
                add::<S>(&line, way, hits);
                self.lines.show(element, key);
                Ok(false)
            }
            Seat::Stash => match self.stash.get(key)? {
                Some(old) => {
                    self.stash.put(key, way_of(life, sum(old.hits, hits)))?;
                    Ok(false)
                }
                None => self.enter(key, life, hits).map(|()| true),
            },
            Seat::None => self.enter(key, life, hits).map(|()| true),
        }
    }

    fn enter(&mut self, key: u64, life: Life, hits: u32) -> Result<(), Error> {
        if self.len >= self.capacity.bans as usize {
            return Err(self.capacity.full(self.capacity.bans));
        }
        if self.lines.header().lines == 0 {
            self.stash.put(key, way_of(life, hits))?;
            self.stashed += 1;
            self.len += 1;
            return Ok(());
        }
        let (first, second) = self.lines.place(key);
        match self.room(first, second) {
            Room::First { way } => self.seat(first, way, key, Held { life, hits }),
            Room::Second { way } => {
                self.leaves(first);
                self.seat(second, way, key, Held { life, hits });
            }
            Room::Behind { element, way, to, to_way } => {
                self.go_on(element, way, to, to_way);
                if element != first {
                    self.leaves(first);
                }
                self.seat(element, way, key, Held { life, hits });
            }
            Room::Stash => {
                if self.stashed >= self.capacity.stashed as usize {
                    return Err(self.capacity.full(u32::try_from(self.len).unwrap_or(u32::MAX)));
                }
                self.stash.put(key, way_of(life, hits))?;
                self.stashed += 1;
                self.leaves(first);
                self.leaves(second);
            }
        }
        self.len += 1;
        Ok(())
    }

    fn room(&self, first: u32, second: u32) -> Room {
        if let Some(way) = self.free(first) {
            return Room::First { way };
        }
        if let Some(way) = self.free(second) {
            return Room::Second { way };
        }
        for element in [first, second] {
            for way in 0..S::WAYS {
                // Only who is at home goes on: whoever went back would be missed by a reader who goes the other way.
                let (home, to) = self.lines.place(S::key(&self.lines.line(element), way));
                if home == element
                    && let Some(to_way) = self.free(to)
                {
                    return Room::Behind { element, way, to, to_way };
                }
            }
        }
        Room::Stash
    }

    fn free(&self, element: u32) -> Option<usize> {
        let line = self.lines.line(element);
        (0..S::WAYS).find(|way| S::key(&line, *way) == 0)
    }

    /// Makes a free way findable.
    fn seat(&self, element: u32, way: usize, key: u64, held: Held) {
        let line = self.lines.line(element);
        S::set_life(&line, way, held.life);
        S::hits(&line, way).store(held.hits, Relaxed);
        self.lines.show(element, key);
        S::set_key(&line, way, key);
    }

    /// Moves the ban at home in `element` to its second line. It is in both for a moment.
    fn go_on(&mut self, element: u32, way: usize, to: u32, to_way: usize) {
        self.leaves(element);
        let line = self.lines.line(element);
        let before = held::<S>(&line, way);
        self.seat(to, to_way, S::key(&line, way), before);
        S::set_key(&line, way, 0);
        // Packets that were counted meanwhile were counted here.
        let late = S::hits(&line, way).load(Relaxed).wrapping_sub(before.hits);
        add::<S>(&self.lines.line(to), to_way, late);
    }

    /// A key will not be where `element` says.
    fn leaves(&mut self, element: u32) {
        if let Some(away) = self.away.get_mut(element as usize) {
            *away = away.saturating_add(1);
            self.lines.show_all(element);
            S::set_overflowed(&self.lines.line(element), true);
        }
    }

    /// Such a key is gone.
    fn is_gone(&mut self, element: u32) {
        if let Some(away) = self.away.get_mut(element as usize)
            && *away < u16::MAX
        {
            *away = away.saturating_sub(1);
            if *away == 0 {
                S::set_overflowed(&self.lines.line(element), false);
                self.lines.settle_front(element);
            }
        }
    }

    /// Was there a ban?
    pub(crate) fn remove(&mut self, key: u64) -> Result<bool, Error> {
        match self.lines.seat(key) {
            Seat::None => return Ok(false),
            Seat::Line { element, way } => self.unseat(element, way, key),
            Seat::Stash => {
                if !self.stash.remove(key)? {
                    return Ok(false);
                }
                self.stashed = self.stashed.saturating_sub(1);
                if self.lines.header().lines > 0 {
                    let (first, second) = self.lines.place(key);
                    self.is_gone(first);
                    self.is_gone(second);
                }
            }
        }
        self.len = self.len.saturating_sub(1);
        self.lines.ease();
        Ok(true)
    }

    fn unseat(&mut self, element: u32, way: usize, key: u64) {
        S::set_key(&self.lines.line(element), way, 0);
        self.lines.settle_front(element);
        let (first, _) = self.lines.place(key);
        if first != element {
            self.is_gone(first);
        }
    }

    /// Removes what is over at the tick `now`. How many went.
    pub(crate) fn sweep(&mut self, now: u64) -> Result<usize, Error> {
        let (before, mut seen) = (self.len, 0);
        for part in self.lines.parts() {
            let mut over = Vec::new();
            self.lines.each_in(part, |element, way, key| {
                seen += 1;
                if !S::life(&self.lines.line(element), way).is_live(now) {
                    over.push((element, way, key));
                }
            });
            for (element, way, key) in over {
                self.unseat(element, way, key);
                self.len = self.len.saturating_sub(1);
            }
        }
        self.lines.ease();
        let stashed = self.stashed;
        if stashed > 0 {
            for (key, _) in self.stash.all()?.into_iter().filter(|(_, way)| !Life(way.life).is_live(now)) {
                self.remove(key)?;
            }
        }
        if seen + stashed != before {
            // Somebody else has entered some, or taken some away.
            self.survey_again()?;
        }
        Ok(before.saturating_sub(self.len))
    }
}

fn held<S: Shape>(line: &S::Line, way: usize) -> Held {
    Held { life: S::life(line, way), hits: S::hits(line, way).load(Relaxed) }
}

fn way_of(life: Life, hits: u32) -> Way {
    Way { key: 0, hits, life: life.of_ban().0 }
}

fn sum(hits: u32, more: u32) -> u32 {
    hits.saturating_add(more).min(HITS_MAX)
}

/// The kernel adds, too; a sum that would not fit stays as it is.
fn add<S: Shape>(line: &S::Line, way: usize, more: u32) {
    let hits = S::hits(line, way);
    let room = HITS_MAX.saturating_sub(hits.load(Relaxed));
    if more > 0 {
        hits.fetch_add(more.min(room), Relaxed);
    }
}
