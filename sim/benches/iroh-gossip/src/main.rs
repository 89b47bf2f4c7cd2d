//! The mesh benchmark's story told to iroh-gossip: `NODES BANS NODES_BURST BURST IDLE_SECONDS PATIENCE_SECONDS`.
//!
//! Each node is an endpoint with a socket of its own on loopback: no relay, no discovery but one table of addresses in memory. Messages
//! travel in QUIC streams between neighbours (HyParView), along a tree (Plumtree). Rows are printed as `NAME: NUMBER`.

mod cluster;

use bytes::Bytes;
use cluster::{Cluster, Node, Result};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// What a cluster has to settle before anything is measured.
const SETTLE: Duration = Duration::from_secs(3);
/// Between two single bans.
const BETWEEN: Duration = Duration::from_millis(150);
/// How long one ban may take.
const BAN_MAX: Duration = Duration::from_secs(10);
/// As long as a record of HoneyMesh, signature included.
const RECORD_BYTES: usize = 165;

/// What is to be measured.
struct Plan {
    nodes: usize,
    bans: usize,
    nodes_burst: usize,
    burst: usize,
    idle: Duration,
    patience: Duration,
}

#[tokio::main]
async fn main() -> Result<()> {
    let plan = plan()?;
    let began = Instant::now();
    let mut cluster = Cluster::start(plan.nodes).await?;
    if cluster.wait(plan.patience, Node::has_neighbours).await {
        println!("all nodes see all, s: {}", began.elapsed().as_secs_f64());
    }
    sleep(SETTLE).await;
    let (before, began) = (sent_bytes()?, Instant::now());
    sleep(plan.idle).await;
    let idle = (sent_bytes()? - before) / plan.nodes as f64 / began.elapsed().as_secs_f64();
    println!("idle, bytes a second a node: {idle}");
    single(&plan, &mut cluster, idle).await?;
    cluster.stop().await;
    let mut cluster = Cluster::start(plan.nodes_burst).await?;
    cluster.wait(plan.patience, Node::has_neighbours).await;
    sleep(SETTLE).await;
    burst(&plan, &mut cluster).await?;
    cluster.stop().await;
    Ok(())
}

fn plan() -> Result<Plan> {
    let numbers = std::env::args().skip(1).map(|arg| arg.parse::<usize>()).collect::<core::result::Result<Vec<_>, _>>()?;
    let [nodes, bans, nodes_burst, burst, idle, patience] = numbers[..] else {
        return Err("write NODES BANS NODES_BURST BURST IDLE_SECONDS PATIENCE_SECONDS".into());
    };
    let seconds = |number: usize| Duration::from_secs(number as u64);
    Ok(Plan { nodes, bans, nodes_burst, burst, idle: seconds(idle), patience: seconds(patience) })
}

async fn single(plan: &Plan, cluster: &mut Cluster, idle: f64) -> Result<()> {
    let (before, began) = (sent_bytes()?, Instant::now());
    let (mut halves, mut wholes) = (Vec::new(), Vec::new());
    for ban in 0..plan.bans {
        let id = ban as u64 + 1;
        let said = Instant::now();
        cluster.say(ban * 37 % plan.nodes, record(id)).await?;
        let times = cluster.gather(id, said, BAN_MAX).await;
        if times.len() + 1 == plan.nodes {
            halves.push(times[times.len() / 2]);
            wholes.push(times[times.len() - 1]);
        }
        sleep(BETWEEN).await;
    }
    let many = plan.bans as f64;
    let spent = (sent_bytes()? - before) / plan.nodes as f64;
    println!("bytes a ban a node: {}", (spent - idle * began.elapsed().as_secs_f64()) / many);
    println!("bans that reached all nodes, of 100: {}", 100.0 * wholes.len() as f64 / many);
    for (row, value) in [
        ("one ban to half of the nodes, ms, median", median(&mut halves)),
        ("one ban to all nodes, ms, median", median(&mut wholes)),
        ("one ban to all nodes, ms, worst", wholes.last().copied()),
    ] {
        if let Some(value) = value {
            println!("{row}: {value}");
        }
    }
    Ok(())
}

async fn burst(plan: &Plan, cluster: &mut Cluster) -> Result<()> {
    let (before, began) = (sent_bytes()?, Instant::now());
    for id in 0..plan.burst {
        cluster.say(0, record(id as u64 + 1)).await?;
    }
    if cluster.wait_for_records(plan.burst, plan.patience).await {
        println!("many bans at once to all nodes, s: {}", began.elapsed().as_secs_f64());
        println!("many bans at once, bytes a ban a node: {}", (sent_bytes()? - before) / (plan.nodes_burst * plan.burst) as f64);
    }
    let fewest = cluster.fewest_records() as f64;
    println!("many bans at once, of 100 on the node with fewest: {}", 100.0 * fewest / plan.burst as f64);
    Ok(())
}

/// A record: its number, then what cannot be compressed.
fn record(id: u64) -> Bytes {
    let mut record = Vec::with_capacity(RECORD_BYTES);
    record.extend_from_slice(&id.to_be_bytes());
    let mut state = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while record.len() < RECORD_BYTES {
        // Xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        record.push(state.to_be_bytes()[0]);
    }
    record.into()
}

/// What was sent over loopback by the kernel's own count, which has headers in it.
fn sent_bytes() -> Result<f64> {
    Ok(fs::read_to_string("/sys/class/net/lo/statistics/tx_bytes")?.trim().parse()?)
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
