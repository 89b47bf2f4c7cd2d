//! Reactions: is a half-open scan the work of somebody who hears our answers?
//!
//! The kernel goes on answering a silenced source on some dark ports and not on others; a coin under a secret key says which.
//! A scanner that listens repeats its SYN to ports that stayed silent, and not to those that answered. Whoever forges the
//! source is blind to the key, so that each port it chooses to repeat is a silent one with probability ½, whatever it does.
//!
//! The evidence is a bet against that: a wealth of 1, of which each port's first repeat multiplies [`GAIN`] if the port is
//! silent, and what makes the bet fair if it was answered. Under the hypothesis of a blind forger the wealth is a
//! non-negative martingale, so the probability that it *ever* reaches 2^[`BITS_NEEDED`] is at most 2^-[`BITS_NEEDED`], however
//! the forger chooses its ports, and however often we look (Ville, 1939). It is kept in bits, rounded against the source.

use crate::{Intent, Verdict};
use alloc::{collections::BTreeMap, format, vec, vec::Vec};
use core::time::Duration;
use honeymesh_types::{Fate, Grade, MonoTime, Reasons, Scope, Subject};

/// The evidence from which on a scan is `reactive`, in bits.
pub const BITS_NEEDED: u32 = 20;
/// How many suspects' reactions are weighed at once. One more takes the place of the one that was heard of longest ago.
pub const SUSPECTS_MAX: usize = 1_024;
/// How many ports of one suspect are weighed; later ones are left aside.
pub const PORTS_MAX: usize = 128;
/// After this long without a word of a suspect its book is closed. The ports in it were weighed once, and count no more.
pub const SUSPECT_TTL: Duration = Duration::from_secs(3_600);

/// log2(15/8) and log2(1/8) in thousandths of a bit: the bet is 15 to 1 on silence, and (15/8 + 1/8) / 2 = 1. The first is
/// rounded down.
const GAIN: i32 = 906;
const LOSS: i32 = 3_000;

/// The score of a proven scan.
const SCORE: u8 = 65;

/// The books of all suspects.
#[derive(Debug, Default)]
pub struct Reactions {
    books: BTreeMap<Subject, Book>,
}

#[derive(Debug)]
struct Book {
    heard: MonoTime,
    ports: Vec<Port>,
    /// Thousandths of a bit.
    evidence: i32,
    is_proven: bool,
}

#[derive(Clone, Copy, Debug)]
struct Port {
    number: u16,
    is_silent: bool,
    is_repeated: bool,
}

/// What a suspect's reactions amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The evidence in whole bits: at least [`BITS_NEEDED`].
    pub bits: u32,
    /// How many silent ports it repeated.
    pub silent: usize,
    /// How many answered ports it repeated.
    pub answered: usize,
}

impl Reactions {
    /// Enters a SYN of `subject` to `port`. The proof, once, when the evidence suffices.
    pub fn weigh(&mut self, subject: Subject, port: u16, fate: Fate, now: MonoTime) -> Option<Proof> {
        self.make_room(subject, now);
        let book = self.books.entry(subject).or_insert(Book { heard: now, ports: Vec::new(), evidence: 0, is_proven: false });
        book.heard = now;
        book.enter(port, fate);
        if book.is_proven || book.evidence < BITS_NEEDED.cast_signed() * 1_000 {
            return None;
        }
        book.is_proven = true;
        Some(book.proof())
    }

    /// How many suspects have a book.
    #[must_use]
    pub fn suspects(&self) -> usize {
        self.books.len()
    }

    fn make_room(&mut self, subject: Subject, now: MonoTime) {
        let is_over = |book: &Book| now.since(book.heard) > SUSPECT_TTL;
        if self.books.get(&subject).is_some_and(is_over) {
            self.books.remove(&subject);
        }
        if self.books.len() < SUSPECTS_MAX || self.books.contains_key(&subject) {
            return;
        }
        if let Some(longest) = self.books.iter().min_by_key(|(_, book)| book.heard).map(|(subject, _)| *subject) {
            self.books.remove(&longest);
        }
    }
}

impl Book {
    fn enter(&mut self, number: u16, fate: Fate) {
        let has_room = self.ports.len() < PORTS_MAX;
        match self.ports.iter_mut().find(|port| port.number == number) {
            Some(port) if !port.is_repeated => {
                port.is_repeated = true;
                self.evidence += if port.is_silent { GAIN } else { -LOSS };
            }
            // Only while both kinds of ports behave as the coin says does a port's coin stand for what the source saw.
            None if has_room && fate != Fate::Spent => {
                self.ports.push(Port { number, is_silent: fate == Fate::Silent, is_repeated: false });
            }
            Some(_) | None => {}
        }
    }

    fn proof(&self) -> Proof {
        let repeated = |is_silent| self.ports.iter().filter(|port| port.is_repeated && port.is_silent == is_silent).count();
        Proof { bits: (self.evidence / 1_000).unsigned_abs(), silent: repeated(true), answered: repeated(false) }
    }
}

/// Judges a source whose reactions are proof: it hears our answers, so the address is its own.
pub fn judge_reaction(proof: Proof) -> Verdict {
    let Proof { bits, silent, answered } = proof;
    Verdict {
        grade: Grade::Reactive,
        intent: Intent::Attack,
        reasons: Reasons::SCAN,
        scope: Scope::All,
        score: SCORE,
        entropy_millibits: 0,
        findings: vec![format!("repeated its SYN to {silent} silent and {answered} answered dark ports: {bits} bits")],
        reckoning: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(index: u32) -> Subject {
        Subject::of_source(core::net::Ipv4Addr::from_bits(index).into(), &[])
    }

    /// A repeatable source of chance (xorshift64*).
    struct Chance(u64);

    impl Chance {
        fn bits(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
        }

        fn fate(&mut self) -> Fate {
            if self.bits() & 1 == 1 { Fate::Silent } else { Fate::Answered }
        }
    }

    /// A source that sends to `ports` ports and repeats each if `repeats` says so of its fate.
    fn scan(chance: &mut Chance, ports: u16, repeats: impl Fn(Fate, u16, &mut Chance) -> bool) -> Option<Proof> {
        let mut books = Reactions::default();
        let mut proof = None;
        for port in 0..ports {
            let fate = chance.fate();
            proof = proof.or(books.weigh(subject(1), port, fate, MonoTime(0)));
            if repeats(fate, port, chance) {
                proof = proof.or(books.weigh(subject(1), port, fate, MonoTime(1)));
            }
        }
        proof
    }

    #[test]
    fn a_scanner_that_listens_is_proved_within_its_first_hundred_ports() {
        let mut chance = Chance(1);
        for _ in 0..1_000 {
            let proof = scan(&mut chance, 100, |fate, _, _| fate == Fate::Silent).expect("proved");
            assert_eq!((proof.bits, proof.silent, proof.answered), (20, 23, 0));
        }
    }

    #[test]
    fn one_whose_answers_are_lost_now_and_then_is_proved_too() {
        let mut chance = Chance(2);
        let lossy = |fate, _, chance: &mut Chance| fate == Fate::Silent || chance.bits().is_multiple_of(50);
        let proved = (0..1_000).filter(|_| scan(&mut chance, 128, lossy).is_some()).count();
        assert!(proved > 950, "{proved}");
    }

    #[test]
    fn no_forger_who_is_blind_to_the_key_is_ever_proved() {
        let mut chance = Chance(3);
        type Strategy = fn(Fate, u16, &mut Chance) -> bool;
        let strategies: [(&str, Strategy); 6] = [
            ("everything", |_, _, _| true),
            ("nothing", |_, _, _| false),
            ("every other port", |_, port, _| port % 2 == 0),
            ("by chance", |_, _, chance| chance.bits() & 1 == 1),
            ("the first thirty", |_, port, _| port < 30),
            ("a few", |_, port, _| port % 5 == 0),
        ];
        for (name, strategy) in strategies {
            let proved = (0..5_000).filter(|_| scan(&mut chance, 128, strategy).is_some()).count();
            assert_eq!(proved, 0, "repeats {name}");
        }
    }

    #[test]
    fn the_bet_is_fair_or_worse_so_that_ville_bounds_every_strategy() {
        let wealth = |thousandths: i32| libm_exp2(f64::from(thousandths) / 1_000.0);
        let mean = f64::midpoint(wealth(GAIN), wealth(-LOSS));
        assert!(mean <= 1.0 && mean > 0.999, "{mean}");
    }

    /// 2 to the power of `x`, by its series.
    fn libm_exp2(x: f64) -> f64 {
        let y = x * core::f64::consts::LN_2;
        let (mut sum, mut term) = (1.0, 1.0);
        for n in 1..60 {
            term *= y / f64::from(n);
            sum += term;
        }
        sum
    }

    #[test]
    fn an_honest_client_that_hammers_a_few_closed_ports_is_never_proved() {
        let mut books = Reactions::default();
        for round in 0..10_000_u64 {
            for port in [22, 80, 443, 8_080, 3_306] {
                assert_eq!(books.weigh(subject(1), port, Fate::Silent, MonoTime(round)), None);
            }
        }
    }

    #[test]
    fn a_port_first_seen_when_the_answers_were_spent_counts_neither_way() {
        let mut books = Reactions::default();
        for port in 0..1_000 {
            for _ in 0..3 {
                assert_eq!(books.weigh(subject(1), port, Fate::Spent, MonoTime(0)), None);
            }
        }
    }

    #[test]
    fn the_books_are_bounded_and_closed_after_a_while() {
        let mut books = Reactions::default();
        for index in 0..5_000 {
            books.weigh(subject(index), 1, Fate::Silent, MonoTime(u64::from(index)));
        }
        assert_eq!(books.suspects(), SUSPECTS_MAX);
        let mut books = Reactions::default();
        for port in 0..22 {
            books.weigh(subject(1), port, Fate::Silent, MonoTime(0));
            books.weigh(subject(1), port, Fate::Silent, MonoTime(0));
        }
        let later = MonoTime(0).plus(SUSPECT_TTL + Duration::from_secs(1));
        books.weigh(subject(1), 22, Fate::Silent, later);
        assert_eq!(books.weigh(subject(1), 22, Fate::Silent, later), None, "the earlier evidence is gone");
    }

    #[test]
    fn a_proof_is_told_once_and_earns_a_full_ban() {
        let mut books = Reactions::default();
        let mut proofs = Vec::new();
        for port in 0..60 {
            for _ in 0..2 {
                proofs.extend(books.weigh(subject(1), port, Fate::Silent, MonoTime(0)));
            }
        }
        assert_eq!(proofs.len(), 1);
        let verdict = judge_reaction(proofs[0]);
        assert_eq!((verdict.grade, verdict.scope), (Grade::Reactive, Scope::All));
        assert_eq!(verdict.findings, ["repeated its SYN to 23 silent and 0 answered dark ports: 20 bits"]);
    }
}
