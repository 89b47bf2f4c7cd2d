//! Real clients over UDP.

use crate::support::{Traps, printed, run, run_until_it_leaves, run_with};
use honeymesh_trap::{Limits, Options, TrapOptions, bind};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::{Signs, Transport, Visit};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

/// So long is waited until a trap has heard what was sent to it.
const HEARD_BY: Duration = Duration::from_millis(200);
/// So long is waited until what a trap has answered was heard.
const HEARD_ALL_BY: Duration = Duration::from_secs(30);
/// Rounds of a flood.
const ROUNDS_MIN: u64 = 100;
/// Rounds until a budget must be spent.
const ROUNDS_MAX: u64 = 1_000;
/// So many ports are tried that are to be free for connections and datagrams.
const PORTS_TRIED: usize = 20;

/// The next datagram's report at this trap.
async fn datagram(traps: &mut Traps, trap: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.transport == Transport::Udp).await
}

async fn field(traps: &mut Traps, trap: &str, name: &str, value: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.fields.get(name).is_some_and(|said| said == value)).await
}

/// A service over UDP alone.
fn udp(service: &str) -> Definition {
    Definition { service: service.into(), transport: Some("udp".into()), ..Definition::default() }
}

/// memcached over UDP, which is not the usual.
fn memcached() -> Traps {
    Traps::one(&udp("memcached"))
}

#[tokio::test(flavor = "multi_thread")]
async fn dig_is_refused_and_shows_what_it_wants() {
    let mut traps = Traps::usual();
    for (trap, server) in [("dns", "@127.0.0.1"), ("dns6", "@::1")] {
        let port = traps.port(trap).to_string();
        let said = printed(&run("dig", &["+tries=1", "+time=15", "+notcp", "-p", &port, server, "isc.org", "ANY"]).await);
        assert!(said.contains("status: REFUSED") && said.contains("EDE: 18 (Prohibited)"), "{said}");
        let visit = datagram(&mut traps, trap).await;
        let fields = ["qname", "qtype", "edns_size"].map(|name| visit.fields[name].as_str());
        assert_eq!((fields, visit.signs), (["isc.org", "ANY", "1232"], Signs::RULE));
        assert_eq!((visit.local, visit.source.ip()), (traps.address(trap), traps.address(trap).ip()));
        assert_eq!((visit.service.as_str(), visit.bytes), ("dns", visit.payload.len() as u64));
    }
    let port = traps.port("dns").to_string();
    let version = ["+ignore", "+tries=1", "+time=15", "-p", &port, "@127.0.0.1", "version.bind", "CH", "TXT"];
    let short = printed(&run("dig", &version).await);
    assert!(short.contains("flags: qr aa tc rd"), "{short}");
    let whole = printed(&run("dig", &[&version[1..], &["+tcp"]].concat()).await);
    assert!(whole.contains("\"9.20.30-1~deb13u1-Debian\""), "{whole}");
    let long = printed(&run("dig", &[&version[..], &["+padding=128"]].concat()).await);
    assert!(long.contains("\"9.20.30-1~deb13u1-Debian\""), "{long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_the_time() {
    let mut traps = Traps::usual();
    let port = traps.port("ntp");
    let ask = "import socket,struct,time,sys\n\
               s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(15)\n\
               s.sendto(b'\\x23'+b'\\0'*39+b'transmit',('127.0.0.1',int(sys.argv[1])))\n\
               a=s.recv(99);print(len(a),a[0],a[1],a[24:32].decode(),abs(struct.unpack('>I',a[40:44])[0]-2208988800-time.time())<5)\n";
    let said = printed(&run("python3", &["-c", ask, &port.to_string()]).await);
    assert_eq!(said.trim(), "48 36 3 transmit True");
    assert_eq!(field(&mut traps, "ntp", "request", "client").await.signs, Signs::empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn snmpget_gives_its_community_away() {
    let mut traps = Traps::usual();
    let target = format!("127.0.0.1:{}", traps.port("snmp"));
    let get = |seconds: &'static str, version: &'static str, community: &'static str, oid: &'static str| {
        let target = target.clone();
        async move { printed(&run("snmpget", &["-r", "0", "-t", seconds, version, "-c", community, &target, oid]).await) }
    };
    let told = get("10", "-v2c", "public", "1.3.6.1.2.1.1.1.0").await;
    assert!(told.contains("No Such Object"), "{told}");
    let none = get("10", "-v2c", "private", "1.3.6.1.4.1.9.1").await;
    assert!(none.contains("No Such Object"), "{none}");
    let old = get("10", "-v1", "public", "1.3.6.1.4.1.9.1").await;
    assert!(old.contains("noSuchName") || old.contains("There is no such variable name"), "{old}");
    let silent = get("1", "-v2c", "s3cret", "1.3.6.1.2.1.1.5.0").await;
    assert!(silent.contains("Timeout"), "{silent}");
    let visit = field(&mut traps, "snmp", "community", "s3cret").await;
    assert_eq!((visit.fields["oid"].as_str(), visit.signs), ("1.3.6.1.2.1.1.5.0", Signs::CREDENTIALS));
    let v3 = [
        "-v3", "-l", "authPriv", "-u", "admin", "-a", "SHA", "-A", "password", "-x", "AES", "-X", "password", "-r", "0", "-t",
        "1",
    ];
    let _silent = run("snmpget", &[&v3[..], &[&target, "1.3.6.1.2.1.1.1.0"]].concat()).await;
    assert_eq!(field(&mut traps, "snmp", "version", "3").await.fields["request"], "discovery");
}

#[tokio::test(flavor = "multi_thread")]
async fn tftp_and_curl_find_nothing_and_leave_what_they_bring() {
    let mut traps = Traps::usual();
    let port = traps.port("tftp").to_string();
    let folder = std::env::temp_dir().join(format!("honeymesh-tftp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (brought, got) = (folder.join("bot.elf"), folder.join("got"));
    std::fs::write(&brought, [b"\x7fELF".as_slice(), &[7; 1_200]].concat()).unwrap();
    let commands = [
        "mode binary\n",
        &format!("get startup-config {}\n", got.display()),
        &format!("put {} bot.elf\n", brought.display()),
        "quit\n",
    ];
    let said = printed(&run_until_it_leaves("tftp", &["127.0.0.1", &port], &commands).await);
    assert!(said.contains("File not found"), "{said}");
    let read = field(&mut traps, "tftp", "request", "read").await;
    assert_eq!((read.fields["file"].as_str(), read.fields["mode"].as_str()), ("startup-config", "octet"));
    let write = field(&mut traps, "tftp", "request", "write").await;
    assert_eq!((write.fields["file"].as_str(), write.signs), ("bot.elf", Signs::RULE));
    let mut whole = Vec::new();
    let mut ports = BTreeSet::new();
    for block in ["1", "2", "3"] {
        let data = field(&mut traps, "tftp", "block", block).await;
        // The client goes on where the answer came from, and is the same that asked.
        assert_eq!((data.source, data.local), (write.source, traps.address("tftp")));
        ports.insert(data.fields["transfer_port"].clone());
        whole.extend_from_slice(&data.payload[4..]);
    }
    assert_eq!(whole, std::fs::read(&brought).unwrap());
    assert!(ports.len() == 1 && !ports.contains(&port) && !write.fields.contains_key("transfer_port"), "{ports:?}");
    let url = format!("tftp://127.0.0.1:{port}/curl.bin");
    let curl = run("curl", &["-sS", "-m", "20", "-T", &brought.display().to_string(), &url]).await;
    assert!(curl.status.success(), "{}", printed(&curl));
    assert_eq!(field(&mut traps, "tftp", "file", "curl.bin").await.fields["tsize"], "1204");
    let last = field(&mut traps, "tftp", "block", "3").await;
    assert!(!ports.contains(&last.fields["transfer_port"]), "a port for each: {:?}", last.fields);
    let status = traps.status("tftp");
    assert_eq!((status.transfers, status.transfers_limited, status.answers_refused), (2, 0, 0), "{status:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sipsak_registers_and_its_nonce_proves_where_it_is() {
    let mut traps = Traps::usual();
    let uri = format!("sip:1000@127.0.0.1:{}", traps.port("sip"));
    let options = printed(&run("sipsak", &["-vv", "-s", &uri]).await);
    assert!(options.contains("200 OK"), "{options}");
    assert_eq!(field(&mut traps, "sip", "method", "OPTIONS").await.signs & Signs::RETURNED, Signs::empty());
    let register =
        printed(&run("sipsak", &["-U", "-C", "sip:a@192.0.2.7:5060", "-vv", "-u", "1000", "-a", "s3cret", "-s", &uri]).await);
    assert!(register.contains("401"), "{register}");
    let tried = traps.visit_where(|visit| visit.trap == "sip" && visit.signs.contains(Signs::CREDENTIALS)).await;
    assert!(tried.signs.contains(Signs::RETURNED), "{register} {:?}", tried.fields);
    assert_eq!((tried.fields["username"].as_str(), tried.fields["realm"].as_str()), ("1000", "asterisk"));
    assert!(tried.fields["digest"].starts_with("$sip$***1000*asterisk*REGISTER*sip*"), "{:?}", tried.fields);
    let status = traps.status("sip");
    assert!(status.answered >= 3 && status.answers_refused == 0, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sip_is_spoken_over_tcp_on_the_same_port() {
    let mut traps = Traps::usual();
    let port = traps.port("sip").to_string();
    let request = "OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:1@a>;tag=1\r\n\
                   To: <sip:100@a>\r\nCall-ID: 9\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let said = printed(&run_with("nc", &["-N", "127.0.0.1", &port], &[request]).await);
    assert!(said.starts_with("SIP/2.0 200 OK\r\n") && said.contains("Server: Asterisk PBX 22.7.0\r\n"), "{said}");
    let visit = field(&mut traps, "sip", "method", "OPTIONS").await;
    assert_eq!(visit.transport, Transport::Tcp);
}

#[tokio::test(flavor = "multi_thread")]
async fn nc_asks_memcached_and_ssdp() {
    let mut traps = memcached();
    let port = traps.port("memcached").to_string();
    let said = printed(&run_with("nc", &["-u", "-w", "5", "127.0.0.1", &port], &["\0\x01\0\0\0\x01\0\0get secret\r\n"]).await);
    assert_eq!(said, "\0\x01\0\0\0\x01\0\0END\r\n");
    assert_eq!(datagram(&mut traps, "memcached").await.fields["command"], "get secret");
    let silent = printed(&run_with("nc", &["-u", "-w", "1", "127.0.0.1", &port], &["\0\x01\0\0\0\x01\0\0stats\r\n"]).await);
    assert_eq!(silent, "");
    assert_eq!(datagram(&mut traps, "memcached").await.fields["attempt"], "amplification");
    let mut traps = Traps::usual();
    let port = traps.port("ssdp").to_string();
    let search = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n";
    assert_eq!(printed(&run_with("nc", &["-u", "-w", "1", "127.0.0.1", &port], &[search]).await), "");
    assert_eq!(datagram(&mut traps, "ssdp").await.fields["target"], "ssdp:all");
}

/// What every service over UDP answers, as a flood asks it.
const FLOODS: [(&str, &[u8]); 7] = [
    ("dns", b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03isc\x03org\0\0\xff\0\x01"),
    ("ntp", b"\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0transmit"),
    // An object that nobody has.
    ("snmp", b"\x30\x27\x02\x01\x01\x04\x06public\xa0\x1a\x02\x02\x12\x34\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x04\x01\x09\x01\x07\x05\0"),
    ("tftp", b"\0\x01startup-config-of-the-router\0octet\0"),
    (
        "sip",
        b"OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\nFrom: <sip:1@a>;tag=1\r\n\
        To: <sip:100@a>\r\nCall-ID: 9\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\nUser-Agent: friendly-scanner-friendly-scanner\r\n\
        Accept: application/sdp, application/dialog-info+xml, application/simple-message-summary, application/xpidf+xml\r\n\
        Supported: 100rel, timer, replaces, norefersub\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY\r\n\
        Subject: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n",
    ),
    (
        "ssdp",
        b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\
        USER-AGENT: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n",
    ),
    ("memcached", b"\0\x01\0\0\0\x01\0\0get secret\r\n"),
];

/// Each of them, and no other, is asked: a service over UDP that is missing above is one that nobody has flooded.
#[test]
fn every_service_over_udp_is_flooded() {
    let over_udp: BTreeSet<&str> =
        Service::NAMES.iter().copied().filter(|name| Service::define(&udp(name), &Persona::of([7; 32])).is_ok()).collect();
    assert_eq!(over_udp, FLOODS.map(|(name, _)| name).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flood_gets_more_than_it_sends() {
    for (neighbourhood, (name, query)) in (1..).zip(FLOODS) {
        flood(&udp(name), query, neighbourhood).await;
    }
}

/// Some sources of one neighbourhood, each with more than its share.
async fn flood(definition: &Definition, query: &[u8], neighbourhood: u8) {
    let mut traps = Traps::one(definition);
    let name = definition.service.as_str();
    let to = traps.address(name);
    let mut sent = 0_u64;
    let mut heard = 0_u64;
    let mut sockets = Vec::new();
    for last in 1..=16_u8 {
        sockets.push(UdpSocket::bind(SocketAddr::from(([127, 7, neighbourhood, last], 0))).await.unwrap());
    }
    let (flood, mut answer) = (Instant::now(), [0; 2_048]);
    // Whoever is slow may be answered for a while within the budget.
    for round in 1..=ROUNDS_MAX {
        if round > ROUNDS_MIN && traps.status(name).answers_limited > 0 {
            break;
        }
        let all = traps.status(name).datagrams + sockets.len() as u64;
        for socket in &sockets {
            socket.send_to(query, to).await.unwrap();
            sent += query.len() as u64;
        }
        // No more at once than the kernel keeps for a trap that has no processor just now.
        let begun = Instant::now();
        while traps.status(name).datagrams < all && begun.elapsed() < HEARD_BY {
            sleep(Duration::from_millis(1)).await;
        }
        // Nor for us.
        for socket in &sockets {
            while let Ok(length) = socket.try_recv(&mut answer) {
                assert!(length <= query.len(), "{name}: {length} octets for {}", query.len());
                heard += length as u64;
            }
        }
        while timeout(Duration::ZERO, traps.visit()).await.is_ok() {}
    }
    let lasted = flood.elapsed();
    // The last answers may still be on their way.
    let begun = Instant::now();
    while heard == 0 || heard < traps.status(name).answered_bytes {
        assert!(begun.elapsed() < HEARD_ALL_BY, "heard {heard}: {:?}", traps.status(name));
        for socket in &sockets {
            while let Ok(Ok(length)) = timeout(Duration::from_millis(100), socket.recv(&mut answer)).await {
                heard += length as u64;
            }
        }
    }
    while timeout(Duration::from_millis(300), traps.visit()).await.is_ok() {}
    let status = traps.status(name);
    eprintln!("{name}: sent {sent}, heard {heard}: {status:?}");
    assert!(heard > 0 && heard <= sent && heard == status.answered_bytes, "{name}");
    assert!(status.answered <= 256 + 128 * (lasted.as_secs() + 1), "one neighbourhood: {status:?} in {lasted:?}");
    assert!(status.answers_limited > 0 && status.answers_refused == 0, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_on_one_transport_leaves_the_other_alone() {
    let listen: Vec<SocketAddr> = vec!["127.0.0.1:0".parse().unwrap()];
    let service = |name: &str, transport: Option<&str>| {
        let transport = transport.map(Into::into);
        Service::define(&Definition { service: name.into(), transport, ..Definition::default() }, &Persona::of([7; 32])).unwrap()
    };
    let trap = |name: &str, service, listen| TrapOptions { name: name.into(), service, listen };
    let bound = |name: &str, service, listen| {
        bind(Options { traps: vec![trap(name, service, listen)], dark: None, limits: Limits::default() })
    };
    // The number that the kernel gives for datagrams may be somebody's connection.
    let both = (0..PORTS_TRIED).find_map(|_| {
        let first = bound("udp", service("sip", Some("udp")), listen.clone()).unwrap();
        let same = first.addresses().into_iter().map(|(_, address)| address).collect();
        Some((first, bound("tcp", service("ftp", None), same).ok()?))
    });
    let (first, second) = both.expect("no port is free for both");
    let (first, second) = (Traps::of(first), Traps::of(second));
    assert_eq!(first.address("udp"), second.address("tcp"));
}
