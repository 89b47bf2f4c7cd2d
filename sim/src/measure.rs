//! What is measured, by the names that scenario files use.

use std::{fmt, time::Duration};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds; files write durations.
    Millis,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
}

macro_rules! measures {
    ($($(#[doc = $doc:literal])+ $variant:ident $word:literal $unit:ident),+ $(,)?) => {
        /// Something that is measured. Less is better, of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Measure { $($(#[doc = $doc])+ $variant),+ }

        impl Measure {
            /// Every measure, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What its numbers count.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit),+ }
            }
        }
    };
}

measures! {
    /// Until every node knows nearly all others (all but one in fifty), from the start.
    Meet "meet" Millis,
    /// Until half of the nodes dropped a banned subject; the median of all bans.
    T50 "t50" Millis,
    /// Until 99 of 100 did; the median of all bans.
    T99 "t99" Millis,
    /// Until all did; the median of all bans.
    T100 "t100" Millis,
    /// Until all did; the slowest ban.
    Slowest "slowest" Millis,
    /// Until all nodes dropped the same again after a split.
    HealData "heal_data" Millis,
    /// Until all nodes knew all others again after a split.
    HealMembers "heal_members" Millis,
    /// Until nodes that came back dropped what the others did; the slowest time.
    CatchUp "catch_up" Millis,
    /// From the end of the story until every node dropped exactly what the reference model says.
    Settle "settle" Millis,
    /// Bytes that a node sends in a second of a window called idle.
    IdleBytes "idle_bytes" Bytes,
    /// Bytes that a ban costs each node, in windows called bans, without what the same time costs idle.
    BanBytes "ban_bytes" Bytes,
    /// Records that the fullest node holds in the end.
    Records "records" Count,
    /// Nodes that somebody does not know to be alive in the end; the most that one node misses.
    Unknown "unknown" Count,
    /// Datagrams of one taken-over member that one node accepted; the most.
    RogueAccepted "rogue_accepted" Count,
    /// Records of one taken-over member that one node holds; the most.
    RogueRecords "rogue_records" Count,
    /// Signatures that one node verified because of one taken-over member; the most.
    RogueSignatures "rogue_signatures" Count,
    /// Events that one node told while one taken-over member misbehaved; the most.
    RogueEvents "rogue_events" Count,
}

impl Measure {
    /// A number of this measure as people read it.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self.unit() {
            Unit::Millis if value >= 10_000.0 => format!("{:.1} s", value / 1_000.0),
            Unit::Millis => format!("{value:.0} ms"),
            Unit::Bytes => format!("{value:.0} B"),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A duration as a number of milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The value below which `share` of the sorted values are; nothing of none.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is a place in it")]
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied()
}

/// The middle one of some values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_first_value_that_enough_are_not_above() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [Some(1.0), Some(50.0), Some(99.0), Some(100.0)]);
        assert_eq!((quantile(&[], 0.5), median(vec![3.0, 1.0, 2.0])), (None, Some(2.0)));
    }
}
