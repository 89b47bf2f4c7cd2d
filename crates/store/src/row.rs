//! What is kept, in plain values.

use honeymesh_types::{ClusterName, Event, EventId, Grade, Reasons, Scope, Subject, WallTime};

/// A claim of this node. Replaces the one with the same subject and slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// Who is to be banned.
    pub subject: Subject,
    /// Tells claims on the same subject apart; the caller's words.
    pub slot: String,
    /// What people called this node when it made the claim.
    pub origin_name: String,
    /// Why.
    pub reasons: Reasons,
    /// How sure.
    pub grade: Grade,
    /// Which packets.
    pub scope: Scope,
    /// How hostile it looked: 0 to 100.
    pub score: u8,
    /// When it was first said.
    pub since: WallTime,
    /// When it was last said.
    pub last: WallTime,
    /// When it ends; `None` is for ever.
    pub until: Option<WallTime>,
    /// The operator's words.
    pub note: Option<String>,
    /// The event that shows it.
    pub evidence: Option<EventId>,
    /// Whether it is said to the mesh.
    pub meshed: bool,
    /// Whether the operator insisted on a wide prefix.
    pub force: bool,
}

/// An operator lifted the bans of a subject here. Replaces the one of the same subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiftRow {
    /// Whose.
    pub subject: Subject,
    /// What was said at or before this time stays lifted.
    pub before: WallTime,
    /// From then on it may be forgotten.
    pub expires: WallTime,
}

/// A signed record of a mesh, as received. Replaces the one with the same cluster, subject and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// The cluster it was said in.
    pub cluster: ClusterName,
    /// Whom it concerns.
    pub subject: Subject,
    /// What tells it from others; the caller's bytes.
    pub id: Vec<u8>,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// From then on it may be forgotten.
    pub expires: WallTime,
}

/// Something to keep, or to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Something happened. The only thing that may be dropped under load.
    Event(Box<Event>),
    /// Keep this claim.
    Claim(Box<ClaimRow>),
    /// Keep this claim, which was there already and is no stronger than it was: it may wait for others a little longer.
    Again(Box<ClaimRow>),
    /// Forget this claim, if it is there.
    Forget {
        /// The claim's subject.
        subject: Subject,
        /// The claim's slot.
        slot: String,
    },
    /// Keep this lift.
    Lift(LiftRow),
    /// Keep this record.
    Record(Box<RecordRow>),
    /// Forget this record, if it is there.
    ForgetRecord {
        /// The record's cluster.
        cluster: ClusterName,
        /// The record's subject.
        subject: Subject,
        /// The record's id.
        id: Vec<u8>,
    },
    /// Keep this setting.
    Meta {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
    },
}

impl Write {
    /// May it be dropped under load?
    pub(crate) const fn is_event(&self) -> bool {
        matches!(self, Self::Event(_))
    }

    /// May it wait for others a little longer? What happened may, and a claim that was only said again.
    pub(crate) const fn is_patient(&self) -> bool {
        matches!(self, Self::Event(_) | Self::Again(_))
    }

    /// About how much memory it takes while it waits, beyond itself.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Event(event) => {
                event.payload.len() + event.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
            }
            _ => 0,
        }
    }
}
