//! The keys of a cluster change, one step at a time, on every machine.

use super::{World, named};
use honeymesh_mesh_proto::{Key, KeyRing};
use honeymesh_node::{KeyStep, Order};

/// A step of a change of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A new key opens.
    Add,
    /// It seals.
    Use,
    /// The one before opens no more.
    Retire,
}

impl World {
    /// Takes one step of a change of keys on every machine: a node that runs is told, and the file that each node starts
    /// from is changed.
    pub fn rotate(&mut self, rotation: Rotation) {
        let (old, new) = match rotation {
            Rotation::Add => (self.keys.0.clone(), Key::from_bytes(self.dice.bytes())),
            _ => (self.keys.0.clone(), self.keys.1.clone().unwrap_or_else(|| self.keys.0.clone())),
        };
        let (step, ring) = match rotation {
            Rotation::Add => (KeyStep::Add(new.clone()), ring(&old, Some(&new))),
            Rotation::Use => (KeyStep::Use(new.clone()), ring(&new, Some(&old))),
            Rotation::Retire => (KeyStep::Retire(old), ring(&new, None)),
        };
        self.keys = if rotation == Rotation::Retire { (new, None) } else { (self.keys.0.clone(), Some(new)) };
        for place in 0..self.hosts.len() {
            self.hosts[place].config.clusters[0].mesh.keys = ring.clone();
            self.order(place, Order::Key { cluster: named("sim"), step: step.clone() });
        }
    }
}

/// A ring whose first key seals.
fn ring(first: &Key, second: Option<&Key>) -> KeyRing {
    let mut ring = KeyRing::new(first.clone());
    if let Some(second) = second {
        // Two keys are fewer than a ring holds.
        let _ = ring.add(second.clone());
    }
    ring
}
