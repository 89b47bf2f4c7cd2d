//! Who is let in, who is not, and who gives way.

use super::*;
use crate::LEAVING_MAX;
use proptest::prelude::*;

fn gate(sessions_max: usize, sessions_per_source_max: usize) -> Arc<Gate> {
    Gate::new(&Limits { sessions_max, sessions_per_source_max, ..Limits::default() })
}

fn enter(gate: &Gate, source: &str) -> Entry {
    let addr = source.parse().unwrap();
    gate.enter(SocketAddr::new(addr, 7), SocketAddr::new(addr, 22), 0)
}

fn admitted(gate: &Gate, source: &str) -> Option<u64> {
    match enter(gate, source) {
        Entry::Admitted(stranger) | Entry::AdmittedInstead(stranger, _) => Some(stranger.session.0),
        Entry::Refused(_) | Entry::RefusedAgain => None,
    }
}

#[test]
fn one_source_cannot_take_the_house() {
    let gate = gate(10, 2);
    let inside = [admitted(&gate, "192.0.2.1").unwrap(), admitted(&gate, "192.0.2.1").unwrap()];
    assert!(matches!(enter(&gate, "192.0.2.1"), Entry::Refused(_)), "told the first time");
    assert!(matches!(enter(&gate, "192.0.2.1"), Entry::RefusedAgain));
    assert!(admitted(&gate, "192.0.2.2").is_some(), "others come in");
    assert!(inside.iter().all(|session| gate.leave(*session).is_some()));
    assert!(admitted(&gate, "192.0.2.1").is_some(), "and so does it, once it has left");
}

#[test]
fn an_ipv6_customer_is_one_source_however_many_addresses_it_has() {
    let gate = gate(10, 1);
    assert!(admitted(&gate, "2001:db8:1:2::1").is_some());
    assert!(admitted(&gate, "2001:db8:1:2::2").is_none());
    assert!(admitted(&gate, "2001:db8:1:3::1").is_some());
}

#[test]
fn a_dismissal_reaches_the_sources_that_touch_the_subject_and_no_others() {
    let addresses = ["192.0.1.255", "192.0.2.0", "192.0.2.1", "192.0.2.255", "192.0.3.0", "2001:db8:1:2::1", "2001:db8:1:3::1"];
    let table: [(&str, &[usize]); 7] = [
        ("192.0.2.1", &[2]),
        ("192.0.2.0/24", &[1, 2, 3]),
        ("192.0.2.77", &[]),
        ("0.0.0.0/0", &[0, 1, 2, 3, 4]),
        ("2001:db8:1:2::/64", &[5]),
        ("2001:db8:1:3::99", &[6]),
        ("2001:db8::/32", &[5, 6]),
    ];
    for (subject, expected) in table {
        let gate = gate(10, 2);
        let sessions = addresses.map(|address| admitted(&gate, address).unwrap());
        Dismisser(Arc::clone(&gate)).dismiss(&subject.parse().unwrap());
        Dismisser(Arc::clone(&gate)).dismiss(&subject.parse().unwrap());
        let _later = admitted(&gate, addresses[2]).unwrap();
        let told = gate.dismissed();
        let expected: Vec<u64> = expected.iter().map(|index| sessions[*index]).collect();
        assert_eq!(told, expected, "{subject}: each once, and nobody who came later");
        assert!(gate.dismissed().is_empty());
    }
}

#[test]
fn who_was_dismissed_before_it_was_handed_over_is_dismissed_again() {
    let gate = gate(10, 2);
    let [early, other] = ["192.0.2.1", "192.0.2.2"].map(|source| admitted(&gate, source).unwrap());
    Dismisser(Arc::clone(&gate)).dismiss(&"192.0.2.1".parse().unwrap());
    assert_eq!(gate.dismissed(), [early]);
    gate.is_handed_over(early);
    gate.is_handed_over(other);
    assert_eq!(gate.dismissed(), [early]);
}

#[test]
fn tarpits_hold_a_share_of_all_and_of_each_source() {
    let gate = gate(40, 16);
    let held = |source: &str| {
        let session = admitted(&gate, source).unwrap();
        (session, gate.slow_down(session))
    };
    let first: Vec<(u64, bool)> = (0..6).map(|_| held("192.0.2.1")).collect();
    assert_eq!(first.iter().filter(|(_, held)| *held).count(), SLOW_PER_SOURCE_MAX);
    let others: Vec<bool> = (2..12).map(|host| held(&format!("192.0.2.{host}")).1).collect();
    assert_eq!(others.iter().filter(|held| **held).count(), 40 / SLOW_SHARE - SLOW_PER_SOURCE_MAX, "places for others stay free");
    assert!(!gate.slow_down(first[0].0), "once only");
    gate.leave(first[0].0).unwrap();
    assert!(held("192.0.2.99").1, "a place is free again");
    assert!(!gate.slow_down(9_999));
}

#[test]
fn the_house_has_a_limit_and_forgets_who_left() {
    let gate = gate(2, 2);
    let inside = [admitted(&gate, "192.0.2.1").unwrap(), admitted(&gate, "192.0.2.2").unwrap()];
    assert!(matches!(enter(&gate, "192.0.2.3"), Entry::Refused(_)));
    assert!(matches!(enter(&gate, "192.0.2.3"), Entry::Refused(_)), "a full house is told each time");
    assert!(inside.iter().all(|session| gate.leave(*session).is_some()));
    assert!(gate.inside().sources.is_empty() && gate.inside().guests.is_empty());
    assert!(gate.leave(inside[0]).is_none(), "once only");
}

#[test]
fn the_list_of_deadlines_stays_as_long_as_the_house_is_full() {
    let gate = gate(4, 4);
    for _ in 0..10_000 {
        let session = admitted(&gate, "192.0.2.1").unwrap();
        gate.leave(session).unwrap();
    }
    assert!(gate.inside().due.len() <= 64, "{}", gate.inside().due.len());
}

#[tokio::test(start_paused = true)]
async fn whoever_is_never_said_to_have_left_leaves_long_after_its_deadline() {
    let gate = gate(4, 4);
    let (first, _) = (admitted(&gate, "192.0.2.1").unwrap(), tokio::time::advance(Duration::from_secs(100)).await);
    let second = admitted(&gate, "192.0.2.2").unwrap();
    gate.leave(second);
    assert!(gate.overdue(Instant::now()).is_empty());
    tokio::time::advance(Duration::from_secs(300)).await;
    let late: Vec<u64> = gate.overdue(Instant::now()).iter().map(|guest| guest.stranger.session.0).collect();
    assert_eq!(late, [first]);
    assert!(gate.inside().due.is_empty());
}

#[test]
fn a_full_house_takes_a_place_from_the_greediest_neighbourhood_and_none_from_anybody_else() {
    let gate = gate(6, 16);
    let crowd: Vec<u64> = (1..=4).map(|host| admitted(&gate, &format!("192.0.2.{host}")).unwrap()).collect();
    assert!(["198.51.100.1", "2001:db8:1:1::1"].iter().all(|source| admitted(&gate, source).is_some()));
    assert!(matches!(enter(&gate, "192.0.2.9"), Entry::Refused(_)), "the greediest itself is refused");
    gate.speaks(crowd[0]);
    assert!(matches!(enter(&gate, "203.0.113.1"), Entry::AdmittedInstead(_, 0)));
    assert_eq!(gate.dismissed(), [crowd[1]], "whoever was silent longest goes: the first has just said something");
    assert!(admitted(&gate, "2001:db8:1:2::1").is_some(), "from 1 to 2, where somebody has 3");
    assert_eq!(gate.dismissed(), [crowd[2]]);
    assert!(matches!(enter(&gate, "2001:db8:1:3::1"), Entry::Refused(_)), "nobody has more than this /48 now");
    assert!(admitted(&gate, "203.0.114.1").is_some(), "who has none takes one from those who have most");
    assert_eq!(gate.dismissed(), [crowd[3]], "of equals, the one with the longest silence");
    assert_eq!(gate.inside().guests.len(), 9, "those who were dismissed are in until they have left");
    assert!(crowd[1..].iter().all(|session| gate.leave(*session).is_some()));
    let inside = gate.inside();
    assert_eq!((inside.guests.len(), inside.staying.len()), (6, 6));
}

#[test]
fn two_large_neighbourhoods_do_not_displace_each_other_without_end() {
    let gate = gate(101, 200);
    assert!((0..51).all(|_| admitted(&gate, "192.0.2.1").is_some()));
    assert!((0..50).all(|_| admitted(&gate, "198.51.100.1").is_some()));
    assert!(
        (0..1_000).all(|_| matches!(enter(&gate, "198.51.100.1"), Entry::Refused(_))
            && matches!(enter(&gate, "192.0.2.1"), Entry::Refused(_)))
    );
    assert!(matches!(enter(&gate, "203.0.113.1"), Entry::AdmittedInstead(..)), "who has none has not been kept out by them");
}

#[test]
fn places_of_those_who_leave_are_taken_within_a_bound() {
    let gate = gate(100, 200);
    let crowd: Vec<u64> = (0..100).map(|_| admitted(&gate, "192.0.2.1").unwrap()).collect();
    // One neighbourhood each: all may take a place, but nobody leaves.
    let newcomers: Vec<Option<u64>> = (0..80).map(|third| admitted(&gate, &format!("198.51.{third}.1"))).collect();
    assert_eq!(newcomers.iter().flatten().count(), LEAVING_MAX);
    assert!(newcomers[LEAVING_MAX..].iter().all(Option::is_none), "until somebody has left");
    assert_eq!(gate.inside().guests.len(), 100 + LEAVING_MAX);
    // One leaves that was never dismissed, and one that was, at the same time as its dismissal is told.
    assert_eq!(gate.dismissed(), crowd[..LEAVING_MAX]);
    gate.leave(crowd[0]).unwrap();
    assert!(matches!(enter(&gate, "203.0.113.1"), Entry::AdmittedInstead(..)));
    gate.leave(crowd[99]).unwrap();
    assert!(matches!(enter(&gate, "203.0.114.1"), Entry::Admitted(_)), "a place is free");
    assert!(gate.leave(crowd[0]).is_none(), "once only");
    gate.speaks(crowd[1]);
    assert_eq!(gate.inside().staying.len(), 100, "what somebody says on his way out gives him no place");
}

#[test]
fn those_who_are_banned_make_room_at_once() {
    let gate = gate(2, 2);
    let banned = ["192.0.2.1", "192.0.2.1"].map(|source| admitted(&gate, source).unwrap());
    Dismisser(Arc::clone(&gate)).dismiss(&"192.0.2.1".parse().unwrap());
    assert!(matches!(enter(&gate, "192.0.2.2"), Entry::Admitted(_)), "nobody has to give way for it");
    assert_eq!(gate.dismissed(), banned);
}

/// What happens at the gate.
#[derive(Clone, Debug)]
enum Happening {
    Enters { neighbours: u8, host: u8 },
    Leaves(usize),
    Speaks(usize),
    Banned { neighbours: u8, host: Option<u8> },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..6_u8, 0..5_u8).prop_map(|(neighbours, host)| Happening::Enters { neighbours, host }),
        2 => any::<usize>().prop_map(Happening::Leaves),
        2 => any::<usize>().prop_map(Happening::Speaks),
        1 => (0..6_u8, prop_oneof![Just(None), (0..5_u8).prop_map(Some)])
            .prop_map(|(neighbours, host)| Happening::Banned { neighbours, host }),
    ]
}

/// IPv4 and IPv6 neighbourhoods, each with a few sources.
fn source(neighbours: u8, host: u8) -> String {
    if neighbours.is_multiple_of(2) { format!("192.0.{neighbours}.{host}") } else { format!("2001:db8:{neighbours}:{host}::1") }
}

fn prefix(neighbours: u8) -> String {
    if neighbours.is_multiple_of(2) { format!("192.0.{neighbours}.0/24") } else { format!("2001:db8:{neighbours}::/48") }
}

/// The same told in the plainest way: who stays, in the order in which they were heard last, with their neighbourhoods.
#[derive(Debug, Default)]
struct Model(Vec<(u64, u8, u8)>);

impl Model {
    fn held(&self, neighbours: u8) -> usize {
        self.0.iter().filter(|one| one.1 == neighbours).count()
    }

    fn most(&self) -> usize {
        (0..6).map(|neighbours| self.held(neighbours)).max().unwrap_or_default()
    }

    /// Has it none, or would it still not have more than those who have most?
    fn is_wronged(&self, neighbours: u8) -> bool {
        let held = self.held(neighbours);
        held == 0 || held + 1 < self.most()
    }

    /// The first of those whose neighbourhood has most.
    fn gives_way(&self) -> Option<u64> {
        self.0.iter().find(|one| self.held(one.1) == self.most()).map(|one| one.0)
    }
}

const PLACES: usize = 9;
const EACH: usize = 4;

fn enters(gate: &Gate, model: &mut Model, neighbours: u8, host: u8) -> Result<(), TestCaseError> {
    let source = source(neighbours, host);
    let open = gate.inside().guests.len();
    let known = Subject::of_source(source.parse().unwrap(), &[]);
    let of_source = gate.inside().sources.get(&known).map_or(0, |known| known.sessions.len());
    match enter(gate, &source) {
        Entry::Admitted(stranger) => {
            prop_assert!(model.0.len() < PLACES, "there was a place");
            model.0.push((stranger.session.0, neighbours, host));
        }
        Entry::AdmittedInstead(stranger, _) => {
            prop_assert!(model.0.len() == PLACES && model.is_wronged(neighbours));
            let gone = model.gives_way().unwrap();
            model.0.retain(|one| one.0 != gone);
            prop_assert_eq!(gate.dismissed(), [gone]);
            model.0.push((stranger.session.0, neighbours, host));
        }
        Entry::Refused(_) | Entry::RefusedAgain if of_source >= EACH || open >= PLACES + LEAVING_MAX => {}
        Entry::Refused(_) | Entry::RefusedAgain => {
            prop_assert!(model.0.len() == PLACES, "refused in a full house only");
            prop_assert!(!model.is_wronged(neighbours), "nobody holds more than one more than those who are refused");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn nobody_is_refused_while_a_neighbourhood_holds_two_more_than_its_own(
        happenings in proptest::collection::vec(happening(), 1..300)
    ) {
        let gate = gate(PLACES, EACH);
        let mut model = Model::default();
        for happening in happenings {
            match happening {
                Happening::Enters { neighbours, host } => enters(&gate, &mut model, neighbours, host)?,
                Happening::Leaves(which) => {
                    // Of all who are in, those on their way out included.
                    let mut inside: Vec<u64> = gate.inside().guests.keys().copied().collect();
                    inside.sort_unstable();
                    if let Some(session) = inside.get(which.checked_rem(inside.len()).unwrap_or_default()) {
                        gate.leave(*session).unwrap();
                        model.0.retain(|one| one.0 != *session);
                    }
                }
                Happening::Speaks(which) => {
                    if let Some(index) = which.checked_rem(model.0.len()) {
                        let spoke = model.0.remove(index);
                        gate.speaks(spoke.0);
                        model.0.push(spoke);
                    }
                }
                Happening::Banned { neighbours, host } => {
                    let subject = host.map_or_else(|| prefix(neighbours), |host| source(neighbours, host));
                    let subject: Subject = subject.parse().unwrap();
                    Dismisser(Arc::clone(&gate)).dismiss(&subject);
                    let banned = |one: &(u64, u8, u8)| one.1 == neighbours && host.is_none_or(|host| one.2 == host);
                    let mut expected: Vec<u64> = model.0.iter().filter(|one| banned(one)).map(|one| one.0).collect();
                    expected.sort_unstable();
                    let mut told = gate.dismissed();
                    told.sort_unstable();
                    prop_assert_eq!(told, expected);
                    model.0.retain(|one| !banned(one));
                }
            }
            let inside = gate.inside();
            prop_assert_eq!(inside.staying.len(), model.0.len());
            prop_assert!(model.0.len() <= PLACES && inside.guests.len() <= PLACES + LEAVING_MAX);
        }
    }
}
