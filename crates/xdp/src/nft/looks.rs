//! Which interfaces are guarded, and that nobody has changed what guards them.

use super::{
    Nft,
    answers::{self, unexpected},
    lasting::Mended,
    layout::sends_from,
    orders::{Answer, CARRIERS_MAX, Depth, Network, Order},
};
use crate::{Drift, Error, InterfaceState, InterfaceStatus, Lookout, Sight};

impl Nft {
    /// What looks at the interfaces, for another thread; it sees those of the calling thread's network namespace, and hears of it at once
    /// when one comes or goes ([`Lookout::wait`]).
    ///
    /// # Errors
    /// [`Error::Keeper`]: there is no netlink socket.
    pub fn lookout(&self) -> Result<Lookout, Error> {
        Lookout::for_nft(self.wanted.clone()).and_then(Lookout::listening).map_err(|error| Error::Keeper(error.to_string()))
    }

    /// The wanted interfaces, as the writer was told of them last: there and guarded, there and not, or not there.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.interfaces.clone()
    }

    /// Checks and mends what is not about single bans: chains, rules, allowlist, an interface that is back, and the self-probe's ban.
    /// Whoever removed a whole table is answered by a new one; its bans are then missing, and the next audit enters them.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn guard(&mut self) -> Result<Drift, Error> {
        let looked = self.look_again(Depth::Whole);
        // What is refused does not keep the self-probe's ban from being entered.
        let missing = self.guard_probe();
        self.note(looked?);
        let missing = missing?;
        let bare = self.interfaces.iter().filter(|interface| interface.state == InterfaceState::Detached);
        let detached = bare.map(|interface| interface.name.clone()).collect();
        Ok(Drift { detached, missing, ..self.take_mended() })
    }

    /// Takes what a lookout saw: an interface that came, or came back, is guarded from now on. How they stand then. What the kernel
    /// has refused before is said again; [`Nft::take_mended`] says what there was to mend. The never-ban set is not read back, so bans wait no
    /// longer for a large one: that is for [`Nft::guard`].
    ///
    /// # Errors
    /// [`Error::Nftables`]: what came is not guarded, or something else is refused; [`Nft::interfaces`] tells which. It is tried again with
    /// each look, and told again when something else has come or gone.
    pub fn look_after(&mut self, sight: Sight) -> Result<Vec<InterfaceStatus>, Error> {
        let is_news = sight != self.seen;
        if is_news || self.owes {
            match self.guard_as(sight, Depth::Rules) {
                Ok(mended) => self.note(mended),
                Err(error) if is_news => return Err(error),
                // Told when it was refused; the self-probe and the audits go on telling it.
                Err(error) => tracing::debug!(%error, "the kernel still refuses"),
            }
        }
        Ok(self.interfaces())
    }

    pub(super) fn guard_as(&mut self, sight: Sight, depth: Depth) -> Result<Mended, Error> {
        self.sends_from = sends_from();
        let answer = self.ask(&Order::Guard(self.network(&sight), depth));
        // What was to be mended and was refused is said again with every look, too.
        let answer = answer.inspect_err(|error| self.owes |= matches!(error, Error::Nftables { .. }))?;
        let Answer::Guarded { guarded, refused, state } = answer else { return Err(unexpected()) };
        self.interfaces = sight.interfaces.iter().map(|seen| stands(seen, &guarded)).collect();
        self.seen = sight;
        self.stands(state);
        let Some(failure) = refused else { return Ok(state.mended) };
        self.note(state.mended);
        self.owes = true;
        Err(answers::error(&failure))
    }

    pub(super) fn network(&self, sight: &Sight) -> Network {
        let there = sight.interfaces.iter().filter(|interface| interface.state == InterfaceState::Attached);
        let mut carriers = sight.carriers.clone();
        carriers.truncate(CARRIERS_MAX);
        Network { interfaces: there.map(|interface| interface.name.clone()).collect(), carriers, sends_from: self.sends_from }
    }
}

/// An interface that was seen, as it stands with these `guarded`.
fn stands(seen: &InterfaceStatus, guarded: &[String]) -> InterfaceStatus {
    let is_bare = seen.state == InterfaceState::Attached && !guarded.contains(&seen.name);
    let state = if is_bare { InterfaceState::Detached } else { seen.state };
    InterfaceStatus { attached: state == InterfaceState::Attached, state, ..seen.clone() }
}
