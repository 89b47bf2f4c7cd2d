//! Orders that last: the mode, a lockdown, the never-ban set, the network. The writer keeps what it was ordered even if the kernel
//! refuses it. Here it is seen to that it is said again, and that an interface that ended a moment ago is no reason to refuse.

use super::{
    Nft,
    answers::unexpected,
    orders::{Answer, Depth, Order},
};
use crate::{Drift, Error};
use serde::{Deserialize, Serialize};

/// How often an order is given when an interface ends in that very moment.
const TRIES: usize = 3;

/// What was mended on the way, by one order or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mended {
    /// Somebody had changed something.
    pub(super) is_changed: bool,
    /// The kernel had refused something before, and has it now.
    pub(super) was_owed: bool,
}

/// How things stand after an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// What was mended since the answer before.
    pub(super) mended: Mended,
    /// Something that is wanted is not in the kernel, which has refused it.
    pub(super) owes: bool,
    /// A never-ban set that was ordered was in both tables, since the start.
    pub(super) has_allow: bool,
}

impl Mended {
    /// One of both is enough.
    pub(super) const fn or(self, other: Self) -> Self {
        Self { is_changed: self.is_changed || other.is_changed, was_owed: self.was_owed || other.was_owed }
    }

    /// In a report's words.
    pub(super) fn drift(self) -> Drift {
        Drift { settings_changed: self.is_changed, taken: self.was_owed, ..Drift::default() }
    }
}

impl Nft {
    /// Gives an order that is kept as wanted if the kernel refuses it: then [`Nft::guard`] and [`Nft::look_after`] say it again.
    pub(super) fn keep(&mut self, order: &Order) -> Result<(), Error> {
        let mut done = self.done(order).map(|_| ());
        if done.as_ref().is_err_and(is_gone) {
            // It is wanted by now, so whatever is said again says it, too: that alone is no news.
            let was_owed = self.owes;
            done = self.look_again(Depth::Rules).map(|mended| self.note(Mended { was_owed, ..mended }));
        }
        // What is over a bound of ours was never taken.
        self.owes |= matches!(&done, Err(error) if !matches!(error, Error::Full { .. }));
        done
    }

    /// Gives an order. Before Linux 6.16 the kernel refuses to hang up any chain while one of the interfaces is gone: then the
    /// interfaces are looked at, and the order is given again.
    pub(super) fn insist(&mut self, order: &Order) -> Result<u32, Error> {
        let mut done = self.done(order);
        for _ in 1..TRIES {
            if !done.as_ref().is_err_and(is_gone) {
                break;
            }
            // What is refused at that look is not this order's: it may be taken all the same.
            match self.look_again(Depth::Rules) {
                Ok(mended) => self.note(mended),
                Err(error) => tracing::debug!(%error, "the kernel refuses something else"),
            }
            done = self.done(order);
        }
        done
    }

    /// [`Order::Attach`], once more where an interface ended in that very moment.
    pub(super) fn ask_to_attach(&mut self) -> Result<Answer, Error> {
        let mut done = self.ask(&Order::Attach);
        for _ in 1..TRIES {
            if !done.as_ref().is_err_and(is_gone) {
                break;
            }
            // Nothing is mended yet: the writer only hears of the interfaces.
            self.look_again(Depth::Rules)?;
            done = self.ask(&Order::Attach);
        }
        done
    }

    /// Has the writer take the interfaces as they are now, mend what is not as it should be, and say what the kernel has refused.
    pub(super) fn look_again(&mut self, depth: Depth) -> Result<Mended, Error> {
        let mut done = self.look_once(depth);
        for _ in 1..TRIES {
            if !done.as_ref().is_err_and(is_gone) {
                break;
            }
            done = self.look_once(depth);
        }
        done
    }

    fn look_once(&mut self, depth: Depth) -> Result<Mended, Error> {
        let looked = self.lookout.borrow_mut().look();
        let sight = looked.map_err(|source| Error::Nftables { doing: "look at the interfaces of".into(), source })?;
        self.guard_as(sight, depth)
    }

    /// What was mended without a word since this was asked last: of what somebody else had changed ([`Drift::settings_changed`]; then bans
    /// may be missing, too), and of what the kernel had refused ([`Drift::taken`]).
    pub fn take_mended(&mut self) -> Drift {
        self.mended.take().drift()
    }

    /// For [`Nft::take_mended`].
    pub(super) fn note(&self, mended: Mended) {
        self.mended.set(self.mended.get().or(mended));
    }

    pub(super) fn done(&mut self, order: &Order) -> Result<u32, Error> {
        let Answer::Done { count, state } = self.ask(order)? else { return Err(unexpected()) };
        self.note(state.mended);
        self.stands(state);
        Ok(count)
    }

    /// Takes how things stand.
    pub(super) const fn stands(&mut self, state: State) {
        (self.owes, self.has_allow) = (state.owes, state.has_allow);
    }

    /// Is something that was ordered not in force, because the kernel has refused it? It is said again until the kernel takes it.
    #[must_use]
    pub const fn owes(&self) -> bool {
        self.owes
    }

    /// Has the kernel taken a never-ban set since the start? If so, that one is there, or a later one in one of the tables.
    #[must_use]
    pub const fn has_allow(&self) -> bool {
        self.has_allow
    }
}

/// Did the kernel miss something that the order named?
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Nftables { source, .. } if source.raw_os_error() == Some(libc::ENOENT))
}
