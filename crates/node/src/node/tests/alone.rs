//! One node without a mesh.

use super::*;
use honeymesh_detect::Spoofable;
use honeymesh_ledger::{Class, Refusal};

#[test]
fn a_probe_is_told_and_nothing_more() {
    let mut bench = Bench::new(config(1));
    let out = bench.feed(Input::Knock(knock(ATTACKER, KnockKind::Probe)));
    assert_eq!(words(&out), ["tell knock"]);
    let event = events(&out, EventKind::Knock)[0];
    assert_eq!((event.source, event.port, event.grade), (Some(ip(ATTACKER)), Some(23), Some(Grade::Spoofable)));
    assert!(bench.node.intent().is_empty());
}

#[test]
fn a_forged_flood_does_not_flood_the_store() {
    let mut bench = Bench::new(config(1));
    let mut told = 0;
    for index in 0..20_000_u32 {
        let source = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + index));
        told += bench.feed(Input::Knock(Knock { source, ..knock(ATTACKER, KnockKind::Probe) })).len();
    }
    assert_eq!(told, 500);
    assert_eq!(bench.node.status().counters.suppressed, 19_500);
    let out = bench.pass(crate::SUPPRESSED_REPORT_EVERY);
    assert_eq!(field(events(&out, EventKind::Knock)[0], "suppressed"), "19500");
}

#[test]
fn a_scan_earns_a_short_silence_on_dark_ports_and_stays_here() {
    let mut config = config(1);
    config.clusters.push(cluster(1, key(1), Trust::Enforce));
    let mut bench = Bench::new(config);
    let out = bench.feed(scan(ATTACKER, true));
    assert_eq!(words(&out), ["enforce 203.0.113.7/32 dark", "keep 203.0.113.7/32 scan", "tell scan", "tell ban"]);
    let event = events(&out, EventKind::Scan)[0];
    assert_eq!((field(event, "ports"), event.grade), ("22,23,80", Some(Grade::Spoofable)));
    let ban = bench.node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!(ban.until, Some(START.wall.plus(Ttls::SPOOFABLE_DEFAULT)));
    let out = bench.pass(Ttls::SPOOFABLE_DEFAULT);
    let ours: Vec<String> = words(&out).into_iter().filter(|word| word != "send").collect();
    assert_eq!(ours, ["release 203.0.113.7/32", "forget 203.0.113.7/32 scan", "tell expire"]);
}

#[test]
fn what_the_kernel_silenced_is_released_when_the_door_stays_shut() {
    type Case = (fn(&mut Config), &'static str, &'static str);
    let cases: [Case; 5] = [
        (|_| {}, "192.0.2.1", "gateway"),
        (|_| {}, "2001:db8:aa::10", "own"),
        (|config| config.allow.push("203.0.113.0/24".parse().unwrap()), ATTACKER, "allowlist"),
        (|config| config.scan.spoofable = Spoofable::Off, ATTACKER, "off"),
        (|config| config.policy.spoofable_max = 0, ATTACKER, "budget"),
    ];
    for (change, source, why) in cases {
        let mut config = config(1);
        change(&mut config);
        let mut bench = Bench::new(config);
        let out = bench.feed(scan(source, true));
        assert_eq!(words(&out), [format!("release {}", Subject::host(ip(source))), "tell scan".into()], "{why}");
        assert!(
            field(events(&out, EventKind::Scan)[0], "refused").contains(why),
            "{:?}",
            events(&out, EventKind::Scan)[0].fields
        );
        assert_eq!(words(&bench.feed(scan(source, false))), ["tell scan"], "the kernel did nothing by itself");
    }
}

#[test]
fn a_policy_may_widen_what_a_scan_earns() {
    let mut config = config(1);
    config.scan.spoofable = Spoofable::All;
    assert_eq!(words(&Bench::new(config).feed(scan(ATTACKER, false)))[0], "enforce 203.0.113.7/32 all");
}

/// SYNs to forty ports, each twice if `repeats` says so of what became of the first.
fn reactions(bench: &mut Bench, repeats: fn(Fate) -> bool) -> Vec<Output> {
    let mut out = bench.feed(scan(ATTACKER, true));
    for port in 1_000..1_060 {
        let fate = if port % 2 == 0 { Fate::Silent } else { Fate::Answered };
        for _ in 0..if repeats(fate) { 2 } else { 1 } {
            let probe = Knock { port, ..knock(ATTACKER, KnockKind::Suspect { fate }) };
            out.extend(bench.feed(Input::Knock(probe)));
        }
    }
    out
}

#[test]
fn who_repeats_only_what_stayed_silent_is_banned_everywhere_and_who_repeats_all_is_not() {
    let out = reactions(&mut Bench::new(config(1)), |fate| fate == Fate::Silent);
    assert!(words(&out).contains(&"enforce 203.0.113.7/32 all".into()), "{:?}", words(&out));
    let ban = *events(&out, EventKind::Ban).last().unwrap();
    assert_eq!((ban.grade, ban.reasons, ban.scope), (Some(Grade::Reactive), Reasons::SCAN, Some(Scope::All)));
    let scan = *events(&out, EventKind::Scan).last().unwrap();
    assert_eq!((scan.grade, field(scan, "bits")), (Some(Grade::Reactive), "20"));
    for forger in [|_| true, |_| false] {
        let out = reactions(&mut Bench::new(config(1)), forger);
        assert_eq!(events(&out, EventKind::Ban).len(), 1, "the silence of the forgeable scan, and no more");
    }
}

#[test]
fn a_visit_earns_a_full_ban_with_its_evidence() {
    let mut bench = Bench::new(config(1));
    let payload = b"SSH-2.0-Go\r\n";
    let out = bench.feed(Input::Visit(Visit { signs: Signs::CREDENTIALS, ..visit(ATTACKER, payload) }));
    assert_eq!(words(&out), ["enforce 203.0.113.7/32 all", "keep 203.0.113.7/32 trap", "tell visit", "tell ban"]);
    let (visit, ban) = (events(&out, EventKind::Visit)[0], events(&out, EventKind::Ban)[0]);
    assert_eq!((visit.grade, visit.bytes, visit.payload.as_slice()), (Some(Grade::Hostile), Some(12), &payload[..]));
    assert_eq!((visit.trap.as_deref(), visit.port, visit.source_port), (Some("ssh"), Some(22), Some(51_514)));
    assert!(field(visit, "findings").starts_with("tried credentials") && visit.entropy_millibits > Some(2_000));
    assert_eq!(
        (field(ban, "evidence"), field(ban, "by"), field(ban, "enforced")),
        (visit.id.to_string().as_str(), "edge-1", "true")
    );
    assert_eq!((ban.subject, ban.reasons, ban.scope), (Some(subject(ATTACKER)), Reasons::TRAP, Some(Scope::All)));
}

#[test]
fn grades_follow_what_was_said_and_bans_last_as_long_as_the_policy_says() {
    let cases: [(&[u8], Grade); 3] =
        [(b"", Grade::Handshake), (b"hello", Grade::Payload), (b"${jndi:ldap://x/a}", Grade::Hostile)];
    for (payload, grade) in cases {
        let mut bench = Bench::new(config(1));
        bench.feed(Input::Visit(visit(ATTACKER, payload)));
        let ban = bench.node.ban(&subject(ATTACKER)).unwrap();
        assert_eq!(
            (ban.grade, ban.until, ban.origins),
            (grade, Some(START.wall.plus(Duration::from_hours(24))), vec!["edge-1".into()])
        );
    }
}

#[test]
fn a_datagram_to_a_trap_is_forgeable() {
    let mut bench = Bench::new(config(1));
    bench.feed(Input::Visit(Visit { transport: Transport::Udp, ..visit(ATTACKER, b"${jndi:ldap://x/a}") }));
    let ban = bench.node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!(
        (ban.grade, ban.scope, ban.until),
        (Grade::Spoofable, Scope::Dark, Some(START.wall.plus(Ttls::SPOOFABLE_DEFAULT)))
    );
}

#[test]
fn a_flood_of_forged_datagrams_is_no_flood_of_events_and_a_proven_one_is_told() {
    let mut bench = Bench::new(config(1));
    let datagram = |signs| Visit { transport: Transport::Udp, signs, ..visit(ATTACKER, b"x") };
    let mut told = 0;
    for _ in 0..1_000 {
        told += words(&bench.feed(Input::Visit(datagram(Signs::empty())))).iter().filter(|word| *word == "tell visit").count();
    }
    assert_eq!(told, 128);
    let proven = words(&bench.feed(Input::Visit(datagram(Signs::RETURNED))));
    assert!(proven.iter().any(|word| word == "tell visit"), "{proven:?}");
    let ban = bench.node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.grade, ban.scope), (Grade::Payload, Scope::All));
}

#[test]
fn an_ipv6_source_is_banned_with_its_customer_prefix_unless_it_is_a_neighbour() {
    let mut bench = Bench::new(config(1));
    for (source, expected) in
        [("2001:db8:bb::7", "2001:db8:bb::/64"), ("2001:db8:aa::7", "2001:db8:aa::7/128"), ("fe80::1", "fe80::1/128")]
    {
        let out = bench.feed(Input::Visit(visit(source, b"x")));
        assert_eq!(words(&out)[0], format!("enforce {expected} all"));
    }
}

#[test]
fn a_visit_of_somebody_protected_is_told_but_not_banned() {
    let mut bench = Bench::new(config(1));
    for source in ["192.0.2.1", "192.0.2.10", "192.0.2.53", "198.51.100.99", "127.0.0.5", "::1"] {
        let out = bench.feed(Input::Visit(visit(source, b"x")));
        assert_eq!(words(&out), ["tell visit"], "{source}");
        assert!(field(events(&out, EventKind::Visit)[0], "refused").contains("never banned"));
    }
}

#[test]
fn reasons_stack_and_end_one_by_one_in_the_kernel_too() {
    let mut bench = Bench::new(config(1));
    bench.feed(scan(ATTACKER, true));
    let out = bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    assert_eq!(words(&out)[0], "enforce 203.0.113.7/32 all");
    let out = bench.pass(Ttls::SPOOFABLE_DEFAULT);
    assert_eq!(words(&out), ["enforce 203.0.113.7/32 all", "forget 203.0.113.7/32 scan", "tell expire"]);
    let expire = events(&out, EventKind::Expire)[0];
    assert_eq!((expire.reasons, field(expire, "still")), (Reasons::SCAN, "trap"));
    assert_eq!(bench.node.intent()[0].reasons, Reasons::TRAP);
}

#[test]
fn a_chatty_visitor_makes_one_ban_event() {
    let mut bench = Bench::new(config(1));
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    for _ in 0..20 {
        bench.pass(Duration::from_secs(10));
        assert_eq!(
            words(&bench.feed(Input::Visit(visit(ATTACKER, b"x")))),
            ["enforce 203.0.113.7/32 all", "again 203.0.113.7/32 trap", "tell visit"]
        );
    }
    let out = bench.feed(Input::Visit(visit(ATTACKER, b"cat /etc/passwd")));
    assert_eq!(events(&out, EventKind::Ban).len(), 1, "a higher grade is news");
}

#[test]
fn observing_tells_what_would_have_been_and_enforces_nothing() {
    let mut config = config(1);
    config.policy.mode = Mode::Observe;
    config.clusters.push(cluster(1, key(1), Trust::Enforce));
    let mut bench = Bench::new(config);
    let out = bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    assert_eq!(words(&out), ["keep 203.0.113.7/32 trap", "tell visit", "tell ban"]);
    assert_eq!(field(events(&out, EventKind::Ban)[0], "enforced"), "false");
    let (out, _) = bench.order(ban_order("198.51.100.1"));
    assert_eq!(words(&out), ["keep 198.51.100.1/32 manual", "tell ban"]);
    assert!(bench.node.intent().is_empty() && bench.node.bans().all(|ban| !ban.enforced));
    let (out, result) = bench.order(Order::SetMode(Mode::Enforce));
    assert_eq!(words(&out), ["enforcing true", "reconcile", "keep enforce", "tell audit"]);
    assert_eq!(result.unwrap().to_string(), "mode is enforce (was observe)");
    assert_eq!(bench.node.intent().len(), 2);
    let out = bench.pass(Duration::from_secs(1));
    assert_eq!(words(&out).iter().filter(|word| word.starts_with("record")).count(), 2, "now it is said: {:?}", words(&out));
}

#[test]
fn an_operator_bans_and_unbans() {
    let mut bench = Bench::new(config(1));
    let order = Order::Ban {
        subject: subject("203.0.113.0/24"),
        lifetime: Lifetime::Forever,
        note: Some("botnet".into()),
        reach: Reach::Mesh,
        force: false,
    };
    let (out, result) = bench.order(order.clone());
    assert_eq!(words(&out), ["enforce 203.0.113.0/24 all", "keep 203.0.113.0/24 manual", "tell ban"]);
    assert_eq!(result.unwrap().to_string(), "203.0.113.0/24 is banned for ever; on this node only");
    let event = events(&out, EventKind::Ban)[0];
    assert_eq!(
        (field(event, "note"), field(event, "by"), event.grade, event.until),
        ("botnet", "operator", Some(Grade::Operator), None)
    );
    let (_, again) = bench.order(order);
    assert!(again.unwrap().to_string().contains("was already banned"));
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    let (out, result) = bench.order(unban_order(ATTACKER));
    assert_eq!(words(&out), ["release 203.0.113.7/32", "forget 203.0.113.7/32 trap", "unbanned 203.0.113.7/32", "tell unban"]);
    let text = result.unwrap().to_string();
    assert_eq!(text, "203.0.113.7/32 is not banned any more; on this node only; still covered by the ban of 203.0.113.0/24");
    let (_, result) = bench.order(unban_order("198.51.100.1"));
    assert_eq!(result.unwrap().to_string(), "198.51.100.1/32 was not banned here; on this node only");
}

#[test]
fn an_operators_ban_ends_when_it_should() {
    for (lifetime, ends) in [(Lifetime::Default, 24 * 3_600), (Lifetime::For(Duration::from_secs(90)), 90)] {
        let mut bench = Bench::new(config(1));
        bench.order(Order::Ban { subject: subject(ATTACKER), lifetime, note: None, reach: Reach::Here, force: false }).1.unwrap();
        assert!(bench.pass(Duration::from_secs(ends - 1)).is_empty());
        assert_eq!(
            words(&bench.pass(Duration::from_secs(1))),
            ["release 203.0.113.7/32", "forget 203.0.113.7/32 manual", "tell expire"]
        );
    }
}

#[test]
fn orders_that_would_hurt_are_refused_with_the_mend() {
    let mut config = config(1);
    config.allow.push("10.0.0.0/8".parse().unwrap());
    let mut bench = Bench::new(config);
    let ban = |who: &str, force| Order::Ban {
        subject: subject(who),
        lifetime: Lifetime::Default,
        note: None,
        reach: Reach::Mesh,
        force,
    };
    let cases: [(Order, &str); 15] = [
        (ban("192.0.2.1", true), "which is a gateway"),
        (ban("192.0.2.10", true), "this node's own address"),
        (ban("127.0.0.1", true), "this node's own address"),
        (ban("192.0.2.53", true), "a resolver"),
        (ban("198.51.100.99", true), "connected operator"),
        (ban("10.1.2.0/24", true), "on the allowlist"),
        (ban("12.0.0.0/15", false), "add --force"),
        (ban("0.0.0.0/0", true), "is everybody, which is never banned"),
        (ban("::/0", true), "is everybody, which is never banned"),
        (
            Order::Ban {
                subject: subject(ATTACKER),
                lifetime: Lifetime::For(Duration::ZERO),
                note: None,
                reach: Reach::Here,
                force: false,
            },
            "longer than no time",
        ),
        (Order::AllowRemove("11.0.0.0/8".parse().unwrap()), "11.0.0.0/8 is not on the allowlist"),
        (Order::LockDown { within: Some(Duration::from_secs(4)) }, "within 5s to 1h"),
        (Order::LockDown { within: Some(Duration::from_secs(3_601)) }, "within 5s to 1h"),
        (Order::ConfirmLockdown, "there is no lockdown to confirm"),
        (
            Order::Key { cluster: "other".parse().unwrap(), step: crate::KeyStep::Add(Key::from_bytes([1; 32])) },
            "belongs to no cluster `other`",
        ),
    ];
    for (order, expected) in cases {
        let (out, result) = bench.order(order);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(out.is_empty(), "{error}: {:?}", words(&out));
    }
    bench.order(ban("0.0.0.0/1", true)).1.unwrap();
}

#[test]
fn the_allowlist_changes_live() {
    let mut bench = Bench::new(config(1));
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    let (out, result) = bench.order(Order::AllowAdd("203.0.113.9/24".parse().unwrap()));
    let expected =
        ["protect 8", "release 203.0.113.7/32", "forget 203.0.113.7/32 trap", "keep allow", "tell unban", "tell audit"];
    assert_eq!(words(&out), expected);
    assert_eq!(result.unwrap().to_string(), "203.0.113.0/24 is on the allowlist; 1 bans inside it were lifted");
    assert_eq!(words(&bench.feed(Input::Visit(visit(ATTACKER, b"x")))), ["tell visit"]);
    let (out, again) = bench.order(Order::AllowAdd("203.0.113.0/24".parse().unwrap()));
    assert_eq!((words(&out).len(), again.unwrap().to_string()), (0, "203.0.113.0/24 was on the allowlist already".into()));
    let (out, _) = bench.order(Order::AllowRemove("203.0.113.0/24".parse().unwrap()));
    assert_eq!(words(&out), ["protect 7", "keep allow", "tell audit"]);
    assert_eq!(words(&bench.feed(Input::Visit(visit(ATTACKER, b"x"))))[0], "enforce 203.0.113.7/32 all");
}

#[test]
fn a_network_that_changes_lifts_what_it_protects_now() {
    let mut bench = Bench::new(config(1));
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    let moved = NetworkFacts { gateways: vec![ip(ATTACKER)], ..facts() };
    let out = bench.feed(Input::Network(moved.clone()));
    assert_eq!(words(&out), ["protect 7", "release 203.0.113.7/32", "forget 203.0.113.7/32 trap", "tell unban"]);
    assert!(bench.feed(Input::Network(moved)).is_empty(), "nothing new");
}

#[test]
fn a_full_table_gives_way_loudly() {
    let mut config = config(1);
    config.policy.bans_max = 1;
    let mut bench = Bench::new(config);
    bench.feed(scan(ATTACKER, true));
    let out = bench.feed(Input::Visit(visit("203.0.113.8", b"x")));
    let expected =
        ["release 203.0.113.7/32", "enforce 203.0.113.8/32 all", "forget 203.0.113.7/32 scan", "keep 203.0.113.8/32 trap"];
    assert_eq!(words(&out)[..4], expected);
    assert!(field(events(&out, EventKind::Unban)[0], "how").starts_with("gave way: the ban table was full"));
    let (out, _) = bench.order(ban_order("203.0.113.9"));
    assert_eq!(words(&out)[..2], ["release 203.0.113.8/32", "enforce 203.0.113.9/32 all"]);
    let (_, result) = bench.order(ban_order("203.0.113.10"));
    assert_eq!(result, Err(Refused::Ledger(Refusal::Full { class: Class::Hosts4, max: 1 })));
    let (out, _) = bench.order(unban_order("203.0.113.9"));
    assert_eq!(words(&out)[..2], ["release 203.0.113.9/32", "enforce 203.0.113.8/32 all"], "what gave way comes back");
    assert!(field(events(&out, EventKind::Ban)[0], "how").starts_with("came back"));
}

#[test]
fn why_tells_the_whole_chain_or_why_not() {
    let mut bench = Bench::new(config(1));
    let verdict = |bench: &Bench, who: &str| bench.node.why(ip(who)).verdict;
    assert_eq!(verdict(&bench, ATTACKER), "not banned: nothing is known against it");
    assert_eq!(verdict(&bench, "192.0.2.1"), "not banned, and never will be: 192.0.2.1/32 is a gateway");
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    assert_eq!(verdict(&bench, ATTACKER), "banned as 203.0.113.7/32 for trap (payload), scope all, by edge-1");
    let why = bench.node.why(ip(ATTACKER));
    assert!(why.bans[0].claims[0].0.evidence.is_some() && why.bans[0].claims[0].1);
    bench.order(unban_order(ATTACKER)).1.unwrap();
    assert_eq!(verdict(&bench, ATTACKER), "not banned: the ban of 203.0.113.7/32 ended (lifted by operator)");
    bench.feed(scan(ATTACKER, true));
    bench.pass(Ttls::SPOOFABLE_DEFAULT);
    assert_eq!(verdict(&bench, ATTACKER), "not banned: the ban of 203.0.113.7/32 ended (expired)");
    let done = bench.order(ban_order("192.0.2.0/24")).1.unwrap();
    let passing =
        "; never banned inside it, so it keeps passing: 192.0.2.1/32 (gateway), 192.0.2.10/32 (own), 192.0.2.53/32 (resolver)";
    assert!(done.to_string().ends_with(passing), "{done}");
    assert_eq!(verdict(&bench, "192.0.2.1"), "passed although a ban covers it: 192.0.2.1/32 is a gateway");
    bench.order(Order::SetMode(Mode::Observe)).1.unwrap();
    assert!(verdict(&bench, "192.0.2.77").starts_with("not dropped (mode observe), else banned as 192.0.2.0/24"));
}

#[test]
fn nothing_is_left_to_say_about_a_ban_that_is_gone() {
    let gone: [fn(&mut Bench); 3] = [
        |bench| drop(bench.order(unban_order(ATTACKER))),
        |bench| drop(bench.order(Order::AllowAdd("203.0.113.0/24".parse().unwrap()))),
        |bench| drop(bench.feed(Input::Network(NetworkFacts { gateways: vec![ip(ATTACKER)], ..facts() }))),
    ];
    for go in gone {
        let mut config = config(1);
        config.clusters.push(cluster(1, key(1), Trust::Enforce));
        let mut bench = Bench::new(config);
        let (subject, lifetime) = (subject(ATTACKER), Lifetime::Forever);
        bench.order(Order::Ban { subject, lifetime, note: None, reach: Reach::Mesh, force: false }).1.unwrap();
        assert!(bench.node.renewals.next().is_some());
        go(&mut bench);
        assert_eq!(bench.node.renewals.next(), None);
    }
}

#[test]
fn the_node_counts_what_it_sees() {
    let mut bench = Bench::new(config(1));
    bench.feed(Input::Knock(knock(ATTACKER, KnockKind::Probe)));
    bench.feed(scan(ATTACKER, false));
    bench.feed(Input::Visit(visit(ATTACKER, b"x")));
    bench.feed(Input::Datagram { cluster: 7, from: address(3), bytes: vec![0; 99] });
    let counters = bench.node.status().counters;
    assert_eq!((counters.probes, counters.scans, counters.visits), (1, 1, 1));
    assert_eq!((counters.datagrams, counters.datagrams_lost), (1, 1));
}
