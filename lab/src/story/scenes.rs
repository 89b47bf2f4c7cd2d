//! The scenes, in the order in which they are played.

use super::teller::{Teller, span};
use crate::{
    Capture, Event, Family, Honest, Lab, Place, Trio, WEB_PORT, curl, fetch, forge_syns, hping_syns,
    moments::{entered, first_visit},
    scan::{CONNECT, HALF_OPEN, nmap_words},
    scan_connect, scan_half_open, wait_until,
};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long the attacker waits for a page before it counts as dropped.
const DROPPED_AFTER: Duration = Duration::from_millis(700);
/// How many dark ports are scanned.
const DARK_PORTS: u16 = 200;
/// The first of them.
const DARK_FIRST: u16 = 1000;
/// The distinct dark ports at which the nodes call it a scan: the default.
const THRESHOLD: usize = 3;
/// How long an unban is watched for not being undone: several rounds of the mesh's repair.
const UNDONE_WATCH: Duration = Duration::from_secs(4);
/// How long the short ban lasts.
const SHORT_TTL: Duration = Duration::from_secs(6);
/// How far from its deadline a ban may end.
const DEADLINE_SLACK: Duration = Duration::from_millis(1_500);

/// Everything that is on stage.
pub struct Stage<'lab> {
    pub teller: Teller,
    pub lab: &'lab Lab,
    pub trio: Trio<'lab>,
    pub honest: Honest,
}

/// Three nodes come up and find each other.
pub fn meet<'lab>(teller: &Teller, lab: &'lab Lab) -> Result<(Trio<'lab>, Duration)> {
    teller.scene("Three nodes start and find each other");
    let began = Instant::now();
    let trio = Trio::up(lab, |config| config)?;
    let took = began.elapsed();
    for node in trio.nodes() {
        let members = node.members()?.join(" and ");
        teller.holds(&format!("{} is ready and sees {members}", node.config.name()), true, "")?;
    }
    teller.holds("traps, kernel program and mesh are up on all three", true, &span(took))?;
    Ok((trio, took))
}

impl Stage<'_> {
    /// SYNs alone: silence on every dark port, served ports stay open, nobody else is told.
    pub fn half_open_scan(&self) -> Result<()> {
        self.teller.scene("nmap -sS: silence from the threshold on");
        for family in Family::BOTH {
            self.half_open(family)?;
        }
        self.teller.holds("nothing of this was meshed: SYNs can be forged", self.known_elsewhere()? == 0, "")
    }

    fn half_open(&self, family: Family) -> Result<()> {
        let target = Place::Node(1).addr(family);
        let ports = format!("{WEB_PORT},{DARK_FIRST}-{}", DARK_FIRST + DARK_PORTS - 1);
        self.teller.command("attacker", &nmap_words(HALF_OPEN, target, &ports));
        let capture = Capture::start(self.lab.attacker(), self.lab.scratch(), "attacker")?;
        let scan = scan_half_open(self.lab.attacker(), target, &ports)?;
        let seen = capture.finish()?;
        let dark = |port: u16| (DARK_FIRST..DARK_FIRST + DARK_PORTS).contains(&port);
        let answered = seen.iter().filter(|segment| segment.from.ip() == target && dark(segment.from.port())).count();
        let asked = seen.iter().filter(|segment| segment.to.ip() == target && dark(segment.to.port())).count();
        let told = format!("{answered} of {asked}");
        self.teller.note(&format!("nmap -sS, {}: probes of dark ports answered", name(family)), vec![told.clone()]);
        self.teller.holds("answered: the two dark ports before the threshold, no other", answered == THRESHOLD - 1, &told)?;
        self.teller.holds("the real service stays open: the source may be forged", scan.open == [WEB_PORT], "")?;
        let ban = self.trio.node(1).ban_of(&Place::Attacker.subject(family))?.context("node1 has no ban of the scanner")?;
        let local = ban.grade == "spoofable" && ban.scope == "dark";
        self.teller.holds("node1 silences it on dark ports", local, &format!("{}, {}", ban.grade, ban.scope))
    }

    /// How many bans of the attacker node 2 and 3 have.
    fn known_elsewhere(&self) -> Result<usize> {
        let mut known = 0;
        for node in &self.trio.nodes()[1..] {
            for family in Family::BOTH {
                known += usize::from(node.ban_of(&Place::Attacker.subject(family))?.is_some());
            }
        }
        Ok(known)
    }

    /// Completed handshakes with traps: full, meshed bans.
    pub fn full_touch(&self) -> Result<()> {
        self.teller.scene("A finished handshake with a trap: a full ban, on every node");
        let target = Place::Node(1).addr(Family::V4);
        self.teller.command("attacker", &nmap_words(CONNECT, target, "2121,2222,2525,8080"));
        let began = Timestamp::now();
        scan_connect(self.lab.attacker(), target, "2121,2222,2525,8080")?;
        self.banned_everywhere(Family::V4, began, "nmap -sT, IPv4")?;

        let at = Place::Node(1).at(Family::V6, 8080);
        self.teller.command("attacker", &format!("curl http://{at}/login"));
        let began = Timestamp::now();
        let page = curl(self.lab.attacker(), at, "/login", Duration::from_secs(2))?;
        self.banned_everywhere(Family::V6, began, "curl, IPv6")?;
        let again = curl(self.lab.attacker(), at, "/login", DROPPED_AFTER)?;
        let told = format!("then exit {}, now exit {}", code(page.code()), code(again.code()));
        self.teller.holds("the trap does not answer it any more", again.code() == Some(CURL_TIMED_OUT), &told)
    }

    fn banned_everywhere(&self, family: Family, began: Timestamp, tool: &str) -> Result<()> {
        let subject = Place::Attacker.subject(family);
        let bans = self.trio.wait_banned(&subject)?;
        let grades = bans.iter().map(|ban| ban.grade.clone()).collect::<Vec<_>>().join(", ");
        let full = bans.iter().all(|ban| matches!(ban.grade.as_str(), "handshake" | "payload" | "hostile"));
        self.teller.holds(&format!("{subject} is banned on all three nodes"), full, &grades)?;
        let touched = first_visit(self.trio.node(1), began)?;
        let times = self.trio.nodes().iter().map(|node| Ok(span(entered(node, &subject, touched)?)));
        let times = times.collect::<Result<Vec<_>>>()?;
        let told = times.join(", ");
        self.teller.note(&format!("{tool}: trap to kernel entry"), times);
        self.teller.holds("from the trap's report to the entry in each kernel", true, &told)
    }

    /// Node 2 and 3 drop somebody they never saw.
    pub fn dropped_elsewhere(&self) -> Result<()> {
        self.teller.scene("Node 2 and node 3 drop the attacker before it ever touched them");
        for number in [2_u8, 3] {
            let node = self.trio.node(usize::from(number));
            let attacker = Family::BOTH.map(|family| Place::Attacker.addr(family));
            let strange = |event: &Event| event.source.is_some_and(|source| attacker.contains(&source));
            let knocks = [node.events("knock")?, node.events("visit")?, node.events("scan")?].concat();
            let untouched = !knocks.iter().any(strange);
            self.teller.holds(&format!("node{number} never saw a packet of it"), untouched, "")?;
            for family in Family::BOTH {
                let at = Place::Node(number).at(family, WEB_PORT);
                self.teller.command("attacker", &format!("curl --max-time {:.1} http://{at}/", DROPPED_AFTER.as_secs_f64()));
                let tried = curl(self.lab.attacker(), at, "/", DROPPED_AFTER)?;
                let drops = node.ban_of(&Place::Attacker.subject(family))?.map_or(0, |ban| ban.drops);
                let dropped = tried.code() == Some(CURL_TIMED_OUT) && drops > 0;
                self.teller.holds("timed out: dropped in its kernel", dropped, &format!("{drops} dropped"))?;
            }
        }
        Ok(())
    }

    /// Forged SYNs cost the forged one nothing.
    pub fn forged(&self) -> Result<()> {
        self.teller.scene("SYNs with the honest client's address cost it nothing");
        let before = self.honest.report().requests.len();
        let (victim, target) = (Place::Honest.addr(Family::V4), Place::Node(1).addr(Family::V4));
        self.teller.command("attacker", &format!("hping3 -S -a {victim} -p ++1000 -c 300 {target}"));
        hping_syns(self.lab.attacker(), victim, target, DARK_FIRST, 300)?;
        let (victim, target) = (Place::Honest.addr(Family::V6), Place::Node(1).addr(Family::V6));
        self.teller.command("attacker", &format!("forge 300 SYNs from {victim} to {target}, ports {WEB_PORT} and 1000-1298"));
        forge_syns(self.lab.attacker(), victim, target, std::iter::once(WEB_PORT).chain(DARK_FIRST..DARK_FIRST + 299))?;
        thread::sleep(Duration::from_secs(1));
        for family in Family::BOTH {
            self.only_silenced(family)?;
        }
        let report = self.honest.report();
        let meanwhile = &report.requests[before.min(report.requests.len())..];
        let failed = meanwhile.iter().filter(|request| request.error.is_some()).count();
        let told = format!("{} requests, {failed} failed", meanwhile.len());
        self.teller.note("forged SYNs: honest requests meanwhile", vec![told.clone()]);
        self.teller.holds("the honest client's requests went on all the while", failed == 0 && !meanwhile.is_empty(), &told)
    }

    fn only_silenced(&self, family: Family) -> Result<()> {
        let subject = Place::Honest.subject(family);
        let here = self.trio.node(1).ban_of(&subject)?.with_context(|| format!("node1 did not notice the scan of {subject}"))?;
        let told = format!("{}, {}", here.grade, here.scope);
        self.teller.holds(&format!("{subject}: only dark ports are silent to it"), here.scope == "dark", &told)?;
        let elsewhere = [2, 3].map(|number| self.trio.node(number).ban_of(&subject));
        let nowhere = elsewhere.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().count() == 0;
        self.teller.holds("and no other node heard of it", nowhere, "")
    }

    /// The whole chain behind a ban, from a node that never saw its subject.
    pub fn why(&self) -> Result<()> {
        self.teller.scene("why: the chain behind the ban, asked on node 3");
        let addr = Place::Attacker.addr(Family::V4).to_string();
        self.teller.command("node3", &format!("honeymesh why {addr}"));
        let chain = self.trio.node(3).client(&["why", &addr])?.checked()?.stdout;
        self.teller.quote(&chain);
        self.teller.holds("it names the node that saw it", chain.contains("node1"), "")
    }

    /// One order frees the attacker everywhere, for good.
    pub fn unban(&self) -> Result<()> {
        self.teller.scene("unban on node 2 frees the attacker everywhere");
        let began = Instant::now();
        for family in Family::BOTH {
            let subject = Place::Attacker.subject(family);
            self.teller.command("node2", &format!("honeymesh unban {subject}"));
            self.trio.node(2).client(&["unban", &subject])?.checked()?;
        }
        for family in Family::BOTH {
            self.trio.wait_free(&Place::Attacker.subject(family))?;
        }
        let took = began.elapsed();
        self.teller.note_time("two unbans, commands included: free everywhere", took);
        self.teller.holds("no node has a ban of it", true, &span(took))?;
        self.reaches_everybody("it reaches every node's service again")?;
        thread::sleep(UNDONE_WATCH);
        self.reaches_everybody(&format!("and still does after {}: nothing undid it", span(UNDONE_WATCH)))
    }

    fn reaches_everybody(&self, what: &str) -> Result<()> {
        let services = Trio::services();
        let reached = services.iter().filter(|at| self.attacker_reaches(**at)).count();
        self.teller.holds(what, reached == services.len(), &format!("{reached} of {}", services.len()))
    }

    fn attacker_reaches(&self, at: std::net::SocketAddr) -> bool {
        self.lab.attacker().namespace.inside(|| fetch(at, DROPPED_AFTER)).is_ok()
    }

    /// The kernel ends a ban on time by itself.
    pub fn deadline_without_daemon(&mut self) -> Result<()> {
        self.teller.scene("A short ban ends by itself, with the daemon killed");
        let addr = Place::Attacker.addr(Family::V4).to_string();
        let ttl = format!("{}s", SHORT_TTL.as_secs());
        self.teller.command("node3", &format!("honeymesh ban {addr} --ttl {ttl} --local"));
        let began = Instant::now();
        self.trio.node(3).client(&["ban", &addr, "--ttl", &ttl, "--local"])?.checked()?;
        self.teller.command("node3", "kill -9 honeymesh");
        self.trio.node_mut(3).kill();
        let at = Place::Node(3).at(Family::V4, WEB_PORT);
        self.teller.holds("nobody runs, yet the kernel drops", !self.attacker_reaches(at), "")?;
        let free = || Ok(self.lab.attacker().namespace.inside(|| fetch(at, Duration::from_millis(150))).ok());
        wait_until("the short ban ends", SHORT_TTL + 2 * DEADLINE_SLACK, free)?;
        let lasted = began.elapsed();
        self.teller.note_time(&format!("a ban of {ttl}, daemon killed: lasted"), lasted);
        let on_time = lasted + DEADLINE_SLACK >= SHORT_TTL && lasted <= SHORT_TTL + DEADLINE_SLACK;
        self.teller.holds("and lets go at the deadline", on_time, &span(lasted))
    }

    /// What the daemons cost.
    pub fn note_memory(&self) -> Result<()> {
        let sizes = self.trio.nodes().iter().map(|node| {
            let kib = node.resident_kib().context("a daemon's memory cannot be read")?;
            Ok(format!("{:.1} MiB", kib as f64 / 1024.0))
        });
        self.teller.note("resident memory of the daemon", sizes.collect::<Result<_>>()?);
        Ok(())
    }

    /// The honest client never noticed.
    pub fn honest_to_the_end(&self) -> Result<()> {
        self.teller.scene("The honest client, all along");
        let report = self.honest.report();
        let failed = report.failures();
        for failure in failed.iter().take(5) {
            self.teller.quote(&format!("{}: {:?}", failure.to, failure.error));
        }
        let told = format!("{} requests, {} failed, slowest {}", report.requests.len(), failed.len(), span(report.slowest()));
        self.teller.note("honest client, the whole story", vec![told.clone()]);
        self.teller.holds("every request to the real services was answered", failed.is_empty(), &told)
    }
}

/// curl's exit code when nothing came back in time.
const CURL_TIMED_OUT: i32 = 28;

fn code(code: Option<i32>) -> String {
    code.map_or_else(|| "stopped".into(), |code| code.to_string())
}

const fn name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}
