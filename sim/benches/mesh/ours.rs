//! Our own mesh.

use crate::{
    Figures, Plan,
    node::{Arrival, Node},
};
use honeymesh_types::Subject;
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{atomic::Ordering::Relaxed, mpsc},
    thread::sleep,
    time::{Duration, Instant},
};

/// Between two looks at what the nodes show of themselves.
const LOOK: Duration = Duration::from_millis(5);
/// Nodes that all others know from their configuration.
const DOORS: usize = 3;

/// A cluster, and what its nodes tell.
struct Cluster {
    nodes: Vec<Node>,
    arrivals: mpsc::Receiver<Arrival>,
    next: u32,
}

/// Measures everything; what was not reached in time is left out.
pub fn measure(plan: &Plan) -> Figures {
    let mut figures = Figures::new();
    let mut cluster = Cluster::start(plan.nodes);
    figures.extend(cluster.meet(plan.patience).map(|took| ("all nodes see all, s", took.as_secs_f64())));
    sleep(plan.settle);
    let idle = cluster.rate(plan.idle);
    figures.insert("idle, bytes a second a node", idle);
    cluster.single(plan, idle, &mut figures);
    drop(cluster);
    let mut cluster = Cluster::start(plan.nodes_burst);
    if cluster.meet(plan.patience).is_some() {
        sleep(plan.settle);
        cluster.burst(plan, &mut figures);
        cluster.hold(plan, &mut figures);
    }
    figures
}

impl Cluster {
    fn start(size: usize) -> Self {
        let (sender, arrivals) = mpsc::channel();
        let began = Instant::now();
        let mut nodes: Vec<Node> = Vec::with_capacity(size);
        for number in 0..size {
            let join = nodes.iter().take(DOORS).map(|node| node.addr).collect();
            nodes.push(Node::start(number, join, began, sender.clone()));
        }
        Self { nodes, arrivals, next: 0 }
    }

    fn wait(&self, patience: Duration, is_so: impl Fn(&Node) -> bool) -> Option<Duration> {
        let began = Instant::now();
        while !self.nodes.iter().all(&is_so) {
            if began.elapsed() > patience {
                return None;
            }
            sleep(LOOK);
        }
        Some(began.elapsed())
    }

    fn meet(&self, patience: Duration) -> Option<Duration> {
        self.wait(patience, |node| node.live.load(Relaxed) + 1 == self.nodes.len())
    }

    fn sent(&self) -> f64 {
        let bytes: u64 = self.nodes.iter().map(|node| node.sent_bytes.load(Relaxed)).sum();
        #[expect(clippy::cast_precision_loss, reason = "far below what a double holds")]
        (bytes as f64 / self.nodes.len() as f64)
    }

    /// Bytes a second a node.
    fn rate(&self, during: Duration) -> f64 {
        let (before, began) = (self.sent(), Instant::now());
        sleep(during);
        (self.sent() - before) / began.elapsed().as_secs_f64()
    }

    fn subjects(&mut self, many: usize) -> Vec<Subject> {
        let first = self.next;
        self.next += u32::try_from(many).unwrap();
        let subject = |n: u32| -> Subject { Ipv4Addr::from(0x0b00_0000 + n).to_string().parse().unwrap() };
        (first..self.next).map(subject).collect()
    }

    fn single(&mut self, plan: &Plan, idle: f64, figures: &mut Figures) {
        let (before, began) = (self.sent(), Instant::now());
        let (mut halves, mut wholes) = (Vec::new(), Vec::new());
        for ban in 0..plan.bans {
            let subjects = self.subjects(1);
            let said = Instant::now();
            self.nodes[ban * 37 % self.nodes.len()].ban(subjects.clone());
            let Some(arrivals) = self.gather(subjects[0], said, Duration::from_secs(10).min(plan.patience)) else { continue };
            halves.extend(arrivals.get(arrivals.len() / 2));
            wholes.extend(arrivals.last());
            sleep(Duration::from_millis(150));
        }
        let many = plan.bans as f64;
        figures.insert("bans that reached all nodes, of 100", 100.0 * wholes.len() as f64 / many);
        figures.insert("bytes a ban a node", (self.sent() - before - idle * began.elapsed().as_secs_f64()) / many);
        figures.insert("one ban to all nodes, ms, worst", wholes.iter().copied().fold(0.0, f64::max));
        figures.insert("one ban to half of the nodes, ms, median", median(halves));
        figures.insert("one ban to all nodes, ms, median", median(wholes));
    }

    /// When each of the others had it, in milliseconds; `None` if not all had it in time.
    fn gather(&self, subject: Subject, said: Instant, patience: Duration) -> Option<Vec<f64>> {
        let mut arrivals = BTreeMap::new();
        while arrivals.len() + 1 < self.nodes.len() {
            let left = patience.checked_sub(said.elapsed())?;
            let arrival = self.arrivals.recv_timeout(left).ok()?;
            if arrival.subject == subject {
                arrivals.entry(arrival.node).or_insert(arrival.at.duration_since(said).as_secs_f64() * 1_000.0);
            }
        }
        let mut times: Vec<f64> = arrivals.into_values().collect();
        times.sort_unstable_by(f64::total_cmp);
        Some(times)
    }

    fn burst(&mut self, plan: &Plan, figures: &mut Figures) {
        let before = self.sent();
        let subjects = self.subjects(plan.burst);
        let wanted = plan.burst;
        let began = Instant::now();
        self.nodes[0].ban(subjects);
        if self.wait(plan.patience, |node| node.records.load(Relaxed) >= wanted).is_some() {
            figures.insert("many bans at once to all nodes, s", began.elapsed().as_secs_f64());
            sleep(Duration::from_secs(1));
            figures.insert("many bans at once, bytes a ban a node", (self.sent() - before) / plan.burst as f64);
        }
        let fewest = self.nodes.iter().map(|node| node.records.load(Relaxed)).min().unwrap_or(0);
        figures.insert("many bans at once, of 100 on the node with fewest", 100.0 * fewest as f64 / plan.burst as f64);
    }

    /// All hold many, said by all of them; then it is quiet.
    fn hold(&mut self, plan: &Plan, figures: &mut Figures) {
        let each = plan.held.saturating_sub(plan.burst) / self.nodes.len();
        for node in 0..self.nodes.len() {
            let subjects = self.subjects(each);
            self.nodes[node].ban(subjects);
        }
        let wanted = plan.burst.min(plan.held) + each * self.nodes.len();
        if self.wait(plan.patience, |node| node.records.load(Relaxed) >= wanted).is_some() {
            // Until what was missed in the rush is repaired.
            sleep(5 * plan.settle);
            figures.insert("idle with many bans held, bytes a second a node", self.rate(plan.idle));
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
