//! `[[trap]]`: what each trap plays and where it listens.

use super::{problem::Place, problem::Placed, reader::Section, sections::required, values};
use honeymesh_trap_proto::{DELAY_MS_MAX, Definition, Frames, Persona, RuleDefinition, ScriptDefinition, Service, ServiceError};
use honeymesh_types::Transport;
use std::{net::SocketAddr, time::Duration};

/// The most traps one node has; each costs a listener.
const TRAPS_MAX: usize = 128;
/// The most addresses one trap listens on.
const LISTEN_MAX: usize = 64;

/// `[[trap]]`: one trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Its name, unique on this node.
    pub name: Placed<String>,
    /// What it plays; it is a service's.
    pub definition: Definition,
    /// Over which transports that is spoken to.
    pub transports: &'static [Transport],
    /// Where it listens; at least one address.
    pub listen: Vec<Placed<SocketAddr>>,
}

/// All of them.
pub(super) fn traps(root: &Section<'_, '_>) -> Vec<Trap> {
    let sections = root.sections("trap");
    if let Some(surplus) = sections.get(TRAPS_MAX) {
        root.doc.error(surplus.place, format!("[[trap]]: a node has {TRAPS_MAX} traps at most; remove some"));
    }
    sections.into_iter().filter_map(trap).collect()
}

fn trap(section: Section<'_, '_>) -> Option<Trap> {
    let name = required(&section, "name", section.text("name", name), "write for example name = \"ssh\"");
    let listen = listen(&section);
    let service = service(&section);
    section.finish();
    let (transports, definition) = service?;
    Some(Trap { name: name?, definition, transports, listen: listen? })
}

/// A trap's name is a label in metrics and a word in logs.
fn name(text: &str) -> Result<String, String> {
    text.parse::<honeymesh_types::NodeName>().map(|name| name.as_str().to_owned()).map_err(|error| error.to_string())
}

fn listen(section: &Section<'_, '_>) -> Option<Vec<Placed<SocketAddr>>> {
    let mend = "write for example listen = [\"0.0.0.0:2222\"]";
    let listen = required(section, "listen", section.list("listen", values::listen), mend)?;
    if listen.value.is_empty() || listen.value.len() > LISTEN_MAX {
        let what = format!("{}: {} addresses can be read; write 1 to {LISTEN_MAX}", section.named("listen"), listen.value.len());
        section.doc.error(listen.place, what);
        return None;
    }
    Some(listen.value)
}

/// Reads all keys of the service first, so that each problem among them is told, then has it checked as a whole: whatever machine
/// the node pretends to be.
fn service(section: &Section<'_, '_>) -> Option<(&'static [Transport], Definition)> {
    let word = section.text("service", |text| Ok(text.to_owned()));
    let word = required(section, "service", word, &format!("write one of {}", Service::NAMES.join("|")))?;
    let banner = section.text("banner", |text| Ok(text.to_owned())).map(|banner| banner.value);
    let transport = plain(section, "transport");
    let definition = Definition {
        service: word.value,
        banner,
        transport,
        let_in: let_in(section),
        site: plain(section, "site"),
        tarpit: section.switch("tarpit"),
        script: script(section),
    };
    match Service::define(&definition, &Persona::of([0; 32])) {
        Ok(service) => Some((service.transports(), definition)),
        Err(error) => {
            let (place, named) = blamed(section, &error).unwrap_or_else(|| (word.place, section.named("service")));
            section.doc.error(place, format!("{named}: {error}"));
            None
        }
    }
}

/// Where a script's mistake stands, or a tarpit's, and what that is called.
fn blamed(section: &Section<'_, '_>, error: &ServiceError) -> Option<(Option<Place>, String)> {
    if matches!(error, ServiceError::NothingDrips(_)) {
        return Some((section.place_of("tarpit"), "[[trap]]".into()));
    }
    let ServiceError::Script(error) = error else { return None };
    let Some(number) = error.rule() else { return error.key().map(|key| (section.place_of(key), section.named(key))) };
    let rule = section.sections("rule").into_iter().nth(number - 1)?;
    let place = error.key().map_or(rule.place, |key| rule.place_of(key));
    Some((place, error.key().map_or_else(|| "[[trap.rule]]".into(), |key| rule.named(key))))
}

/// What telnet lets in; whether such a try comes is the service's to say.
fn let_in(section: &Section<'_, '_>) -> Option<u8> {
    section.number("let_in", 0..=u64::from(u8::MAX)).and_then(|tries| u8::try_from(tries.value).ok())
}

fn script(section: &Section<'_, '_>) -> ScriptDefinition {
    let frames = section.text("frames", |text| match text {
        "lines" => Ok(Frames::Lines),
        "bytes" => Ok(Frames::Bytes),
        other => Err(format!("`{other}` is not understood; write lines|bytes")),
    });
    ScriptDefinition {
        frames: frames.map_or(Frames::Lines, |frames| frames.value),
        otherwise: plain(section, "otherwise"),
        rules: section.sections("rule").into_iter().map(rule).collect(),
    }
}

fn rule(section: Section<'_, '_>) -> RuleDefinition {
    let rule = RuleDefinition {
        expect: plain(&section, "expect"),
        contains: plain(&section, "contains"),
        expect_hex: plain(&section, "expect_hex"),
        regex: plain(&section, "regex"),
        ignore_case: section.switch("ignore_case"),
        answer: plain(&section, "answer"),
        answer_hex: plain(&section, "answer_hex"),
        delay_ms: wait(&section, "delay"),
        jitter_ms: wait(&section, "jitter"),
        capture: plain(&section, "capture"),
        when: plain(&section, "when"),
        next: plain(&section, "next"),
        close: section.switch("close"),
        telling: section.switch("telling"),
        hostile: section.switch("hostile"),
        credentials: section.switch("credentials"),
        bait: section.switch("bait"),
    };
    section.finish();
    rule
}

/// A wait in milliseconds.
fn wait(section: &Section<'_, '_>, key: &'static str) -> u32 {
    let bounds = Duration::ZERO..=Duration::from_millis(u64::from(DELAY_MS_MAX));
    let given = section.duration(key, bounds).map_or(Duration::ZERO, |given| given.value);
    u32::try_from(given.as_millis()).unwrap_or(DELAY_MS_MAX)
}

fn plain(section: &Section<'_, '_>, key: &'static str) -> Option<String> {
    section.text(key, |text| Ok(text.to_owned())).map(|text| text.value)
}
