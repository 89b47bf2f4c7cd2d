//! What the kernel has under our tables' name.

use crate::nft::{
    bytes::{Batch, Incoming, Message, Parts},
    element,
    objects::{self, Hook, TABLE},
    shape::Shape,
    side::{Side, VERSION},
    socket::{Socket, THINGS_MAX},
    tier::{Class, Tier},
    uapi::{chain, flag, message, object, rule, set, table},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// What there is of one of our tables.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) table: Option<FoundTable>,
    /// There is one that gives way to ours, so nothing in it counts.
    pub(super) gives_way: bool,
    /// Chains, and where each hangs.
    pub(super) chains: BTreeMap<String, Option<Hook>>,
    pub(super) counters: BTreeSet<String>,
    pub(super) sets: BTreeMap<String, FoundSet>,
}

/// A set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundSet {
    pub(super) shape: Shape,
    /// Has it an entry that stands for every key without one?
    pub(super) has_catch_all: bool,
}

impl Found {
    /// The sets of prefixes.
    pub(super) fn tiers(&self) -> BTreeSet<Tier> {
        self.sets.keys().filter_map(|name| Tier::parse(name)).filter(|tier| tier.class != Class::Placed).collect()
    }

    /// Those that are as ours are, in everything that can be told of a set.
    pub(super) fn alike(&self) -> BTreeSet<Tier> {
        let alike = |(name, set): (&String, &FoundSet)| Tier::parse(name).filter(|tier| set.shape == Shape::of_tier(*tier));
        self.sets.iter().filter_map(alike).collect()
    }

    /// Is there a table of somebody else's?
    pub(super) fn is_foreign(&self) -> bool {
        self.table.is_some_and(|table| table.version.is_none())
    }
}

/// A table of our name.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundTable {
    pub(super) flags: u32,
    /// The version of ours that made it; `None`: somebody else did.
    pub(super) version: Option<u32>,
}

impl FoundTable {
    /// The version of ours that made it, if that is another one than this.
    pub(super) fn other_version(self) -> Option<u32> {
        self.version.filter(|version| *version != VERSION)
    }
}

/// Our tables as the kernel tells them, without what changes by itself.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// Chains, where they hang, and their rules.
    pub(super) chains: BTreeMap<(Side, String), Vec<u8>>,
    pub(super) sets: BTreeMap<(Side, String), FoundSet>,
}

impl Picture {
    /// That of some sides alone.
    pub(super) fn of(&self, sides: &[Side]) -> Self {
        let chains = self.chains.iter().filter(|((side, _), _)| sides.contains(side));
        let sets = self.sets.iter().filter(|((side, _), _)| sides.contains(side));
        Self {
            chains: chains.map(|(name, rules)| (name.clone(), rules.clone())).collect(),
            sets: sets.map(|(name, set)| (name.clone(), set.clone())).collect(),
        }
    }

    /// Puts `now` in the place of what these sides looked like.
    pub(super) fn retake(&mut self, now: Self, sides: &[Side]) {
        self.chains.retain(|(side, _), _| !sides.contains(side));
        self.sets.retain(|(side, _), _| !sides.contains(side));
        self.chains.extend(now.chains);
        self.sets.extend(now.sets);
    }

    /// Is everything as in `self` still so in `now`, and nothing else there? Of these chains some may be gone.
    pub(super) fn is_still(&self, now: &Self, may_be_gone: impl Fn(&(Side, String)) -> bool) -> bool {
        let is_same = |(chain, rules)| may_be_gone(chain) || now.chains.get(chain) == Some(rules);
        self.chains.iter().all(is_same) && now.chains.keys().all(|chain| self.chains.contains_key(chain)) && self.sets == now.sets
    }
}

/// Removes our tables, of whatever version. Was there one? `EBUSY` is an owner who lives.
pub(in crate::nft) fn remove_tables(socket: &mut Socket) -> io::Result<bool> {
    let mut batch = Batch::default();
    for side in Side::BOTH {
        match find_table(socket, side) {
            Ok(found) if found.is_some_and(|table| table.version.is_some()) => batch.push(objects::del_table(side)),
            // A kernel without one of the families has no table there.
            Err(error) if side == Side::Ingress || !is_unknown(&error) => return Err(error),
            _ => {}
        }
    }
    let any = !batch.is_empty();
    match socket.commit(batch) {
        // Tables could be read, so it is not our power that is missing: somebody else holds them.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(io::Error::from_raw_os_error(libc::EBUSY)),
        done => done.map(|()| any),
    }
}

/// What a kernel says about something that it does not have.
pub(in crate::nft) fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
    )
}

fn list(side: Side, message: u16, table: u16) -> Message {
    Message::new(side, message, flag::DUMP, |to| {
        to.text(table, TABLE);
    })
}

/// The table of our name on this side.
pub(super) fn find_table(socket: &mut Socket, side: Side) -> io::Result<Option<FoundTable>> {
    let ask = Message::new(side, message::GET_TABLE, 0, |to| {
        to.text(table::NAME, TABLE);
    });
    socket.get(&ask, |message| {
        let parts = message.attributes();
        let mark = parts.bytes(table::USERDATA).and_then(objects::comment_text);
        Some(FoundTable { flags: parts.number(table::FLAGS).unwrap_or(0), version: mark.and_then(|mark| side.version(mark)) })
    })
}

/// The sets of prefixes.
pub(super) fn tiers(socket: &mut Socket, side: Side) -> io::Result<Vec<Tier>> {
    let shapes = shapes(socket, side)?;
    Ok(shapes.into_iter().filter_map(|(name, _)| Tier::parse(&name)).collect())
}

fn shapes(socket: &mut Socket, side: Side) -> io::Result<Vec<(String, Shape)>> {
    socket.dump(
        THINGS_MAX,
        || list(side, message::GET_SET, set::TABLE),
        |message, all| {
            let shape = || Shape::read(message.attributes());
            all.extend(ours(message, side, set::TABLE, set::NAME).map(|name| (name.to_owned(), shape())));
        },
    )
}

fn sets(socket: &mut Socket, side: Side) -> io::Result<BTreeMap<String, FoundSet>> {
    let mut sets = BTreeMap::new();
    for (name, shape) in shapes(socket, side)? {
        let has_catch_all = has_catch_all(socket, side, &name)?;
        sets.insert(name, FoundSet { shape, has_catch_all });
    }
    Ok(sets)
}

fn has_catch_all(socket: &mut Socket, side: Side, set: &str) -> io::Result<bool> {
    match socket.get(&element::ask_catch_all(side, set), |_| Some(())) {
        Ok(found) => Ok(found.is_some()),
        // Before Linux 5.13 there is no such thing.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name of something, if it is in our table: kernels differ in whether they filter by it.
fn ours<'a>(message: &Incoming<'a>, side: Side, table: u16, name: u16) -> Option<&'a str> {
    let parts = message.attributes();
    let is_ours = message.body.first() == Some(&side.family()) && parts.text(table) == Some(TABLE);
    parts.text(name).filter(|_| is_ours)
}

/// Everything of one side but rules and entries.
pub(super) fn look(socket: &mut Socket, side: Side) -> io::Result<Found> {
    let Some(table) = find_table(socket, side)? else { return Ok(Found::default()) };
    let chains = socket.dump(
        THINGS_MAX,
        || list(side, message::GET_CHAIN, chain::TABLE),
        |message, all| {
            let hook = || Hook::read(message.attributes());
            all.extend(ours(message, side, chain::TABLE, chain::NAME).map(|name| (name.to_owned(), hook())));
        },
    )?;
    let counters = socket.dump(
        THINGS_MAX,
        || list(side, message::GET_OBJECT, object::TABLE),
        |message, all| all.extend(ours(message, side, object::TABLE, object::NAME).map(str::to_owned)),
    )?;
    Ok(Found {
        table: Some(table),
        gives_way: false,
        chains: chains.into_iter().collect(),
        counters: counters.into_iter().collect(),
        sets: sets(socket, side)?,
    })
}

/// Chains, rules and sets of these sides.
pub(super) fn picture(socket: &mut Socket, sides: &[Side]) -> io::Result<Picture> {
    let mut picture = Picture::default();
    for &side in sides {
        if let Some(table) = find_table(socket, side)? {
            // No chain has no name.
            picture.chains.insert((side, String::new()), (table.flags & table::DORMANT).to_ne_bytes().to_vec());
        }
        let chains = socket.dump(
            THINGS_MAX,
            || list(side, message::GET_CHAIN, chain::TABLE),
            |message, all| {
                let hook = hook(message.attributes());
                all.extend(ours(message, side, chain::TABLE, chain::NAME).map(|name| (name.to_owned(), hook)));
            },
        )?;
        picture.chains.extend(chains.into_iter().map(|(chain, hook)| ((side, chain), hook)));
        let rules = socket.dump(
            THINGS_MAX,
            || list(side, message::GET_RULE, rule::TABLE),
            |message, all| {
                let steps = message.attributes().bytes(rule::EXPRESSIONS).unwrap_or_default().to_vec();
                all.extend(ours(message, side, rule::TABLE, rule::CHAIN).map(|name| (name.to_owned(), steps)));
            },
        )?;
        for (chain, mut steps) in rules {
            picture.chains.entry((side, chain)).or_default().append(&mut steps);
        }
        picture.sets.extend(sets(socket, side)?.into_iter().map(|(name, set)| ((side, name), set)));
    }
    Ok(picture)
}

/// Where a chain hangs and what it does with what it says nothing about.
fn hook(parts: Parts<'_>) -> Vec<u8> {
    [parts.bytes(chain::HOOK), parts.bytes(chain::POLICY)].into_iter().flatten().flatten().copied().collect()
}

/// The counters of one side, by name.
pub(super) fn counters(socket: &mut Socket, side: Side) -> io::Result<BTreeMap<String, u64>> {
    let all = socket.dump(
        THINGS_MAX,
        || list(side, message::GET_OBJECT, object::TABLE),
        |message, all| {
            let packets = message.attributes().inside(object::DATA).long(object::COUNTER_PACKETS).unwrap_or(0);
            all.extend(ours(message, side, object::TABLE, object::NAME).map(|name| (name.to_owned(), packets)));
        },
    )?;
    Ok(all.into_iter().collect())
}
