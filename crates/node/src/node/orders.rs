//! An operator's orders.

use super::{Node, change::By, mesh::end_of};
use crate::{Done, Keep, KeyStep, Lifetime, Order, OrderId, Output, Refused};
use alloc::{string::String, string::ToString, vec::Vec};
use core::time::Duration;
use honeymesh_ledger::{Claim, Entered, Reach, Whose};
use honeymesh_mesh_proto::{Said, Signed};
use honeymesh_types::{Ban, ClusterName, Event, EventKind, Grade, Reasons, Subject, WallTime};
use ipnet::IpNet;

impl Node {
    pub(super) fn order(&mut self, id: OrderId, order: Order) {
        let result = match order {
            Order::Ban { subject, lifetime, note, reach, force } => self.order_ban(subject, lifetime, note, reach, force),
            Order::Unban { subject, reach, wait } => return self.order_unban(id, subject, reach, wait),
            Order::AllowAdd(net) => self.order_allow(&net),
            Order::AllowRemove(net) => self.order_disallow(&net),
            Order::Pardon(who) => self.order_pardon(&who),
            Order::SetMode(mode) => self.order_mode(mode),
            Order::LockDown { within } => self.order_lockdown(within),
            Order::ConfirmLockdown => self.order_confirm(),
            Order::JoinToken { cluster, ttl, owner, secret } => self.order_token(cluster, ttl, owner, secret),
            Order::Revoke { who, revoked } => self.order_revoke(who, revoked),
            Order::Key { cluster, step } => self.order_key(cluster, step),
        };
        self.out.push(Output::Reply { id, result });
    }

    fn order_ban(
        &mut self,
        subject: Subject,
        lifetime: Lifetime,
        note: Option<String>,
        reach: Reach,
        force: bool,
    ) -> Result<Done, Refused> {
        let until = self.until(lifetime)?;
        self.end_hold(subject);
        let name = self.name.clone();
        let claim = Claim {
            note,
            force,
            // No peer takes a wide prefix, so it is not offered to any.
            reach: if subject.is_wide() { Reach::Here } else { reach },
            ..Claim::local(subject, name.as_str(), Reasons::MANUAL, Grade::Operator, self.now.wall, until)
        };
        let changed = match self.ledger.enter(claim, self.now.wall) {
            Entered::Refused(refusal) => return Err(refusal.into()),
            Entered::Unchanged => false,
            Entered::Changed { change, displaced } => {
                displaced.iter().for_each(|gone| self.apply(gone, &By::Itself));
                self.apply(&change, &By::Operator);
                change.before.as_ref() != Some(&change.ban)
            }
        };
        let clusters = if reach == Reach::Mesh { self.spread(subject) } else { Vec::new() };
        let passing = self.ledger.protected_within(&subject);
        let ban = self.ledger.ban(&subject);
        ban.map(|ban| Done::Banned { ban, changed, clusters, passing }).ok_or(Refused::NoTime)
    }

    /// Who bans somebody himself lets peers speak about it again.
    fn end_hold(&mut self, subject: Subject) {
        if self.ledger.unhold(&subject) {
            let before = self.now.wall;
            self.out.keep(Keep::Unbanned { subject, before, expires: before.plus(self.ledger.policy().ttl.mesh) });
        }
    }

    fn until(&self, lifetime: Lifetime) -> Result<Option<WallTime>, Refused> {
        let ttl = match lifetime {
            Lifetime::Forever => return Ok(None),
            Lifetime::For(Duration::ZERO) => return Err(Refused::NoTime),
            Lifetime::For(ttl) => Some(ttl),
            Lifetime::Default => self.ledger.policy().ttl.manual,
        };
        Ok(ttl.map(|ttl| self.now.wall.plus(ttl)))
    }

    /// Lifts everything said so far about exactly `subject`, here and (unless it is to stay here) on every node.
    fn order_unban(&mut self, id: OrderId, subject: Subject, reach: Reach, wait: Option<Duration>) {
        let said = if reach == Reach::Mesh { self.say_unban(subject) } else { Vec::new() };
        let said_at = said.iter().map(|(_, signed)| end_of(signed.record.at)).max();
        let clusters = said.iter().filter_map(|(place, _)| Some(self.clusters.get(*place)?.name.clone())).collect();
        let newest = self.ledger.claims(&subject).iter().map(|(claim, _)| claim.last).max();
        let before = [Some(self.now.wall), said_at, newest].into_iter().flatten().max().unwrap_or(self.now.wall);
        let change = self.ledger.lift(&subject, before, Whose::Everybodys, self.now.wall);
        self.forgive_touches(subject);
        if let Some(change) = &change {
            self.apply(change, &By::Operator);
        }
        let expires = before.plus(self.ledger.policy().ttl.mesh);
        // Only here: then peers go on saying what they say, and do not overrule it.
        let is_held = reach == Reach::Here;
        if is_held {
            self.ledger.hold(subject, expires, self.now.wall);
        }
        self.out.keep(Keep::Unbanned { subject, before: if is_held { expires } else { before }, expires });
        let covered_by: Vec<Ban> = self.ledger.covering(&subject);
        let was = change.and_then(|change| change.before);
        let done = Done::Unbanned { subject, was, covered_by, clusters, confirmed: Vec::new(), unconfirmed: Vec::new() };
        let said: Vec<_> = said.iter().map(|(place, signed)| (*place, signed.id())).collect();
        self.reply_when_confirmed(id, done, &said, wait);
    }

    /// In which clusters it was said, by their places.
    fn say_unban(&mut self, subject: Subject) -> Vec<(usize, Signed)> {
        if subject.is_wide() || self.is_canary(&subject) {
            return Vec::new();
        }
        let places = 0..self.clusters.len();
        places.filter_map(|place| Some((place, self.say(place, subject, Said::Unban)?))).collect()
    }

    fn order_allow(&mut self, net: &IpNet) -> Result<Done, Refused> {
        let net = crate::allow::canonical(net);
        let changed = self.allow.add(&net)?;
        self.allow_changed();
        let lifted = self.refresh_shield();
        self.allow_told(net, changed, "added");
        Ok(Done::Allowed { net, changed, lifted })
    }

    fn order_disallow(&mut self, net: &IpNet) -> Result<Done, Refused> {
        let net = crate::allow::canonical(net);
        self.allow.remove(&net)?;
        self.allow_changed();
        self.refresh_shield();
        self.allow_told(net, true, "removed");
        Ok(Done::Disallowed { net })
    }

    fn allow_told(&mut self, net: IpNet, changed: bool, what: &str) {
        if changed {
            self.out.keep(self.allow.keep());
            let mut event = self.audit("allowlist", what);
            event.subject = Some(Subject::new(net));
            self.out.tell(event);
        }
    }

    fn order_key(&mut self, cluster: ClusterName, step: KeyStep) -> Result<Done, Refused> {
        let Some((place, known)) = self.clusters.iter_mut().enumerate().find(|(_, known)| known.name == cluster) else {
            return Err(Refused::UnknownCluster(cluster));
        };
        let mut effects = Vec::new();
        let what = match step {
            KeyStep::Add(key) => known.mesh.add_key(key).map(|()| "key added"),
            KeyStep::Use(key) => known.mesh.use_key(&key).map(|()| "key in use"),
            KeyStep::Retire(key) => known.mesh.retire_key(&key, self.now, &mut effects).map(|()| "key retired"),
        }?;
        self.take_effects(place, effects);
        let mut event = self.audit("keys", what);
        event.fields.insert("cluster".into(), cluster.to_string());
        self.out.tell(event);
        Ok(Done::KeysChanged { cluster })
    }

    /// An event about something an operator changed.
    pub(super) fn audit(&mut self, what: &str, to: &str) -> Event {
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("what".into(), what.into());
        event.fields.insert("change".into(), to.into());
        event.fields.insert("by".into(), "operator".into());
        event
    }
}
