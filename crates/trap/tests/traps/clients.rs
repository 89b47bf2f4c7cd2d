//! Real clients and scanners talk to the traps, over IPv4 and IPv6.

use crate::support::{Traps, nmap, printed, run};
use honeymesh_types::{Signs, Transport};

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_the_login_page_and_is_reported() {
    let mut traps = Traps::usual();
    for (trap, host) in [("http", "127.0.0.1"), ("http6", "[::1]")] {
        let url = format!("http://{host}:{}/", traps.port(trap));
        let output = run("curl", &["-sS", "-i", "-g", "-A", "probe/1.0", &url]).await;
        assert!(printed(&output).contains("Server: nginx\r\n") && printed(&output).contains("<form method=\"post\""));
        let visit = traps.visit().await;
        assert_eq!((visit.trap.as_str(), visit.service.as_str(), visit.transport), (trap, "http", Transport::Tcp));
        assert_eq!((visit.source.ip(), visit.local), (traps.address(trap).ip(), traps.address(trap)));
        assert_eq!((visit.fields["user_agent"].as_str(), visit.fields["path"].as_str()), ("probe/1.0", "/"));
        assert!(visit.payload.starts_with(b"GET / HTTP/1.1\r\n") && visit.payload.len() as u64 == visit.bytes);
        assert!(visit.signs.is_empty() && visit.at.wall.0 > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_posts_a_login_and_tries_basic_credentials() {
    let mut traps = Traps::usual();
    let url = format!("http://127.0.0.1:{}/login.php", traps.port("http"));
    let login = run("curl", &["-sS", "-d", "username=admin&password=s3cret%21", &url]).await;
    assert!(printed(&login).contains("Invalid user name or password."));
    let protected = format!("http://127.0.0.1:{}/manager/html", traps.port("http"));
    let basic = run("curl", &["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-u", "tomcat:s3cret!", &protected]).await;
    assert_eq!(printed(&basic), "401");
    for user in ["admin", "tomcat"] {
        let visit = traps.visit().await;
        assert_eq!((visit.fields["username"].as_str(), visit.fields["password"].as_str()), (user, "s3cret!"));
        assert_eq!(visit.signs, Signs::CREDENTIALS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_keeps_its_connection_and_each_request_is_a_report() {
    let mut traps = Traps::usual();
    let (one, two) =
        (format!("http://127.0.0.1:{}/.env", traps.port("http")), format!("http://127.0.0.1:{}/", traps.port("http")));
    let head = run("curl", &["-sS", "-I", &one, &two]).await;
    assert!(printed(&head).contains("404 Not Found") && printed(&head).contains("200 OK"));
    let big = run("curl", &["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-d", &"x".repeat(100_000), &two]).await;
    assert_eq!(printed(&big), "200");
    let visits = [traps.visit().await, traps.visit().await];
    assert_eq!(visits[0].session, visits[1].session);
    assert_eq!((visits[0].fields["path"].as_str(), visits[1].fields["path"].as_str()), ("/.env", "/"));
    let posted = traps.visit().await;
    assert!(posted.bytes > 100_000 && posted.payload.len() == 64 * 1_024 && posted.signs.contains(Signs::TRUNCATED));
}

#[tokio::test(flavor = "multi_thread")]
async fn ftp_clients_give_their_passwords_away() {
    let mut traps = Traps::usual();
    let url = format!("ftp://root:toor@127.0.0.1:{}/", traps.port("ftp"));
    let curl = run("curl", &["-sS", &url]).await;
    assert_eq!(curl.status.code(), Some(67), "login denied: {}", printed(&curl));
    let script =
        format!("set net:max-retries 1; set ftp:ssl-allow no; open -u admin,hunter2 ftp://[::1]:{}; ls; bye", traps.port("ftp6"));
    run("lftp", &["-c", &script]).await;
    for (trap, user, password) in [("ftp", "root", "toor"), ("ftp6", "admin", "hunter2")] {
        let visit = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
        assert_eq!((visit.trap.as_str(), visit.service.as_str()), (trap, "ftp"));
        assert_eq!((visit.fields["username"].as_str(), visit.fields["password"].as_str()), (user, password));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_scan_is_reported_with_the_scanners_address() {
    let mut traps = Traps::usual();
    let ports = ["ssh", "http", "ftp", "script"].map(|trap| traps.port(trap).to_string()).join(",");
    let output = run("nmap", &["-sT", "-Pn", "-n", "-p", &ports, "127.0.0.1"]).await;
    assert_eq!(printed(&output).matches("/tcp open").count(), 4, "{}", printed(&output));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let visit = traps.visit().await;
        assert_eq!((visit.bytes, visit.signs, visit.source.ip()), (0, Signs::empty(), [127, 0, 0, 1].into()));
        assert!(visit.source.port() > 0);
        seen.push(visit.trap);
    }
    seen.sort();
    assert_eq!(seen, ["ftp", "http", "script", "ssh"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nmaps_version_scan_believes_what_it_sees() {
    let traps = Traps::usual();
    let ports = ["ssh", "http", "ftp"].map(|trap| traps.port(trap).to_string()).join(",");
    let expected = ["ssh     OpenSSH 10.0p2 Debian 7+deb13u4", "http    nginx", "ftp     vsftpd 3.0.5"];
    nmap(&["-sV", "-Pn", "-n", "-p", &ports, "127.0.0.1"], &expected).await;
}
