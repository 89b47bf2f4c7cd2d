//! A decentralized active-defence appliance: traps, an XDP ban table, a gossip mesh.

fn main() {}
