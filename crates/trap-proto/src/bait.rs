//! What every port plays that nobody serves: the service that one expects there, or [`Any`].

use crate::{Any, Ftp, Http, Service, Ssh};

/// Ports where a server is expected that speaks first, so that silence would tell.
const FTP_PORTS: [u16; 2] = [21, 2_121];
/// The same for SSH.
const SSH_PORTS: [u16; 6] = [22, 222, 2_022, 2_200, 2_222, 22_222];
/// Ports where a web server is expected. On every other port HTTP is recognised once it is spoken.
const HTTP_PORTS: [u16; 13] = [80, 81, 591, 3_000, 5_000, 7_001, 8_000, 8_008, 8_080, 8_081, 8_088, 8_888, 9_000];

/// What every port plays that nobody serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bait {
    ftp: Service,
    ssh: Service,
    http: Service,
    any: Service,
}

impl Bait {
    /// Plays as the operator's own traps do: of each kind the first, or the usual one if there is none.
    #[must_use]
    pub fn like<'a>(traps: impl Iterator<Item = &'a Service>) -> Self {
        let (mut ftp, mut ssh, mut http) = (None, None, None);
        for trap in traps {
            match trap {
                Service::Ftp(trap) => ftp = ftp.or(Some(trap)),
                Service::Ssh(trap) => ssh = ssh.or(Some(trap)),
                Service::Http(trap) => http = http.or(Some(trap)),
                Service::Script(_) | Service::Any(_) => {}
            }
        }
        let (ftp, ssh) = (ftp.map_or_else(Ftp::default, Clone::clone), ssh.map_or_else(Ssh::default, Clone::clone));
        let http = http.map_or_else(Http::default, Clone::clone);
        Self {
            any: Service::Any(Any::new(http.clone(), ssh.clone())),
            ftp: Service::Ftp(ftp),
            ssh: Service::Ssh(ssh),
            http: Service::Http(http),
        }
    }

    /// What a port plays.
    #[must_use]
    pub fn at(&self, port: u16) -> &Service {
        match port {
            port if FTP_PORTS.contains(&port) => &self.ftp,
            port if SSH_PORTS.contains(&port) => &self.ssh,
            port if HTTP_PORTS.contains(&port) => &self.http,
            _ => &self.any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_plays_what_one_expects_there_and_all_others_wait_for_a_word() {
        let bait = Bait::like([].iter());
        let played = [21, 22, 2_222, 80, 8_080, 443, 6_379, 3_389, 23, 1, 65_535].map(|port| bait.at(port).name());
        assert_eq!(played, ["ftp", "ssh", "ssh", "http", "http", "any", "any", "any", "any", "any", "any"]);
    }

    #[test]
    fn the_operators_own_traps_are_played_the_first_of_each_kind() {
        let own = [Service::Http(Http::new("first").unwrap()), Service::Http(Http::new("second").unwrap())];
        let bait = Bait::like(own.iter());
        assert_eq!(bait.at(80), &own[0]);
        assert_eq!(bait.at(443), &Service::Any(Any::new(Http::new("first").unwrap(), Ssh::default())));
        assert_eq!(bait.at(22), &Service::Ssh(Ssh::default()));
    }
}
