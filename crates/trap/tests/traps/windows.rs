//! Real clients, guessers and scanners at what Windows machines and their like serve.

use crate::support::{Traps, nmap_without, printed, run, run_with};
use honeymesh_trap::{Limits, Options, TrapOptions};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::{Signs, Visit};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

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

/// The handshake is in packets of TDS: what is none, and what is not whole, is evidence.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_packets_around_tls_is_kept_whatever_it_is() {
    const PRELOGIN: &[u8] = b"\x12\x01\x00\x34\0\0\0\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x0c\x03\0\x28\0\x04\xff\x08\0\x01\x55\0\0\0MSSQLServer\0\x48\x0f\0\0";
    let mut traps = Traps::usual();
    // Half a packet; a packet of another kind in two pieces; a packet with no TLS in it and something behind that.
    let table: [&[&[u8]]; 3] =
        [&[b"\x12\x01\0\x20\0\0\0\0half"], &[b"\x10\x01\0", b"\x0c\0\0\0\0login"], &[b"\x12\x01\0\x12\0\0\0\0plainwords"]];
    for pieces in table {
        let mut stream = TcpStream::connect(traps.address("mssql")).await.unwrap();
        stream.write_all(PRELOGIN).await.unwrap();
        stream.read_exact(&mut [0; 37]).await.unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
        drop(stream);
        let visit = traps.visit_where(|visit| visit.trap == "mssql" && visit.bytes > 0).await;
        let all = pieces.concat();
        let kept = [&all[..], &all[8..]].into_iter().any(|kept| visit.payload == [PRELOGIN, kept].concat());
        assert!(kept, "{pieces:?}: {}", visit.payload.escape_ascii());
    }
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
        assert_eq!(visit.fields["tls_version"], "TLSv1_2", "the login is encrypted, its answer is not");
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

/// nmap tries by the port what a service may be, so they listen where one expects them, on an address of their own.
#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_them_for_what_they_play() {
    const PORTS: [(&str, u16); 5] = [("mssql", 1_433), ("smb", 445), ("rdp", 3_389), ("ldap", 389), ("mongodb", 27_017)];
    let persona = Persona::of([7; 32]).named("files.example.org").unwrap();
    let traps = PORTS.map(|(name, port)| {
        // From 5.1 on a MongoDB does not answer the message that this nmap sends.
        let banner = (name == "mongodb").then(|| "4.4.29".to_owned());
        let definition = Definition { service: name.into(), banner, ..Definition::default() };
        let service = Service::define(&definition, &persona).unwrap();
        TrapOptions { name: name.into(), service, listen: vec![([127, 77, 0, 1], port).into()] }
    });
    let _traps = Traps::open(Options { traps: traps.into(), dark: None, limits: Limits::default() });
    // That one names the server, and then breaks by itself.
    let scripts = "ms-sql-info,smb-protocols,smb2-security-mode,smb2-time,smb-os-discovery,smb-vuln-ms17-010,\
        rdp-enum-encryption,rdp-ntlm-info,ldap-rootdse,mongodb-info,mongodb-databases";
    let ports = PORTS.map(|(_, port)| port.to_string()).join(",");
    let expected = [
        "Microsoft SQL Server 2022 16.00.4225.00",
        "Samba smbd 4.22.11-Debian-4.22.11+dfsg-0+deb13u1 (workgroup: WORKGROUP)",
        "Microsoft Terminal Service",
        "OpenLDAP 2.2.X - 2.3.X",
        "MongoDB 4.4.29",
        "Message signing enabled but not required",
        "OS: Windows 6.1 (Samba 4.22.11-Debian",
        "FQDN: files.example.org",
        "Native RDP: SUCCESS",
        "DNS_Computer_Name: files.example.org",
        "namingContexts: dc=example,dc=org",
        "host = files",
    ];
    nmap_without(&["-sV", "-Pn", "-n", "-p", &ports, "--script", scripts, "127.77.0.1"], &expected, &["VULNERABLE"]).await;
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

/// CredSSP, as a client that would not give its password to a desktop speaks it: nothing but `hybrid` is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn who_proves_himself_to_the_remote_desktop_beforehand_leaves_what_guessers_need() {
    let mut traps = Traps::usual();
    let port = traps.port("rdp");
    let script = "/usr/share/doc/python3-impacket/examples/rdp_check.py";
    let said = python(&format!(
        "import sys, socket, runpy\nreal = socket.socket.connect\n\
         socket.socket.connect = lambda self, at: real(self, (at[0], {port}) if at[1] == 3389 else at)\n\
         sys.argv = ['rdp_check', 'CORP/admin:hunter2@127.0.0.1']\nrunpy.run_path('{script}', run_name='__main__')"
    ))
    .await;
    let visit = login(&mut traps, "rdp").await;
    assert!(visit.fields["hash"].starts_with("admin::CORP:"), "{:?}: {said}", visit.fields);
    assert!(said.contains("[-]") && !said.contains("Granted"), "{said}");
}

/// It knows no desktop without encryption, so it goes no further.
#[tokio::test(flavor = "multi_thread")]
async fn ncrack_tells_the_remote_desktop_who_it_is() {
    let mut traps = Traps::usual();
    let url = format!("rdp://127.0.0.1:{}", traps.port("rdp"));
    run("ncrack", &["--user", "admin", "--pass", "hunter2", "-f", "-T5", &url]).await;
    assert_eq!(told(&traps.visit().await, ["cookie", "protocols"]), ["NCRACK_USER", "rdp"]);
    let settings = traps.visit().await;
    assert_eq!(told(&settings, ["client_name", "client_build", "desktop"]), ["NCRACK", "2600", "800x600"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ldap_clients_give_their_passwords_away_and_see_the_root() {
    let mut traps = Traps::usual();
    let url = format!("ldap://127.0.0.1:{}", traps.port("ldap"));
    let name = "cn=admin,dc=example,dc=org";
    let said = printed(&run("ldapwhoami", &["-x", "-H", &url, "-D", name, "-w", "hunter2"]).await);
    assert!(said.contains("ldap_bind: Invalid credentials (49)"), "{said}");
    assert_eq!(told(&login(&mut traps, "ldap").await, ["username", "password"]), [name, "hunter2"]);
    let root = printed(&run("ldapsearch", &["-x", "-H", &url, "-s", "base", "-b", "", "+"]).await);
    assert!(root.contains("namingContexts: dc=localdomain") && root.contains("result: 0 Success"), "{root}");
    let filter = "(&(objectClass=person)(uid=adm*))";
    let tree = printed(&run("ldapsearch", &["-x", "-LLL", "-H", &url, "-b", "dc=localdomain", filter, "mail"]).await);
    assert_eq!(tree, "");
    let search = traps.visit_where(|visit| visit.fields.get("filter").is_some_and(|text| text == filter)).await;
    assert_eq!(told(&search, ["base", "attributes"]), ["dc=localdomain", "mail"]);
    let whoami = printed(&run("ldapwhoami", &["-x", "-H", &url]).await);
    assert_eq!(whoami.trim(), "anonymous");
    let delete = printed(&run("ldapdelete", &["-x", "-H", &url, "dc=localdomain"]).await);
    assert!(delete.contains("modifications require authentication"), "{delete}");
    let visit = traps.visit_where(|visit| visit.signs.contains(Signs::RULE)).await;
    assert_eq!(told(&visit, ["operation", "entry"]), ["delete", "dc=localdomain"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hydras_tries_at_the_directory_are_kept_in_every_mechanism() {
    let mut traps = Traps::usual();
    for (module, has) in [("ldap3", "password"), ("ldap3-crammd5", "response"), ("ldap3-digestmd5", "response")] {
        let url = format!("{module}://127.0.0.1:{}", traps.port("ldap"));
        let tree: &[&str] = if module == "ldap3" { &[] } else { &["-m", "dc=example,dc=org"] };
        let arguments = [&["-I", "-t", "1", "-l", "cn=admin,dc=example,dc=org", "-p", "hunter2"], tree, &[&url]].concat();
        let said = printed(&run("hydra", &arguments).await);
        let visit = login(&mut traps, "ldap").await;
        assert!(visit.fields["username"].contains("admin") && !visit.fields[has].is_empty(), "{module}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pymongo_robs_a_database_and_is_hostile() {
    let mut traps = Traps::usual();
    let port = traps.port("mongodb");
    let said = python(&format!(
        "import pymongo\nc = pymongo.MongoClient('127.0.0.1', {port}, serverSelectionTimeoutMS=5000)\n\
         print(c.server_info()['version'])\nown = [n for n in c.list_database_names() if n not in ('admin', 'config', 'local')][0]\n\
         print(c[own].list_collection_names(), c[own].users.count_documents({{}}), [d['username'] for d in c[own].users.find()])\n\
         c.drop_database(own)\nc.READ_ME.README.insert_one({{'content': 'pay 0.01 BTC'}})\n\
         print(c.READ_ME.README.find_one()['content'], own in c.list_database_names())"
    ))
    .await;
    let lines: Vec<&str> = said.lines().collect();
    let expected = ["8.0.17", "['users', 'sessions'] 3 ['admin', 'm.weber', 'j.lind']", "pay 0.01 BTC False"];
    assert_eq!(lines, expected, "{said}");
    let client = traps.visit_where(|visit| visit.fields.contains_key("client")).await;
    assert!(client.fields["client"].contains("PyMongo"), "{:?}", client.fields);
    let note = traps.visit_where(|visit| visit.fields.get("command").is_some_and(|name| name == "insert")).await;
    assert!(note.signs.contains(Signs::RULE) && note.fields["documents"].contains("pay 0.01 BTC"), "{:?}", note.fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pymongo_proves_can_be_checked_against_its_password() {
    let mut traps = Traps::usual();
    let port = traps.port("mongodb");
    let said = python(&format!(
        "import pymongo\nc = pymongo.MongoClient('127.0.0.1', {port}, username='root', password='hunter2', authMechanism='SCRAM-SHA-256', \
         serverSelectionTimeoutMS=5000)\ntry: c.list_database_names()\nexcept pymongo.errors.OperationFailure as e: print(e)"
    ))
    .await;
    assert!(said.contains("Authentication failed."), "{said}");
    let visit = traps.visit_where(|visit| visit.fields.contains_key("proof")).await;
    let [message, proof] = told(&visit, ["auth_message", "proof"]);
    let computed = python(&format!(
        "import hmac, hashlib, base64\nm = '{message}'\nsalt, i = m.split(',s=')[1].split(',i=')\n\
         k = hashlib.pbkdf2_hmac('sha256', b'hunter2', base64.b64decode(salt), int(i.split(',')[0]))\n\
         c = hmac.new(k, b'Client Key', 'sha256').digest()\ns = hmac.new(hashlib.sha256(c).digest(), m.encode(), 'sha256').digest()\n\
         print(base64.b64encode(bytes(a ^ b for a, b in zip(c, s))).decode())"
    ))
    .await;
    assert_eq!(computed.trim(), proof);
}

#[tokio::test(flavor = "multi_thread")]
async fn hydras_tries_at_mongodb_are_kept() {
    let mut traps = Traps::usual();
    let url = format!("mongodb://127.0.0.1:{}", traps.port("mongodb"));
    let said = printed(&run("hydra", &["-I", "-t", "1", "-l", "root", "-p", "hunter2", &url]).await);
    assert_eq!(login(&mut traps, "mongodb").await.fields["username"], "root", "{said}");
}
