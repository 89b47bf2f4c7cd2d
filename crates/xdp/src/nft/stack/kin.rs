//! Whom a source counts with: itself (IPv4), its customer's whole /64 (IPv6), or, on the link, nobody else.

use crate::nft::{
    ask::PORT_AT,
    expression::{Compare, Expression, Meta, Register, is},
    ingress,
    tier::{Family, Tier},
    uapi::{FAMILY_IP4, FAMILY_IP6},
};

/// fe80::/10.
const LINK_LOCAL: [u8; 2] = [0xfe, 0x80];
const LINK_LOCAL_MASK: [u8; 2] = [0xff, 0xc0];

/// The chains of one way to count.
pub(super) struct Count {
    pub(super) count: &'static str,
    /// Of sources with no slot taken, ...
    pub(super) newcomer: &'static str,
    /// ... with some, ...
    pub(super) known: &'static str,
    /// ... and with all.
    pub(super) taken: &'static str,
    /// A port that is new.
    pub(super) fresh: &'static str,
}

/// A family of sources and the chains they go through.
pub(super) struct Kin {
    pub(super) family: Family,
    is_link_local: Option<bool>,
    /// Where the kernel places what it silences by itself.
    pub(super) placed: Tier,
    pub(super) probe: &'static str,
    /// Where it is counted for a window, which is where probes are weighed, ...
    pub(super) window: Count,
    /// ... and where for a short while.
    pub(super) rush: Count,
    pub(super) again: &'static str,
    pub(super) over: &'static str,
    /// Where probes of a silenced source go while reactions are weighed, ...
    pub(super) silenced: &'static str,
    /// ... its SYNs, ...
    pub(super) oracle: &'static str,
    /// ... those whose coin was thrown in this moment, ...
    pub(super) thrown: &'static str,
    /// ... and those that may be answered.
    pub(super) answered: &'static str,
    /// Of those that the kernel banned by itself, and what counts their packets.
    pub(super) hit: &'static str,
    pub(super) dropped: &'static str,
}

impl Kin {
    pub(super) const ALL: [Self; 3] = [
        Self {
            family: Family::V4,
            is_link_local: None,
            placed: Tier::PLACED[0],
            probe: "probe4",
            window: Count { count: "weigh4", newcomer: "newcomer4", known: "known4", taken: "taken4", fresh: "fresh4" },
            rush: Count {
                count: "rush4",
                newcomer: "rush_newcomer4",
                known: "rush_known4",
                taken: "rush_taken4",
                fresh: "rush_fresh4",
            },
            again: "again4",
            over: "over4",
            silenced: "silenced4",
            oracle: "oracle4",
            thrown: "oracle_thrown4",
            answered: "oracle_answered4",
            hit: "hit_placed4",
            dropped: "dropped_v4",
        },
        Self {
            family: Family::V6,
            is_link_local: Some(false),
            placed: Tier::PLACED[1],
            probe: "probe6",
            window: Count { count: "weigh6", newcomer: "newcomer6", known: "known6", taken: "taken6", fresh: "fresh6" },
            rush: Count {
                count: "rush6",
                newcomer: "rush_newcomer6",
                known: "rush_known6",
                taken: "rush_taken6",
                fresh: "rush_fresh6",
            },
            again: "again6",
            over: "over6",
            silenced: "silenced6",
            oracle: "oracle6",
            thrown: "oracle_thrown6",
            answered: "oracle_answered6",
            hit: "hit_placed6",
            dropped: "dropped_v6",
        },
        Self {
            family: Family::V6,
            is_link_local: Some(true),
            placed: Tier::PLACED[2],
            probe: "probe6_link",
            window: Count {
                count: "weigh6_link",
                newcomer: "newcomer6_link",
                known: "known6_link",
                taken: "taken6_link",
                fresh: "fresh6_link",
            },
            rush: Count {
                count: "rush6_link",
                newcomer: "rush_newcomer6_link",
                known: "rush_known6_link",
                taken: "rush_taken6_link",
                fresh: "rush_fresh6_link",
            },
            again: "again6_link",
            over: "over6_link",
            silenced: "silenced6_link",
            oracle: "oracle6_link",
            thrown: "oracle_thrown6_link",
            answered: "oracle_answered6_link",
            hit: "hit_placed6_link",
            dropped: "dropped_v6",
        },
    ];

    /// Goes on if the packet is of this family.
    pub(super) fn family_guard(&self) -> Vec<Expression> {
        let family = match self.family {
            Family::V4 => FAMILY_IP4,
            Family::V6 => FAMILY_IP6,
        };
        vec![Expression::Meta(Meta::Family), is(&[family])]
    }

    /// Goes on if the packet's source is of this kind.
    pub(super) fn guard(&self) -> Vec<Expression> {
        let mut steps = self.family_guard();
        if let Some(is_link_local) = self.is_link_local {
            let how = if is_link_local { Compare::Equal } else { Compare::Differs };
            steps.push(Expression::Header { offset: self.family.source_at(), len: 2 });
            steps.extend([Expression::Mask(LINK_LOCAL_MASK.into()), Expression::Compare(how, LINK_LOCAL.into())]);
        }
        steps
    }

    /// Loads the source as it is counted.
    pub(super) fn source(&self) -> Vec<Expression> {
        let mut steps = vec![Expression::Header { offset: self.family.source_at(), len: self.family.len().into() }];
        if self.is_link_local == Some(false) {
            steps.push(Expression::Mask(Tier::USUAL[1].mask()));
        }
        steps
    }

    /// Loads the source and, behind it, the port that it probes.
    pub(super) fn source_and_port(&self) -> Vec<Expression> {
        let to = match self.family {
            Family::V4 => Register::BEHIND_V4,
            Family::V6 => Register::BEHIND_V6,
        };
        [self.source(), vec![Expression::Segment { offset: PORT_AT, len: 2, to }]].concat()
    }

    /// Those who look for their neighbours pass.
    pub(super) fn neighbours(&self) -> Option<Vec<Expression>> {
        (self.family == Family::V6).then(|| ingress::neighbour_discovery(0, None))
    }
}
