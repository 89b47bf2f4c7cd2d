//! What can be seen of a world.

use super::World;
use crate::{host::Host, network::Traffic};
use honeymesh_mesh_proto::{MemberState, MeshStats, Record, RecordId};
use honeymesh_types::{Enforcement, NodeId, Now, Subject};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

impl World {
    /// How many nodes there are, strangers included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Is there no node?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// What a node bans, by its own account.
    #[must_use]
    pub fn bans(&self, place: usize) -> BTreeSet<Subject> {
        self.hosts[place].bans()
    }

    /// Does this node's kernel hold a ban of exactly this subject?
    #[must_use]
    pub fn drops(&self, place: usize, subject: &Subject) -> bool {
        self.hosts[place].kernel.contains_key(subject)
    }

    /// What this node's kernel holds of exactly this subject.
    #[must_use]
    pub fn enforced(&self, place: usize, subject: &Subject) -> Option<&Enforcement> {
        self.hosts[place].kernel.get(subject)
    }

    /// How many nodes' kernels hold a ban of exactly this subject.
    #[must_use]
    pub fn dropping(&self, subject: &Subject) -> usize {
        self.hosts.iter().filter(|host| host.kernel.contains_key(subject)).count()
    }

    /// How many others each node believes to be alive, the least and the most.
    #[must_use]
    pub fn members(&self) -> (usize, usize) {
        let live = |host: &Host| host.members().iter().filter(|member| member.state != MemberState::Down).count();
        let counts: Vec<usize> = self.hosts.iter().filter(|host| host.node.is_some()).map(live).collect();
        (counts.iter().copied().min().unwrap_or(0), counts.iter().copied().max().unwrap_or(0))
    }

    /// What a node's mesh has counted, and the fingerprint of its set.
    #[must_use]
    pub fn mesh(&self, place: usize) -> Option<(MeshStats, u128)> {
        let report = self.hosts[place].node.as_ref()?.peers().into_iter().next()?;
        Some((report.stats, report.fingerprint))
    }

    /// What the network has carried.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.network.traffic
    }

    /// How many events the nodes have told.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.hosts.iter().map(|host| host.events).sum()
    }

    /// How much has happened, and how long that took by the simulation's own clock.
    #[must_use]
    pub const fn passed(&self) -> (u64, Duration) {
        (self.handled, Duration::from_micros(self.micros))
    }

    /// A hash of everything that has happened: the same for the same options and script.
    #[must_use]
    pub fn trace(&self) -> String {
        self.trace.finalize().to_hex().to_string()
    }

    /// How many others this node believes to be alive.
    #[must_use]
    pub fn met(&self, place: usize) -> usize {
        self.hosts[place].met()
    }

    /// How many events this node has told.
    #[must_use]
    pub fn told_by(&self, place: usize) -> u64 {
        self.hosts[place].events
    }

    /// Who a node is.
    #[must_use]
    pub fn identity(&self, place: usize) -> NodeId {
        self.hosts[place].identity
    }

    /// What a node's clocks show.
    #[must_use]
    pub fn clocks(&self, place: usize) -> Now {
        self.hosts[place].now(self.micros)
    }

    /// Can these two hear each other?
    #[must_use]
    pub fn joins(&self, one: usize, other: usize) -> bool {
        self.network.joins(one, other)
    }

    /// What this node itself has said last about somebody: a ban or, with `unban`, an unban.
    #[must_use]
    pub fn said(&self, place: usize, subject: &Subject, unban: bool) -> Option<(Arc<Record>, RecordId)> {
        self.hosts[place].said(subject, unban)
    }

    /// Every record that some machine remembers, running or not.
    #[must_use]
    pub fn remembered(&self) -> BTreeSet<RecordId> {
        self.hosts.iter().flat_map(Host::remembered).collect()
    }

    /// Something that a node's kernel drops although it must never be banned.
    #[must_use]
    pub fn unforgivable(&self) -> Option<(usize, Subject)> {
        self.hosts.iter().enumerate().find_map(|(place, host)| Some((place, host.unforgivable()?)))
    }
}
