//! What the services of one machine tell of it agrees, whatever machine it is and whenever they are asked.

use super::*;
use crate::{
    Flow,
    calendar::Moment,
    datagram::Datagram,
    drive::said,
    persona::tests::seeds,
    shell::debian::{Output, Place, Shell},
};
use alloc::{format, string::String};

/// Seconds that a service may have been started behind its machine.
const STARTS_WITHIN: u64 = 20;
const HELLO: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
const SUBSCRIBE: &[u8] = b"\x82\x0b\0\x01\0\x06$SYS/#\0";
/// Steps of one conversation, at most.
const STEPS_MAX: usize = 64;

/// Moments over some months of this year's end and of the next year's spring.
fn moments() -> impl Iterator<Item = WallTime> {
    (0..9).map(|turn| WallTime((1_796_000_000 + turn * 1_234_567) * 1_000_000 + turn * 123_456))
}

/// A machine that plays all services.
fn machines() -> impl Iterator<Item = Persona> {
    let all: Vec<Definition> = Service::NAMES.iter().map(|name| definition(name, None)).collect();
    seeds().step_by(5).map(move |persona| persona.serving(&all))
}

/// Everything that a service of this machine answers at `now`.
fn asked(persona: &Persona, service: &str, now: WallTime, said: &[u8]) -> Vec<u8> {
    let mut session = Service::define(&definition(service, None), persona).unwrap().session(1);
    let mut answer = Vec::new();
    session.meet(now, 0);
    let _ = session.open(&mut answer);
    let mut rest = said;
    for _ in 0..STEPS_MAX {
        if rest.is_empty() {
            break;
        }
        let step = session.receive(rest, now, &mut answer);
        rest = &rest[step.taken..];
        if step.flow == Flow::Close {
            break;
        }
    }
    answer
}

fn http(persona: &Persona, service: &str, now: WallTime, path: &str) -> String {
    said(&asked(persona, service, now, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()))
}

fn shell(persona: &Persona, now: WallTime, line: &str) -> String {
    let mut output = Output::default();
    let _ = Shell::new(persona, b"root", now, false).run(line.as_bytes(), &mut Place::default(), &mut output);
    said(&output.out)
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
    let at = text.find(before).unwrap_or_else(|| panic!("no {before} in {text}")) + before.len();
    text[at..].split(behind).next().unwrap().trim()
}

fn number(text: &str, before: &str, behind: &str) -> u64 {
    between(text, before, behind).parse().unwrap()
}

/// A command to MongoDB's `admin`, in an `OP_MSG`.
fn mongo(command: &str) -> Vec<u8> {
    let body = [&b"\x10"[..], command.as_bytes(), b"\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0"].concat();
    let document = [&u32::try_from(body.len() + 4).unwrap().to_le_bytes()[..], &body].concat();
    let length = u32::try_from(16 + 5 + document.len()).unwrap();
    [&length.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0], &2_013_u32.to_le_bytes(), &[0; 5], &document].concat()
}

/// A whole number of eight bytes that MongoDB tells under a name.
fn long(answer: &[u8], name: &str) -> u64 {
    let key = [b"\x12", name.as_bytes(), b"\0"].concat();
    let at = memchr::memmem::find(answer, &key).unwrap_or_else(|| panic!("no {name} in {}", answer.escape_ascii())) + key.len();
    u64::from_le_bytes(answer[at..at + 8].try_into().unwrap())
}

fn ssdp(persona: &Persona, now: WallTime) -> String {
    let search = format!(
        "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\nUSER-AGENT: {}\r\n\r\n",
        "x".repeat(500)
    );
    let datagram = Datagram { bytes: search.as_bytes(), now, ..Datagram::default() };
    said(&Service::define(&definition("ssdp", None), persona).unwrap().datagram(&datagram).answer)
}

#[test]
fn every_uptime_is_that_of_the_machine() {
    for persona in machines() {
        for now in moments() {
            let machine = persona.uptime(now);
            let redis = said(&asked(&persona, "redis", now, b"INFO server\r\n"));
            let memcached = said(&asked(&persona, "memcached", now, b"stats\r\n"));
            let mongod = asked(&persona, "mongodb", now, &mongo("serverStatus"));
            let mosquitto = said(&asked(&persona, "mqtt", now, &[HELLO, SUBSCRIBE].concat()));
            let docker = http(&persona, "docker", now, "/networks");
            let created = between(&docker, "\"Created\":\"", "\"").to_string();
            let booted = Moment::of(persona.booted(now).0 / 1_000_000 + 9);
            let expected = format!(
                "{}-{:02}-{:02}T{:02}:{:02}:{:02}.",
                booted.year, booted.month, booted.day, booted.hour, booted.minute, booted.second
            );
            assert!(created.starts_with(&expected), "{created} {expected}");
            let told = [
                ("redis", number(&redis, "uptime_in_seconds:", "\r")),
                ("memcached", number(&memcached, "STAT uptime ", "\r")),
                ("mongod", long(&mongod, "uptime")),
                ("mosquitto", number(&mosquitto, "$SYS/broker/uptime", " seconds")),
                ("the shell", shell(&persona, now, "cat /proc/uptime").split('.').next().unwrap().parse().unwrap()),
                ("miniupnpd", now.0 / 1_000_000 - number(&ssdp(&persona, now), "BOOTID.UPNP.ORG:", "\r")),
            ];
            for (service, uptime) in told {
                assert!(
                    (uptime..=uptime + STARTS_WITHIN).contains(&machine),
                    "{service} runs {uptime} s on a machine that runs {machine} s"
                );
            }
        }
    }
}

#[test]
fn every_kernel_is_that_of_the_machines_start() {
    for persona in machines() {
        for now in moments() {
            let kernel = persona.kernel(now);
            let told = [
                ("redis", between(&said(&asked(&persona, "redis", now, b"INFO server\r\n")), "os:Linux ", " x86_64").to_string()),
                ("mongod", between(&said(&asked(&persona, "mongodb", now, &mongo("hostInfo"))), "Kernel ", "\0").to_string()),
                ("miniupnpd", between(&ssdp(&persona, now), "SERVER: Debian/", " UPnP").to_string()),
                ("docker", between(&http(&persona, "docker", now, "/info"), "\"KernelVersion\":\"", "\"").to_string()),
                (
                    "docker's version",
                    between(&http(&persona, "docker", now, "/version"), "\"KernelVersion\":\"", "\"").to_string(),
                ),
                ("the shell", shell(&persona, now, "uname -r").trim().to_string()),
                ("/proc/version", between(&shell(&persona, now, "cat /proc/version"), "Linux version ", " (").to_string()),
                ("/vmlinuz", between(&shell(&persona, now, "ls -l /"), "boot/vmlinuz-", "\n").to_string()),
            ];
            for (service, release) in told {
                assert_eq!(release, kernel.release, "{service}");
            }
            let elastic = http(&persona, "elasticsearch", now, "/_nodes");
            assert!(elastic.contains(kernel.release), "{elastic}");
            assert_eq!(shell(&persona, now, "uname -v").trim(), kernel.build);
        }
    }
}

#[test]
fn every_name_processor_and_memory_is_the_machines() {
    for persona in machines() {
        let now = moments().next().unwrap();
        let (machine, host) = (persona.machine(), persona.host());
        let mongod = asked(&persona, "mongodb", now, &mongo("hostInfo"));
        let info = http(&persona, "docker", now, "/info");
        let memory = said(&asked(&persona, "redis", now, b"INFO memory\r\n"));
        assert_eq!(number(&memory, "total_system_memory:", "\r"), machine.memory_bytes());
        assert_eq!(number(&info, "\"MemTotal\":", ","), machine.memory_bytes());
        assert_eq!(long(&mongod, "memSizeMB"), u64::from(machine.memory_mib()));
        assert_eq!(number(&shell(&persona, now, "cat /proc/meminfo"), "MemTotal:", "kB"), u64::from(machine.memory_kib));
        assert_eq!(number(&info, "\"NCPU\":", ","), u64::from(machine.cores));
        assert_eq!(shell(&persona, now, "nproc").trim(), format!("{}", machine.cores));
        assert_eq!(
            shell(&persona, now, "grep -c processor /proc/cpuinfo; cat /proc/cpuinfo | grep -c processor").lines().last(),
            Some(format!("{}", machine.cores).as_str())
        );
        assert_eq!(between(&info, "\"Name\":\"", "\",\"Labels\""), format!("{}", between(&info, "\"Name\":\"", "\",\"Labels\"")));
        assert!(info.contains(&format!("\"Name\":\"{host}\"")) && said(&mongod).contains(host));
        assert_eq!(shell(&persona, now, "hostname; uname -n; cat /etc/hostname"), format!("{host}\n{host}\n{host}\n"));
        assert!(said(&asked(&persona, "smtp", now, b"")).starts_with(&format!("220 {} ESMTP", persona.fqdn())));
    }
}

#[test]
fn processes_have_the_numbers_that_their_services_tell() {
    for persona in machines() {
        for now in moments() {
            let processes = shell(&persona, now, "ps aux");
            let of = |command: &str| -> u64 {
                let line = processes
                    .lines()
                    .find(|line| line.contains(command))
                    .unwrap_or_else(|| panic!("no {command} in {processes}"));
                line.split_whitespace().nth(1).unwrap().parse().unwrap()
            };
            let redis = number(&said(&asked(&persona, "redis", now, b"INFO server\r\n")), "process_id:", "\r");
            let memcached = number(&said(&asked(&persona, "memcached", now, b"stats\r\n")), "STAT pid ", "\r");
            let mongod = long(&asked(&persona, "mongodb", now, &mongo("serverStatus")), "pid");
            let told = [redis, memcached, mongod];
            assert_eq!(told, [of("/usr/bin/redis-server"), of("/usr/bin/memcached"), of("/usr/bin/mongod")]);
        }
    }
}

#[test]
fn a_service_that_is_not_played_does_not_run() {
    let persona = Persona::of([7; 32]).serving(&[definition("redis", None)]);
    let processes = shell(&persona, moments().next().unwrap(), "ps aux; cat /etc/passwd");
    assert!(
        processes.contains("redis-server") && !processes.contains("memcached") && !processes.contains("mysql"),
        "{processes}"
    );
}

/// Its numbers tell how long it runs.
#[test]
fn mariadb_has_had_as_many_visitors_as_its_machine_had_time_for() {
    for persona in machines() {
        for now in moments() {
            let greeting = asked(&persona, "mysql", now, b"");
            let end = greeting.iter().skip(5).position(|byte| *byte == 0).unwrap() + 6;
            let number = u64::from(u32::from_le_bytes(greeting[end..end + 4].try_into().unwrap()));
            let up = persona.uptime(now);
            assert!((up / 120..=up / 20 + 30).contains(&number), "{number} in {up} s");
        }
    }
}

#[test]
fn a_release_is_the_one_of_its_day() {
    let at = |seconds: u64| WallTime(seconds * 1_000_000);
    let persona = Persona::of([7; 32]);
    for (seconds, point) in [(1_760_000_000, "13.1"), (1_770_000_000, "13.3"), (1_796_000_000, "13.8")] {
        assert_eq!(shell(&persona, at(seconds), "cat /etc/debian_version"), format!("{point}\n"));
        assert!(shell(&persona, at(seconds), "cat /etc/os-release").contains(&format!("DEBIAN_VERSION_FULL={point}\n")));
    }
}
