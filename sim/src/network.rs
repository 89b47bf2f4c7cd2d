//! The network between the nodes: it delays, loses, doubles, reorders and splits.

use crate::{Options, dice::Dice};
use std::{rc::Rc, time::Duration};

/// What a network has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams that were sent.
    pub sent: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams that were lost, split or sent to nobody.
    pub lost: u64,
    /// Datagrams that were delivered twice.
    pub doubled: u64,
    /// Bytes that were given to streams.
    pub stream_bytes: u64,
}

/// The network.
pub(crate) struct Network {
    dice: Dice,
    options: Options,
    /// Which side of a split each node is on; all on the same side when there is none.
    sides: Vec<usize>,
    pub(crate) traffic: Traffic,
}

impl Network {
    pub(crate) fn new(options: &Options, dice: Dice) -> Self {
        Self { dice, options: options.clone(), sides: vec![0; options.nodes], traffic: Traffic::default() }
    }

    /// A new node, on the side of the first one.
    pub(crate) fn plug_in(&mut self) {
        self.sides.push(0);
    }

    /// Loses so many datagrams in a thousand from now on.
    pub(crate) const fn set_loss(&mut self, per_mille: u32) {
        self.options.loss_per_mille = per_mille;
    }

    /// Can these two hear each other?
    pub(crate) fn joins(&self, one: usize, other: usize) -> bool {
        self.sides[one] == self.sides[other]
    }

    /// Splits the network: nodes hear only those on their own side.
    pub(crate) fn split(&mut self, side: impl Fn(usize) -> usize) {
        self.sides = (0..self.sides.len()).map(side).collect();
    }

    /// Takes a datagram; gives back how long each copy of it travels, if any arrives.
    pub(crate) fn carry(&mut self, from: usize, to: Option<usize>, bytes: &Rc<[u8]>) -> Vec<Duration> {
        self.traffic.sent += 1;
        self.traffic.bytes += bytes.len() as u64;
        let is_split = to.is_none_or(|to| self.sides[from] != self.sides[to]);
        if is_split || self.dice.happens(self.options.loss_per_mille) {
            self.traffic.lost += 1;
            return Vec::new();
        }
        let doubled = self.dice.happens(self.options.double_per_mille);
        self.traffic.doubled += u64::from(doubled);
        let (least, most) = self.options.latency;
        (0..=u8::from(doubled)).map(|_| self.dice.between(least, most)).collect()
    }
}
