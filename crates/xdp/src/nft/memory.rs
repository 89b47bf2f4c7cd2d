//! The sets that rules fill by themselves: which sources probed which ports, who is silenced for it. No daemon is asked, and a
//! set that is full is never over its size: what does not fit is not counted.

use super::{
    layout::{Earns, Layout, Scan},
    locked::{LOCKED, PROTOCOLS},
    side::Side,
    tier::{Family, Tier},
    uapi::set,
};

/// A set that is no prefix's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) name: String,
    pub(super) key_type: u32,
    pub(super) key_len: u32,
    /// How many entries fit; 0: rules only look them up.
    pub(super) size: u32,
    /// Does an entry count its packets?
    pub(super) counts: bool,
    /// Has an entry a coin?
    pub(super) has_coin: bool,
}

/// For how long it is counted which ports a source touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// For a window.
    Window,
    /// For a short while: whom the sets for a window have no room for. They are full for a whole window once somebody has filled them; these
    /// have room again all the time.
    Rush,
}

impl Span {
    pub(super) const BOTH: [Self; 2] = [Self::Window, Self::Rush];

    const fn word(self) -> &'static str {
        match self {
            Self::Window => "",
            Self::Rush => "rush_",
        }
    }
}

/// Ports that sources touched first: (source, port), known for as long as they are counted.
pub(super) fn first(family: Family, span: Span) -> String {
    format!("{}first{}", span.word(), family.word())
}

/// Ports that sources touched when the kernel knew them already. A set of its own, so that a flood of sources with one port
/// each takes no room from those with two.
pub(super) fn more(family: Family, span: Span) -> String {
    format!("{}more{}", span.word(), family.word())
}

/// An entry in each of these stands for one distinct port of a source within the last window, or rush.
pub(super) fn slot(family: Family, span: Span, number: usize) -> String {
    format!("{}slot{}_{number}", span.word(), family.word())
}

/// Sources that crossed the threshold within the last window and could not be silenced for it: told once.
pub(super) fn over(family: Family) -> String {
    format!("over{}", family.word())
}

/// Silenced sources whose reactions are weighed, ...
pub(super) fn suspect(family: Family) -> String {
    format!("suspect{}", family.word())
}

/// ... the coin that was thrown for each of their ports, ...
pub(super) fn coin(family: Family) -> String {
    format!("coin{}", family.word())
}

/// ... how many were thrown for a source, ...
pub(super) fn thrown(family: Family) -> String {
    format!("thrown{}", family.word())
}

/// ... how many answers it got, ...
pub(super) fn answered(family: Family) -> String {
    format!("answered{}", family.word())
}

/// ... who got the last of them, ...
pub(super) fn last(family: Family) -> String {
    format!("last{}", family.word())
}

/// ... and for whom none are left. An entry of its own that lets any number of packets through: a look asks an entry's limit, too.
pub(super) fn spent(family: Family) -> String {
    format!("spent{}", family.word())
}

/// The sets of one side.
pub(super) fn all(layout: &Layout, side: Side) -> Vec<Memory> {
    let mut all = Vec::new();
    if let (Side::Stack, Some(scan)) = (side, &layout.scan) {
        all.extend(Family::BOTH.into_iter().flat_map(|family| of_scans(scan, family)));
    }
    all.extend(layout.is_locked.then(locked));
    all
}

fn of_scans(scan: &Scan, family: Family) -> Vec<Memory> {
    let port_len = 4;
    let source = |name: String, size| Memory {
        name,
        key_type: family.key_type(),
        key_len: family.len().into(),
        size,
        counts: false,
        has_coin: false,
    };
    let with_port = |name: String| Memory {
        key_type: family.key_type() << set::TYPE_BITS | set::TYPE_PORT,
        key_len: u32::from(family.len()) + port_len,
        ..source(name, scan.sources)
    };
    let mut all = Vec::new();
    // With a threshold of one port nothing is counted.
    for span in Span::BOTH.into_iter().filter(|span| *span == Span::Window || scan.slots() > 0) {
        all.extend([with_port(first(family, span)), with_port(more(family, span))]);
        all.extend((1..=scan.slots()).map(|number| source(slot(family, span, number), scan.sources)));
    }
    all.push(source(over(family), scan.sources));
    if scan.earns != Earns::Report {
        let placed = Tier::PLACED.into_iter().filter(|tier| tier.family == family);
        all.extend(placed.map(|tier| Memory { counts: true, ..source(tier.name(), scan.budget) }));
    }
    if scan.weighs() {
        all.extend(
            [suspect(family), thrown(family), answered(family), last(family), spent(family)]
                .map(|name| source(name, scan.budget)),
        );
        all.push(Memory { has_coin: true, ..with_port(coin(family)) });
    }
    all
}

/// While it has entries, a lockdown holds: what ends them is the kernel's own clock.
fn locked() -> Memory {
    let key_len = u32::try_from(PROTOCOLS[0].len()).unwrap_or(0);
    Memory { name: LOCKED.into(), key_type: set::TYPE_ETHERTYPE, key_len, size: 0, counts: false, has_coin: false }
}
