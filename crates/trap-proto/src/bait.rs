//! What every port plays that nobody serves: the service that one expects there, or [`Any`].

use crate::{Any, Lure, Persona, RsaHostKey, Service, SshCurves};
use alloc::{sync::Arc, vec::Vec};

/// Ports where a certain server is expected: those that speak first, whose silence would tell, and the web's. On every other
/// port what the stranger speaks is recognised once it is spoken.
const EXPECTED: [(&str, &[u16]); 16] = [
    ("ftp", &[21, 2_121]),
    ("ssh", &[22, 222, 2_022, 2_200, 2_222, 22_222]),
    ("telnet", &[23, 2_323, 23_231]),
    ("smtp", &[25, 587, 2_525]),
    ("smtps", &[465]),
    ("pop3", &[110]),
    ("pop3s", &[995]),
    ("imap", &[143]),
    ("imaps", &[993]),
    ("mysql", &[3_306]),
    ("vnc", &[5_900, 5_901, 5_902]),
    ("https", &[443, 4_443, 8_443, 9_443]),
    ("elasticsearch", &[9_200]),
    ("docker", &[2_375]),
    ("kubernetes", &[6_443]),
    ("http", &[80, 81, 591, 3_000, 5_000, 7_001, 8_000, 8_008, 8_080, 8_081, 8_088, 8_888, 9_000]),
];

/// What every port plays that nobody serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bait {
    expected: Vec<Service>,
    any: Service,
}

impl Bait {
    /// Plays as the operator's own traps do: of each kind the first, or the usual one if there is none.
    #[must_use]
    pub fn like<'a>(traps: impl Iterator<Item = &'a Service>, persona: &Persona) -> Self {
        let traps: Vec<&Service> = traps.collect();
        let expected = EXPECTED.iter().filter_map(|(name, _)| Service::like(name, &traps, persona)).collect();
        Self { expected, any: Service::Any(Any::like(&traps, persona)) }
    }

    /// The same where what is played shows this.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        let expected = self.expected.into_iter().map(|service| service.showing(lure)).collect();
        Self { expected, any: self.any.showing(lure) }
    }

    /// The same where what is played has this RSA host key.
    #[must_use]
    pub fn proving(self, rsa: &RsaHostKey) -> Self {
        let expected = self.expected.into_iter().map(|service| service.proving(rsa)).collect();
        Self { expected, any: self.any.proving(rsa) }
    }

    /// The same where this library works Curve25519 out.
    #[must_use]
    pub fn leaving_curves_to(self, library: &Arc<dyn SshCurves>) -> Self {
        let expected = self.expected.into_iter().map(|service| service.leaving_curves_to(library)).collect();
        Self { expected, any: self.any.leaving_curves_to(library) }
    }

    /// What a port plays.
    #[must_use]
    pub fn at(&self, port: u16) -> &Service {
        let name = EXPECTED.iter().find(|(_, ports)| ports.contains(&port)).map(|(name, _)| *name);
        self.expected.iter().find(|service| Some(service.name()) == name).unwrap_or(&self.any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Http, Ssh};

    #[test]
    fn a_port_plays_what_one_expects_there_and_all_others_wait_for_a_word() {
        let bait = Bait::like([].iter(), &Persona::of([7; 32]));
        let played = [
            21, 22, 2_222, 23, 25, 465, 110, 995, 143, 993, 3_306, 5_900, 80, 8_080, 443, 9_200, 2_375, 6_443, 6_379, 3_389, 1,
            65_535,
        ]
        .map(|port| bait.at(port).name());
        let expected = [
            "ftp",
            "ssh",
            "ssh",
            "telnet",
            "smtp",
            "smtps",
            "pop3",
            "pop3s",
            "imap",
            "imaps",
            "mysql",
            "vnc",
            "http",
            "http",
            "https",
            "elasticsearch",
            "docker",
            "kubernetes",
            "any",
            "any",
            "any",
            "any",
        ];
        assert_eq!(played, expected);
        assert_eq!(bait.expected.len(), EXPECTED.len(), "each name is a service");
    }

    #[test]
    fn the_operators_own_traps_are_played_the_first_of_each_kind() {
        let own = [Service::Http(Http::new("first").unwrap()), Service::Http(Http::new("second").unwrap())];
        let bait = Bait::like(own.iter(), &Persona::of([7; 32]));
        assert_eq!(bait.at(80), &own[0]);
        assert_eq!(bait.at(443), &Service::Https(Http::new("first").unwrap().secured()), "the same site behind TLS");
        assert_eq!(bait.at(444), &Service::Any(Any::like(&[&own[0]], &Persona::of([7; 32]))));
        assert_eq!(bait.at(22), &Service::Ssh(Ssh::of(&Persona::of([7; 32]))));
    }
}
