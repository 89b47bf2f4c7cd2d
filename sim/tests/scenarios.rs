//! Every scenario that comes with the simulator, at a small size: nothing may diverge from the reference model, whatever the
//! seed, and the same seed gives the same run.
//!
//! What is measured in milliseconds here is simulated time: a busy machine changes none of it.

use honeymesh_sim::{
    measure::Measure,
    plan::Plan,
    play::{Run, play},
    plot,
    report::Report,
};

/// Seeds of each scenario.
const SEEDS: u64 = 2;

#[expect(clippy::panic, reason = "a helper of tests fails as they do")]
fn quick(name: &str) -> Plan {
    Plan::load(name).unwrap_or_else(|problems| panic!("{problems:#?}")).quick()
}

/// Plays a scenario and fails with what was wrong and the commands that show it again.
fn assert_holds(name: &str) -> Vec<Run> {
    let plan = quick(name);
    let runs: Vec<Run> = (1..=SEEDS).map(|seed| play(&plan, seed)).collect();
    let report = Report { plan: &plan, runs, flags: " --quick".into() };
    assert!(report.failed().next().is_none(), "{report}");
    report.runs
}

macro_rules! shipped {
    ($($test:ident $name:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            assert_holds($name);
        })+

        /// The scenarios that have a test here.
        const TESTED: &[&str] = &["byzantine", "slow-wide", $($name),+];
    };
}

shipped! {
    bans_spread "spread",
    a_quiet_cluster_is_quiet "traffic",
    a_quiet_cluster_is_quiet_with_a_fifth_lost "traffic20",
    a_fifth_lost_delays_but_loses_nothing "loss20",
    a_block_list_arrives_everywhere "burst",
    a_split_heals "split45",
    restarts_lose_nothing_that_somebody_remembers "churn",
    wrong_clocks_change_no_verdict "clocks",
    a_late_joiner_gets_everything "late-joiner",
    a_long_day_leaves_nothing_behind "day",
    many_nodes_are_reached "big",
    many_nodes_that_know_all_others_are_reached_in_two_steps "sixteen-thousand",
    many_nodes_are_reached_with_a_fifth_lost "sixteen-thousand-loss20",
    nodes_that_know_three_others_meet_all "members",
}

/// Seeds in which a ban was late by up to 4.3 s at full size, because most nodes were declared down 14 s after their start.
#[test]
fn nobody_waits_for_a_ban_where_a_fifth_is_lost() {
    let plan = Plan::load("loss20").unwrap();
    let report = Report { plan: &plan, runs: [6, 17].map(|seed| play(&plan, seed)).into(), flags: String::new() };
    assert!(report.failed().next().is_none(), "{report}");
}

#[test]
fn members_that_were_taken_over_cost_no_more_than_the_limits_allow() {
    for run in assert_holds("byzantine") {
        let cost = |word: &str| *run.costs.iter().find(|cost| cost.misdeed.as_str() == word).unwrap();
        assert_eq!(run.costs.len(), 6);
        assert!(cost("flood").records > 1_000 && cost("flood").refused > 0, "the flood meets its budget: {:?}", run.costs);
        assert!(
            cost("forge").bad_signatures > 0 && cost("forge").records < 100,
            "forged words are checked, not held: {:?}",
            run.costs
        );
        for word in ["replay", "future", "garbage"] {
            assert!(
                cost(word).refused > 0 && cost(word).records < 100 && cost(word).bad_signatures == 0,
                "{word}: {:?}",
                run.costs
            );
        }
    }
}

#[test]
fn one_touch_on_each_of_ten_nodes_is_a_ban_and_neither_forged_ones_nor_a_liars_word_are() {
    for run in assert_holds("slow-wide") {
        assert_eq!(run.arrivals.len(), 10, "one ban, on ten nodes");
        let slander = run.costs.iter().find(|cost| cost.misdeed.as_str() == "slander").unwrap();
        assert!((28..40).contains(&slander.records), "all thousand were named in 28 pages, and heard: {slander:?}");
    }
}

#[test]
fn every_shipped_scenario_is_tested_here() {
    let mut tested: Vec<&str> = TESTED.to_vec();
    tested.sort_unstable();
    assert_eq!(Plan::shipped().unwrap(), tested);
}

#[test]
fn the_same_seed_gives_the_same_report_and_another_one_another() {
    let plan = quick("churn");
    let runs = |seed| vec![play(&plan, seed)];
    let report = |seed| Report { plan: &plan, runs: runs(seed), flags: String::new() }.to_string();
    assert_eq!(runs(3), runs(3));
    assert_eq!(report(3), report(3));
    assert_ne!(runs(3)[0].trace, runs(4)[0].trace);
    assert_eq!(plot::svg("x", &runs(3)), plot::svg("x", &runs(3)));
}

#[test]
fn a_bound_that_is_not_kept_fails_with_the_command_that_shows_it_again() {
    let mut plan = quick("spread");
    plan.expect = vec![(Measure::T50, 1.0), (Measure::HealData, 1.0)];
    let report = Report { plan: &plan, runs: vec![play(&plan, 7)], flags: " --quick".into() };
    assert_eq!(report.failed().count(), 1);
    let text = report.to_string();
    for part in [
        "seed 7 FAILED; replay: cargo xtask sim spread --seeds 7 --quick",
        "but at most 1 ms is expected",
        "heal_data was not measured: nothing in the timeline makes it",
        "NO, at most 1 ms",
        "0 of 1 seeds hold",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// The model must be able to find a node wrong: a ban that no network carries reaches nobody.
#[test]
fn a_network_that_carries_nothing_is_found_out() {
    let text = "about = \"x\"\nnodes = 4\nstart = \"known\"\nloss = 100\npatience = \"2s\"\n[[step]]\nat = \"2s\"\ndo = \"ban\"\nnode = 1\n";
    let run = play(&Plan::parse("x", text).unwrap(), 1);
    assert!(run.wrong.iter().any(|wrong| wrong.contains("does not drop 203.0.113.0/32")), "{:?}", run.wrong);
    assert!(run.wrong.iter().any(|wrong| wrong.contains("never came to 3 nodes")), "{:?}", run.wrong);
}
