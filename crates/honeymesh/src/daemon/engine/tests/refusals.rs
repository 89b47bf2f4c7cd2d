//! What the kernel has refused is told as that, wherever bans and orders are told.

use super::*;

impl Bench {
    /// Bans that are shown as enforced, and the status' counts of them: enforced, refused, entries.
    async fn held(&mut self) -> (Vec<String>, [u64; 3]) {
        let Response::Bans(page) = self.ask(Request::Bans(BansQuery::default())).await.unwrap() else { panic!("bans") };
        let held = page.items.iter().filter(|ban| ban.enforced);
        assert!(page.items.iter().all(|ban| ban.enforced != ban.refused), "{page:?}");
        let held = held.map(|ban| ban.subject.clone()).collect();
        let Response::Status(status) = self.ask(Request::Status).await.unwrap() else { panic!("status") };
        (held, [status.bans.enforced, status.bans.refused, status.bans.entries()])
    }

    fn full(&self, is_full: bool) {
        self.kernel.0.lock().unwrap().full = is_full;
    }

    /// Nothing of the table can be mended.
    fn unmendable(&self, is_unmendable: bool) {
        self.kernel.0.lock().unwrap().unmendable = is_unmendable;
    }
}

#[tokio::test]
async fn a_ban_that_the_kernel_refuses_is_no_success_and_shown_as_enforced_nowhere_until_it_is_taken() {
    let mut bench = Bench::new();
    bench.ban("203.0.113.1").await.unwrap();
    bench.full(true);
    let refusal = bench.ban("203.0.113.2").await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Broken);
    assert!(refusal.detail.contains("wanted and kept, but not in force: the kernel refused a ban: "), "{refusal:?}");
    assert_eq!(bench.held().await, (vec!["203.0.113.1/32".into()], [1, 1, 1]));
    let Response::Why(why) = bench.ask(Request::Why("203.0.113.2".parse().unwrap())).await.unwrap() else { panic!("why") };
    assert!(!why.enforced && why.bans[0].ban.refused && why.verdict.contains("NOT in force"), "{why:?}");

    // Still refused by the audit, then taken; and what is lifted is refused no more.
    bench.unmendable(true);
    bench.audit().await;
    assert_eq!(bench.held().await.1, [1, 1, 1]);
    bench.ban("203.0.113.3").await.unwrap_err();
    let unban = UnbanOrder { subject: "203.0.113.3".parse().unwrap(), local: false, wait: None };
    bench.ask(Request::Unban(unban)).await.unwrap();
    assert_eq!(bench.held().await.1, [1, 1, 1]);
    bench.unmendable(false);
    bench.audit().await;
    assert_eq!(bench.held().await, (vec!["203.0.113.1/32".into(), "203.0.113.2/32".into()], [2, 0, 2]));

    // One that the kernel comes to hold by itself is found by the next audit.
    bench.full(true);
    bench.ban("203.0.113.4").await.unwrap_err();
    let taken = bench.engine.node.enforcement(&"203.0.113.4".parse().unwrap()).unwrap();
    bench.kernel.0.lock().unwrap().bans.insert(taken.subject, taken);
    assert_eq!(bench.held().await.1, [2, 1, 2]);
    bench.audit().await;
    assert_eq!(bench.held().await.1, [3, 0, 3]);
    let unban = UnbanOrder { subject: taken.subject, local: false, wait: None };
    bench.ask(Request::Unban(unban)).await.unwrap();

    // What was taken goes, and cannot be put back.
    bench.kernel.0.lock().unwrap().bans.clear();
    bench.unmendable(true);
    bench.audit().await;
    assert_eq!(bench.held().await, (Vec::new(), [0, 2, 0]));
    // While nothing is enforced nothing is refused, and then everything is made equal at once.
    bench.ask(Request::SetMode(Mode::Observe)).await.unwrap();
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert_eq!((status.bans.enforced, status.bans.refused), (0, 0));
    bench.ask(Request::SetMode(Mode::Enforce)).await.unwrap();
    assert_eq!(bench.held().await.1, [2, 0, 2]);
}

#[tokio::test]
async fn a_refused_entry_of_a_group_stands_for_all_of_its_bans() {
    let mut bench = Bench::with(Policy { bans_max: 2, ..Policy::default() });
    for source in ["203.0.113.6", "203.0.113.7"] {
        bench.engine.take(visit(source), clock().mono);
    }
    assert_eq!(bench.held().await.1, [2, 0, 2]);
    bench.full(true);
    bench.engine.take(visit("198.51.100.7"), clock().mono);
    assert!(bench.engine.node.entry_of(&"203.0.113.6".parse().unwrap()) == "203.0.113.6/31".parse().unwrap());
    assert_eq!(bench.held().await, (Vec::new(), [0, 3, 0]));
    bench.full(false);
    bench.audit().await;
    assert_eq!(bench.held().await.1, [3, 0, 2]);
}

/// Answers what these outputs come to, as one turn.
async fn answer(bench: &mut Bench, mut outputs: Vec<Output>) -> Result<Response, Refusal> {
    let desk = bench.desk.clone();
    let asked = tokio::spawn(async move { desk.ask(Request::Status).await });
    let (_, reply) = bench.questions.recv().await.unwrap().split();
    bench.engine.waiting.insert(OrderId(7), Asker { reply: Some(reply) });
    let result = Ok(Done::ModeSet { mode: Mode::Enforce, before: Mode::Observe });
    outputs.push(Output::Reply { id: OrderId(7), result });
    bench.engine.carry_out(outputs, clock().mono, clock());
    asked.await.unwrap()
}

#[tokio::test]
async fn a_refusal_that_is_final_is_not_forgotten_for_a_later_one_that_is_taken_in_the_end() {
    let mut bench = Bench::new();
    let too_large: fn() -> Error = || Error::Full { table: "allowed prefixes", limit: 1, mend: "allow fewer" };
    let outputs = || vec![Output::Protect(Vec::new()), Output::Enforcing(false), Output::Reconcile];
    bench.kernel.0.lock().unwrap().refuses_mode = true;
    answer(&mut bench, outputs()).await.unwrap();
    bench.kernel.0.lock().unwrap().refuses_allow = Some(too_large);
    let refusal = answer(&mut bench, outputs()).await.unwrap_err();
    assert!(refusal.detail.contains("the kernel refused the never-ban set: "), "{refusal:?}");
    // One that fits takes its place.
    bench.kernel.0.lock().unwrap().refuses_allow_of = Some("192.0.2.99/32".parse().unwrap());
    bench.kernel.0.lock().unwrap().refuses_allow = None;
    answer(&mut bench, outputs()).await.unwrap();
}
