//! The retransmission oracle where nf_tables drops: a coin for each port, thrown once, that nobody can foresee.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::{HERE, HERE6, Kind, SENTINEL, Stage, nft_again},
    ban, hour, wait,
};
use honeymesh_types::{Fate, KnockKind, Scope};
use honeymesh_xdp::{Knocks, Nft, Options, now};
use honeymesh_xdp_program::testing::{Packet, SYN};

const ANSWERS_MAX: usize = 64;
const COINS_MAX: usize = 128;

/// A host whose oracle is on, and what it tells.
struct Host<'a> {
    stage: &'a Stage<'a>,
    nft: Nft,
    knocks: Knocks,
}

impl<'a> Host<'a> {
    fn start(stage: &'a Stage<'a>, options: &Options) -> Self {
        let mut nft = nft_again(options);
        assert!(nft.weighs_reactions());
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        let knocks = nft.take_knocks().unwrap();
        Self { stage, nft, knocks }
    }

    fn told(&mut self) -> Vec<(u16, KnockKind)> {
        std::iter::from_fn(|| self.knocks.next(now())).map(|knock| (knock.port, knock.kind)).collect()
    }

    fn syns(&self, source: &str, ports: impl IntoIterator<Item = u16>) -> u64 {
        let here = if source.contains(':') { HERE6 } else { HERE };
        let all: Vec<_> = ports.into_iter().map(|port| Packet::tcp(source, here, port, SYN)).collect();
        self.stage.dropped(&self.nft, &all)
    }

    fn silence(&mut self, source: &str) {
        assert_eq!(self.syns(source, [1, 2, 3]), 1, "{source}");
        self.told();
    }

    /// What the coins say, in the order in which they were told.
    fn thrown(&mut self, source: &str, ports: impl IntoIterator<Item = u16>) -> Vec<(u16, Fate)> {
        self.syns(source, ports);
        let fate = |(port, kind)| if let KnockKind::Suspect { fate } = kind { Some((port, fate)) } else { None };
        self.told().into_iter().filter_map(fate).collect()
    }

    /// What each port's coin says. Whatever was not dropped went on to be answered.
    fn coins(&mut self, source: &str, ports: impl IntoIterator<Item = u16>) -> Vec<(u16, Fate)> {
        let mut coins = self.thrown(source, ports);
        coins.sort_unstable_by_key(|(port, _)| *port);
        coins
    }

    fn answered(&self) -> usize {
        usize::try_from(self.nft.counters().unwrap().oracle_answered).unwrap()
    }
}

fn with_oracle(stage: &Stage<'_>) -> Options {
    let mut options = stage.room.options(&["hm0"]);
    options.scan.oracle = true;
    options
}

fn says(coins: &[(u16, Fate)], wanted: Fate) -> usize {
    coins.iter().filter(|(_, fate)| *fate == wanted).count()
}

/// What `nft` says of our table within the network stack.
fn shown() -> String {
    let shown = std::process::Command::new("nft").args(["list", "table", "inet", "honeymesh"]).output().unwrap();
    assert!(shown.status.success());
    String::from_utf8(shown.stdout).unwrap()
}

#[test]
fn half_of_the_ports_are_answered_once_by_a_coin_for_each_port_and_source_and_sixty_four_at_most() {
    alone("coins by nf_tables", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut host = Host::start(&stage, &with_oracle(&stage));
        for [one, other] in [["203.0.113.1", "203.0.113.2"], ["2001:db8:1::1", "2001:db8:2::1"]] {
            host.silence(one);
            host.silence(other);
            let before = host.answered();
            let first = host.coins(one, 100..140);
            let answers = host.answered() - before;
            assert_eq!((first.len(), says(&first, Fate::Answered)), (40, answers), "{first:?}");
            assert!((5..=35).contains(&answers), "{first:?}");
            let again = host.coins(one, 100..140);
            assert_eq!((again, host.answered() - before), (first.clone(), answers), "thrown once, and answered once");
            assert_ne!(host.coins(other, 100..140), first, "for each source anew");

            // With the last answer there are no more coins, of either side.
            let before = host.answered();
            let more = host.coins(one, 200..500);
            assert!(host.answered() - before <= ANSWERS_MAX - answers);
            assert!(more.len() <= COINS_MAX - first.len(), "{}", more.len());
            assert_eq!(host.coins(one, 500..600), []);
            assert_eq!(host.coins(one, 100..140), first, "those that were thrown are told as ever");
            let here = if one.contains(':') { HERE6 } else { HERE };
            assert_eq!(stage.dropped(&host.nft, &[Packet::datagram(one, here, 161)]), 1, "only SYNs are answered");
            assert!(host.told().is_empty());
        }
        let shown = shown();
        assert!(shown.contains("map coin4 {") && shown.contains("numgen random mod 2"), "the real tool reads it: {shown}");
        host.nft.release().unwrap();
    });
}

#[test]
fn with_the_last_answer_no_coin_is_thrown_any_more() {
    alone("the last answer", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut host = Host::start(&stage, &with_oracle(&stage));
        // About half of all sources get their last answer before their last coin.
        for source in (1..=24).map(|last| format!("203.0.113.{last}")) {
            host.silence(&source);
            let before = host.answered();
            let coins = host.thrown(&source, 100..300);
            let answers = host.answered() - before;
            assert!(answers <= ANSWERS_MAX && coins.len() <= COINS_MAX, "{answers} of {}", coins.len());
            assert_eq!(says(&coins, Fate::Answered), answers, "what is told as answered was: {coins:?}");
            if answers == ANSWERS_MAX {
                let last = coins.iter().rposition(|(_, fate)| *fate == Fate::Answered);
                assert_eq!(last, Some(coins.len() - 1), "nothing is told after it: {coins:?}");
            }
            if answers == ANSWERS_MAX && coins.len() < COINS_MAX {
                return host.nft.release().unwrap();
            }
        }
        panic!("not one of 24 sources: that happens once in a million runs");
    });
}

#[test]
fn coins_stay_over_a_restart_and_when_the_ledger_takes_the_silence_over_and_go_with_the_option() {
    alone("kept coins", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut host = Host::start(&stage, &with_oracle(&stage));
        host.silence("203.0.113.1");
        let first = host.coins("203.0.113.1", 100..120);
        host.nft.raise(&hour("203.0.113.1", Scope::Dark), now()).unwrap();
        assert_eq!(host.coins("203.0.113.1", 100..120), first);
        drop(host);
        let mut host = Host::start(&stage, &with_oracle(&stage));
        assert_eq!(host.coins("203.0.113.1", 100..120), first);

        // Whom the operator silences was never told of: nothing is weighed, and nothing answered.
        host.nft.raise(&hour("203.0.113.9", Scope::Dark), now()).unwrap();
        assert_eq!((host.syns("203.0.113.9", 100..120), host.told()), (20, Vec::new()));
        // While only observing, nobody is weighed.
        host.nft.set_enforcing(false).unwrap();
        assert_eq!(host.coins("203.0.113.1", 100..120), []);
        host.nft.set_enforcing(true).unwrap();
        assert_eq!(host.coins("203.0.113.1", 100..120), first);
        assert!(host.nft.guard().unwrap().is_none());
        drop(host);
        let nft = nft_again(&stage.room.options(&["hm0"]));
        assert!(!nft.weighs_reactions());
        assert!(!shown().contains("coin4"));
        nft.release().unwrap();
    });
}

#[test]
fn while_nobody_hears_it_nobody_is_answered_and_the_next_daemon_goes_on() {
    alone("the oracle without a daemon", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut host = Host::start(&stage, &with_oracle(&stage));
        let heard = |stage: &Stage<'_>, ports: std::ops::Range<u16>| {
            stage.peer.run(move || {
                let refused = |to: &str, port| {
                    let to = std::net::SocketAddr::new(to.parse().unwrap(), port);
                    let answer = std::net::TcpStream::connect_timeout(&to, std::time::Duration::from_millis(100));
                    answer.unwrap_err().kind() == std::io::ErrorKind::ConnectionRefused
                };
                [HERE, HERE6].map(|to| ports.clone().filter(|port| refused(to, *port)).count())
            })
        };
        // Two answers, and the third probe crosses the threshold.
        assert_eq!(heard(&stage, 1..4), [2; 2]);
        let [four, six] = heard(&stage, 100..120);
        assert!(four > 0 && six > 0, "{four}, {six}: so it goes on while somebody hears");
        let coins = host.told().len();
        assert!(coins >= 40, "{coins}");
        drop(host);
        assert!(wait(|| !shown().contains("oracle_let")), "the rules that answer go with the daemon");
        assert_eq!(heard(&stage, 200..240), [0; 2], "forty coins of each would show one of them");
        let mut host = Host::start(&stage, &with_oracle(&stage));
        assert!(host.told().is_empty());
        let again = heard(&stage, 200..220);
        assert!(again.iter().all(|answers| *answers > 0), "{again:?}");
        host.nft.release().unwrap();
    });
}

#[test]
fn the_coins_are_fair() {
    alone("fair coins", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut host = Host::start(&stage, &with_oracle(&stage));
        let (mut silent, mut all) = (0, 0);
        for source in (1..=40).map(|last| format!("203.0.113.{last}")) {
            host.silence(&source);
            let coins = host.coins(&source, 100..120);
            silent += says(&coins, Fate::Silent);
            all += coins.len();
        }
        assert_eq!(all, 800);
        // Six times the standard deviation of a fair coin: once in half a billion runs.
        assert!((400 - 85..=400 + 85).contains(&silent), "{silent} of {all}");
        host.nft.release().unwrap();
    });
}
