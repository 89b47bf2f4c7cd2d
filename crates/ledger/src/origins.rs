//! Origins, each kept once however many claims it makes.

use crate::{Backing, Origin, Quorum, backing::Owner};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use honeymesh_types::NAME_BYTES_MAX;

/// How many different origins are kept; claims of further ones are refused.
pub const ORIGINS_MAX: usize = 65_536;

/// An origin's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OriginIndex(u32);

struct Row {
    origin: Origin,
    name: String,
    owner: Option<String>,
    quorum: Quorum,
    claims: usize,
}

/// Origins with the number of claims that refer to them; an unused one is forgotten.
#[derive(Default)]
pub(crate) struct Origins {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    index: BTreeMap<Origin, u32>,
}

impl Origins {
    pub(crate) fn find(&self, origin: &Origin) -> Option<OriginIndex> {
        self.index.get(origin).copied().map(OriginIndex)
    }

    /// Can `origin` be kept?
    pub(crate) fn has_room_for(&self, origin: &Origin) -> bool {
        self.index.len() < ORIGINS_MAX || self.index.contains_key(origin)
    }

    /// One more claim of `origin`, which is called `name` from now on. Who backs it was settled with its first claim: what that
    /// changes is [`Self::back`]'s business. `None`: the table is full.
    pub(crate) fn acquire(&mut self, origin: &Origin, name: &str, backing: &Backing) -> Option<OriginIndex> {
        let index = match self.index.get(origin) {
            Some(known) => *known,
            None => self.add(origin, backing)?,
        };
        let row = self.rows.get_mut(index as usize)?.as_mut()?;
        row.claims += 1;
        if row.name != name {
            row.name = cut(name, NAME_BYTES_MAX).into();
        }
        Some(OriginIndex(index))
    }

    /// One claim less.
    pub(crate) fn release(&mut self, index: OriginIndex) {
        let Some(slot) = self.rows.get_mut(index.0 as usize) else { return };
        let Some(row) = slot else { return };
        row.claims = row.claims.saturating_sub(1);
        if row.claims == 0 {
            self.index.remove(&row.origin);
            *slot = None;
            self.free.push(index.0);
        }
    }

    pub(crate) fn origin(&self, index: OriginIndex) -> Option<&Origin> {
        self.row(index).map(|row| &row.origin)
    }

    pub(crate) fn name(&self, index: OriginIndex) -> &str {
        self.row(index).map_or("", |row| row.name.as_str())
    }

    /// Who must agree with what this origin says.
    pub(crate) fn quorum(&self, index: OriginIndex) -> Quorum {
        self.row(index).map_or_else(Quorum::default, |row| row.quorum)
    }

    /// Who owns the node. `None`: an origin that is not there.
    pub(crate) fn owner(&self, index: OriginIndex) -> Option<Owner<'_>> {
        let row = self.row(index)?;
        Some(match (&row.origin, &row.owner) {
            (Origin::Local, _) => Owner::Here,
            (_, Some(name)) => Owner::Named(name),
            (Origin::Peer { node, .. }, None) => Owner::Node(node),
        })
    }

    /// The name of the owner, if one was stated.
    pub(crate) fn owner_name(&self, index: OriginIndex) -> Option<&String> {
        self.row(index)?.owner.as_ref()
    }

    /// Somebody else backs the origin from now on: list every claim of it anew.
    pub(crate) fn back(&mut self, index: OriginIndex, backing: &Backing) {
        if let Some(row) = self.rows.get_mut(index.0 as usize).and_then(Option::as_mut) {
            row.owner = named(backing);
            row.quorum = backing.quorum;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    fn row(&self, index: OriginIndex) -> Option<&Row> {
        self.rows.get(index.0 as usize)?.as_ref()
    }

    fn add(&mut self, origin: &Origin, backing: &Backing) -> Option<u32> {
        if self.index.len() >= ORIGINS_MAX {
            return None;
        }
        let (owner, quorum) = (named(backing), backing.quorum);
        let row = Some(Row { origin: origin.clone(), name: String::new(), owner, quorum, claims: 0 });
        let index = match self.free.pop() {
            Some(free) => free,
            None => {
                self.rows.push(None);
                u32::try_from(self.rows.len() - 1).ok()?
            }
        };
        *self.rows.get_mut(index as usize)? = row;
        self.index.insert(origin.clone(), index);
        Some(index)
    }
}

fn named(backing: &Backing) -> Option<String> {
    backing.owner.as_ref().map(|owner| cut(owner, NAME_BYTES_MAX).into())
}

/// `text` cut to at most `bytes_max` bytes at a character boundary.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::NodeId;

    fn peer(byte: u8) -> Origin {
        Origin::Peer { cluster: "c".parse().unwrap(), node: NodeId([byte; 32]) }
    }

    #[test]
    fn an_origin_is_forgotten_with_its_last_claim_and_its_place_is_used_again() {
        let mut origins = Origins::default();
        let first = origins.acquire(&peer(1), "a", &Backing::default()).unwrap();
        assert_eq!(origins.acquire(&peer(1), "b", &Backing::default()).unwrap(), first);
        assert_eq!(origins.name(first), "b", "the latest name holds");
        origins.release(first);
        assert_eq!(origins.find(&peer(1)), Some(first));
        origins.release(first);
        origins.release(first);
        assert_eq!((origins.find(&peer(1)), origins.len()), (None, 0));
        assert_eq!(origins.acquire(&peer(2), "c", &Backing::default()).unwrap(), first);
    }

    #[test]
    fn cutting_respects_characters() {
        assert_eq!((cut("aé", 2), cut("aé", 3), cut("", 5)), ("a", "aé", ""));
    }
}
