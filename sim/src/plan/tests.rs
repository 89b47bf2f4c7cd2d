//! Scenario files: what they mean, and what is refused, where and with which mend.

use super::*;

fn plan(text: &str) -> Plan {
    Plan::parse("x", &format!("about = \"a test\"\n{text}")).unwrap()
}

fn refusals(text: &str) -> Vec<String> {
    let problems = Plan::parse("x", &format!("about = \"a test\"\n{text}")).unwrap_err();
    problems.iter().map(|problem| problem.line("x")).collect()
}

#[test]
fn a_world_is_read() {
    let plan = plan(
        "nodes = 9\nstart = \"known\"\nview = 5\nloss = 20\nduplication = 3\nlatency = [\"1ms\", \"2ms\"]\nskew = \"30s\"\ndrift_ppm = 50\ndial_out = 2\n",
    );
    let latency = (Duration::from_millis(1), Duration::from_millis(2));
    let wanted = Options {
        nodes: 9,
        seed: 0,
        loss_per_mille: 200,
        double_per_mille: 30,
        latency,
        skew: Duration::from_secs(30),
        drift_ppm: 50,
        start: Start::Known { doors: 3, view: Some(5) },
        dial_out: 2,
    };
    assert_eq!(plan.options, wanted);
}

#[test]
fn where_members_are_fixed_nobody_joins_and_nothing_of_it_is_measured() {
    assert_eq!(plan("start = \"fixed\"\n").options.start, Start::Fixed);
    let text = "start = \"fixed\"\nview = 5\n[[step]]\nat = \"1s\"\ndo = \"rogue\"\nkind = \"flood\"\n[expect]\nmeet = \"1s\"\nt99 = \"1s\"\n";
    let refused = refusals(text);
    assert_eq!(refused.len(), 3, "{refused:#?}");
    for part in ["`view` is", "a `rogue` joins", "`meet` is about membership"] {
        assert!(refused.iter().any(|line| line.contains(part)), "{part}: {refused:#?}");
    }
}

#[test]
fn steps_become_acts_in_the_order_of_their_times() {
    let plan = plan(
        "end = \"20s\"\n[[step]]\nat = \"5s\"\ndo = \"split\"\nfor = \"4s\"\n[[step]]\nat = \"1s\"\ndo = \"ban\"\nnode = 2\nrepeat = 2\nevery = \"6s\"\n",
    );
    let times: Vec<u64> = plan.acts.iter().map(|act| act.at.as_secs()).collect();
    assert_eq!(times, [1, 5, 7, 9]);
    assert_eq!(plan.acts[1].deed, Deed::Split { groups: 2 });
    assert_eq!(plan.acts[3].deed, Deed::Heal);
    let ban = Deed::Ban { node: Some(2), count: 1, lifetime: Lifetime::Default, again: false };
    assert_eq!((plan.acts[0].deed, plan.acts[2].deed), (ban, ban));
}

#[test]
fn a_key_change_takes_three_steps_and_rogues_are_numbered() {
    let plan = plan(
        "[[step]]\nat = \"1s\"\ndo = \"rotate\"\n[[step]]\nat = \"1s\"\ndo = \"rogue\"\nkind = \"flood\"\n[[step]]\nat = \"2s\"\ndo = \"rogue\"\nkind = \"forge\"\n",
    );
    assert_eq!(plan.acts.iter().filter(|act| matches!(act.deed, Deed::Rotate(_))).count(), 3);
    assert_eq!(plan.rogues(), 2);
}

#[test]
fn bounds_have_the_unit_of_their_measure() {
    let plan = plan("[expect]\nt99 = \"100ms\"\nrecords = 8\n[goal]\nslowest = \"1s\"\n");
    assert_eq!(plan.expect, [(Measure::T99, 100.0), (Measure::Records, 8.0)]);
    assert_eq!(plan.goal, [(Measure::Slowest, 1_000.0)]);
}

#[test]
fn what_is_wrong_is_named_with_place_and_mend() {
    let table = [
        ("nodez = 5\n", "x:2:1: unknown key `nodez` in the top level; the nearest known one is `nodes`"),
        ("nodes = 2\n", "x:2:9: nodes: 2 is out of range; write a whole number from 3 to 100000"),
        ("nodes = \"a\"\n", "x:2:9: nodes: is a text; write a whole number from 3 to 100000"),
        ("loss = 101\n", "x:2:8: loss: 101 is out of range; write a whole number from 0 to 100"),
        ("start = \"joinn\"\n", "x:2:9: start: `joinn` is none of join, known, fixed; the nearest is `join`"),
        ("latency = [\"9ms\", \"2ms\"]\n", "is no span; write the shortest and the longest"),
        ("latency = 5\n", "latency: is a whole number; write the shortest and the longest"),
        ("skew = 5\n", "x:2:8: skew: is a whole number; write a text in quotes"),
        ("step = 5\n", "x:2:8: `step` is a whole number; write [[step]]"),
        ("expect = 5\n", "x:2:10: `expect` is a whole number; write a table, [expect]"),
        ("[expect]\nt98 = \"1s\"\n", "x:3:1: unknown key `t98` in expect; the nearest known one is `t99`"),
        ("[expect]\nt99 = 5\n", "x:3:7: t99: is a whole number; write a text in quotes"),
        ("[[step]]\nat = \"1s\"\n", "x:2:1: `do` is missing; write one of ban, unban"),
        ("[[step]]\ndo = \"heal\"\n", "x:2:1: `at` is missing; say when the step happens"),
        ("[[step]]\nat = \"1s\"\ndo = \"bann\"\n", "the nearest is `ban`"),
        ("[[step]]\nat = \"1s\"\ndo = \"kill\"\n", "say whom to kill; write either node = N or share = PER CENT"),
        (
            "[[step]]\nat = \"1s\"\ndo = \"ban\"\nnode = 64\n",
            "x:5:8: node: 64 is out of range; write a whole number from 0 to 63",
        ),
        ("[[step]]\nat = \"1s\"\ndo = \"ban\"\ngroups = 2\n", "x:5:1: unknown key `groups` in step"),
        ("[[step]]\nat = \"1s\"\ndo = \"ban\"\nlifetime = \"long\"\n", "or write \"default\" or \"forever\""),
        ("[[step]]\nat = \"1s\"\ndo = \"ban\"\nrepeat = 3\n", "`repeat` needs `every`"),
        ("[[step]]\nat = \"1s\"\ndo = \"rogue\"\n", "`kind` is missing; write one of flood, replay"),
        ("[[step]]\nat = \"11s\"\ndo = \"heal\"\n", "after the story; write a later `end`"),
        ("view = 5\n", "write start = \"known\" with it"),
        ("nodes = \n", "mend the TOML syntax here"),
    ];
    for (text, part) in table {
        let found = refusals(text);
        assert!(found.iter().any(|line| line.contains(part)), "{text}: {found:#?}");
    }
    assert!(Plan::parse("x", "").unwrap_err()[0].what.contains("say in one line what the scenario is about"));
}

#[test]
fn all_problems_are_named_in_the_order_of_the_file() {
    assert_eq!(refusals("nodez = 5\nloss = 101\n").len(), 2);
}

#[test]
fn a_smaller_world_has_smaller_numbers() {
    let plan = plan(
        "end = \"20s\"\n[quick]\nnodes = 5\nend = \"2s\"\n[[step]]\nat = \"1s\"\ndo = \"ban\"\nnode = 60\n[[step]]\nat = \"3s\"\ndo = \"heal\"\n",
    );
    let quick = plan.quick();
    assert_eq!((quick.options.nodes, quick.end, quick.acts.len()), (5, Duration::from_secs(2), 1));
    assert!(matches!(quick.acts[0].deed, Deed::Ban { node: Some(4), .. }));
}

#[test]
fn a_scenario_that_is_not_there_is_told_with_the_way_to_find_one() {
    let lines = Plan::load("no-such-scenario").unwrap_err();
    assert!(lines[0].contains("one of the names that `cargo xtask sim` lists"), "{lines:?}");
}
