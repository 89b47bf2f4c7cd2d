//! What this crate reads, one by one: for whoever writes it wrong.

use crate::{keeper::Word, netlink, network, nft, record, visit};
use honeymesh_types::{Knock, Now, Visit};
use std::net::SocketAddr;

/// A record of the ring buffer as a knock.
#[must_use]
pub fn knock(octets: &[u8], now: Now) -> Option<Knock> {
    record::parse(octets, now)
}

/// A record of the ring buffer as a visit.
#[must_use]
pub fn finished_handshake(octets: &[u8], now: Now) -> Option<Visit> {
    visit::parse(octets, 7, now)
}

/// The begin of a stranger's packet, as the kernel logs it: where from, where to.
#[must_use]
pub fn logged(octets: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    nft::ends(octets)
}

/// A datagram of the kernel's log: how many records it has.
#[must_use]
pub fn log(octets: &[u8]) -> usize {
    nft::records(octets)
}

/// A datagram that tells of interfaces: how many.
#[must_use]
pub fn interfaces(octets: &[u8]) -> usize {
    netlink::interfaces(octets)
}

/// What the keeper says to the daemon; also as it is written again.
#[must_use]
pub fn keeper_word(octets: &[u8]) -> Option<(Word, Option<Word>)> {
    let word = Word::decode(octets)?;
    let again = Word::decode(&word.encode());
    Some((word, again))
}

/// Texts of `/proc` and `/etc` that tell of the network: how many routes and resolvers are in them.
#[must_use]
pub fn network_texts(text: &str) -> usize {
    network::found_in(text)
}

/// An order to the process that writes to nf_tables: is it one, and if so, is it the same written again?
#[must_use]
pub fn nft_order(octets: &[u8]) -> Option<bool> {
    nft::testing::order(octets)
}

/// An answer of that process: is it one, and if so, is it the same written again?
#[must_use]
pub fn nft_answer(octets: &[u8]) -> Option<bool> {
    nft::testing::answer(octets)
}

/// What the kernel answers about sets of nf_tables: how many entries are in it, read as those of one kind.
#[must_use]
pub fn nft_dumped(octets: &[u8]) -> usize {
    nft::testing::dumped(octets)
}
