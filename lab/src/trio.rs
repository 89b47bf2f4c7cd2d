//! Three nodes in one mesh, each with traps and a real web service: what the story and most tests begin with.

use crate::{
    config::NodeConfig,
    node::{Node, binary},
    process::{self, wait_until},
    service::Service,
    topology::{Family, Lab, Place},
    words::Ban,
};
use anyhow::{Context, Result, anyhow, bail};
use std::{fs, net::SocketAddr, process::Command, thread, time::Duration};

/// The port of the real service on every node.
pub const WEB_PORT: u16 = 80;
/// How long three nodes may take to find each other.
const MEET_TIME_MAX: Duration = Duration::from_secs(20);
/// How long something that is pushed through the mesh may take to be everywhere; repair included.
const SPREAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long making a key may take.
const KEY_TIME_MAX: Duration = Duration::from_secs(10);

/// The nodes, up and joined.
#[derive(Debug)]
pub struct Trio<'lab> {
    nodes: Vec<Node<'lab>>,
    _webs: Vec<Service>,
}

impl<'lab> Trio<'lab> {
    /// Starts node 1 to 3 with one key, each as `change` makes it, and waits until each sees both others.
    ///
    /// # Errors
    /// If a daemon does not start or the mesh does not come together.
    pub fn up(lab: &'lab Lab, change: impl Fn(NodeConfig) -> NodeConfig) -> Result<Self> {
        let trio = Self::apart(lab, &new_key(lab)?, change)?;
        for node in &trio.nodes {
            trio.wait_met(node)?;
        }
        Ok(trio)
    }

    /// The same without waiting for the mesh.
    ///
    /// # Errors
    /// If a daemon does not start.
    pub fn apart(lab: &'lab Lab, key: &str, change: impl Fn(NodeConfig) -> NodeConfig) -> Result<Self> {
        let webs = Place::NODES.map(|place| Service::start(lab.host(place), WEB_PORT)).into_iter().collect::<Result<_>>()?;
        let nodes = Place::NODES.map(|place| lab.node(change(NodeConfig::new(place, key))));
        let mut nodes = nodes.into_iter().collect::<Result<Vec<_>>>()?;
        thread::scope(|scope| {
            let starts: Vec<_> = nodes.iter_mut().map(|node| scope.spawn(|| node.start())).collect();
            starts.into_iter().try_for_each(|start| start.join().map_err(|_| anyhow!("starting a daemon panicked"))?)
        })?;
        Ok(Self { nodes, _webs: webs })
    }

    fn wait_met(&self, node: &Node<'_>) -> Result<()> {
        let what = format!("{} sees the two others", node.config.name());
        wait_until(&what, MEET_TIME_MAX, || Ok((node.members()?.len() == 2).then_some(())))
    }

    /// A node, 1 to 3.
    ///
    /// # Panics
    /// For any other number.
    #[must_use]
    pub fn node(&self, number: usize) -> &Node<'lab> {
        &self.nodes[number - 1]
    }

    /// The same, to kill or start it.
    ///
    /// # Panics
    /// For any other number.
    pub fn node_mut(&mut self, number: usize) -> &mut Node<'lab> {
        &mut self.nodes[number - 1]
    }

    /// All three.
    #[must_use]
    pub fn nodes(&self) -> &[Node<'lab>] {
        &self.nodes
    }

    /// The real service on every node, on both families.
    #[must_use]
    pub fn services() -> Vec<SocketAddr> {
        Place::NODES.iter().flat_map(|place| Family::BOTH.map(|family| place.at(family, WEB_PORT))).collect()
    }

    /// Waits until every node has a full ban of `subject`, and returns the three.
    ///
    /// # Errors
    /// Names what each node has instead, if they do not in time.
    pub fn wait_banned(&self, subject: &str) -> Result<Vec<Ban>> {
        let full = |ban: &Ban| ban.scope == "all" && ban.enforced;
        self.wait_all(&format!("{subject} is banned on every node"), subject, |ban| ban.filter(full))
    }

    /// Waits until no node has any ban of `subject`.
    ///
    /// # Errors
    /// Names what each node has instead, if they do not in time.
    pub fn wait_free(&self, subject: &str) -> Result<()> {
        let gone = |ban: Option<Ban>| ban.is_none().then_some(());
        self.wait_all(&format!("{subject} is free on every node"), subject, gone).map(drop)
    }

    fn wait_all<T>(&self, what: &str, subject: &str, pick: impl Fn(Option<Ban>) -> Option<T>) -> Result<Vec<T>> {
        let look = || {
            let picked = self.nodes.iter().map(|node| Ok(pick(node.ban_of(subject)?)));
            picked.collect::<Result<Option<Vec<T>>>>()
        };
        let found = wait_until(what, SPREAD_TIME_MAX, look);
        found.with_context(|| self.nodes.iter().map(|node| format!("{:?}\n", node.ban_of(subject))).collect::<String>())
    }
}

/// A fresh cluster key, made by the daemon's own command.
///
/// # Errors
/// If the command fails.
pub fn new_key(lab: &Lab) -> Result<String> {
    for number in 1..100 {
        let file = lab.scratch().join(format!("key-{number}"));
        if !file.exists() {
            let mut command = Command::new(binary()?);
            command.args(["key", "new"]).arg(&file);
            process::run(&mut command, KEY_TIME_MAX)?.checked()?;
            return fs::read_to_string(&file).context("failed to read the new key");
        }
    }
    bail!("a lab has at most 99 keys")
}
