//! Operators' words, right and wrong.

mod agreement;

use super::*;
use crate::RuleDefinition;
use alloc::vec::Vec;
use honeymesh_types::WallTime;

fn definition(service: &str, banner: Option<&str>) -> Definition {
    Definition { service: service.into(), banner: banner.map(Into::into), ..Definition::default() }
}

fn persona() -> Persona {
    Persona::of([7; 32])
}

#[test]
fn every_name_is_a_service_that_opens() {
    for &name in Service::NAMES {
        let service = Service::define(&definition(name, None), &persona()).unwrap();
        assert_eq!(service.name(), name);
        let _ = service.session(1).open(&mut Vec::new());
    }
}

#[test]
fn mistakes_are_told_in_words() {
    let table = [
        (definition("any", Some("hello")), "service `any` lets the stranger speak first; leave the banner out"),
        (definition("vnc", Some("hello")), "service `vnc` does not say what it is before a login; leave the banner out"),
        (definition("ssh", Some("OpenSSH")), "banner: an SSH identification begins with `SSH-2.0-` and the software's name"),
        (definition("http", Some("")), "banner: it is empty; leave it out for the usual one"),
        (
            definition("http", Some("nginx\r\nX: y")),
            "banner: it has a character that cannot be sent: only printable ASCII in one line is allowed",
        ),
    ];
    for (definition, message) in table {
        assert_eq!(Service::define(&definition, &persona()).unwrap_err().to_string(), message);
    }
    let unknown = Service::define(&definition("gopher", None), &persona()).unwrap_err().to_string();
    assert!(unknown.starts_with("`gopher` is no service; there are ssh, http, ") && unknown.ends_with(", script and any"));
    assert!(Service::NAMES.iter().all(|name| unknown.contains(name)), "{unknown}");
    assert_eq!(
        Service::define(&definition("ftp", Some(&"x".repeat(201))), &persona()).unwrap_err().to_string(),
        "banner: it is 201 bytes long; 200 are allowed"
    );
}

#[test]
fn a_service_listens_where_it_is_spoken_to() {
    let over = |service, transport: &str| {
        let service = Service::define(&Definition { transport: Some(transport.into()), ..definition(service, None) }, &persona());
        service.map(|service| service.transports()).map_err(|error| error.to_string())
    };
    assert_eq!(over("memcached", "udp"), Ok(&[Transport::Udp][..]));
    assert_eq!(over("sip", "both"), over("memcached", "both"));
    assert_eq!(over("ftp", "tcp"), Ok(&[Transport::Tcp][..]));
    let mistakes = [
        ("ftp", "udp", "service `ftp` is spoken over tcp only; leave `transport` out, or write \"tcp\""),
        ("ntp", "both", "service `ntp` is spoken over udp only; leave `transport` out, or write \"udp\""),
        ("sip", "sctp", "transport: `sctp` is not one of udp|tcp|both"),
    ];
    for (service, transport, mistake) in mistakes {
        assert_eq!(over(service, transport), Err(mistake.to_string()));
    }
}

#[test]
fn only_services_with_a_login_let_somebody_in() {
    let of = |service, let_in| Service::define(&Definition { let_in: Some(let_in), ..definition(service, None) }, &persona());
    assert_eq!(of("telnet", 0), Ok(Service::Telnet(Telnet::of(&persona()).letting_in(0))));
    assert_eq!(of("ssh", 2), Ok(Service::Ssh(Ssh::of(&persona()).letting_in(2))));
    assert_eq!(of("ssh", 7).unwrap_err().to_string(), "let_in: `7` is no try; write 1 to 6, or 0 to let nobody in");
    assert_eq!(of("ftp", 0), Ok(Service::Ftp(Ftp::of(&persona()).letting_in(0))));
    assert_eq!(of("ftp", 4).unwrap_err().to_string(), "let_in: `4` is no try; write 1 to 3, or 0 to let nobody in");
    assert!(of("ftp", 1).unwrap().opens_ports() && !of("ftp", 0).unwrap().opens_ports() && !of("ssh", 1).unwrap().opens_ports());
    assert_eq!(of("smtp", 1).unwrap_err().to_string(), "service `smtp` lets nobody in; leave `let_in` out");
    assert_eq!(of("script", 1).unwrap_err().to_string(), "service `script` lets nobody in; leave `let_in` out");
    assert_eq!(
        of("adb", 2).unwrap_err().to_string(),
        "let_in: `2` is neither; write 1 to let everybody in, or 0 to let nobody in"
    );
    assert_eq!(of("telnet", 9).unwrap_err().to_string(), "let_in: `9` is no try; write 1 to 3, or 0 to let nobody in");
}

#[test]
fn only_web_servers_have_sites() {
    let of =
        |service, site: &str| Service::define(&Definition { site: Some(site.into()), ..definition(service, None) }, &persona());
    for site in Site::NAMES {
        assert_eq!(of("http", site).map(|service| service.name()), Ok("http"));
        assert_eq!(of("https", site).map(|service| service.name()), Ok("https"));
    }
    assert_eq!(
        of("http", "blog").unwrap_err().to_string(),
        "site: `blog` is none; there are login, plain, basic, wordpress, router, object-store, ci"
    );
    assert_eq!(
        of("docker", "ci").unwrap_err().to_string(),
        "service `docker` serves no sites; leave `site` out, or use service = \"http\" or \"https\""
    );
    assert!(of("script", "ci").is_err());
}

#[test]
fn rules_belong_to_scripts() {
    let rules = alloc::vec![RuleDefinition { expect: Some(String::new()), ..RuleDefinition::default() }];
    let script = ScriptDefinition { rules, ..ScriptDefinition::default() };
    let of = |service: &str| {
        Service::define(&Definition { script: script.clone(), ..definition(service, None) }, &persona()).unwrap_err().to_string()
    };
    assert_eq!(of("ssh"), "service `ssh` takes no rules; use service = \"script\" for a trap of your own");
    assert_eq!(of("script"), "rule 1: `expect` is empty; leave it out to expect any line");
}
