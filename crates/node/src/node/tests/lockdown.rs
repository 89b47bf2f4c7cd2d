//! A lockdown: on trial, confirmed, rolled back, over restarts.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn lock_down(bench: &mut Bench, within: u64) -> (Vec<Output>, Done) {
    let (out, result) = bench.order(Order::LockDown { within: Some(Duration::from_secs(within)) });
    (out, result.unwrap())
}

fn kept(out: &[Output]) -> Vec<Keep> {
    out.iter().filter_map(|output| if let Output::Keep(keep) = output { Some(keep.clone()) } else { None }).collect()
}

/// What a node that starts now with what was kept tells its kernel about the mode.
fn restarted(kept: Vec<Keep>, configured: Mode) -> Vec<String> {
    let mut config = config(1);
    config.policy.mode = configured;
    let mut node = Node::new(config, START);
    let mut out = Vec::new();
    node.restore(kept, START, &mut out);
    words(&out).into_iter().filter(|word| word.starts_with("enforcing") || word.starts_with("lockdown")).collect()
}

#[test]
fn a_lockdown_is_a_trial_that_tells_what_passes_and_rolls_back_by_itself() {
    let mut bench = Bench::new(config(1));
    let (out, done) = lock_down(&mut bench, 30);
    assert_eq!(words(&out), ["lockdown on trial", "tell audit"], "nothing is kept");
    assert_eq!(out[0], Output::Lockdown(Lockdown::Until(START.mono.plus(Duration::from_secs(30)))));
    let told = done.to_string();
    for part in ["ON TRIAL: enforce comes back in 30s", "--confirm", "7 nets (own 4, gateway 1, resolver 1, operator 1)"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("NOBODY"), "{told}");
    assert_eq!(
        (bench.node.mode(), bench.node.lockdown()),
        (Mode::Lockdown, Lockdown::Until(bench.now.mono.plus(Duration::from_secs(30))))
    );
    assert_eq!(bench.pass(Duration::from_millis(29_999)), []);
    let out = bench.pass(Duration::from_millis(1));
    assert_eq!(words(&out), ["lockdown off", "tell audit"]);
    let event = events(&out, EventKind::Audit)[0];
    assert_eq!((field(event, "change"), field(event, "by")), ("enforce", "edge-1"));
    assert_eq!((bench.node.mode(), bench.node.status().trial), (Mode::Enforce, None));
}

#[test]
fn nobody_confirms_too_late_even_if_nobody_woke_the_node() {
    let mut bench = Bench::new(config(1));
    lock_down(&mut bench, 5);
    bench.now = later(bench.now, Duration::from_secs(5));
    let (out, result) = bench.order(Order::ConfirmLockdown);
    assert_eq!(words(&out), ["lockdown off", "tell audit"]);
    assert_eq!(result.unwrap_err(), Refused::NothingToConfirm);
}

#[test]
fn a_confirmed_lockdown_stays_and_leaving_it_is_immediate() {
    let mut bench = Bench::new(config(1));
    lock_down(&mut bench, 5);
    let (out, result) = bench.order(Order::ConfirmLockdown);
    assert_eq!(words(&out), ["lockdown confirmed", "keep lockdown", "tell audit"]);
    assert!(matches!(result, Ok(Done::LockdownConfirmed { changed: true, .. })));
    assert!(bench.pass(MINUTE).is_empty());
    assert!(matches!(bench.order(Order::ConfirmLockdown).1, Ok(Done::LockdownConfirmed { changed: false, .. })));
    let (out, result) = bench.order(Order::SetMode(Mode::Lockdown));
    assert_eq!((words(&out).len(), result.unwrap().to_string().as_str()), (0, "mode was lockdown already"));
    let (out, _) = bench.order(Order::SetMode(Mode::Enforce));
    assert_eq!(words(&out), ["lockdown off", "keep enforce", "tell audit"]);
}

#[test]
fn a_trial_can_be_given_more_time_or_be_ended_and_what_was_before_it_comes_back() {
    let mut bench = Bench::new(config(1));
    bench.order(Order::SetMode(Mode::Observe)).1.unwrap();
    lock_down(&mut bench, 10);
    bench.pass(Duration::from_secs(9));
    lock_down(&mut bench, 10);
    assert!(bench.pass(Duration::from_secs(9)).is_empty());
    assert_eq!(words(&bench.pass(Duration::from_secs(1))), ["lockdown off", "reconcile", "tell audit"]);
    assert_eq!(bench.node.mode(), Mode::Observe, "and not lockdown");
    lock_down(&mut bench, 10);
    let (out, _) = bench.order(Order::SetMode(Mode::Enforce));
    assert_eq!(words(&out), ["enforcing true", "lockdown off", "keep enforce", "tell audit"]);
    assert!(bench.pass(MINUTE).is_empty() && bench.node.mode() == Mode::Enforce, "nothing is left to roll back");
}

#[test]
fn on_trial_bans_are_enforced_but_nothing_is_said_that_cannot_be_taken_back() {
    let mut config = config(1);
    config.policy.mode = Mode::Observe;
    config.clusters.push(cluster(1, key(1), Trust::Enforce));
    let mut bench = Bench::new(config);
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    let (out, _) = lock_down(&mut bench, 60);
    assert_eq!(words(&out), ["lockdown on trial", "reconcile", "tell audit"], "the kernel itself knows to enforce meanwhile");
    assert_eq!(bench.node.intent().len(), 1);
    let mut out = bench.feed(Input::Visit(visit("203.0.113.8", b"x")));
    out.extend(bench.pass(Duration::from_secs(2)));
    assert!(words(&out).iter().all(|word| !word.starts_with("record")), "{:?}", words(&out));
    let (mut out, _) = bench.order(Order::ConfirmLockdown);
    out.extend(bench.pass(Duration::from_secs(2)));
    assert_eq!(words(&out)[..2], ["enforcing true", "lockdown confirmed"]);
    assert_eq!(words(&out).iter().filter(|word| word.starts_with("record")).count(), 2, "now both are said");
}

#[test]
fn a_restart_knows_a_confirmed_lockdown_and_never_a_trial() {
    let mut bench = Bench::new(config(1));
    let (out, _) = lock_down(&mut bench, 60);
    assert_eq!(restarted(kept(&out), Mode::Enforce), ["enforcing true", "lockdown off"]);
    let (out, _) = bench.order(Order::ConfirmLockdown);
    assert_eq!(restarted(kept(&out), Mode::Enforce), ["enforcing true", "lockdown confirmed"]);
    assert_eq!(restarted(kept(&out), Mode::Observe), ["enforcing false", "lockdown off"], "the file was changed since");
    assert_eq!(restarted(Vec::new(), Mode::Lockdown), ["enforcing true", "lockdown confirmed"], "as configured");
}

#[test]
fn a_configured_lockdown_can_be_left_from_the_console() {
    let mut config = config(1);
    config.policy.mode = Mode::Lockdown;
    let mut bench = Bench::new(config);
    assert_eq!(bench.node.lockdown(), Lockdown::Confirmed);
    let (out, _) = bench.order(Order::SetMode(Mode::Enforce));
    assert_eq!(words(&out), ["lockdown off", "keep enforce", "tell audit"]);
    assert_eq!(restarted(kept(&out), Mode::Lockdown), ["enforcing true", "lockdown off"], "and stays left");
}

#[test]
fn a_lockdown_that_lets_nobody_in_says_so() {
    let mut bench = Bench::new(config(1));
    bench.feed(Input::Network(NetworkFacts { operators: Vec::new(), ..facts() }));
    assert!(lock_down(&mut bench, 60).1.to_string().contains("NOBODY is on the allowlist"));
}
