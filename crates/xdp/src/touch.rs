//! The bits in front of the tries of banned prefixes: kept as they must be, word by word, without a gap.
#![expect(unsafe_code, reason = "a word promises to be made of atomics only")]

use crate::area::{Area, Cells};
use honeymesh_xdp_abi::{Header, NetKey4, NetKey6, TOUCH4_WORDS, TOUCH6_BITS, TOUCH6_WORDS, Touch};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release},
};

#[repr(transparent)]
struct Word(AtomicU64);

// SAFETY: an atomic.
unsafe impl Cells for Word {}

/// Windows that stay mapped onto either: 128 KiB.
pub(crate) const TOUCH_WINDOWS_MAX: usize = 8;
/// Octets of the IPv4 map.
pub(crate) const TOUCH4_LEN: usize = TOUCH4_WORDS as usize * 8;
/// Octets of the IPv6 filter.
pub(crate) const TOUCH6_LEN: usize = TOUCH6_WORDS as usize * 8;

/// The IPv4 map: exact, a bit for each /24.
#[derive(Debug)]
pub(crate) struct Touch4 {
    area: Area,
    /// First address and length of every banned prefix.
    nets: BTreeSet<(u32, u32)>,
}

const fn mask(bits: u32) -> u32 {
    if bits == 0 { 0 } else { u32::MAX << (32 - bits) }
}

const fn mask6(bits: u32) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - bits) }
}

impl Touch4 {
    pub(crate) const fn new(area: Area) -> Self {
        Self { area, nets: BTreeSet::new() }
    }

    /// How many prefixes are in the trie, as far as is known.
    pub(crate) fn len(&self) -> usize {
        self.nets.len()
    }

    /// Are the bits of every prefix there? A bit too much only has the trie asked for nothing.
    pub(crate) fn is_whole(&self) -> bool {
        let _walk = (self.nets.len() >= WALKED_NETS_MIN).then(|| self.area.walk());
        self.nets.iter().all(|net| self.is_touched(*net))
    }

    /// Sets the bits again that are missing.
    pub(crate) fn restore(&self) {
        let missing = self.nets.iter().filter(|net| !self.is_touched(**net));
        missing.for_each(|net| self.refresh(*net));
    }

    fn is_touched(&self, (addr, bits): (u32, u32)) -> bool {
        let (first, last) = (Touch::v4(addr), Touch::v4(addr | !mask(bits)));
        let (above, below) = (u64::MAX << first.bit, u64::MAX >> (u64::BITS - 1 - last.bit));
        (first.word..=last.word).all(|word| {
            let above = if word == first.word { above } else { u64::MAX };
            let below = if word == last.word { below } else { u64::MAX };
            !self.area.get::<Word>(word as usize).0.load(Relaxed) & above & below == 0
        })
    }

    /// Learns of prefixes that are in the trie already; then makes every word what it should be, without a gap.
    pub(crate) fn learn(&mut self, nets: impl Iterator<Item = NetKey4>) {
        self.nets.extend(nets.map(|net| (u32::from_be(net.addr) & mask(net.bits), net.bits)));
        self.refresh((0, 0));
    }

    /// A prefix is in the trie: from now on it must be asked.
    pub(crate) fn add(&mut self, net: &NetKey4) {
        let net = (u32::from_be(net.addr) & mask(net.bits), net.bits);
        if self.nets.insert(net) {
            self.refresh(net);
        }
    }

    /// It is no longer in the trie.
    pub(crate) fn take(&mut self, net: &NetKey4) {
        let net = (u32::from_be(net.addr) & mask(net.bits), net.bits);
        if self.nets.remove(&net) {
            self.refresh(net);
        }
    }

    /// Computes the words that a prefix touches anew, and stores each once.
    fn refresh(&self, (addr, bits): (u32, u32)) {
        let last = addr | !mask(bits);
        let (from, to) = (Touch::v4(addr).word, Touch::v4(last).word);
        let mut words = vec![0_u64; (to - from) as usize + 1];
        let (start, end) = (from << 14, to << 14 | 0x3fff);
        let around = (0..bits.min(18)).filter(|bits| self.nets.contains(&(start & mask(*bits), *bits)));
        if around.count() > 0 {
            words.fill(u64::MAX);
        }
        for (addr, bits) in self.nets.range((start, 0)..=(end, 32)) {
            let last = (addr | !mask(*bits)).min(end);
            for slash24 in addr >> 8..=last >> 8 {
                let touch = Touch::v4(slash24 << 8);
                if let Some(word) = words.get_mut((touch.word - from) as usize) {
                    *word |= 1 << touch.bit;
                }
            }
        }
        store(&self.area, from, &words);
    }
}

/// The IPv6 filter: by the first 32 bits of a prefix; wider ones are counted.
#[derive(Debug)]
pub(crate) struct Touch6 {
    area: Area,
    /// What makes the filter's bits unpredictable.
    header: Header,
    /// First address and length of every banned prefix.
    nets: BTreeSet<(u128, u32)>,
    /// How many of them set each bit.
    bits: BTreeMap<(u32, u32), usize>,
    /// How many are too wide to set one.
    wide: usize,
}

impl Touch6 {
    pub(crate) const fn new(area: Area, header: Header) -> Self {
        Self { area, header, nets: BTreeSet::new(), bits: BTreeMap::new(), wide: 0 }
    }

    /// How many prefixes are in the trie, as far as is known.
    pub(crate) fn len(&self) -> usize {
        self.nets.len()
    }

    /// Is there a prefix that the filter cannot tell?
    pub(crate) const fn is_wide(&self) -> bool {
        self.wide > 0
    }

    /// Are the bits of every prefix there?
    pub(crate) fn is_whole(&self) -> bool {
        self.bits.keys().all(|(word, bit)| self.area.get::<Word>(*word as usize).0.load(Relaxed) >> bit & 1 == 1)
    }

    /// Sets the bits again that are missing.
    pub(crate) fn restore(&self) {
        self.bits.keys().for_each(|(word, bit)| self.change(*word, |old| old | 1 << bit));
    }

    fn touch(&self, net: &NetKey6) -> Option<(u32, u32)> {
        let touch = Touch::v6(self.header.hash(net.addr[0].into()));
        (net.bits >= TOUCH6_BITS).then_some((touch.word, touch.bit))
    }

    /// A prefix is in the trie: from now on it must be asked.
    pub(crate) fn add(&mut self, net: &NetKey6) {
        if !self.nets.insert(whole(net)) {
            return;
        }
        let Some((word, bit)) = self.touch(net) else {
            self.wide += 1;
            return;
        };
        *self.bits.entry((word, bit)).or_default() += 1;
        self.change(word, |old| old | 1 << bit);
    }

    /// It is no longer in the trie.
    pub(crate) fn take(&mut self, net: &NetKey6) {
        if !self.nets.remove(&whole(net)) {
            return;
        }
        let Some((word, bit)) = self.touch(net) else {
            self.wide = self.wide.saturating_sub(1);
            return;
        };
        let Some(count) = self.bits.get_mut(&(word, bit)) else { return };
        *count -= 1;
        if *count == 0 {
            self.bits.remove(&(word, bit));
            self.change(word, |old| old & !(1 << bit));
        }
    }

    /// Makes every word what it should be. Only when no program reads the filter that is keyed otherwise.
    pub(crate) fn settle(&self) {
        let mut words = vec![0_u64; TOUCH6_WORDS as usize];
        for (word, bit) in self.bits.keys() {
            words[*word as usize] |= 1 << bit;
        }
        store(&self.area, 0, &words);
    }

    fn change(&self, word: u32, change: impl FnOnce(u64) -> u64) {
        let cell = self.area.get::<Word>(word as usize);
        cell.0.store(change(cell.0.load(Relaxed)), Release);
    }
}

/// First address and length.
const fn whole(net: &NetKey6) -> (u128, u32) {
    let [a, b, c, d] = net.addr;
    let words = [u32::from_be(a), u32::from_be(b), u32::from_be(c), u32::from_be(d)];
    let addr = (words[0] as u128) << 96 | (words[1] as u128) << 64 | (words[2] as u128) << 32 | words[3] as u128;
    (addr & mask6(net.bits), net.bits)
}

/// So many prefixes are all over the map.
const WALKED_NETS_MIN: usize = 64;
/// As many words take more than one window.
const WALKED_WORDS_MIN: usize = 2_048;

fn store(area: &Area, from: u32, words: &[u64]) {
    let _walk = (words.len() >= WALKED_WORDS_MIN).then(|| area.walk());
    for (index, word) in (from as usize..).zip(words) {
        let cell = area.get::<Word>(index);
        if cell.0.load(Relaxed) != *word {
            cell.0.store(*word, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_touched(touch: &Touch4, addr: u32) -> bool {
        let place = Touch::v4(addr);
        place.is_in(touch.area.get::<Word>(place.word as usize).0.load(Relaxed))
    }

    fn random(state: &mut u64) -> u32 {
        *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        u32::try_from(*state >> 33).unwrap().rotate_left(7)
    }

    #[test]
    fn the_map_is_exact_whatever_comes_and_goes() {
        let mut touch = Touch4::new(Area::zeroed(TOUCH4_LEN, TOUCH_WINDOWS_MAX));
        let mut held: Vec<(u32, u32)> = Vec::new();
        let mut state = 3;
        for step in 0..1_500 {
            let bits = match random(&mut state) % 40 {
                0 => random(&mut state) % 9,
                1..10 => 9 + random(&mut state) % 9,
                _ => 17 + random(&mut state) % 16,
            };
            // A narrow part of the world, so that they nest and meet.
            let addr = (0x0a00_0000 | random(&mut state) & 0x000f_ffff) & mask(bits);
            if step % 3 == 2 && !held.is_empty() {
                let (addr, bits) = held.swap_remove(random(&mut state) as usize % held.len());
                touch.take(&NetKey4::new(addr, bits));
            } else if !held.contains(&(addr, bits)) {
                held.push((addr, bits));
                touch.add(&NetKey4::new(addr, bits));
            }
            for _ in 0..40 {
                let probe = 0x0a00_0000 | random(&mut state) & 0x00ff_ffff;
                let want = held.iter().any(|(addr, bits)| (addr ^ probe) & mask(*bits) & 0xffff_ff00 == 0);
                assert_eq!(is_touched(&touch, probe), want, "{probe:x} {held:x?}");
            }
        }
        for (addr, bits) in held {
            touch.take(&NetKey4::new(addr, bits));
        }
        let is_zero = |index| touch.area.get::<Word>(index).0.load(Relaxed) == 0;
        assert!((0..TOUCH4_WORDS as usize).all(is_zero));
    }

    #[test]
    fn the_filter_counts_who_sets_a_bit_and_who_is_too_wide() {
        let header = Header { secret: 5, multipliers: [7, 9], ..Header::default() };
        let mut touch = Touch6::new(Area::zeroed(TOUCH6_LEN, TOUCH_WINDOWS_MAX), header);
        let net = |bits| NetKey6::new(0x2001_0db8 << 96, bits);
        touch.add(&net(48));
        touch.add(&net(128));
        touch.add(&net(31));
        let ones = |touch: &Touch6, index| touch.area.get::<Word>(index).0.load(Relaxed).count_ones();
        let set = |touch: &Touch6| (0..TOUCH6_WORDS as usize).map(|index| ones(touch, index)).sum::<u32>();
        assert_eq!((set(&touch), touch.is_wide()), (1, true));
        touch.take(&net(48));
        touch.take(&net(31));
        assert_eq!((set(&touch), touch.is_wide()), (1, false));
        touch.settle();
        assert_eq!(set(&touch), 1);
        touch.take(&net(128));
        assert_eq!(set(&touch), 0);
    }
}
