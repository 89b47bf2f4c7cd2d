//! Collects the outputs of one input and hands them out in their fixed order.

use crate::{Keep, Output};
use alloc::vec::Vec;
use honeymesh_types::Event;

/// Outputs by kind, each kind in the order in which it was caused.
#[derive(Default)]
pub(crate) struct Outbox {
    kernel: Vec<Output>,
    keep: Vec<Output>,
    send: Vec<Output>,
    tell: Vec<Output>,
    reply: Vec<Output>,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        let shelf = match output {
            Output::Enforce(_)
            | Output::Release(_)
            | Output::Protect(_)
            | Output::Enforcing(_)
            | Output::Lockdown(_)
            | Output::Reconcile => &mut self.kernel,
            Output::Keep(_) => &mut self.keep,
            Output::Send { .. } | Output::Stream { .. } | Output::Check { .. } => &mut self.send,
            Output::Tell(_) => &mut self.tell,
            Output::Reply { .. } => &mut self.reply,
        };
        shelf.push(output);
    }

    pub(crate) fn keep(&mut self, keep: Keep) {
        self.push(Output::Keep(keep));
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.push(Output::Tell(event));
    }

    /// Empties it into `out`.
    pub(crate) fn flush(&mut self, out: &mut Vec<Output>) {
        for shelf in [&mut self.kernel, &mut self.keep, &mut self.send, &mut self.tell, &mut self.reply] {
            out.append(shelf);
        }
    }
}
