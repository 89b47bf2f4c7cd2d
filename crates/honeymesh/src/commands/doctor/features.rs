//! What the kernel path uses of the kernel: since when it is there, what it brings, and whether it works here.

use super::{
    finding::{Area, Finding, State},
    rung::Ladder,
};
use honeymesh_format::FeatureJson;
use honeymesh_xdp::doctor::{Feature, Tried};

/// Can the daemon do without?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Needed,
    Better,
}

struct Row {
    name: &'static str,
    since: (u32, u32),
    need: Need,
    brings: &'static str,
}

const fn row(name: &'static str, since: (u32, u32), need: Need, brings: &'static str) -> Row {
    Row { name, since, need, brings }
}

/// The first kernels: docs of the kernel's features by version; only 6.18 was run.
const fn known(feature: Feature) -> Row {
    use Need::{Better, Needed};
    match feature {
        Feature::Maps => row("hash, array, per-CPU and prefix maps", (4, 11), Needed, "bans, prefixes, counters, settings"),
        Feature::SharedMaps => row("maps in user space's memory", (5, 5), Needed, "a ban takes effect with one store"),
        Feature::RingBuffer => row("ring buffer", (5, 8), Needed, "knocks and scans reach the daemon in order"),
        Feature::Xdp => row("XDP programs", (4, 8), Needed, "packets are judged before the stack sees them"),
        Feature::LargePackets => row("XDP for large packets", (5, 18), Needed, "jumbo frames; large MTU on native drivers"),
        Feature::Program => row("the HoneyMesh program", (5, 18), Needed, "the verifier accepts it with all its tables"),
        Feature::Native => row("native XDP by a link", (5, 9), Better, "the cheapest drop; pinned, replaced without a gap"),
        Feature::Generic => row("generic XDP by a link", (5, 9), Needed, "works on every interface, at a higher price"),
        Feature::Tc => row("tc programs", (4, 1), Better, "dark ports become traps (bpf_sk_assign: 5.7)"),
        Feature::Tcx => row("tc by a link (tcx)", (6, 6), Better, "the trap's program is pinned and replaced without a gap"),
        Feature::SocketMaps => row("maps of sockets", (4, 14), Better, "dark ports are steered to the trap's listener"),
        Feature::Nftables => row("nftables at an interface's ingress", (5, 10), Better, "enforcement where XDP is impossible"),
        Feature::NftSockets => {
            row("nftables that asks for sockets", (5, 10), Better, "dark ports and lockdown where XDP is impossible")
        }
        Feature::NftCoins => {
            row("nftables that throws coins", (5, 19), Better, "half-open scans are proved where XDP is impossible")
        }
        Feature::NftTraps => {
            row("nftables that hands over connections", (5, 10), Better, "dark ports become traps where XDP is impossible")
        }
        Feature::NftLog => row("nftables' packet log", (5, 10), Better, "probes and scans are told where XDP is impossible"),
        Feature::DriverFacts => row("drivers tell what they can", (6, 3), Better, "this table knows the mode before a start"),
    }
}

/// Features that cannot be tried, only counted by the kernel's version.
const BY_VERSION: [Row; 1] =
    [row("tables without capabilities", (5, 19), Need::Better, "the running daemon holds no capability at all")];

/// Whether a start needs it: what stands on nftables needs that and nothing of XDP.
fn need(feature: Feature, ladder: Ladder) -> Need {
    match ladder.rests_on_nftables() {
        true if feature == Feature::Nftables => Need::Needed,
        true => Need::Better,
        false => known(feature).need,
    }
}

fn state(tried: &Tried, need: Need) -> State {
    match (tried, need) {
        (Tried::Works, _) => State::Ok,
        (Tried::Denied, _) => State::Skip,
        (Tried::Fails(_), Need::Needed) => State::Fail,
        (Tried::Fails(_), Need::Better) => State::Warn,
    }
}

/// The whole table.
pub fn table(tried: &[(Feature, Tried)], version: Option<(u32, u32)>, ladder: Ladder) -> Vec<FeatureJson> {
    let json = |row: &Row, state: State, said: Option<String>| FeatureJson {
        name: row.name.into(),
        kernel_min: text(row.since),
        needed: row.need == Need::Needed,
        state: state.word().into(),
        brings: row.brings.into(),
        said,
    };
    let found = tried.iter().map(|(feature, tried)| {
        let said = if let Tried::Fails(said) = tried { Some(said.clone()) } else { None };
        let row = Row { need: need(*feature, ladder), ..known(*feature) };
        json(&row, state(tried, row.need), said)
    });
    let reckoned = BY_VERSION.iter().map(|row| {
        let state = version.map_or(State::Skip, |version| if version >= row.since { State::Ok } else { State::Warn });
        json(row, state, None)
    });
    found.chain(reckoned).collect()
}

fn text((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// One finding if all works, else one for each feature that does not.
pub fn judge(tried: &[(Feature, Tried)], version: Option<(u32, u32)>, ladder: Ladder) -> Vec<Finding> {
    let failing = tried.iter().filter_map(|(feature, tried)| match tried {
        Tried::Fails(said) => {
            let row = Row { need: need(*feature, ladder), ..known(*feature) };
            Some(failing(row, said, version))
        }
        Tried::Works | Tried::Denied => None,
    });
    let mut findings: Vec<Finding> = failing.collect();
    let count = |wanted: &Tried| tried.iter().filter(|(_, tried)| tried == wanted).count();
    let (works, denied) = (count(&Tried::Works), count(&Tried::Denied));
    let matters = "the kernel path is made of them; the table below says what each brings";
    if works > 0 {
        let detail = format!("{works} of {} were tried and work", tried.len());
        findings.push(Finding::new(Area::Bpf, "features", State::Ok, detail, matters));
    }
    if denied > 0 {
        let detail = format!("{denied} of {} may not be tried by this process", tried.len());
        findings.push(Finding::new(Area::Bpf, "features not tried", State::Skip, detail, matters).mend("run doctor as root"));
    }
    findings
}

fn failing(row: Row, said: &str, version: Option<(u32, u32)>) -> Finding {
    let state = if row.need == Need::Needed { State::Fail } else { State::Warn };
    let finding = Finding::new(Area::Bpf, row.name, state, format!("does not work: {said}"), row.brings);
    finding.mend(match version {
        Some(version) if version < row.since => format!("run Linux {} or later", text(row.since)),
        _ => "this kernel is new enough: it was built without it, or a container or security module forbids it".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Attach;

    fn all(but: Option<(Feature, Tried)>) -> Vec<(Feature, Tried)> {
        let tried = |feature| match &but {
            Some((other, tried)) if *other == feature => tried.clone(),
            _ => Tried::Works,
        };
        Feature::ALL.into_iter().map(|feature| (feature, tried(feature))).collect()
    }

    fn ladder(wanted: Attach, tried: &[(Feature, Tried)]) -> Ladder {
        Ladder::new(wanted, tried, Some((6, 18)))
    }

    #[test]
    fn what_stands_on_nftables_needs_that_and_nothing_of_xdp() {
        for missing in [Feature::Program, Feature::Xdp, Feature::Nftables] {
            let tried = all(Some((missing, Tried::Fails("no".into()))));
            let weighs = |wanted| judge(&tried, None, ladder(wanted, &tried))[0].state;
            let is_xdp = missing != Feature::Nftables;
            let (xdp, nftables) = if is_xdp { (State::Fail, State::Warn) } else { (State::Warn, State::Fail) };
            assert_eq!([weighs(Attach::Native), weighs(Attach::Nftables)], [xdp, nftables], "{missing:?}");
            assert_eq!(weighs(Attach::Auto), State::Warn, "{missing:?}: the other one is there");
            let needed = |wanted| table(&tried, None, ladder(wanted, &tried)).iter().filter(|row| row.needed).count();
            assert_eq!((needed(Attach::Nftables), needed(Attach::Auto) == 1), (1, is_xdp), "{missing:?}");
        }
    }

    #[test]
    fn a_feature_that_is_missing_weighs_as_much_as_it_is_needed() {
        let state = |feature| {
            let tried = all(Some((feature, Tried::Fails("Invalid argument".into()))));
            judge(&tried, Some((5, 4)), ladder(Attach::Native, &tried))[0].state
        };
        assert_eq!([state(Feature::Program), state(Feature::RingBuffer)], [State::Fail; 2]);
        assert_eq!([state(Feature::Tcx), state(Feature::Native), state(Feature::Nftables)], [State::Warn; 3]);
        assert!(judge(&all(None), None, ladder(Attach::Auto, &all(None))).iter().all(|finding| finding.state == State::Ok));
    }

    #[test]
    fn the_mend_knows_an_old_kernel_from_a_poor_one() {
        let tried = all(Some((Feature::Tcx, Tried::Fails("x".into()))));
        let mend = |version| judge(&tried, Some(version), ladder(Attach::Auto, &tried))[0].mend.clone().unwrap();
        assert_eq!(mend((6, 1)), "run Linux 6.6 or later");
        assert!(mend((6, 12)).contains("new enough"));
    }

    #[test]
    fn what_may_not_be_tried_is_not_called_missing() {
        let tried: Vec<_> = Feature::ALL.into_iter().map(|feature| (feature, Tried::Denied)).collect();
        assert!(judge(&tried, None, ladder(Attach::Auto, &tried)).iter().all(|finding| finding.state == State::Skip));
        assert!(table(&tried, None, ladder(Attach::Auto, &tried)).iter().all(|row| row.state == "skip" && row.said.is_none()));
    }

    #[test]
    fn every_feature_has_a_row_with_the_kernel_that_first_had_it() {
        let table = table(&all(None), Some((6, 18)), ladder(Attach::Auto, &all(None)));
        assert_eq!(table.len(), Feature::ALL.len() + BY_VERSION.len());
        assert!(table.iter().all(|row| row.kernel_min.contains('.') && !row.brings.is_empty() && row.state == "ok"));
    }
}
