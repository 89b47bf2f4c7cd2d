//! Real clients, guessers and scanners at what Windows machines and their like serve.

use crate::support::{Traps, printed, run, run_with};
use honeymesh_trap_proto::Definition;
use honeymesh_types::{Signs, Visit};

async fn login(traps: &mut Traps, trap: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.signs.contains(Signs::CREDENTIALS)).await
}

fn told<const N: usize>(visit: &Visit, names: [&str; N]) -> [String; N] {
    names.map(|name| visit.fields.get(name).cloned().unwrap_or_default())
}

/// Runs a few lines of Python with Debian's own modules.
async fn python(script: &str) -> String {
    printed(&run("/usr/bin/python3", &["-c", script]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn tsql_gives_its_password_away() {
    let mut traps = Traps::usual();
    let port = traps.port("mssql").to_string();
    let arguments = ["-H", "127.0.0.1", "-p", &port, "-U", "sa", "-P", "Winter2026!", "-D", "shop"];
    let said = printed(&run_with("tsql", &arguments, &["SELECT 1\n", "GO\n"]).await);
    assert!(said.contains("18456") && said.contains("Login failed for user 'sa'."), "{said}");
    let visit = login(&mut traps, "mssql").await;
    assert_eq!(told(&visit, ["username", "password", "database"]), ["sa", "Winter2026!", "shop"]);
    assert!(!visit.fields["client_host"].is_empty() && !visit.fields["library"].is_empty(), "{:?}", visit.fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn impacket_logs_in_to_sql_server_with_a_password_and_with_ntlm() {
    let mut traps = Traps::usual();
    let port = traps.port("mssql");
    for (domain, windows) in [("None", "False"), ("'CORP'", "True")] {
        let said = python(&format!(
            "from impacket import tds\ns = tds.MSSQL('127.0.0.1', {port})\ns.connect()\n\
             print(s.login(None, 'admin', 'hunter2', {domain}, None, {windows}))\n\
             print([m['MsgText'].decode('utf-16le') for m in s.replies[tds.TDS_ERROR_TOKEN]])"
        ))
        .await;
        assert!(said.contains("False") && said.contains("Login failed"), "{said}");
        let visit = login(&mut traps, "mssql").await;
        assert_eq!(visit.fields["username"], "admin");
        if windows == "True" {
            assert!(visit.fields["hash"].starts_with("admin::CORP:"), "{:?}", visit.fields);
        } else {
            assert_eq!(visit.fields["password"], "hunter2");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hydras_tries_at_sql_server_are_read() {
    let mut traps = Traps::one(&Definition { service: "mssql".into(), ..Definition::default() });
    let url = format!("mssql://127.0.0.1:{}", traps.port("mssql"));
    let said = printed(&run("hydra", &["-I", "-t", "1", "-l", "sa", "-p", "hunter2", &url]).await);
    assert!(said.contains("0 valid password"), "{said}");
    assert_eq!(told(&login(&mut traps, "mssql").await, ["username", "password"]), ["sa", "hunter2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn smbclient_answers_a_challenge_in_every_protocol_and_gets_as_far_as_nobody() {
    let mut traps = Traps::usual();
    let port = traps.port("smb").to_string();
    for protocol in ["SMB3_11", "SMB3_00", "SMB2_10", "SMB2_02", "NT1"] {
        let (lowest, highest) = (format!("client min protocol={protocol}"), format!("client max protocol={protocol}"));
        let common = ["-L", "127.0.0.1", "-p", &port, "--option", &lowest, "--option", &highest];
        let said = printed(&run("smbclient", &[&common[..], &["-U", "CORP\\admin%hunter2"]].concat()).await);
        assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{protocol}: {said}");
        let visit = login(&mut traps, "smb").await;
        assert_eq!(told(&visit, ["username", "domain"]), ["admin", "CORP"], "{protocol}");
        assert!(visit.fields["hash"].starts_with("admin::CORP:"), "{protocol}: {:?}", visit.fields);
        let said = printed(&run("smbclient", &[&common[..], &["-N"]].concat()).await);
        assert!(said.contains("Anonymous login successful"), "{protocol}: {said}");
        let visit = traps.visit_where(|visit| visit.fields.contains_key("share")).await;
        assert!(visit.fields["share"].to_uppercase().ends_with("\\IPC$"), "{:?}", visit.fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_impacket_answers_can_be_checked_against_its_password() {
    let mut traps = Traps::usual();
    let port = traps.port("smb");
    let said = python(&format!(
        "from impacket.smbconnection import SMBConnection\nc = SMBConnection('FILES', '127.0.0.1', sess_port={port})\n\
         print(c.getServerOS(), c.getServerName())\nc.login('admin', 'hunter2', 'CORP')"
    ))
    .await;
    assert!(said.contains("STATUS_LOGON_FAILURE"), "{said}");
    let hash = login(&mut traps, "smb").await.fields["hash"].clone();
    let parts: Vec<&str> = hash.split(':').collect();
    let [user, "", domain, challenge, proof, blob] = parts[..] else { panic!("{hash}") };
    let computed = python(&format!(
        "import hmac\nfrom impacket.ntlm import NTOWFv2\nfrom binascii import unhexlify as u\n\
         print(hmac.new(NTOWFv2('{user}', 'hunter2', '{domain}'), u('{challenge}') + u('{blob}'), 'md5').hexdigest())"
    ))
    .await;
    assert_eq!(computed.trim(), proof);
}

#[tokio::test(flavor = "multi_thread")]
async fn hydras_tries_at_smb_are_kept() {
    let mut traps = Traps::usual();
    let url = format!("smb://127.0.0.1:{}", traps.port("smb"));
    run("hydra", &["-I", "-t", "1", "-l", "admin", "-p", "hunter2", &url]).await;
    assert_eq!(login(&mut traps, "smb").await.fields["username"], "admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_them_for_what_they_play() {
    let traps = Traps::usual();
    let ports = ["mssql", "smb"].map(|trap| traps.port(trap).to_string()).join(",");
    let said = printed(&run("nmap", &["-sV", "--version-all", "-Pn", "-n", "-p", &ports, "127.0.0.1"]).await);
    for product in ["Microsoft SQL Server", "Samba smbd 3.X - 4.X (workgroup: WORKGROUP)"] {
        assert!(said.contains(product), "{product}: {said}");
    }
    assert!(!said.to_lowercase().contains("honey"), "{said}");
}

/// FreeRDP's library, which hydra is built with.
#[tokio::test(flavor = "multi_thread")]
async fn hydra_gives_its_password_to_the_remote_desktop() {
    let mut traps = Traps::usual();
    let url = format!("rdp://127.0.0.1:{}", traps.port("rdp"));
    let said = printed(&run("hydra", &["-I", "-t", "1", "-l", "admin", "-p", "hunter2", &url]).await);
    let visit = login(&mut traps, "rdp").await;
    assert_eq!(told(&visit, ["username", "password"]), ["admin", "hunter2"], "{said}");
    assert!(said.contains("0 valid password"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ncrack_gives_its_password_to_the_remote_desktop() {
    let mut traps = Traps::usual();
    let url = format!("rdp://127.0.0.1:{}", traps.port("rdp"));
    let said = printed(&run("ncrack", &["--user", "admin", "--pass", "hunter2", "-f", "-T5", &url]).await);
    let visit = login(&mut traps, "rdp").await;
    assert_eq!(told(&visit, ["username", "password"]), ["admin", "hunter2"], "{said}");
}
