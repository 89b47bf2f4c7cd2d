//! What the node knows, in the words that users read.

mod peers;
mod status;
mod why;

pub use peers::{clusters, peers, quarantine_warning};
pub use status::{Parts, status};
pub use why::why;

use honeymesh_format::AllowJson;
use honeymesh_node::{AllowSource, Node, Protection};
use honeymesh_types::NodeId;

/// All that is never banned: the allowlist with its sources, then what was found live.
#[must_use]
pub fn allow(node: &Node) -> Vec<AllowJson> {
    let listed = node.allow().into_iter().map(|entry| AllowJson {
        net: entry.net.to_string(),
        why: Protection::Allowlist.as_str().into(),
        source: Some(source(entry.source).into()),
    });
    let live = node.protected().into_iter().filter(|protected| protected.why != Protection::Allowlist);
    let live = live.map(|protected| AllowJson { net: protected.net.to_string(), why: protected.why.to_string(), source: None });
    listed.chain(live).collect()
}

const fn source(source: AllowSource) -> &'static str {
    match source {
        AllowSource::Config => "config",
        AllowSource::Operator => "operator",
    }
}

/// An identity as users see it: 64 hexadecimal digits.
fn id(node: NodeId) -> String {
    node.to_string()
}
