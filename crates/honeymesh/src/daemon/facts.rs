//! The network around the node, looked at every second by a thread of its own.

use super::operators;
use honeymesh_api::Presence;
use honeymesh_node::NetworkFacts;
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// How often the network is looked at: a new address of this machine is never banned from then on.
const EVERY: Duration = Duration::from_secs(1);
/// So many looks in a row that see everything end a warning: one that fails now and then is told once.
const CALM_LOOKS: u32 = 10;

/// The network as far as it could be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The network. A part that could not be looked at is as it was seen last.
    pub facts: NetworkFacts,
    /// What could not be looked at within the last looks, and why.
    pub unseen: BTreeMap<&'static str, String>,
}

impl Around {
    /// The network as it is now, with nothing known before.
    #[must_use]
    pub fn now() -> Self {
        let (facts, unseen) = look(&NetworkFacts::default(), &Presence::default());
        let mut around = Self { facts, unseen: BTreeMap::new() };
        around.note(unseen);
        around
    }

    /// What an operator should know.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let parts: Vec<String> = self.unseen.iter().map(|(part, why)| format!("{part} ({why})")).collect();
        let then = "what was known of them before stays protected, and what is new is not: a limit of open files that is too low is the usual cause";
        (!parts.is_empty()).then(|| format!("this cannot be looked at: {}; {then}", parts.join(", ")))
    }

    /// Takes what could not be looked at, and tells what is new of it.
    fn note(&mut self, unseen: Vec<(&'static str, String)>) {
        for (part, why) in unseen {
            if !self.unseen.contains_key(part) {
                tracing::warn!("{part} cannot be looked at: {why}; what was known before stays protected");
            }
            self.unseen.entry(part).or_insert(why);
        }
    }
}

/// Operators are those who are logged in, and those who were heard over HTTPS.
fn look(known: &NetworkFacts, presence: &Presence) -> (NetworkFacts, Vec<(&'static str, String)>) {
    let before = honeymesh_xdp::NetworkFacts {
        own: known.own.clone(),
        on_link: known.on_link.clone(),
        gateways: known.gateways.clone(),
        resolvers: known.resolvers.clone(),
    };
    let (facts, unseen) = honeymesh_xdp::network_facts(&before);
    let (mut operators, failed) = operators::logged_in(&known.operators);
    operators.extend(presence.addresses(Instant::now()));
    operators.sort_unstable();
    operators.dedup();
    let mut unseen: Vec<_> = unseen.into_iter().map(|unseen| (unseen.part, unseen.why.to_string())).collect();
    unseen.extend(failed.map(|why| ("who is logged in", why.to_string())));
    let honeymesh_xdp::NetworkFacts { own, on_link, gateways, resolvers } = facts;
    (NetworkFacts { own, on_link, gateways, resolvers, operators }, unseen)
}

/// What one look after another comes to.
struct Watch {
    known: Around,
    calm: u32,
}

impl Watch {
    /// Takes one look. What is to be told, if anything is.
    fn take(&mut self, facts: NetworkFacts, unseen: Vec<(&'static str, String)>) -> Option<Around> {
        let before = self.known.clone();
        self.calm = if unseen.is_empty() { self.calm.saturating_add(1) } else { 0 };
        self.known.facts = facts;
        self.known.note(unseen);
        if self.calm >= CALM_LOOKS && !self.known.unseen.is_empty() {
            self.known.unseen.clear();
            tracing::info!("own addresses, gateways, resolvers and sessions can be looked at again");
        }
        (self.known != before).then(|| self.known.clone())
    }
}

/// Starts the thread. It tells each change from `known` on, of operators over HTTPS too, who are noted in `presence`, and ends when nobody listens any more.
///
/// # Errors
/// No thread can be started.
pub fn watch(known: Around, presence: Arc<Presence>) -> io::Result<mpsc::Receiver<Around>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut watch = Watch { known, calm: 0 };
    std::thread::Builder::new().name("facts".into()).spawn(move || {
        while !sender.is_closed() {
            std::thread::sleep(EVERY);
            let (facts, unseen) = look(&watch.known.facts, &presence);
            if let Some(around) = watch.take(facts, unseen)
                && sender.blocking_send(around).is_err()
            {
                return;
            }
        }
    })?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_at_is_told_once_until_it_has_been_seen_for_a_while() {
        let mut watch = Watch { known: Around::default(), calm: 0 };
        let facts = NetworkFacts { own: vec!["192.0.2.1".parse().unwrap()], ..NetworkFacts::default() };
        assert_eq!(watch.take(facts.clone(), Vec::new()).unwrap().facts, facts);
        assert_eq!(watch.take(facts.clone(), Vec::new()), None);
        let fails = || vec![("a part", "no descriptor is left".to_owned())];
        let warning = watch.take(facts.clone(), fails()).unwrap().warning().unwrap();
        assert!(warning.contains("a part (no descriptor is left)"), "{warning}");
        for _ in 0..3 {
            assert_eq!(watch.take(facts.clone(), fails()), None, "it goes on failing");
            for _ in 1..CALM_LOOKS {
                assert_eq!(watch.take(facts.clone(), Vec::new()), None, "one look alone says little");
            }
        }
        assert_eq!(watch.take(facts.clone(), Vec::new()).unwrap().warning(), None);
        assert!(watch.take(facts, fails()).is_some(), "a new one is told again");
    }
}
