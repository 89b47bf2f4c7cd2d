//! What a set is, and not what is in it: as it is made, and as the kernel tells of it.

use super::{
    bytes::{Attributes, Parts},
    expression::counter,
    memory::Memory,
    tier::Tier,
    uapi::{rule, set},
};

/// What a set of prefixes, and one that rules fill, has for every entry.
const COUNTER: &str = "counter";

/// Everything about a set that can be told but its name and its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    flags: u32,
    key_type: u32,
    key_len: u32,
    /// Type and length of the values of a map.
    data: Option<(u32, u32)>,
    /// How many entries fit; 0: as many as there is memory for.
    size: u32,
    /// How long an entry lives that says nothing about it, in milliseconds; 0: for ever.
    timeout_ms: u64,
    /// How often ended entries are removed, in milliseconds; 0: as the kernel likes.
    removal_ms: u32,
    /// What every entry has.
    expressions: Vec<String>,
}

impl Shape {
    /// A set of prefixes.
    pub(super) fn of_tier(tier: Tier) -> Self {
        let is_ban = tier.class.is_ban();
        Self {
            flags: if is_ban { set::TIMEOUTS } else { 0 },
            key_type: tier.family.key_type(),
            key_len: tier.family.len().into(),
            expressions: counted(is_ban),
            ..Self::default()
        }
    }

    /// A set that is no prefix's.
    pub(super) fn of_memory(memory: &Memory) -> Self {
        let (dynamic, map) = (if memory.size > 0 { set::DYNAMIC } else { 0 }, if memory.has_coin { set::MAP } else { 0 });
        Self {
            flags: set::TIMEOUTS | dynamic | map,
            key_type: memory.key_type,
            key_len: memory.key_len,
            data: memory.has_coin.then_some((set::TYPE_MARK, 4)),
            size: memory.size,
            expressions: counted(memory.counts),
            ..Self::default()
        }
    }

    /// As the kernel tells of a set.
    pub(super) fn read(parts: Parts<'_>) -> Self {
        let number = |kind| parts.number(kind).unwrap_or(0);
        let name = |expression: Parts<'_>| expression.text(rule::EXPRESSION_NAME).unwrap_or_default().to_owned();
        // One is told by itself, several are told as a list.
        let one = parts.bytes(set::EXPRESSION).map(Parts::of).map(name);
        let several = parts.inside(set::EXPRESSIONS).map(|(_, expression)| name(Parts::of(expression)));
        Self {
            flags: number(set::FLAGS),
            key_type: number(set::KEY_TYPE),
            key_len: number(set::KEY_LEN),
            data: parts.number(set::DATA_TYPE).map(|data| (data, number(set::DATA_LEN))),
            size: parts.inside(set::DESCRIPTION).number(set::SIZE).unwrap_or(0),
            timeout_ms: parts.long(set::TIMEOUT).unwrap_or(0),
            removal_ms: number(set::REMOVAL_INTERVAL),
            expressions: one.into_iter().chain(several).collect(),
        }
    }

    pub(super) fn write(&self, to: &mut Attributes) {
        to.number(set::FLAGS, self.flags).number(set::KEY_TYPE, self.key_type).number(set::KEY_LEN, self.key_len);
        if let Some((kind, len)) = self.data {
            to.number(set::DATA_TYPE, kind).number(set::DATA_LEN, len);
        }
        if self.size > 0 {
            to.nest(set::DESCRIPTION, |inner| {
                inner.number(set::SIZE, self.size);
            });
        }
        if !self.expressions.is_empty() {
            counter(to, set::EXPRESSION, 0);
        }
    }

    /// Is nothing else wrong with `found` but what can be set right without making it anew, which would cost its entries?
    pub(super) fn is_but_for_times(&self, found: &Self) -> bool {
        Self { timeout_ms: self.timeout_ms, removal_ms: self.removal_ms, ..found.clone() } == *self
    }
}

fn counted(counts: bool) -> Vec<String> {
    counts.then(|| COUNTER.to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::tier::{Class, Family};

    #[test]
    fn what_is_written_is_what_is_read_and_only_times_can_be_set_right() {
        let tier = |class| Shape::of_tier(Tier { class, family: Family::V6, bits: 64 });
        let coins = Memory { name: "coin4".into(), key_type: 461, key_len: 8, size: 9, counts: true, has_coin: true };
        for shape in [tier(Class::Ban), tier(Class::Allow), Shape::of_memory(&coins)] {
            let mut attributes = Attributes::default();
            shape.write(&mut attributes);
            assert_eq!(Shape::read(Parts::of(attributes.octets())), shape);
            assert!(shape.is_but_for_times(&Shape { timeout_ms: 1_000, removal_ms: 5, ..shape.clone() }));
            for other in [
                Shape { size: 1, timeout_ms: 1, ..shape.clone() },
                Shape { flags: 0x20 ^ shape.flags, ..shape.clone() },
                Shape { key_type: 9, ..shape.clone() },
                Shape { key_len: 2, ..shape.clone() },
                Shape { data: Some((1, 4)), ..shape.clone() },
                Shape { expressions: vec!["counter".into(), "quota".into()], ..shape.clone() },
            ] {
                assert!(other != shape && !shape.is_but_for_times(&other), "{other:?}");
            }
        }
    }
}
