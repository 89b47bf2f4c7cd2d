//! Why the door stayed shut, in an operator's words.

use crate::{Class, Protection};
use honeymesh_types::Subject;

/// Why a claim was refused; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It lies inside the never-ban set.
    #[error("{subject} is never banned: it is inside {net}, which is {}", why.words())]
    Protected {
        /// Who was to be banned.
        subject: Subject,
        /// The net that protects it.
        net: Subject,
        /// Why that net is protected.
        why: Protection,
    },
    /// The prefix is wide and nobody insisted.
    #[error("{subject} is wider than /16 (IPv4) or /32 (IPv6); add --force if it is meant")]
    TooWide {
        /// Who was to be banned.
        subject: Subject,
    },
    /// It is a whole address family, and nobody may insist.
    #[error(
        "{subject} is everybody, which is never banned; `honeymesh mode lockdown` lets in only the allowlist and what is connected"
    )]
    Everybody {
        /// Who was to be banned.
        subject: Subject,
    },
    /// A wide prefix is never taken from a peer.
    #[error("{subject} is wider than /16 (IPv4) or /32 (IPv6), which is never taken from a peer")]
    WideFromPeer {
        /// Who was to be banned.
        subject: Subject,
    },
    /// Forgeable evidence is never taken from a peer.
    #[error("{subject} was seen by a peer on forgeable evidence only, which is never taken from a peer")]
    SpoofableFromPeer {
        /// Who was to be banned.
        subject: Subject,
    },
    /// The table is full and nothing in it gives way.
    #[error("the ban table is full ({max} {}), and nothing in it is weaker; {}", class.words(), class.mend())]
    Full {
        /// Of what.
        class: Class,
        /// The bound.
        max: usize,
    },
    /// Too many bans rest on forgeable evidence.
    #[error("the budget of bans on forgeable evidence is used up ({spoofable_max})")]
    SpoofableBudget {
        /// The bound.
        spoofable_max: usize,
    },
    /// Enough peers claim it already, each at least as strongly.
    #[error("{subject} has the most claims of peers that are kept ({claims_max})")]
    Claims {
        /// Who was to be banned.
        subject: Subject,
        /// The bound.
        claims_max: usize,
    },
    /// Too many different origins.
    #[error("the most origins that are kept is reached ({origins_max})")]
    Origins {
        /// The bound.
        origins_max: usize,
    },
    /// A peer said it before it was lifted.
    #[error("{subject} was unbanned after the peer said so")]
    Lifted {
        /// Who was to be banned.
        subject: Subject,
    },
    /// An operator freed it here, which peers do not overrule.
    #[error("{subject} was freed by an operator of this node")]
    Held {
        /// Who was to be banned.
        subject: Subject,
    },
    /// It is over already.
    #[error("the ban of {subject} is over already")]
    Expired {
        /// Who was to be banned.
        subject: Subject,
    },
    /// It gives no reason.
    #[error("a ban of {subject} needs a reason")]
    NoReason {
        /// Who was to be banned.
        subject: Subject,
    },
}

/// How often the door stayed shut, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Inside the never-ban set.
    pub protected: u64,
    /// Too wide.
    pub wide: u64,
    /// The table was full, or the origins or claims of one subject were.
    pub full: u64,
    /// Forgeable evidence: over budget, or from a peer.
    pub spoofable: u64,
    /// Over already, lifted since, or without a reason.
    pub void: u64,
}

impl Refusals {
    pub(crate) fn count(&mut self, refusal: &Refusal) {
        let counter = match refusal {
            Refusal::Protected { .. } => &mut self.protected,
            Refusal::TooWide { .. } | Refusal::WideFromPeer { .. } | Refusal::Everybody { .. } => &mut self.wide,
            Refusal::Full { .. } | Refusal::Claims { .. } | Refusal::Origins { .. } => &mut self.full,
            Refusal::SpoofableBudget { .. } | Refusal::SpoofableFromPeer { .. } => &mut self.spoofable,
            Refusal::Expired { .. } | Refusal::Lifted { .. } | Refusal::Held { .. } | Refusal::NoReason { .. } => &mut self.void,
        };
        *counter = counter.saturating_add(1);
    }
}
