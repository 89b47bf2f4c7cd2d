//! Changes of cluster keys, step by step.

use super::{Engine, Inner, answer::Asker};
use crate::daemon::{
    enforcer::Enforcer,
    keys::{self, ClusterKeys, Next, Rotation},
};
use honeymesh_api::{NewKey, Refusal, RefusalKind, Reply, Response};
use honeymesh_format::{DoneJson, time_seconds};
use honeymesh_mesh_proto::Key;
use honeymesh_node::{KeyStep, Order};
use honeymesh_types::{ClusterName, MonoTime};
use std::time::Duration;

/// A new key that was read, and what came of writing it down.
#[derive(Debug)]
pub struct NewKeyRead {
    place: usize,
    key: Key,
    /// The ring with the new key in it.
    keys: ClusterKeys,
    written: Result<(), String>,
    reply: Reply,
}

impl<K: Enforcer> Engine<K> {
    /// When the next step is due.
    pub(super) fn rotation_due(&self) -> Option<MonoTime> {
        self.rotations.iter().map(|rotation| rotation.due).min()
    }

    /// Begins a change of keys. Files are read and written on another thread; [`Engine::key_read`] goes on.
    pub(super) fn rotate_key(&mut self, cluster: &ClusterName, new: NewKey, reply: Reply) {
        let Some(place) = self.keys.iter().position(|keys| keys.cluster == *cluster) else {
            let refusal = format!("this node belongs to no cluster `{cluster}`; `honeymesh status` lists its clusters");
            return reply.answer(Err(Refusal::new(RefusalKind::NotFound, refusal)));
        };
        if self.rotations.iter().any(|rotation| rotation.place == place) {
            let refusal = format!("a change of keys is under way in cluster `{cluster}`; wait until it has ended");
            return reply.answer(Err(Refusal::new(RefusalKind::Conflict, refusal)));
        }
        let (keys, inner) = (self.keys[place].clone(), self.inner.clone());
        tokio::task::spawn_blocking(move || match read(&keys, &new) {
            Err(refusal) => reply.answer(Err(refusal)),
            Ok((key, keys, written)) => drop(inner.send(Inner::Key(NewKeyRead { place, key, keys, written, reply }))),
        });
    }

    /// The new key opens from now on.
    pub(super) fn key_read(&mut self, read: NewKeyRead) {
        let NewKeyRead { place, key, keys, written, reply } = read;
        let (cluster, grace) = (keys.cluster.clone(), keys.grace);
        self.keys[place] = keys;
        self.key_step(place, KeyStep::Add(key.clone()));
        let now = (self.clock)();
        self.rotations.push(Rotation { place, key, next: Next::Use, due: now.mono.plus(grace) });
        let [seals, retired] = [1, 2].map(|times| time_seconds(now.wall.plus(grace * times)));
        let file = written.as_ref().map_or_else(|why| format!("; {why}"), |()| "; its key file follows".into());
        let detail = format!(
            "cluster {cluster} opens with the new key from now on, seals with it from {seals} on and forgets the old one at {retired}{file}; \
             run this on every other member before {seals}, or what is sealed with the new key does not open there"
        );
        reply.answer(Ok(Response::Done(DoneJson {
            detail,
            changed: true,
            clusters: vec![cluster.to_string()],
            ..DoneJson::default()
        })));
    }

    /// Does the steps that are due.
    pub(super) fn rotate(&mut self, now: MonoTime) {
        let (due, rest) = std::mem::take(&mut self.rotations).into_iter().partition(|rotation| rotation.due <= now);
        self.rotations = rest;
        let due: Vec<Rotation> = due;
        for rotation in due {
            match rotation.next {
                Next::Use => self.use_key(rotation),
                Next::Retire => self.retire_keys(&rotation),
            }
        }
    }

    fn use_key(&mut self, rotation: Rotation) {
        self.key_step(rotation.place, KeyStep::Use(rotation.key.clone()));
        let keys = &mut self.keys[rotation.place];
        if let Err(error) = keys.ring.promote(&rotation.key) {
            tracing::error!(cluster = %keys.cluster, %error, "the new key cannot be used");
            return;
        }
        let grace = keys.grace;
        write_down(keys.clone(), "the new key seals");
        self.rotations.push(Rotation {
            next: Next::Retire,
            due: rotation.due.plus(grace.max(Duration::from_millis(1))),
            ..rotation
        });
    }

    fn retire_keys(&mut self, rotation: &Rotation) {
        let old: Vec<Key> = self.keys[rotation.place].ring.keys().iter().skip(1).cloned().collect();
        for key in old {
            let keys = &mut self.keys[rotation.place];
            if keys.ring.retire(&key).is_ok() {
                self.key_step(rotation.place, KeyStep::Retire(key));
            }
        }
        write_down(self.keys[rotation.place].clone(), "the old keys are forgotten");
    }

    fn key_step(&mut self, place: usize, step: KeyStep) {
        let cluster = self.keys[place].cluster.clone();
        self.order(Order::Key { cluster, step }, Asker::nobody());
    }
}

type Read = (Key, ClusterKeys, Result<(), String>);

fn read(keys: &ClusterKeys, new: &NewKey) -> Result<Read, Refusal> {
    let key = keys::given(new).map_err(|error| Refusal::new(RefusalKind::Bad, format!("the new key: {error}")))?;
    if keys.ring.keys() == [key.clone()] {
        let refusal = format!(
            "cluster `{}` uses this key already, and no other; make a new one with `honeymesh key new FILE`",
            keys.cluster
        );
        return Err(Refusal::new(RefusalKind::Conflict, refusal));
    }
    let keys = keys.with(key.clone()).map_err(|error| Refusal::new(RefusalKind::Conflict, error.to_string()))?;
    let written = keys.write();
    Ok((key, keys, written))
}

fn write_down(keys: ClusterKeys, step: &'static str) {
    tracing::info!(cluster = %keys.cluster, "key change: {step}");
    tokio::task::spawn_blocking(move || {
        if let Err(error) = keys.write() {
            tracing::error!(cluster = %keys.cluster, "{error}");
        }
    });
}
