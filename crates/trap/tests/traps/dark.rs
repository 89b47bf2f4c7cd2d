//! The trap on dark ports, met as the kernel program would bring strangers: on the sockets it listens on.

use crate::support::{clock, printed, run};
use honeymesh_trap::{Bound, DARK, Limits, Options, bind};
use honeymesh_trap_proto::{Bait, Http, Persona, Service};
use honeymesh_types::{Signs, Visit};
use socket2::SockRef;
use std::{
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

fn open() -> Bound {
    let own = Service::Http(Http::new("Apache/2.4.62 (Debian)").unwrap());
    bind(Options { traps: Vec::new(), dark: Some(Bait::like([own].iter(), &Persona::of([7; 32]))), limits: Limits::default() })
        .unwrap()
}

fn address(socket: Option<BorrowedFd<'_>>) -> SocketAddr {
    SockRef::from(&socket.unwrap().as_fd()).local_addr().unwrap().as_socket().unwrap()
}

fn start(bound: Bound) -> mpsc::Receiver<Visit> {
    let (sender, visits) = mpsc::channel(64);
    tokio::spawn(bound.run(sender, clock, std::future::pending()));
    visits
}

#[tokio::test]
async fn it_listens_where_no_stranger_comes_and_has_no_address_to_show() {
    let bound = open();
    let [v4, v6] = bound.dark_sockets().map(address);
    assert!(v4.ip().is_loopback() && v4.is_ipv4() && v6.ip().is_loopback() && v6.is_ipv6());
    assert!(bound.addresses().is_empty());
    let status = &bound.status().read()[0];
    assert_eq!((status.name.as_str(), status.service, status.listen.len()), (DARK, "any", 0));
    let none = bind(Options { traps: Vec::new(), dark: None, limits: Limits::default() }).unwrap();
    assert!(none.dark_sockets().iter().all(Option::is_none));
}

#[tokio::test]
async fn real_curl_is_played_by_the_operators_web_trap_and_reported_as_from_a_dark_port() {
    let bound = open();
    let [v4, v6] = bound.dark_sockets().map(address);
    let mut visits = start(bound);
    for at in [v4, v6] {
        let output = run("curl", &["--silent", "--include", "--max-time", "5", &format!("http://{at}/x")]).await;
        let text = printed(&output);
        assert!(text.starts_with("HTTP/1.1 404 Not Found") && text.contains("Server: Apache/2.4.62 (Debian)"), "{text}");
        let visit = visits.recv().await.unwrap();
        assert_eq!((visit.trap.as_str(), visit.service.as_str(), visit.local), (DARK, "any", at));
        assert_eq!((visit.signs, visit.fields["protocol"].as_str()), (Signs::DARK, "http"));
    }
}

#[tokio::test]
async fn it_says_nothing_first_and_takes_down_whatever_comes() {
    let bound = open();
    let [v4, _] = bound.dark_sockets().map(address);
    let mut visits = start(bound);
    let mut stranger = TcpStream::connect(v4).await.unwrap();
    stranger.write_all(b"\x00\x01hello\n").await.unwrap();
    let visit = visits.recv().await.unwrap();
    assert_eq!((visit.payload.as_slice(), visit.signs), (b"\x00\x01hello\n".as_slice(), Signs::DARK));
    stranger.shutdown().await.unwrap();
    assert_eq!(stranger.read(&mut [0; 16]).await.unwrap(), 0, "not a byte was answered");
}
