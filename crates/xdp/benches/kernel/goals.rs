//! The goals: each a ratio within one run, its bound, and whether it holds.

use crate::{
    contenders::{IPSET, LIMIT, NFT_INGRESS, NOTHING, OURS},
    results::{Results, number},
};

/// The titles of the tables that goals read.
pub mod title {
    pub const DROP4: &str = "IPv4 dropped";
    pub const DROP6: &str = "IPv6 dropped";
    pub const PASS4: &str = "IPv4 passed, 10,000 clients";
    pub const PASS6: &str = "IPv6 passed, 10,000 clients";
    pub const NETS: &str = "with 1,000 banned prefixes besides, IPv4";
    pub const RESTORE: &str = "entering all bans";
    pub const MEMORY: &str = "memory";
    pub const LOOKUP: &str = "hot lookup, without a wire";
    pub const KEPT: &str = "live bans lost";
    pub const DECISION: &str = "from decision to last packet";
    pub const OWN_SIDE: &str = "the daemon's side of the table";
}

/// The contender and the cases of single tables.
pub const NFT_NETLINK: &str = "nftables over netlink, netdev ingress set";
pub const MEDIAN: &str = "median";
pub const MAPS: &str = "a ban, 1M (maps)";
pub const FILLED: &str = "at 100 % fill";
pub const FLOODED: &str = "under a forged SYN flood";

/// Which side of the bound is good.
#[derive(Clone, Copy)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// A goal and what was measured.
pub struct Goal {
    pub name: &'static str,
    pub bound: Bound,
    /// `None`: not measured in this run.
    pub measured: Option<f64>,
}

impl Goal {
    pub fn holds(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            Bound::AtMost(bound) => measured <= bound,
            Bound::AtLeast(bound) => measured >= bound,
        })
    }

    /// Goal, figure, judgement.
    pub fn row(&self) -> Vec<String> {
        let bound = match self.bound {
            Bound::AtMost(bound) => format!("<= {bound}"),
            Bound::AtLeast(bound) => format!(">= {bound}"),
        };
        let judged = match self.holds() {
            Some(true) => "ok",
            Some(false) => "FAILS",
            None => "not measured",
        };
        vec![format!("{}: {bound}", self.name), self.measured.map_or_else(String::new, number), judged.into()]
    }
}

/// Every goal.
pub fn judge(results: &Results) -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};
    let goal = |name, bound, measured| Goal { name, bound, measured };
    let dropped = |name: &str, case: &str| results.figure(title::DROP4, name, case);
    let over = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
    let hot = |name: &str| dropped(name, "100k hot");
    let all = |name: &str| dropped(name, "1M all");
    let added = |title: &str, case: &str| {
        let added = |name: &str| Some(results.figure(title, name, case)? - results.figure(title, NOTHING, case)?);
        over(added(OURS), added(NFT_INGRESS))
    };
    let decided = |name: &str| results.figure(title::DECISION, name, MEDIAN);
    let lost = |case: &str| results.figure(title::KEPT, OURS, case);
    vec![
        goal("hot drop at 100k bans, x an empty XDP_DROP", AtMost(1.35), over(hot(OURS), hot(LIMIT))),
        goal("hot drop at 100k bans, x faster than an nftables ingress set", AtLeast(4.5), over(hot(NFT_INGRESS), hot(OURS))),
        goal("hot drop at 100k bans, x faster than ipset", AtLeast(6.0), over(hot(IPSET), hot(OURS))),
        goal("1M bans all cold, x faster than nftables", AtLeast(2.5), over(all(NFT_INGRESS), all(OURS))),
        goal("added to good traffic at 100k, IPv4, x what nftables adds", AtMost(0.4), added(title::PASS4, "100k")),
        goal("added to good traffic at 1M, IPv4, x what nftables adds", AtMost(0.4), added(title::PASS4, "1M")),
        goal("added to good traffic at 100k, IPv6, x what nftables adds", AtMost(0.4), added(title::PASS6, "100k")),
        goal("added to good traffic at 1M, IPv6, x what nftables adds", AtMost(0.4), added(title::PASS6, "1M")),
        goal("one million bans restored, seconds", AtMost(0.2), results.figure(title::RESTORE, OURS, "1M")),
        goal("decision to last packet, x nftables over netlink", AtMost(0.5), over(decided(OURS), decided(NFT_NETLINK))),
        goal("octets a ban at 1M", AtMost(45.0), results.figure(title::MEMORY, OURS, MAPS)),
        goal("live bans lost at 100 % fill", AtMost(0.0), lost(FILLED)),
        goal("live bans lost under a forged SYN flood", AtMost(0.0), lost(FLOODED)),
        goal("hot lookup, 1k to 10M bans, largest x smallest", AtMost(2.0), spread(results)),
    ]
}

/// The dearest over the cheapest size; only if the largest was measured.
fn spread(results: &Results) -> Option<f64> {
    let at = |case: &str| results.figure(title::LOOKUP, OURS, case);
    at("10M")?;
    let costs: Vec<f64> = ["1k", "100k", "1M", "10M"].into_iter().filter_map(at).collect();
    let (least, most) = costs.iter().fold((f64::MAX, 0.0_f64), |(least, most), cost| (least.min(*cost), most.max(*cost)));
    Some(most / least)
}
