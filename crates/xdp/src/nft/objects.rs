//! Tables, chains, rules, sets and counters as messages to the kernel.

use super::{
    bytes::{Message, Parts},
    expression::{Expression, goto},
    ingress::{self, ENTRANCE, FROM},
    probe,
    shape::Shape,
    side::Side,
    stack,
    uapi::{COMMENT, COMMENT_LEN_MAX, chain, flag, message, object, rule, set, table},
};
use std::borrow::Cow;

/// What kind of chain all base chains are.
const FILTER: &str = "filter";
/// The name of both tables.
pub(super) const TABLE: &str = "honeymesh";

/// A comment as `nft` keeps it in user data.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let end = text.len().min(COMMENT_LEN_MAX - 1);
    let octets = text.as_bytes().get(..end).unwrap_or_default();
    let len = u8::try_from(octets.len() + 1).unwrap_or(u8::MAX);
    [&[COMMENT, len], octets, &[0]].concat()
}

/// The text of a comment.
pub(super) fn comment_text(userdata: &[u8]) -> Option<&str> {
    let (&[COMMENT, len], rest) = userdata.split_first_chunk::<2>()? else { return None };
    str::from_utf8(rest.get(..len.into())?).ok().map(|text| text.trim_end_matches('\0'))
}

pub(super) fn new_table(side: Side, flags: u32) -> Message {
    Message::new(side, message::NEW_TABLE, flag::CREATE, |to| {
        to.text(table::NAME, TABLE).number(table::FLAGS, flags).bytes(table::USERDATA, &comment(&side.mark()));
    })
}

pub(super) fn del_table(side: Side) -> Message {
    Message::new(side, message::DEL_TABLE, 0, |to| {
        to.text(table::NAME, TABLE);
    })
}

pub(super) fn new_counter(side: Side, name: &str) -> Message {
    Message::new(side, message::NEW_OBJECT, flag::CREATE, |to| {
        to.text(object::TABLE, TABLE).text(object::NAME, name).number(object::TYPE, object::COUNTER).nest(object::DATA, |_| ());
    })
}

/// Where a base chain hangs, and what it does with what its rules say nothing about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    kind: Cow<'static, str>,
    number: u32,
    priority: i32,
    /// None within the network stack; one and no other before it.
    device: Option<String>,
    policy: u32,
}

impl Hook {
    /// Where our chain of this name hangs; `None`: other chains lead to it.
    ///
    /// Every interface has a base chain of its own, so that one that vanishes takes only its own along.
    pub(super) fn of(side: Side, name: &str) -> Option<Self> {
        let (number, priority, device) = match side {
            Side::Ingress => {
                let own = name.strip_prefix(FROM).map(|interface| (ingress::PRIORITY, interface));
                let (priority, device) = own.or_else(|| probe::priority(name).map(|priority| (priority, probe::LOOPBACK)))?;
                (chain::INGRESS, priority, Some(device.to_owned()))
            }
            Side::Stack if name == stack::ARRIVED => (chain::PREROUTING, stack::PRIORITY, None),
            Side::Stack => return None,
        };
        Some(Self { kind: FILTER.into(), number, priority, device, policy: libc::NF_ACCEPT.cast_unsigned() })
    }

    /// As the kernel tells of a chain; of several devices it does not name one here. `None`: it hangs nowhere.
    pub(super) fn read(chain: Parts<'_>) -> Option<Self> {
        let hook = Parts::of(chain.bytes(chain::HOOK)?);
        Some(Self {
            kind: chain.text(chain::TYPE).unwrap_or_default().to_owned().into(),
            number: hook.number(chain::HOOK_NUMBER)?,
            priority: hook.number(chain::HOOK_PRIORITY)?.cast_signed(),
            device: hook.text(chain::HOOK_DEVICE).map(str::to_owned),
            policy: chain.number(chain::POLICY)?,
        })
    }
}

/// A chain of ours, hung up if it is a base chain.
pub(super) fn new_chain(side: Side, name: &str) -> Message {
    Message::new(side, message::NEW_CHAIN, flag::CREATE, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, name);
        let Some(hook) = Hook::of(side, name) else { return };
        to.text(chain::TYPE, &hook.kind).number(chain::POLICY, hook.policy);
        to.nest(chain::HOOK, |to| {
            to.number(chain::HOOK_NUMBER, hook.number).number(chain::HOOK_PRIORITY, hook.priority.cast_unsigned());
            if let Some(device) = &hook.device {
                to.text(chain::HOOK_DEVICE, device);
            }
        });
    })
}

pub(super) fn base_chain(interface: &str) -> String {
    format!("{FROM}{interface}")
}

pub(super) fn del_chain(side: Side, name: &str) -> Message {
    Message::new(side, message::DEL_CHAIN, 0, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, name);
    })
}

/// Removes every rule of a chain.
pub(super) fn flush(side: Side, chain: &str) -> Message {
    Message::new(side, message::DEL_RULE, 0, |to| {
        to.text(rule::TABLE, TABLE).text(rule::CHAIN, chain);
    })
}

pub(super) fn new_rule(side: Side, chain: &str, steps: &[Expression]) -> Message {
    Message::new(side, message::NEW_RULE, flag::CREATE | flag::APPEND, |to| {
        to.text(rule::TABLE, TABLE).text(rule::CHAIN, chain);
        to.nest(rule::EXPRESSIONS, |list| steps.iter().for_each(|step| step.write(list)));
    })
}

/// The rule of every base chain before the network stack. The self-probe's frames have been judged before.
pub(super) fn enter_rule(interface: &str) -> Message {
    let mut steps = if interface == probe::LOOPBACK { probe::is_none() } else { Vec::new() };
    steps.push(goto(ENTRANCE));
    new_rule(Side::Ingress, &base_chain(interface), &steps)
}

/// A set, or other times for one that there is.
pub(super) fn new_set(side: Side, name: &str, shape: &Shape, id: u32) -> Message {
    Message::new(side, message::NEW_SET, flag::CREATE, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, name).number(set::ID, id);
        shape.write(to);
    })
}

pub(super) fn del_set(side: Side, name: &str) -> Message {
    Message::new(side, message::DEL_SET, 0, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, name);
    })
}
