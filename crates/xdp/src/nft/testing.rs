//! What the two processes and the kernel say to each other about nf_tables, for whoever writes it wrong.

use super::{
    bytes::Messages,
    element::{read, read_locked},
    orders::{Answer, Order},
    tier::{Class, Tier},
};
use ipnet::IpNet;
use serde::{Serialize, de::DeserializeOwned};

/// Entries of every kind of set: single addresses, customers, prefixes, everybody.
const NETS: [&str; 6] = ["192.0.2.1/32", "198.51.100.0/24", "0.0.0.0/0", "2001:db8::1/128", "2001:db8::/64", "::/0"];

/// An order to the writer: is it one, and if so, is it the same written again? A network or a scan that it carries and that is believed
/// is within its bounds.
#[must_use]
pub fn order(octets: &[u8]) -> Option<bool> {
    if let Ok(Order::Open { network, .. } | Order::Guard(network, _)) = postcard::from_bytes(octets)
        && network.is_sound()
    {
        let names = network.interfaces.iter().chain(&network.carriers);
        assert!(names.into_iter().all(|name| !name.is_empty() && name.len() < 16), "a name that no interface has");
    }
    again::<Order>(octets)
}

/// An answer of the writer's: is it one, and if so, is it the same written again?
#[must_use]
pub fn answer(octets: &[u8]) -> Option<bool> {
    again::<Answer>(octets)
}

fn again<T: Serialize + DeserializeOwned + PartialEq>(octets: &[u8]) -> Option<bool> {
    let said: T = postcard::from_bytes(octets).ok()?;
    let written = postcard::to_allocvec(&said).ok()?;
    Some(postcard::from_bytes(&written).is_ok_and(|again: T| again == said))
}

/// What the kernel answers, read as entries of every kind of set: how many, at most of one kind. Each is of the kind that was asked for.
#[must_use]
pub fn dumped(octets: &[u8]) -> usize {
    let mut most = 0;
    for message in Messages(octets) {
        let _number = message.errno();
        most = most.max(read_locked(&message).len());
        for net in NETS.iter().filter_map(|net| net.parse::<IpNet>().ok()) {
            for class in [Class::Ban, Class::Dark, Class::Allow, Class::Placed] {
                let tier = Tier::of(class, &net);
                let found = read(tier, &message);
                assert!(found.iter().all(|one| one.tier() == tier && one.net == one.net.trunc()), "{found:?} of {tier:?}");
                most = most.max(found.len());
            }
        }
    }
    most
}
