//! A container as docker has it: behind a bridge, with a published port that is translated to it, and translated itself on its way out.

use super::{MOMENT, Talk, drops_of, net_of};
use crate::common::{Net, Rung, connect_from, eventually, in_namespace, sh};
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

/// How long a connection may take that stands in the end.
const PATIENCE: Duration = Duration::from_millis(900);
/// Who is banned, and who is not; both are outside.
const BANNED: [&str; 2] = ["10.77.0.2", "fd77::2"];
const HONEST: [&str; 2] = ["10.77.0.3", "fd77::3"];
/// Where the port is published, the container behind it, and what it calls outside.
const PUBLISHED: [&str; 2] = ["10.77.0.1:8080", "[fd77::1]:8080"];
const CONTAINER: [&str; 2] = ["172.17.0.2", "fd17::2"];
const OUTSIDE: u16 = 9_000;

/// What docker tells nf_tables, in both families: the published port, whatever leaves, and nothing else that is forwarded.
const RULES: &str = "
table ip docker {
  chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8080 dnat to 172.17.0.2:80; }
  chain POSTROUTING { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 oifname != docker0 masquerade; }
}
table ip6 docker {
  chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8080 dnat to [fd17::2]:80; }
  chain POSTROUTING { type nat hook postrouting priority srcnat; ip6 saddr fd17::/64 oifname != docker0 masquerade; }
}
table inet docker {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname docker0 accept
    oifname docker0 ct status dnat accept
  }
}";

/// The container's namespace; gone when dropped.
struct Container(String);

impl Container {
    fn of(net: &Net) -> Self {
        let (node, container) = (&net.node, format!("{}c", net.node));
        sh(&format!(
            "ip netns add {container}
             ip -n {node} link add docker0 type bridge; ip -n {node} link set docker0 up
             ip -n {node} addr add 172.17.0.1/16 dev docker0; ip -n {node} addr add fd17::1/64 dev docker0 nodad
             ip link add veth1 netns {node} type veth peer name eth0 netns {container}
             ip -n {node} link set veth1 master docker0 up
             ip -n {container} addr add {}/16 dev eth0; ip -n {container} addr add {}/64 dev eth0 nodad
             ip -n {container} link set lo up; ip -n {container} link set eth0 up
             ip -n {container} route add default via 172.17.0.1; ip -n {container} -6 route add default via fd17::1
             echo '{RULES}' | nsenter --net=/run/netns/{node} nft -f -",
            CONTAINER[0], CONTAINER[1]
        ));
        let forward = || {
            for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                fs::write(format!("/proc/sys/net/{switch}"), "1").unwrap();
            }
        };
        in_namespace(node, forward).join().unwrap();
        Self(container)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Gives back whatever it hears.
fn echo(namespace: &str, at: Vec<SocketAddr>) {
    let listen = move || at.into_iter().map(|at| TcpListener::bind(at).unwrap()).collect::<Vec<_>>();
    for listener in in_namespace(namespace, listen).join().unwrap() {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
    }
}

fn at(addr: &str, port: u16) -> SocketAddr {
    SocketAddr::new(addr.parse().unwrap(), port)
}

/// A connection from the outside to the published port.
fn inward(net: &Net, from: &'static str) -> Option<TcpStream> {
    let to: SocketAddr = PUBLISHED[usize::from(from.contains(':'))].parse().unwrap();
    in_namespace(&net.stranger, move || connect_from(from, to, PATIENCE)).join().unwrap()
}

/// A connection of the container to somebody outside.
fn outward(container: &Container, to: &'static str) -> Option<TcpStream> {
    let from = CONTAINER[usize::from(to.contains(':'))];
    in_namespace(&container.0, move || connect_from(from, at(to, OUTSIDE), PATIENCE)).join().unwrap()
}

pub(super) fn published_and_outward_connections_of_a_container_are_cut_for_banned_sources_only(rung: Rung) {
    let net = Net::on(rung);
    let link = format!("s{}", &net.interface[1..]);
    for addr in HONEST {
        sh(&format!("ip -n {} addr add {addr}{} dev {link}", net.stranger, net_of(addr)));
    }
    let container = Container::of(&net);
    echo(&container.0, CONTAINER.iter().map(|addr| at(addr, 80)).collect());
    echo(&net.stranger, BANNED.iter().chain(&HONEST).map(|addr| at(addr, OUTSIDE)).collect());
    // A port that is published by translation alone has no socket here, so it has to be named where dark ports are trapped.
    let daemon = net.start(&net.config("[traps]\ndark = \"trap\"\nexcept = [8080]\n"));

    let stands = |what: &str, open: &dyn Fn() -> Option<TcpStream>| {
        let stream = eventually(what, open);
        stream.set_read_timeout(Some(MOMENT)).unwrap();
        Talk(stream.peer_addr().unwrap(), stream)
    };
    let talks = |who: [&'static str; 2]| {
        who.map(|who| [stands("a visit", &|| inward(&net, who)), stands("a call", &|| outward(&container, who))])
    };
    let (mut banned, mut honest) = (talks(BANNED), talks(HONEST));
    let all_hear = |talks: &mut [[Talk; 2]; 2], words: &str| {
        for talk in talks.iter_mut().flatten() {
            talk.say(words);
            assert_eq!(eventually("an echo", || talk.heard()), words, "{}", talk.0);
        }
    };
    all_hear(&mut banned, "before");
    all_hear(&mut honest, "before");
    BANNED.iter().for_each(|who| drop(net.told(&["ban", who])));
    for (talks, who) in banned.iter_mut().zip(BANNED) {
        for talk in talks {
            let before = drops_of(&net, who);
            talk.say("during");
            eventually("it is dropped", || (drops_of(&net, who) > before).then_some(()));
            assert_eq!(talk.heard(), None, "{}: nothing of it arrives, or no answer does", talk.0);
        }
        assert!(inward(&net, who).is_none() && outward(&container, who).is_none(), "{who}: nor does anything new");
    }
    all_hear(&mut honest, "during");
    assert!(HONEST.into_iter().all(|who| inward(&net, who).is_some() && outward(&container, who).is_some()));
    BANNED.iter().for_each(|who| drop(net.told(&["unban", who])));
    for talk in banned.iter_mut().flatten() {
        assert_eq!(eventually("the echo of what was held up", || talk.heard()), "during", "{}", talk.0);
    }
    assert!(BANNED.into_iter().all(|who| inward(&net, who).is_some() && outward(&container, who).is_some()));
    assert!(daemon.stop().0.success());
}
