//! Nodes of iroh-gossip in this process.

use bytes::Bytes;
use iroh::{Endpoint, EndpointAddr, RelayMode, address_lookup::memory::MemoryLookup, endpoint::presets, protocol::Router};
use iroh_gossip::{
    ALPN, Gossip, TopicId,
    api::{Event, GossipReceiver, GossipSender, JoinOptions},
};
use n0_future::StreamExt;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// Whatever went wrong, in words.
pub type Result<T> = core::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const TOPIC: TopicId = TopicId::from_bytes([7; 32]);
/// Messages that wait for a node's reader: more than the largest burst, so that none is lost there.
const WAITING_MAX: usize = 1 << 17;
/// Neighbours of a node that is part of the overlay; nobody sees everybody.
const NEIGHBOURS: usize = 2;
/// A burst of which nothing has arrived anywhere for so long is over.
const STALLED: Duration = Duration::from_secs(20);
/// Between two looks at what the nodes show of themselves.
const LOOK: Duration = Duration::from_millis(5);

/// A node has this record now.
struct Arrival {
    node: usize,
    id: u64,
    at: Instant,
}

/// A running node.
pub struct Node {
    router: Router,
    sender: GossipSender,
    neighbours: Arc<AtomicUsize>,
    records: Arc<AtomicUsize>,
    wanted_neighbours: usize,
    reader: JoinHandle<()>,
}

impl Node {
    /// Is it part of the overlay?
    pub fn has_neighbours(&self) -> bool {
        self.neighbours.load(Relaxed) >= self.wanted_neighbours
    }

    /// Records that it has said or received.
    pub fn records(&self) -> usize {
        self.records.load(Relaxed)
    }
}

/// All nodes, and what they tell.
pub struct Cluster {
    nodes: Vec<Node>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
}

impl Cluster {
    /// Starts so many nodes, one after the other; each joins through the first.
    pub async fn start(size: usize) -> Result<Self> {
        let (told, arrivals) = mpsc::unbounded_channel();
        let addresses = MemoryLookup::new();
        let mut nodes: Vec<Node> = Vec::with_capacity(size);
        for number in 0..size {
            let first = nodes.first().map(|node| node.router.endpoint().id());
            let endpoint = Endpoint::builder(presets::Minimal)
                .relay_mode(RelayMode::Disabled)
                .clear_ip_transports()
                .bind_addr("127.0.0.1:0")?
                .bind()
                .await?;
            let known = endpoint.bound_sockets().into_iter().fold(EndpointAddr::new(endpoint.id()), EndpointAddr::with_ip_addr);
            addresses.add_endpoint_info(known);
            endpoint.address_lookup()?.add(addresses.clone());
            let gossip = Gossip::builder().spawn(endpoint.clone());
            let router = Router::builder(endpoint).accept(ALPN, gossip.clone()).spawn();
            let options = JoinOptions { subscription_capacity: WAITING_MAX, ..JoinOptions::with_bootstrap(first) };
            let (sender, receiver) = gossip.subscribe_with_opts(TOPIC, options).await?.split();
            let (neighbours, records) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
            let reader = read(number, receiver, Arc::clone(&neighbours), Arc::clone(&records), told.clone());
            let reader = tokio::spawn(reader);
            let wanted_neighbours = NEIGHBOURS.min(size.saturating_sub(1));
            nodes.push(Node { router, sender, neighbours, records, wanted_neighbours, reader });
        }
        Ok(Self { nodes, arrivals })
    }

    /// A node says something to all others.
    pub async fn say(&self, node: usize, record: Bytes) -> Result<()> {
        self.nodes[node].records.fetch_add(1, Relaxed);
        Ok(self.nodes[node].sender.broadcast(record).await?)
    }

    /// Waits until something holds for all nodes; false if it did not in time.
    pub async fn wait(&self, patience: Duration, is_so: impl Fn(&Node) -> bool) -> bool {
        let began = Instant::now();
        while !self.nodes.iter().all(&is_so) {
            if began.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// Waits until all nodes have so many records; false if they had not in time, or if none has got any for [`STALLED`]: what is lost here
    /// stays lost.
    pub async fn wait_for_records(&self, wanted: usize, patience: Duration) -> bool {
        let (began, mut last) = (Instant::now(), (0, Instant::now()));
        while self.fewest_records() < wanted {
            let all = self.nodes.iter().map(Node::records).sum();
            if last.0 != all {
                last = (all, Instant::now());
            }
            if began.elapsed() > patience || last.1.elapsed() > STALLED {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// After how many milliseconds each of the others had it, in order; fewer if not all had it in time.
    pub async fn gather(&mut self, id: u64, said: Instant, patience: Duration) -> Vec<f64> {
        let mut arrived = HashMap::new();
        while arrived.len() + 1 < self.nodes.len()
            && let Some(left) = patience.checked_sub(said.elapsed())
            && let Ok(Some(arrival)) = timeout(left, self.arrivals.recv()).await
        {
            if arrival.id == id {
                arrived.entry(arrival.node).or_insert(arrival.at.duration_since(said).as_secs_f64() * 1_000.0);
            }
        }
        let mut times: Vec<f64> = arrived.into_values().collect();
        times.sort_unstable_by(f64::total_cmp);
        times
    }

    /// Records on the node that has fewest.
    pub fn fewest_records(&self) -> usize {
        self.nodes.iter().map(Node::records).min().unwrap_or(0)
    }

    /// Ends all nodes.
    pub async fn stop(self) {
        for node in self.nodes {
            node.reader.abort();
            // What it has to say at its end is of no interest.
            let _ = timeout(Duration::from_secs(2), node.router.shutdown()).await;
        }
    }
}

/// Takes note of what comes to a node until its subscription ends.
async fn read(
    node: usize,
    mut receiver: GossipReceiver,
    neighbours: Arc<AtomicUsize>,
    records: Arc<AtomicUsize>,
    told: mpsc::UnboundedSender<Arrival>,
) {
    while let Some(Ok(event)) = receiver.next().await {
        match event {
            Event::Received(message) => {
                let Some(id) = message.content.first_chunk().map(|head| u64::from_be_bytes(*head)) else { continue };
                records.fetch_add(1, Relaxed);
                // Nobody listens any more when the measurement is over.
                let _ = told.send(Arrival { node, id, at: Instant::now() });
            }
            Event::NeighborUp(_) | Event::NeighborDown(_) => neighbours.store(receiver.neighbors().count(), Relaxed),
            Event::Lagged => eprintln!("node {node} was too slow for its messages"),
        }
    }
}
