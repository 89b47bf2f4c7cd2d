//! A lockdown waits for a never-ban set that the kernel has taken.

use super::*;

fn too_large() -> Error {
    Error::Full { table: "allowed prefixes", limit: 1, mend: "allow fewer or wider ones" }
}

fn refusing(error: fn() -> Error) -> Pretended {
    let kernel = Pretended::default();
    kernel.0.lock().unwrap().refuses_allow = Some(error);
    kernel
}

fn locked(bench: &Bench) -> (Lockdown, Vec<IpNet>) {
    let table = bench.kernel.0.lock().unwrap();
    (table.lockdown, table.locked_with.clone())
}

impl Bench {
    async fn warns_of_lockdown(&mut self) -> bool {
        let Response::Status(status) = self.ask(Request::Status).await.unwrap() else { panic!("status") };
        status.warnings.iter().any(|line| line.starts_with("the lockdown is NOT said to the kernel"))
    }

    /// The network has changed, so the never-ban set is told again.
    fn moves(&mut self, own: &str) {
        self.engine.network(NetworkFacts { own: vec![own.parse().unwrap()], ..NetworkFacts::default() });
    }
}

#[tokio::test]
async fn a_start_says_no_never_ban_set_but_the_whole_one_and_locks_down_with_no_other() {
    let policy = || Policy { mode: Mode::Lockdown, ..Policy::default() };
    let operator = "198.51.100.77".parse().unwrap();
    let facts = || NetworkFacts { operators: vec![operator], ..NetworkFacts::default() };
    let bench = Bench::within(Pretended::default(), policy(), facts());
    let told = bench.kernel.0.lock().unwrap().allows_told.clone();
    assert!(!told.is_empty() && told.iter().all(|nets| nets.contains(&IpNet::from(operator))), "{told:?}");
    assert!(locked(&bench).0 == Lockdown::Confirmed && locked(&bench).1.contains(&IpNet::from(operator)));

    // The set with whoever is logged in is refused: no other is there in its place.
    let kernel = Pretended::default();
    kernel.0.lock().unwrap().refuses_allow_of = Some(operator.into());
    let mut bench = Bench::within(kernel, policy(), facts());
    assert_eq!(locked(&bench).0, Lockdown::Off);
    assert!(bench.warns_of_lockdown().await);
}

#[tokio::test]
async fn a_start_in_lockdown_without_a_never_ban_set_is_told_and_locks_nobody_out_until_there_is_one() {
    let policy = || Policy { mode: Mode::Lockdown, ..Policy::default() };
    let mut bench = Bench::on(refusing(too_large), policy());
    assert_eq!(locked(&bench).0, Lockdown::Off, "not even whoever set it up would be let in");
    assert!(bench.warns_of_lockdown().await);
    // Something else that is in force in the end is no never-ban set: one that is too large is not tried again.
    bench.kernel.0.lock().unwrap().guarded = Drift { taken: true, ..Drift::default() };
    bench.audit().await;
    assert_eq!(locked(&bench).0, Lockdown::Off);
    bench.kernel.0.lock().unwrap().refuses_allow = None;
    bench.moves("192.0.2.2");
    assert_eq!(locked(&bench), (Lockdown::Confirmed, bench.kernel.0.lock().unwrap().allow.clone()));
    assert!(!locked(&bench).1.is_empty() && !bench.warns_of_lockdown().await);

    // One that is only refused for a while is said again by the kernel's side.
    let mut bench = Bench::on(refusing(|| Error::Keeper("busy".into())), policy());
    assert_eq!(locked(&bench).0, Lockdown::Off);
    bench.audit().await;
    assert_eq!(locked(&bench).0, Lockdown::Off);
    bench.kernel.0.lock().unwrap().guarded = Drift { taken: true, ..Drift::default() };
    bench.kernel.0.lock().unwrap().has_allow = true;
    bench.audit().await;
    assert_eq!(locked(&bench).0, Lockdown::Confirmed);
    assert!(!bench.warns_of_lockdown().await);
}

#[tokio::test]
async fn a_lockdown_that_waits_begins_with_whatever_order_the_never_ban_set_is_taken_by() {
    let policy = || Policy { mode: Mode::Lockdown, ..Policy::default() };
    let busy: fn() -> Error = || Error::Keeper("busy".into());
    // It is taken beside a ban; and by a look, after one that is too large was not taken.
    let mut bench = Bench::on(refusing(busy), policy());
    bench.kernel.0.lock().unwrap().has_allow = true;
    bench.ban("203.0.113.7").await.unwrap();
    assert_eq!(locked(&bench).0, Lockdown::Confirmed);

    let mut bench = Bench::on(refusing(busy), policy());
    bench.kernel.0.lock().unwrap().refuses_allow = Some(too_large);
    bench.moves("192.0.2.2");
    assert!(locked(&bench).0 == Lockdown::Off && bench.warns_of_lockdown().await);
    bench.kernel.0.lock().unwrap().has_allow = true;
    bench.engine.interfaces_looked(honeymesh_xdp::Sight::default());
    assert!(locked(&bench).0 == Lockdown::Confirmed && !bench.warns_of_lockdown().await);
}

#[tokio::test]
async fn a_lockdown_that_waits_fails_for_whoever_orders_it_and_is_forgotten_with_its_end() {
    let mut bench = Bench::on(refusing(too_large), Policy::default());
    let within = Some(Duration::from_secs(30));
    let refusal = bench.ask(Request::LockDown { within }).await.unwrap_err();
    assert!(refusal.kind == RefusalKind::Broken && refusal.detail.contains("no never-ban set"), "{}", refusal.detail);
    assert!(locked(&bench).0 == Lockdown::Off && bench.warns_of_lockdown().await);
    bench.ask(Request::SetMode(Mode::Enforce)).await.unwrap();
    assert!(!bench.warns_of_lockdown().await);
    bench.kernel.0.lock().unwrap().refuses_allow = None;
    bench.moves("192.0.2.2");
    assert_eq!(locked(&bench).0, Lockdown::Off);
    // From now on there is one, whatever becomes of the next.
    bench.kernel.0.lock().unwrap().refuses_allow = Some(too_large);
    bench.moves("192.0.2.3");
    bench.ask(Request::LockDown { within }).await.unwrap();
    assert!(matches!(locked(&bench).0, Lockdown::Until(_)) && !bench.warns_of_lockdown().await);
}
