//! What watches over the kernel: keeper, self-probe and audit, and what each makes of what it finds.

use super::*;
fn off(name: &str) -> InterfaceStatus {
    let (mode, state) = (honeymesh_xdp::AttachMode::Native, honeymesh_xdp::InterfaceState::Detached);
    InterfaceStatus { name: name.into(), index: 7, mode, attached: false, state, steering: honeymesh_xdp::Steered::Off }
}

#[tokio::test]
async fn what_the_keeper_put_back_is_mended_and_what_is_off_is_not() {
    use honeymesh_xdp::{AttachMode, Place, Why, Word};
    let mut bench = Bench::new();
    bench.engine.keeper_began(77);
    let place = Place { name: "eth0".into(), index: 7 };
    bench.engine.keeper_said(Word::Attached { place: place.clone(), mode: AttachMode::Native, why: Why::CameOff });
    bench.engine.keeper_said(Word::Steered { place: place.clone(), why: Why::Replaced });
    bench.engine.keeper_said(Word::Steered { place: place.clone(), why: Why::Kept });
    let drift = Drift { detached: vec!["eth1".into()], unsteered: vec!["eth2".into()], ..Drift::default() };
    bench.kernel.0.lock().unwrap().guarded = drift;
    let found = bench.audit().await;
    assert_eq!((found.put_back, found.detached, found.drifted), (vec!["eth0".to_owned()], vec!["eth1".to_owned()], 4));
    assert_eq!((found.steering_put_back, found.unsteered), (vec!["eth0".to_owned()], vec!["eth2".to_owned()]));
    let next = bench.audit().await;
    assert_eq!((next.put_back, next.steering_put_back), (Vec::new(), Vec::<String>::new()), "told once");

    bench.engine.interfaces_seen(vec![off("eth0")]);
    bench.engine.keeper_said(Word::Failed { place: place.clone(), errno: libc::EOPNOTSUPP });
    bench.engine.keeper_said(Word::NotSteered { place, errno: libc::ENOMEM });
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert_eq!((status.interfaces[0].state.as_str(), status.interfaces[0].xdp_mode.as_str()), ("detached", "none"));
    assert_eq!(status.interfaces[0].steering.as_deref(), Some("detached"));
    let closed = |line: &String| line.contains("eth0: dark ports are ordinary closed ports") && line.contains("memory");
    assert!(status.warnings.iter().any(closed), "{status:?}");
    assert!(
        status.warnings.iter().any(|line| line.contains("eth0 is NOT guarded") && line.contains("not supported")),
        "{status:?}"
    );
    assert_eq!(status.keeper.as_ref().map(|keeper| (keeper.running, keeper.pid)), Some((true, 77)));

    // Another one comes, then its warden ends, and then it does.
    bench.engine.keeper_said(Word::Ended { status: 9 });
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(status.warnings.iter().any(|line| line.contains("the keeper has ended (signal: 9")), "{status:?}");
    bench.engine.keeper_said(Word::Began { pid: 78 });
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    let keeper = status.keeper.unwrap();
    assert_eq!((keeper.running, keeper.pid, keeper.ended, keeper.restarts, keeper.warden), (true, 78, None, 1, true));
    bench.engine.keeper_said(Word::Alone);
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(status.warnings.iter().any(|line| line.starts_with("the warden has ended")), "{status:?}");
    assert!(!status.keeper.unwrap().warden);

    bench.engine.keeper_ended("signal: 9".into());
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(status.warnings.iter().any(|line| line.contains("the keeper has ended (signal: 9)")), "{status:?}");
    assert!(!status.keeper.unwrap().running);
}

#[tokio::test]
async fn a_failed_probe_is_loud_finds_its_cause_and_is_counted() {
    use honeymesh_xdp::{Fared, Probed, Word};
    let mut bench = Bench::new();
    bench.kernel.0.lock().unwrap().enforcing = true;
    pass(2_000_000);
    let good = Probed { banned: [Fared::Dropped; 2], honest: [Fared::Passed; 2] };
    bench.engine.keeper_said(Word::Probed(good));
    bench.kernel.0.lock().unwrap().guarded = Drift { settings_changed: true, ..Drift::default() };
    bench.engine.keeper_said(Word::Probed(Probed { banned: [Fared::Passed; 2], ..good }));
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    let probe = status.probe.unwrap();
    assert_eq!((probe.ok, probe.runs, probe.failures), (false, 2, 1));
    let why = probe.why.unwrap();
    assert!(why.starts_with("a banned IPv4 source was let through") && why.contains("changed the kernel's settings"), "{why}");
    assert!(status.warnings.iter().any(|line| line.starts_with("the self-probe failed: ")), "{:?}", status.warnings);
    let found = bench.audit().await;
    assert!(found.settings_changed, "what the probe found is in the next audit");
    bench.engine.keeper_said(Word::Probed(good));
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(status.probe.unwrap().ok && !status.warnings.iter().any(|line| line.contains("self-probe")));
    assert_eq!(status.counts.events.get("audit"), Some(&3), "failed, the audit, and fine again");
}

#[tokio::test]
async fn where_nobody_else_probes_the_loop_does_with_a_look_at_the_interfaces_every_ten_seconds() {
    let mut bench = Bench::new();
    pass(2_000_000);
    bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(status.probe.is_none());
    for (number, comes_to) in [(1, Ok(())), (2, Err("a banned IPv4 source was let through".to_owned())), (3, Ok(()))] {
        pass(11_000_000);
        bench.kernel.0.lock().unwrap().own_probe = Some(comes_to.clone());
        bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
        let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
        let probe = status.probe.unwrap();
        assert_eq!((probe.runs, probe.ok, probe.why), (number, comes_to.is_ok(), comes_to.err()));
        assert_eq!(status.warnings.iter().any(|line| line.contains("self-probe failed")), !probe.ok);
    }
}

#[tokio::test]
async fn that_the_kernel_has_no_room_to_count_who_probes_is_told_when_it_begins_and_when_it_is_over() {
    let mut bench = Bench::new();
    // What was counted before the start is not news.
    let all = [(7, 7, false), (7, 7, false), (7, 8, true), (9, 8, true), (9, 8, false), (9, 8, false), (9, 9, true)];
    let (mut was_full, mut told) = (false, 0);
    for (step, (lost, rushed, is_full)) in all.into_iter().enumerate() {
        pass(11_000_000);
        let counters = Counters { scan_state_lost: lost, scan_rushed: rushed, ..Counters::default() };
        bench.kernel.0.lock().unwrap().counters = counters;
        // Looked at once in ten seconds, however often the interfaces are.
        for _ in 0..2 {
            bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
        }
        told += u64::from(std::mem::replace(&mut was_full, is_full) != is_full);
        assert_eq!(bench.told("audit").await, told, "step {step}");
        let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
        let is_told = |line: &String| line.starts_with("the kernel has no room for all who probe");
        assert_eq!(status.warnings.iter().any(is_told), is_full, "step {step}: {:?}", status.warnings);
    }
}

#[tokio::test]
async fn a_probe_that_goes_on_failing_is_told_once_and_calls_for_one_audit_until_something_changes() {
    let mut bench = Bench::new();
    pass(2_000_000);
    bench.audit().await;
    let (leak, down) = ("a banned IPv4 source was let through", "Network is down");
    let mended = || Drift { settings_changed: true, ..Drift::default() };
    let all = [
        (Err(down), Drift::default(), true),
        (Err(down), Drift::default(), false),
        (Err(down), Drift::default(), false),
        (Err(leak), Drift::default(), true),
        (Err(leak), mended(), true),
        (Err(leak), Drift::default(), false),
        (Ok(()), Drift::default(), true),
        (Ok(()), Drift::default(), false),
    ];
    for (step, (comes_to, found, is_told)) in all.into_iter().enumerate() {
        pass(11_000_000);
        let told = bench.told("audit").await;
        bench.kernel.0.lock().unwrap().own_probe = Some(comes_to.map_err(str::to_owned));
        bench.kernel.0.lock().unwrap().guarded = found;
        bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
        assert_eq!(bench.told("audit").await - told, u64::from(is_told), "step {step}");
        let is_called = bench.engine.audits.due() == Some(MonoTime(0));
        assert_eq!(is_called, is_told && comes_to.is_err(), "step {step}");
        bench.audit().await;
        let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
        assert_eq!(status.warnings.iter().any(|line| line.contains("self-probe failed")), comes_to.is_err(), "step {step}");
    }
}

impl Bench {
    /// Begins an audit and has it read the table; what it read is still under way.
    async fn reading(&mut self) -> Inner {
        self.engine.audit_soon();
        while self.engine.audits.due().is_some() {
            self.engine.audit_some();
        }
        self.inner.recv().await.unwrap()
    }

    /// A probe of its own that comes to this.
    fn probe(&mut self, comes_to: Result<(), String>) {
        pass(11_000_000);
        self.kernel.0.lock().unwrap().own_probe = Some(comes_to);
        self.engine.interfaces_looked(honeymesh_xdp::Sight::default());
    }

    /// Takes what was read, and looks at what is doubtful.
    fn finish(&mut self, read: Inner) {
        self.engine.inner(read);
        self.engine.audit_some();
    }
}

#[tokio::test]
async fn an_audit_that_is_called_for_while_one_is_under_way_begins_when_that_is_done() {
    let mut bench = Bench::new();
    bench.ban("203.0.113.1").await.unwrap();
    let read = bench.reading().await;
    // What is damaged now, the audit has read whole.
    bench.kernel.0.lock().unwrap().bans.clear();
    bench.probe(Err("a banned IPv4 source was let through".into()));
    bench.finish(read);
    assert_eq!(bench.engine.audits.due(), Some(MonoTime(0)), "the next one is due at once");
    assert_eq!(bench.audit().await.missing, 1);
    assert_ne!(bench.engine.audits.due(), Some(MonoTime(0)), "and only that one");
}

#[tokio::test]
async fn settings_that_an_audit_finds_changed_call_for_another_because_bans_may_have_gone_with_them_since_it_read() {
    let mut bench = Bench::new();
    let read = bench.reading().await;
    bench.kernel.0.lock().unwrap().guarded = Drift { settings_changed: true, ..Drift::default() };
    bench.finish(read);
    assert_eq!(bench.engine.audits.due(), Some(MonoTime(0)));
    assert!(!bench.audit().await.settings_changed);
    assert_ne!(bench.engine.audits.due(), Some(MonoTime(0)));
}

#[tokio::test]
async fn a_table_that_is_to_be_made_equal_while_an_audit_is_under_way_is() {
    let mut bench = Bench::in_mode(Mode::Observe);
    for number in 0..=RECONCILED_AT_ONCE_MAX {
        bench.ban(&format!("198.18.{}.{}", number / 256, number % 256)).await.unwrap();
    }
    bench.engine.set_ready();
    let read = bench.reading().await;
    bench.ask(Request::SetMode(Mode::Enforce)).await.unwrap();
    bench.finish(read);
    assert_eq!(bench.engine.audits.due(), Some(MonoTime(0)));
    bench.audit().await;
    assert_eq!(bench.kernel.0.lock().unwrap().bans.len(), RECONCILED_AT_ONCE_MAX + 1);
}

#[tokio::test]
async fn a_probe_that_may_tell_of_the_mode_before_is_no_news_of_either_kind() {
    use honeymesh_xdp::{Fared, Probed, Word};
    let mut bench = Bench::new();
    bench.kernel.0.lock().unwrap().enforcing = true;
    pass(2_000_000);
    let good = Probed { banned: [Fared::Dropped; 2], honest: [Fared::Passed; 2] };
    let bad = Probed { banned: [Fared::Passed; 2], ..good };
    for before in [bad, good] {
        bench.engine.keeper_said(Word::Probed(before));
        let told = bench.told("audit").await;
        let shown = |status: Response| if let Response::Status(status) = status { status.probe.unwrap() } else { panic!() };
        let probe = shown(bench.ask(Request::Status).await.unwrap());
        bench.ask(Request::SetMode(Mode::Observe)).await.unwrap();
        bench.ask(Request::SetMode(Mode::Enforce)).await.unwrap();
        let modes = bench.told("audit").await - told;
        for within in [good, bad] {
            pass(400_000);
            bench.engine.keeper_said(Word::Probed(within));
            assert_eq!(shown(bench.ask(Request::Status).await.unwrap()), probe, "{before:?} {within:?}");
        }
        assert_eq!(bench.told("audit").await - told, modes);
        pass(400_000);
        bench.engine.keeper_said(Word::Probed(good));
        assert!(shown(bench.ask(Request::Status).await.unwrap()).ok);
    }
}

#[tokio::test]
async fn a_probe_that_is_in_step_with_the_mode_counts_at_once() {
    let mut bench = Bench::in_mode(Mode::Observe);
    pass(11_000_000);
    bench.ask(Request::SetMode(Mode::Enforce)).await.unwrap();
    bench.kernel.0.lock().unwrap().own_probe = Some(Err("a banned IPv4 source was let through".into()));
    bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(!status.probe.unwrap().ok);
}

/// A whole or a failed audit, as status shows it then, and its warnings.
async fn after_audit(bench: &mut Bench) -> (honeymesh_format::AuditJson, Vec<String>) {
    let read = bench.reading().await;
    bench.finish(read);
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    (status.audit.unwrap(), status.warnings)
}

#[tokio::test]
async fn an_audit_that_could_not_be_done_is_never_shown_as_a_clean_one() {
    let mut bench = Bench::new();
    type Break = fn(&mut Table, bool);
    let all: [(Break, &str); 2] =
        [(|table, on| table.unreadable = on, "the tables"), (|table, on| table.unguarded = on, "the settings")];
    bench.kernel.0.lock().unwrap().unreadable = true;
    assert_eq!(after_audit(&mut bench).await.0.at, "", "none that could be done");
    bench.kernel.0.lock().unwrap().unreadable = false;
    for (number, (breaks, what)) in (1..).zip(all) {
        pass(30_000_000);
        let (whole, warnings) = after_audit(&mut bench).await;
        assert_eq!((&whole.failed, whole.audits_failed), (&None, number));
        assert!(!warnings.iter().any(|line| line.starts_with("the last audit")), "{warnings:?}");
        breaks(&mut bench.kernel.0.lock().unwrap(), true);
        pass(30_000_000);
        let (failed, warnings) = after_audit(&mut bench).await;
        assert_eq!((&failed.at, failed.audits), (&whole.at, whole.audits), "{what}: it is the last whole one that is shown");
        let why = failed.failed.unwrap();
        assert!(why.starts_with(what) && why.contains("it is broken") && failed.audits_failed == number + 1, "{why}");
        assert!(
            warnings.iter().any(|line| line.starts_with("the last audit could not be done") && line.contains("it is broken")),
            "{what}: {warnings:?}"
        );
        breaks(&mut bench.kernel.0.lock().unwrap(), false);
        pass(30_000_000);
        let (mended, _) = after_audit(&mut bench).await;
        assert_ne!(mended.at, whole.at);
        assert_eq!(mended.audits, 2 * number);
    }
}

#[tokio::test]
async fn what_the_kernel_takes_in_the_end_is_told_and_is_no_change_of_somebody_else() {
    let taken = || Drift { taken: true, ..Drift::default() };
    let mut bench = Bench::new();
    pass(2_000_000);
    bench.audit().await;
    let told = bench.told("audit").await;
    bench.kernel.0.lock().unwrap().mended = taken();
    bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
    assert_eq!(bench.engine.audits.due(), Some(MonoTime(0)), "an audit tells it at once");
    let audit = bench.audit().await;
    assert_eq!((audit.settings_changed, audit.different, audit.drifted), (false, 0, 0), "by a look");
    assert_eq!(bench.told("audit").await - told, 1);

    bench.kernel.0.lock().unwrap().guarded = taken();
    let audit = bench.audit().await;
    assert_eq!((audit.settings_changed, audit.drifted), (false, 0), "by an audit");
    assert_eq!(bench.told("audit").await - told, 2);

    bench.kernel.0.lock().unwrap().guarded = taken();
    bench.probe(Err("nf_tables has refused what was ordered last".into()));
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    let why = status.probe.unwrap().why.unwrap();
    assert!(why.ends_with(": what the kernel had refused is in force now"), "by a probe: {why}");
    let audit = bench.audit().await;
    assert_eq!((audit.settings_changed, audit.drifted), (false, 0));
}

#[tokio::test]
async fn what_a_change_of_the_mode_mends_on_its_way_is_told_and_the_bans_it_brings_are_no_drift() {
    let mut bench = Bench::in_mode(Mode::Observe);
    bench.engine.set_ready();
    pass(2_000_000);
    bench.ban("203.0.113.7").await.unwrap();
    bench.audit().await;
    let changes = [
        (Mode::Enforce, Drift::default(), false),
        (Mode::Observe, Drift { settings_changed: true, ..Drift::default() }, true),
        (Mode::Enforce, Drift { taken: true, ..Drift::default() }, true),
    ];
    let mut drifted = 0;
    for (mode, found, is_told) in changes {
        drifted += u64::from(found.settings_changed);
        bench.kernel.0.lock().unwrap().reconciled = found.clone();
        bench.ask(Request::SetMode(mode)).await.unwrap();
        assert_eq!(bench.engine.audits.due() == Some(MonoTime(0)), is_told, "{found:?}");
        let told = bench.told("audit").await;
        let audit = bench.audit().await;
        assert_eq!((audit.settings_changed, audit.drifted), (found.settings_changed, drifted), "{found:?}");
        assert_eq!(bench.told("audit").await - told, u64::from(is_told), "{found:?}");
    }
}

#[tokio::test]
async fn an_order_that_is_refused_and_taken_in_the_same_turn_is_no_failure() {
    let mut bench = Bench::in_mode(Mode::Observe);
    bench.engine.set_ready();
    bench.kernel.0.lock().unwrap().refuses_mode = true;
    bench.ask(Request::SetMode(Mode::Enforce)).await.unwrap();
    assert!(bench.kernel.0.lock().unwrap().enforcing);
    bench.kernel.0.lock().unwrap().refuses_mode_for_long = true;
    let refusal = bench.ask(Request::SetMode(Mode::Observe)).await.unwrap_err();
    assert!(refusal.kind == RefusalKind::Broken && refusal.detail.contains("not in force"), "{}", refusal.detail);
}
