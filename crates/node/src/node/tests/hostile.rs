//! Whatever is thrown at a node: it answers in order and never panics.

use super::*;
use proptest::prelude::*;

fn arb_addr() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        proptest::sample::select(&["192.0.2.1", "::1", "127.0.0.1", "fe80::1", "::ffff:10.0.0.1", "0.0.0.0", "::", ATTACKER][..])
            .prop_map(ip),
    ]
}

fn arb_subject() -> impl Strategy<Value = Subject> {
    (arb_addr(), any::<u8>()).prop_map(|(addr, len)| {
        let len = if addr.is_ipv4() { len % 33 } else { len % 129 };
        Subject::new(ipnet::IpNet::new(addr, len).unwrap())
    })
}

fn arb_order() -> impl Strategy<Value = Order> {
    let lifetime = prop_oneof![
        Just(Lifetime::Default),
        Just(Lifetime::Forever),
        (0_u64..100).prop_map(|secs| Lifetime::For(Duration::from_secs(secs))),
        Just(Lifetime::For(Duration::MAX)),
    ];
    let reach = prop_oneof![Just(Reach::Here), Just(Reach::Mesh)];
    prop_oneof![
        (arb_subject(), lifetime, proptest::option::of(".{0,400}"), reach.clone(), any::<bool>())
            .prop_map(|(subject, lifetime, note, reach, force)| Order::Ban { subject, lifetime, note, reach, force }),
        (arb_subject(), reach).prop_map(|(subject, reach)| Order::Unban { subject, reach, wait: None }),
        arb_subject().prop_map(|subject| Order::AllowAdd(subject.net())),
        arb_subject().prop_map(|subject| Order::AllowRemove(subject.net())),
        proptest::sample::select(Mode::ALL).prop_map(Order::SetMode),
        (0_u64..200).prop_map(|secs| Order::LockDown { within: Some(Duration::from_secs(secs)) }),
        Just(Order::ConfirmLockdown),
    ]
}

fn arb_input() -> impl Strategy<Value = Input> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    let ports = proptest::collection::vec(any::<u16>(), 0..20);
    prop_oneof![
        (arb_addr(), ports, any::<bool>()).prop_map(|(source, ports, silenced)| {
            Input::Knock(Knock { source, ..knock(ATTACKER, KnockKind::Scan { ports, silenced }) })
        }),
        arb_addr().prop_map(|source| Input::Knock(Knock { source, ..knock(ATTACKER, KnockKind::Probe) })),
        (arb_addr(), any::<u16>(), bytes()).prop_map(|(addr, port, payload)| {
            Input::Visit(Visit { source: SocketAddr::new(addr, port), ..visit(ATTACKER, &payload) })
        }),
        (0_usize..3, bytes()).prop_map(|(cluster, bytes)| Input::Datagram { cluster, from: address(2), bytes }),
        arb_order().prop_map(|order| Input::Order { id: OrderId(1), order }),
        Just(Input::Network(NetworkFacts::default())),
        Just(Input::Network(facts())),
        Just(Input::Wake),
    ]
}

const fn shelf(output: &Output) -> u8 {
    match output {
        Output::Enforce(_)
        | Output::Release(_)
        | Output::Protect(_)
        | Output::Enforcing(_)
        | Output::Lockdown(_)
        | Output::Reconcile => 0,
        Output::Keep(_) => 1,
        Output::Send { .. } | Output::Stream { .. } | Output::Check { .. } => 2,
        Output::Tell(_) => 3,
        Output::Reply { .. } => 4,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_kernel_follows_the_intent_whatever_comes(inputs in proptest::collection::vec((arb_input(), 0_u64..400), 1..60)) {
        let mut config = config(1);
        config.clusters.push(cluster(1, key(1), Trust::Enforce));
        config.policy.bans_max = 20;
        config.policy.spoofable_max = 5;
        let mut bench = Bench::new(config);
        let mut kernel = BTreeMap::new();
        for (input, secs) in inputs {
            let is_order = matches!(input, Input::Order { .. });
            let mut out = bench.feed(input);
            prop_assert!(out.iter().map(shelf).is_sorted(), "{:?}", words(&out));
            prop_assert_eq!(out.iter().filter(|output| matches!(output, Output::Reply { .. })).count(), usize::from(is_order));
            out.extend(bench.pass(Duration::from_secs(secs)));
            for output in out {
                match output {
                    Output::Enforce(what) => drop(kernel.insert(what.subject, what)),
                    Output::Release(subject) => drop(kernel.remove(&subject)),
                    Output::Reconcile => kernel = bench.node.intent().into_iter().map(|what| (what.subject, what)).collect(),
                    _ => {}
                }
            }
            let held: Vec<_> = kernel.values().copied().collect();
            prop_assert_eq!(held, bench.node.intent());
        }
    }

    #[test]
    fn garbage_from_the_mesh_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        let mut config = config(1);
        config.clusters.push(cluster(1, key(1), Trust::Override));
        let mut bench = Bench::new(config);
        let out = bench.feed(Input::Datagram { cluster: 0, from: address(2), bytes });
        prop_assert!(out.iter().all(|output| matches!(output, Output::Tell(event) if event.kind == EventKind::Mesh)), "{:?}", words(&out));
        prop_assert_eq!(bench.node.bans().count(), 0);
    }
}
