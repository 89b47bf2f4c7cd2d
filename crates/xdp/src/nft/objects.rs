//! Tables, chains, rules, sets and counters as messages to the kernel.

use super::{
    bytes::{Attributes, Message},
    expression::{Expression, counter, goto},
    ingress::{self, ENTRANCE, FROM},
    memory::Memory,
    probe,
    side::Side,
    stack,
    tier::Tier,
    uapi::{COMMENT, COMMENT_LEN_MAX, chain, flag, message, object, rule, set, table},
};

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
        to.text(table::NAME, TABLE).number(table::FLAGS, flags).bytes(table::USERDATA, &comment(side.mark()));
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

pub(super) fn new_chain(side: Side, name: &str) -> Message {
    Message::new(side, message::NEW_CHAIN, flag::CREATE, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, name);
    })
}

/// The chain that an interface's packets enter. One for each, so that an interface that vanishes takes only its own along.
pub(super) fn new_ingress_chain(interface: &str) -> Message {
    new_device_chain(&base_chain(interface), interface, ingress::PRIORITY)
}

/// A chain that the self-probe's frames enter.
pub(super) fn new_probe_chain(name: &str, priority: i32) -> Message {
    new_device_chain(name, probe::LOOPBACK, priority)
}

fn new_device_chain(name: &str, interface: &str, priority: i32) -> Message {
    new_base_chain(Side::Ingress, name, |hook| {
        hook.number(chain::HOOK_NUMBER, chain::INGRESS).number(chain::HOOK_PRIORITY, priority.cast_unsigned());
        hook.text(chain::HOOK_DEVICE, interface);
    })
}

/// The chain that every packet of the network stack enters.
pub(super) fn new_stack_chain(name: &str) -> Message {
    new_base_chain(Side::Stack, name, |hook| {
        hook.number(chain::HOOK_NUMBER, chain::PREROUTING).number(chain::HOOK_PRIORITY, stack::PRIORITY.cast_unsigned());
    })
}

fn new_base_chain(side: Side, name: &str, hook: impl FnOnce(&mut Attributes)) -> Message {
    Message::new(side, message::NEW_CHAIN, flag::CREATE, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, name).text(chain::TYPE, "filter");
        to.number(chain::POLICY, libc::NF_ACCEPT.cast_unsigned());
        to.nest(chain::HOOK, hook);
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

pub(super) fn new_set(side: Side, tier: Tier, id: u32) -> Message {
    Message::new(side, message::NEW_SET, flag::CREATE, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, &tier.name()).number(set::ID, id);
        to.number(set::FLAGS, if tier.class.is_ban() { set::TIMEOUTS } else { 0 });
        to.number(set::KEY_TYPE, tier.family.key_type()).number(set::KEY_LEN, tier.family.len().into());
        if tier.class.is_ban() {
            counter(to, set::EXPRESSION, 0);
        }
    })
}

/// A set that is no prefix's.
pub(super) fn new_memory(side: Side, memory: &Memory, id: u32) -> Message {
    Message::new(side, message::NEW_SET, flag::CREATE, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, &memory.name).number(set::ID, id);
        let (dynamic, map) = (if memory.size > 0 { set::DYNAMIC } else { 0 }, if memory.has_coin { set::MAP } else { 0 });
        to.number(set::FLAGS, set::TIMEOUTS | dynamic | map);
        to.number(set::KEY_TYPE, memory.key_type).number(set::KEY_LEN, memory.key_len);
        if memory.has_coin {
            to.number(set::DATA_TYPE, set::TYPE_MARK).number(set::DATA_LEN, 4);
        }
        if memory.size > 0 {
            to.nest(set::DESCRIPTION, |inner| {
                inner.number(set::SIZE, memory.size);
            });
        }
        if memory.counts {
            counter(to, set::EXPRESSION, 0);
        }
    })
}

pub(super) fn del_set(side: Side, name: &str) -> Message {
    Message::new(side, message::DEL_SET, 0, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, name);
    })
}
