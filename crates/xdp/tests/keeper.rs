//! The keeper on real interfaces that come, go, flap and are fought over, with one program and with two; the self-probe under
//! sabotage; the release.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands")]

mod common;
#[path = "common/foreign.rs"]
mod foreign;

use common::{
    Peer, Room, alone,
    backend::{Kind, SENTINEL, Stage, full},
    hour, ip,
};
use foreign::Foreign;
use honeymesh_types::{Lockdown, Scope};
use honeymesh_xdp::{
    AttachMode, Counters, Dark, Error, Fared, Heard, InterfaceState, Keeper, Kernel, Knocks, OnExit, Options, Probed, Steered,
    Watch, Why, Word, now, release,
};
use std::{
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    path::PathBuf,
    thread::JoinHandle,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// The daemon's probes are ten seconds apart.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A guarded host with a keeper, on a thread of its own instead of a process.
struct Kept {
    kernel: Kernel,
    knocks: Knocks,
    watch: Watch,
    keeper: JoinHandle<()>,
}

impl Kept {
    fn start(options: &Options) -> Self {
        let (mut kernel, knocks) = Kernel::start(options).unwrap();
        kernel.begin_probing().unwrap();
        kernel.set_allow(&[]).unwrap();
        let (mut watch, theirs) = kernel.hand_over(options).unwrap();
        let keeper = std::thread::spawn(move || Keeper::receive(theirs).unwrap().probing_every(PROBE_EVERY).run());
        watch.await_begin().unwrap();
        Self { kernel, knocks, watch, keeper }
    }

    /// The next word that `wanted` wants; probes are kept from being in the way.
    fn hear<T>(&mut self, what: &str, wanted: impl Fn(&Word) -> Option<T>) -> T {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.watch.hear() {
                Heard::Word(word, link) => {
                    link.into_iter().for_each(|link| drop(self.kernel.heed(link)));
                    if let Some(found) = wanted(&word) {
                        return found;
                    }
                }
                Heard::Silence => std::thread::sleep(Duration::from_millis(1)),
                Heard::End => panic!("the keeper is gone"),
            }
        }
        panic!("{what} was never said");
    }

    fn attached(&mut self, name: &str) -> (AttachMode, Why) {
        self.hear(&format!("{name} is attached"), |word| match word {
            Word::Attached { place, mode, why } if place.name == name => Some((*mode, *why)),
            _ => None,
        })
    }

    fn steered(&mut self, name: &str) -> Why {
        self.hear(&format!("{name} is steered"), |word| match word {
            Word::Steered { place, why } if place.name == name && *why != Why::Kept => Some(*why),
            _ => None,
        })
    }

    fn steering(&self, name: &str) -> Steered {
        self.kernel.interfaces().into_iter().find(|interface| interface.name == name).unwrap().steering
    }

    fn absent(&mut self, name: &str) {
        self.hear(&format!("{name} is absent"), |word| {
            matches!(word, Word::Absent { place } if place.name == name).then_some(())
        });
    }

    fn occupied(&mut self, name: &str) -> u32 {
        self.hear(&format!("{name} is occupied"), |word| match word {
            Word::Occupied { place, program } if place.name == name => Some(*program),
            _ => None,
        })
    }

    /// A probe that began after this call: those that were told before, and one that may be under way, tell of another state.
    /// Their packets are packets of probes all the same.
    fn probed(&mut self) -> Probed {
        while let Heard::Word(word, link) = self.watch.hear() {
            link.into_iter().for_each(|link| drop(self.kernel.heed(link)));
            if let Word::Probed(probed) = word {
                let _of_another_state = self.kernel.probed(&probed);
            }
        }
        let earlier = self.next_probe();
        let _of_another_state = self.kernel.probed(&earlier);
        self.next_probe()
    }

    fn next_probe(&mut self) -> Probed {
        self.hear("a probe", |word| if let Word::Probed(probed) = word { Some(*probed) } else { None })
    }

    fn state(&self, name: &str) -> InterfaceState {
        self.kernel.interfaces().into_iter().find(|interface| interface.name == name).unwrap().state
    }

    /// The daemon is gone; the keeper must end.
    fn end(self) {
        drop((self.watch, self.kernel, self.knocks));
        self.keeper.join().unwrap();
    }
}

fn links(room: &Room) -> Vec<PathBuf> {
    pinned(room, "links")
}

/// The pins of the second program.
fn steerings(room: &Room) -> Vec<PathBuf> {
    pinned(room, "steering")
}

fn pinned(room: &Room, what: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(room.pins().join(what)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn patient(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn interfaces_that_come_go_and_come_again_are_guarded_and_told() {
    alone("coming and going", |room| {
        let mut kept = Kept::start(&room.options(&["lo", "hm0", "veth*"]));
        kept.absent("hm0");
        assert_eq!(
            (kept.state("lo"), kept.state("hm0"), kept.state("veth*")),
            (InterfaceState::Attached, InterfaceState::Absent, InterfaceState::Absent)
        );
        let peer = Peer::new();
        for _ in 0..3 {
            peer.cable("hm0", "hm1");
            assert_eq!(kept.attached("hm0"), (AttachMode::Native, Why::Came));
            assert_eq!(kept.state("hm0"), InterfaceState::Attached);
            assert_eq!(links(room).len(), 2, "pinned, and no dead pin besides");
            ip("link set hm0 down");
            ip("link set hm0 up");
            assert_eq!(kept.state("hm0"), InterfaceState::Attached, "a flap changes nothing");
            ip("link del hm0");
            kept.absent("hm0");
            assert_eq!(kept.state("hm0"), InterfaceState::Absent);
            assert!(patient(|| links(room).len() == 1), "the dead pin is gone");
        }
        ip("link add veth7 type veth peer name other7");
        kept.attached("veth7");
        assert_eq!(kept.state("veth7"), InterfaceState::Attached);
        assert!(kept.kernel.guard().unwrap().is_none());
        kept.end();
        assert_eq!(links(room).len(), 2, "it holds");
        Kernel::start(&room.options(&["lo"])).unwrap().0.release().unwrap();
    });
}

#[test]
fn a_banned_neighbour_of_a_new_interface_is_dropped() {
    alone("ban on a new interface", |room| {
        let mut kept = Kept::start(&room.options(&["lo", "hm0"]));
        kept.kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        kept.attached("hm0");
        peer.run(|| {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            for _ in 0..5 {
                socket.send_to(b"x", "192.0.2.1:9").unwrap();
            }
        });
        assert!(patient(|| kept.kernel.drops(&"192.0.2.2".parse().unwrap()) == 5));
        kept.end();
    });
}

#[test]
fn whoever_takes_the_program_off_finds_it_back_on() {
    alone("taken off", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let mut kept = Kept::start(&room.options(&["hm0"]));
        let program = links(room).remove(0);
        foreign::take_off(&program);
        assert_eq!(kept.attached("hm0"), (AttachMode::Native, Why::CameOff));
        assert_eq!(kept.state("hm0"), InterfaceState::Attached);
        assert!(patient(|| links(room).len() == 1));
        Foreign::load("usurper").usurp(&links(room)[0]);
        assert_eq!(kept.attached("hm0"), (AttachMode::Native, Why::Replaced));
        assert_eq!(kept.state("hm0"), InterfaceState::Attached);
        kept.end();
    });
}

/// Dark ports are traps, and the trap's listener, which lives as long as this.
fn traps(room: &Room, interfaces: &[&str]) -> (Options, TcpListener) {
    let mut options = room.options(interfaces);
    options.dark = Dark::Trap;
    options.scan.ports = 16;
    (options, TcpListener::bind("127.0.0.1:0").unwrap())
}

/// Does a connection of the neighbour to a dark port reach the trap?
fn is_trapped(peer: &Peer, trap: &TcpListener) -> bool {
    let connect = || TcpStream::connect_timeout(&"192.0.2.1:23".parse().unwrap(), Duration::from_secs(2));
    let Ok(client) = peer.run(connect) else { return false };
    let (stranger, from) = trap.accept().unwrap();
    assert_eq!((from, stranger.local_addr().unwrap().port()), (client.local_addr().unwrap(), 23));
    true
}

#[test]
fn dark_ports_are_traps_on_every_interface_that_comes_however_often() {
    alone("steering that comes and goes", |room| {
        let (options, trap) = traps(room, &["lo", "hm0"]);
        let mut kept = Kept::start(&options);
        kept.kernel.arm(Some(trap.as_fd()), None).unwrap();
        kept.kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        assert_eq!((kept.steering("lo"), kept.steering("hm0")), (Steered::On, Steered::Off));
        let peer = Peer::new();
        for round in 0..3 {
            peer.cable("hm0", "hm1");
            assert_eq!(kept.steered("hm0"), Why::Came, "{round}");
            assert_eq!(kept.steering("hm0"), Steered::On);
            assert!(is_trapped(&peer, &trap), "{round}");
            assert_eq!(steerings(room).len(), 2, "pinned, and no dead pin besides");
            assert!(kept.kernel.guard().unwrap().is_none());
            ip("link set hm0 down");
            ip("link set hm0 up");
            assert_eq!(kept.steering("hm0"), Steered::On, "a flap changes nothing");
            ip("link del hm0");
            kept.absent("hm0");
            assert_eq!(kept.steering("hm0"), Steered::Off);
            assert!(patient(|| steerings(room).len() == 1), "the dead pin is gone");
        }
        peer.cable("hm0", "hm1");
        assert_eq!(kept.steered("hm0"), Why::Came);
        kept.end();
        assert_eq!(steerings(room).len(), 2, "it holds");
        // The next start takes over what the keeper has put on, and it is no second one in front of it.
        let mut kept = Kept::start(&options);
        assert_eq!((kept.steering("hm0"), steerings(room).len()), (Steered::On, 2));
        kept.kernel.arm(Some(trap.as_fd()), None).unwrap();
        kept.kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        let before = kept.kernel.counters().unwrap().steered;
        assert!(is_trapped(&peer, &trap));
        assert_eq!(kept.kernel.counters().unwrap().steered, before + 1);
        kept.end();
        let told = release(&room.pin_dir()).unwrap().join("\n");
        assert_eq!(told.matches("detached from hm0, removed").count(), 2, "{told}");
        assert!(!is_trapped(&peer, &trap));
    });
}

#[test]
fn whoever_takes_the_second_program_off_or_another_into_its_place_finds_it_back_on() {
    alone("steering taken off", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (options, trap) = traps(room, &["hm0"]);
        let mut kept = Kept::start(&options);
        kept.kernel.arm(Some(trap.as_fd()), None).unwrap();
        kept.kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        for _ in 0..2 {
            foreign::take_off(&steerings(room)[0]);
            assert_eq!(kept.steered("hm0"), Why::CameOff);
            assert_eq!((kept.steering("hm0"), kept.state("hm0")), (Steered::On, InterfaceState::Attached));
            assert_eq!(steerings(room).len(), 1);
            assert!(is_trapped(&peer, &trap));
            Foreign::load_tc("usurper").usurp(&steerings(room)[0]);
            assert_eq!(kept.steered("hm0"), Why::Replaced);
            assert_eq!(kept.steering("hm0"), Steered::On);
            assert!(is_trapped(&peer, &trap));
        }
        // Each is told as itself: taking one off says nothing of the other.
        foreign::take_off(&links(room)[0]);
        assert_eq!(kept.attached("hm0"), (AttachMode::Native, Why::CameOff));
        assert!(kept.kernel.guard().unwrap().is_none());
        assert_eq!(kept.kernel.counters().unwrap().steered, 4);
        kept.end();
    });
}

#[test]
fn without_a_keeper_a_second_program_that_is_off_is_seen_and_told() {
    alone("steering unkept", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (options, _trap) = traps(room, &["hm0"]);
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        let steering = |kernel: &Kernel| kernel.interfaces()[0].steering;
        assert_eq!(steering(&kernel), Steered::On);
        // In the link, but not ours.
        Foreign::load_tc("usurper").usurp(&steerings(room)[0]);
        assert_eq!(steering(&kernel), Steered::Off);
        let drift = kernel.guard().unwrap();
        assert_eq!((drift.unsteered, drift.detached), (vec!["hm0".to_owned()], Vec::new()));
        foreign::take_off(&steerings(room)[0]);
        assert_eq!(kernel.audit(&[], now()).unwrap().unsteered, ["hm0"]);
        assert_eq!(
            kernel.lookout(&options).unwrap().look().unwrap().interfaces[0].steering,
            Steered::Off,
            "the other one who looks, too"
        );
        kernel.release().unwrap();
    });
}

#[test]
fn where_dark_ports_refuse_nothing_is_steered_and_with_release_nothing_stays() {
    alone("steering unwanted and released", |room| {
        let peer = Peer::new();
        let mut kept = Kept::start(&room.options(&["lo", "hm0"]));
        peer.cable("hm0", "hm1");
        kept.attached("hm0");
        assert_eq!((kept.steering("lo"), kept.steering("hm0")), (Steered::Unwanted, Steered::Unwanted));
        assert!(steerings(room).is_empty());
        kept.end();
        release(&room.pin_dir()).unwrap();

        ip("link del hm0");
        let (mut options, trap) = traps(room, &["lo", "hm0"]);
        options.exit = OnExit::Release;
        let mut kept = Kept::start(&options);
        kept.kernel.arm(Some(trap.as_fd()), None).unwrap();
        kept.kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        peer.cable("hm0", "hm1");
        assert_eq!(kept.steered("hm0"), Why::Came);
        assert!(is_trapped(&peer, &trap));
        kept.end();
        assert!(patient(|| !is_trapped(&peer, &trap)), "with on_exit = release nothing stays");
    });
}

#[test]
fn an_occupied_interface_is_named_at_the_start_and_later_and_taken_once_it_is_free() {
    alone("occupied", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let refused = |occupant: &str, mend: &str| {
            let error = Kernel::start(&room.options(&["hm0"])).unwrap_err();
            assert!(matches!(&error, Error::Occupied { interface, .. } if interface == "hm0"), "{error}");
            let told = error.to_string();
            assert!(told.contains(occupant) && told.contains(", native") && told.contains(mend), "{told}");
        };
        Foreign::load("stranger").attach("hm0");
        refused("`stranger` (number ", "ip link set dev hm0 xdp off");
        ip("link set dev hm0 xdp off");
        let dispatcher = Foreign::load("xdp_dispatcher");
        let link = dispatcher.link("hm0");
        refused("libxdp's dispatcher", "xdp-loader unload --all hm0");

        let mut kept = Kept::start(&room.options(&["lo", "hm1x"]));
        kept.absent("hm1x");
        kept.end();
        let mut options = room.options(&["lo", "hm0x"]);
        options.exit = OnExit::Release;
        let mut kept = Kept::start(&options);
        kept.absent("hm0x");
        // It comes with somebody's program on it already.
        ip("link set dev hm0 down");
        ip("link set dev hm0 name hm0x");
        let program = kept.occupied("hm0x");
        assert_eq!(kept.state("hm0x"), InterfaceState::Occupied(program));
        assert_eq!(kept.kernel.guard().unwrap().detached, ["hm0x"]);
        drop(link);
        assert_eq!(kept.attached("hm0x").1, Why::Came);
        assert_eq!(kept.state("hm0x"), InterfaceState::Attached);
        kept.end();
        let index = nix::net::if_::if_nametoindex("hm0x").unwrap();
        assert!(index > 0);
        let shown = std::process::Command::new("ip").args(["link", "show", "dev", "hm0x"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&shown.stdout).contains("xdp"), "with on_exit = release nothing stays");
    });
}

#[test]
fn the_probes_honest_source_is_no_key_for_whoever_forges_it_in_a_lockdown_or_from_a_banned_prefix() {
    alone("forged honest source", |room| {
        let stage = Stage::new(room, Kind::Xdp);
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["hm0"])).unwrap();
        kernel.begin_probing().unwrap();
        kernel.set_allow(&[]).unwrap();
        kernel.raise(&full(SENTINEL), now()).unwrap();
        let forged = [("192.0.0.31", "192.0.0.0/24"), ("100:0:0:1::1f", "100:0:0:1::/64")];
        assert_eq!(forged.map(|(source, _)| stage.drops(&kernel, source)), [false; 2], "nobody has said anything about it yet");
        stage.hush(&kernel);
        kernel.set_lockdown(Lockdown::Confirmed).unwrap();
        assert_eq!(forged.map(|(source, _)| stage.drops(&kernel, source)), [true; 2], "a lockdown keeps it out");
        kernel.set_lockdown(Lockdown::Off).unwrap();
        for (_, prefix) in forged {
            kernel.raise(&full(prefix), now()).unwrap();
        }
        assert_eq!(forged.map(|(source, _)| stage.drops(&kernel, source)), [true; 2], "a ban holds");
    });
}

#[test]
fn the_probe_proves_and_sabotage_is_noticed_and_named() {
    alone("self-probe", |room| {
        let mut kept = Kept::start(&room.options(&["lo"]));
        let good = Probed { banned: [Fared::Dropped; 2], honest: [Fared::Passed; 2] };
        let probed = kept.probed();
        assert_eq!((probed, kept.kernel.probed(&probed)), (good, Ok(())));
        let counters = kept.kernel.counters().unwrap();
        assert_eq!((counters.dropped, counters.dropped_v4, counters.dropped_v6), (0, 0, 0), "users do not see it");
        assert_eq!(kept.kernel.bans(), 0);
        assert!(kept.kernel.audit(&[], now()).unwrap().is_none(), "no audit takes it for drift");

        // Its ban cannot be lifted, and banning everybody does not touch its honest source.
        assert!(!kept.kernel.lift(&"192.0.0.8".parse().unwrap()).unwrap());
        kept.kernel.raise(&hour("0.0.0.0/0", Scope::All), now()).unwrap();
        kept.kernel.raise(&hour("::/0", Scope::All), now()).unwrap();
        let probed = kept.probed();
        assert_eq!(kept.kernel.probed(&probed), Ok(()));

        kept.kernel.set_lockdown(Lockdown::Confirmed).unwrap();
        let probed = kept.probed();
        assert_eq!((probed, kept.kernel.probed(&probed)), (good, Ok(())), "also in a lockdown");
        kept.kernel.set_lockdown(Lockdown::Off).unwrap();

        // Whoever empties the table is found out, and the guard says what was gone.
        empty(&room.pins().join("maps/HM_LINES4"));
        kept.kernel.lift(&"0.0.0.0/0".parse().unwrap()).unwrap();
        let probed = kept.probed();
        assert_eq!(kept.kernel.probed(&probed).unwrap_err(), "a banned IPv4 source was let through");
        let drift = kept.kernel.guard().unwrap();
        assert_eq!(drift.missing, ["192.0.0.8/32".parse().unwrap()]);

        // Whoever switches enforcement off, too.
        silence(&room.pins().join("maps/HM_SETTINGS"));
        let probed = kept.probed();
        let why = kept.kernel.probed(&probed).unwrap_err();
        assert_eq!(why, "a banned IPv4 source was let through; a banned IPv6 source was let through");
        assert!(kept.kernel.guard().unwrap().settings_changed);
        let probed = kept.probed();
        assert_eq!((probed, kept.kernel.probed(&probed)), (good, Ok(())), "mended");

        // While only observing, nothing may be dropped.
        kept.kernel.set_enforcing(false).unwrap();
        let probed = kept.probed();
        assert_eq!(kept.kernel.probed(&probed), Ok(()));
        assert_eq!(kept.kernel.counters().unwrap().would_drop, Counters::default().would_drop);
        kept.end();
    });
}

/// Wipes every line of a pinned table of exact bans; the header stays.
fn empty(pin: &std::path::Path) {
    let data = aya::maps::MapData::from_pin(pin).unwrap();
    let mut lines: aya::maps::Array<_, [u8; 64]> = aya::maps::Map::from_map_data(data).unwrap().try_into().unwrap();
    for element in 1..lines.len() {
        lines.set(element, [0; 64], 0).unwrap();
    }
}

/// Clears the gate without which everything passes.
fn silence(pin: &std::path::Path) {
    let data = aya::maps::MapData::from_pin(pin).unwrap();
    let mut map: aya::maps::Array<_, [u32; size_of::<honeymesh_xdp_abi::Settings>() / 4]> =
        aya::maps::Map::from_map_data(data).unwrap().try_into().unwrap();
    let mut settings = map.get(&0, 0).unwrap();
    settings[1] &= !honeymesh_xdp_abi::Gates::ENFORCING.0;
    map.set(0, settings, 0).unwrap();
}

#[test]
fn release_takes_everything_off_whoever_pinned_it_and_says_so() {
    alone("release verb", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let kept = Kept::start(&room.options(&["lo", "hm0"]));
        let refused = release(&room.pin_dir()).unwrap_err();
        assert!(
            matches!(refused, Error::InUse { .. }) && refused.to_string().contains(&std::process::id().to_string()),
            "{refused}"
        );
        kept.end();
        // Another version's leavings, and a link that some other part of it pinned deeper down.
        let other = room.pin_dir().join("v0");
        std::fs::create_dir_all(other.join("links/tc")).unwrap();
        std::fs::rename(room.pins().join("maps"), other.join("maps")).unwrap();
        let lo = links(room).into_iter().find(|pin| pin.to_str().unwrap().ends_with("generic")).unwrap();
        std::fs::rename(&lo, other.join("links/tc/1_ingress")).unwrap();
        let told = release(&room.pin_dir()).unwrap();
        let all = told.join("\n");
        assert!(
            all.contains("detached from hm0, removed") && all.contains("v0/links/tc/1_ingress: detached from lo, removed"),
            "{all}"
        );
        assert!(
            all.contains("v0/maps/HM_BANS4: removed") && all.contains(&format!("v{}: removed", honeymesh_xdp_abi::VERSION)),
            "{all}"
        );
        for interface in ["lo", "hm0"] {
            let shown = std::process::Command::new("ip").args(["link", "show", "dev", interface]).output().unwrap();
            assert!(!String::from_utf8_lossy(&shown.stdout).contains("xdp"), "{interface}");
        }
        assert!(!other.exists() && !room.pins().exists() && room.pin_dir().exists(), "only the mount itself stays");
        assert_eq!(release(&room.pin_dir()).unwrap(), [""; 0], "a second time there is nothing to do");
    });
}
