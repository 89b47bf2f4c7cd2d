//! Entries of sets: written, read, asked for.

use super::{
    bytes::{Attributes, Incoming, Message, Parts},
    expression::counter,
    locked::{LOCKED, PROTOCOLS},
    objects::{TABLE, comment, comment_text},
    side::Side,
    tier::{Class, Tier, key},
    uapi::{element, flag, message, object, rule},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Entries in one message: the list of them is one attribute, and those end at 64 KiB.
pub(super) const PER_MESSAGE_MAX: usize = 200;
/// The longest note that is kept with an entry.
pub(super) const NOTE_LEN_MAX: usize = 64;
/// The longest lifetime that is asked for; the kernel has no word for more than 584 years.
const LEFT_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// One entry of a set: as it is to be, or as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Element {
    pub(super) class: Class,
    pub(super) net: IpNet,
    /// How long it is still in force, in milliseconds; `None` is for ever.
    pub(super) left_ms: Option<u64>,
    /// Why, and how sure: for whoever looks with `nft`, and compared by audits.
    pub(super) note: String,
    /// Packets it has matched.
    pub(super) hits: u64,
}

impl Element {
    pub(super) fn tier(&self) -> Tier {
        Tier::of(self.class, &self.net)
    }

    pub(super) const fn allowed(net: IpNet) -> Self {
        Self { class: Class::Allow, net, left_ms: None, note: String::new(), hits: 0 }
    }

    fn write(&self, list: &mut Attributes) {
        list.nest(rule::LIST_ELEMENT, |to| {
            write_key(to, &self.net);
            if !self.class.is_ban() {
                return;
            }
            if let Some(left) = self.left_ms {
                to.long(element::TIMEOUT, left.clamp(1, u64::try_from(LEFT_MAX.as_millis()).unwrap_or(u64::MAX)));
            }
            to.bytes(element::USERDATA, &comment(&self.note));
            counter(to, element::EXPRESSION, self.hits);
        });
    }

    fn read(tier: Tier, parts: Parts<'_>) -> Option<Self> {
        let net = tier.net(parts.inside(element::KEY).bytes(element::DATA_VALUE)?)?;
        let counted = parts.inside(element::EXPRESSION).inside(rule::EXPRESSION_DATA);
        let note = parts.bytes(element::USERDATA).and_then(comment_text).unwrap_or_default();
        Some(Self {
            class: tier.class,
            net,
            left_ms: parts.long(element::EXPIRATION),
            note: note.chars().take(NOTE_LEN_MAX).collect(),
            hits: counted.long(object::COUNTER_PACKETS).unwrap_or(0),
        })
    }
}

fn write_key(to: &mut Attributes, net: &IpNet) {
    write_octets(to, &key(net));
}

fn write_octets(to: &mut Attributes, key: &[u8]) {
    to.nest(element::KEY, |inner| {
        inner.bytes(element::DATA_VALUE, key);
    });
}

/// Writes the name of our table and of a set of it.
fn set_name(to: &mut Attributes, set: &str) {
    to.text(element::LIST_TABLE, TABLE).text(element::LIST_SET, set);
}

/// Adds entries that all belong to `tier`, at most [`PER_MESSAGE_MAX`].
pub(super) fn add(side: Side, tier: Tier, elements: &[&Element]) -> Message {
    Message::new(side, message::NEW_ELEMENT, flag::CREATE, |to| {
        set_name(to, &tier.name());
        to.nest(element::LIST_ELEMENTS, |list| elements.iter().for_each(|element| element.write(list)));
    })
}

/// Removes entries that are all there, at most [`PER_MESSAGE_MAX`].
pub(super) fn remove(side: Side, tier: Tier, nets: &[IpNet]) -> Message {
    Message::new(side, message::DEL_ELEMENT, 0, |to| about(to, tier, nets))
}

/// Asks for one entry, where it is at home.
pub(super) fn ask(tier: Tier, net: IpNet) -> Message {
    ask_on(tier.class.home(), tier, net)
}

/// Asks for one entry of one side.
pub(super) fn ask_on(side: Side, tier: Tier, net: IpNet) -> Message {
    Message::new(side, message::GET_ELEMENT, 0, |to| about(to, tier, &[net]))
}

/// Asks for all entries of a set.
pub(super) fn ask_all(side: Side, tier: Tier) -> Message {
    Message::new(side, message::GET_ELEMENT, flag::DUMP, |to| set_name(to, &tier.name()))
}

/// Removes all entries of a set.
pub(super) fn clear(side: Side, set: &str) -> Message {
    Message::new(side, message::DEL_ELEMENT, 0, |to| set_name(to, set))
}

/// Asks for the entry of a set that stands for every key without one.
pub(super) fn ask_catch_all(side: Side, set: &str) -> Message {
    Message::new(side, message::GET_ELEMENT, 0, |to| about_catch_all(to, set))
}

/// Removes that.
pub(super) fn remove_catch_all(side: Side, set: &str) -> Message {
    Message::new(side, message::DEL_ELEMENT, 0, |to| about_catch_all(to, set))
}

fn about_catch_all(to: &mut Attributes, set: &str) {
    set_name(to, set);
    to.nest(element::LIST_ELEMENTS, |list| {
        list.nest(rule::LIST_ELEMENT, |to| {
            to.number(element::FLAGS, element::CATCH_ALL);
        });
    });
}

/// Adds what says that a lockdown holds, for so long or until it is removed.
pub(super) fn add_locked(side: Side, left_ms: Option<u64>) -> Message {
    Message::new(side, message::NEW_ELEMENT, flag::CREATE, |to| {
        set_name(to, LOCKED);
        to.nest(element::LIST_ELEMENTS, |list| {
            for protocol in PROTOCOLS {
                list.nest(rule::LIST_ELEMENT, |to| {
                    write_octets(to, &protocol);
                    if let Some(left) = left_ms {
                        to.long(element::TIMEOUT, left.max(1));
                    }
                });
            }
        });
    })
}

/// Asks what says that a lockdown holds.
pub(super) fn ask_locked(side: Side) -> Message {
    Message::new(side, message::GET_ELEMENT, flag::DUMP, |to| set_name(to, LOCKED))
}

/// What is left of each entry that answers [`ask_locked`]: milliseconds, or no end.
pub(super) fn read_locked(message: &Incoming<'_>) -> Vec<Option<u64>> {
    let parts = message.attributes();
    if parts.text(element::LIST_TABLE) != Some(TABLE) || parts.text(element::LIST_SET) != Some(LOCKED) {
        return Vec::new();
    }
    parts.inside(element::LIST_ELEMENTS).map(|(_, one)| Parts::of(one).long(element::EXPIRATION)).collect()
}

fn about(to: &mut Attributes, tier: Tier, nets: &[IpNet]) {
    set_name(to, &tier.name());
    to.nest(element::LIST_ELEMENTS, |list| {
        for net in nets {
            list.nest(rule::LIST_ELEMENT, |to| write_key(to, net));
        }
    });
}

/// The entries of a message that answers [`ask`] or [`ask_all`]. The one that stands for every other key has none itself, and is no
/// prefix's: [`ask_catch_all`].
pub(super) fn read(tier: Tier, message: &Incoming<'_>) -> Vec<Element> {
    let parts = message.attributes();
    if parts.text(element::LIST_TABLE) != Some(TABLE) {
        return Vec::new();
    }
    let list = parts.inside(element::LIST_ELEMENTS);
    list.filter_map(|(_, element)| Element::read(tier, Parts::of(element))).collect()
}
