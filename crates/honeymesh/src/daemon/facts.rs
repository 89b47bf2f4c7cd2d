//! The network around the node, looked at every second by a thread of its own.

use super::{operators, resolvers};
use honeymesh_node::NetworkFacts;
use std::{io, time::Duration};
use tokio::sync::mpsc;

/// How often the network is looked at: a new address of this machine is never banned from then on.
const EVERY: Duration = Duration::from_secs(1);

/// The network as it is now.
#[must_use]
pub fn now() -> NetworkFacts {
    let facts = honeymesh_xdp::network_facts();
    NetworkFacts {
        own: facts.own,
        on_link: facts.on_link,
        gateways: facts.gateways,
        resolvers: facts.resolvers,
        operators: operators::logged_in(),
    }
}

/// Starts the thread. It tells each change from `known` on, and ends when nobody listens any more.
///
/// # Errors
/// No thread can be started.
pub fn watch(mut known: NetworkFacts) -> io::Result<mpsc::Receiver<NetworkFacts>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::Builder::new().name("facts".into()).spawn(move || {
        while !sender.is_closed() {
            std::thread::sleep(EVERY);
            let mut facts = now();
            facts.resolvers = resolvers::kept(&known.resolvers, facts.resolvers);
            if facts != known {
                known = facts.clone();
                if sender.blocking_send(facts).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(receiver)
}
