//! Which machine a node's traps pretend to be: one seed decides it all, so that what they say agrees and stays.
//!
//! Everything a stranger can compare comes from here: the host's name, the release and its kernel, the hardware, the time since
//! the last start, and the secrets from which host keys and certificates are made. Two nodes differ in all of that; a node that
//! is started again says the same as before.

mod programs;
mod releases;

pub use releases::Kernel;

use crate::{Definition, text::hex};
use alloc::{
    format,
    string::{String, ToString},
};
use hmac::{Hmac, KeyInit, Mac};
use honeymesh_types::WallTime;
use sha2::Sha256;

/// The longest host name or domain, in bytes (RFC 1035's for a name; what a label holds is its own limit of 63).
pub const HOST_BYTES_MAX: usize = 253;

/// Days that a machine runs before it is started again, at least and at most: kernels of a stable release are replaced that often.
const RUN_DAYS: (u64, u64) = (23, 61);
const DAY_SECONDS: u64 = 24 * 3_600;
/// The first moment at which a machine may have been installed, 2025-10-01T00:00:00Z in seconds since 1970, and within how many
/// days from then: behind the release of Debian 13, and before whatever a machine of this year made itself.
const INSTALLED: (u64, u64) = (1_759_276_800, 80);
/// From the installation on until something is set up, at least, and within which time from then.
const SET_UP_SECONDS: u64 = 900;
const SET_UP_WITHIN_SECONDS: u64 = 4 * 3_600;

/// The same of a device that nobody looks after.
const DEVICE_RUN_DAYS: (u64, u64) = (19, 127);

/// What servers are called, before their number.
const ROLES: [&str; 16] = [
    "web", "app", "srv", "node", "vps", "host", "db", "mail", "prod", "files", "backup", "proxy", "build", "stage", "edge",
    "core",
];

/// What a hosting company sells: processors as the kernel names them under KVM, cores, KiB of memory.
const MACHINES: [Machine; 6] = [
    Machine {
        vendor: "GenuineIntel",
        processor: "Intel Xeon Processor (Skylake, IBRS)",
        mhz: "2294.608",
        cores: 2,
        memory_kib: 4_009_064,
    },
    Machine {
        vendor: "GenuineIntel",
        processor: "Intel Xeon Processor (Cascadelake)",
        mhz: "2992.968",
        cores: 4,
        memory_kib: 8_132_212,
    },
    Machine {
        vendor: "GenuineIntel",
        processor: "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz",
        mhz: "2893.202",
        cores: 4,
        memory_kib: 16_373_508,
    },
    Machine {
        vendor: "AuthenticAMD",
        processor: "AMD EPYC Processor (with IBPB)",
        mhz: "2495.312",
        cores: 2,
        memory_kib: 4_004_148,
    },
    Machine { vendor: "AuthenticAMD", processor: "AMD EPYC-Rome Processor", mhz: "2445.404", cores: 3, memory_kib: 3_995_032 },
    Machine { vendor: "AuthenticAMD", processor: "AMD EPYC-Milan Processor", mhz: "2399.998", cores: 8, memory_kib: 16_374_156 },
];

/// The hardware that is pretended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// `vendor_id` of `/proc/cpuinfo`.
    pub vendor: &'static str,
    /// `model name` of `/proc/cpuinfo`.
    pub processor: &'static str,
    /// `cpu MHz` of `/proc/cpuinfo`.
    pub mhz: &'static str,
    /// Processors.
    pub cores: u8,
    /// Memory that the kernel sees, in KiB.
    pub memory_kib: u32,
}

impl Machine {
    /// The same in whole MiB.
    #[must_use]
    pub const fn memory_mib(&self) -> u32 {
        self.memory_kib / 1_024
    }

    /// The same in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> u64 {
        (self.memory_kib as u64) << 10
    }
}

/// Which machine a node's traps pretend to be.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Persona {
    seed: [u8; 32],
    host: String,
    domain: String,
    /// What runs on it: a bit for each of [`programs::ORDER`].
    programs: u64,
}

impl core::fmt::Debug for Persona {
    /// Without the seed, from which keys are made.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Persona").field("host", &self.host).field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// Why a text is no host name or domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a host: write letters, digits and hyphens, in labels of 1 to 63 with points between them")]
pub struct NameError(String);

impl Persona {
    /// The machine that this seed makes. The seed is a secret: it must differ from node to node, and stay.
    #[must_use]
    pub fn of(seed: [u8; 32]) -> Self {
        let mut persona = Self { seed, host: String::new(), domain: "localdomain".to_string(), programs: 0 };
        let [role, pattern, number, a, b, c, ..] = persona.key("host");
        let role = ROLES[usize::from(role) % ROLES.len()];
        persona.host = match pattern % 4 {
            0 => format!("{role}{:02}", number % 12 + 1),
            1 => format!("{role}-{:02}", number % 24 + 1),
            2 => format!("{role}{}", number % 5 + 1),
            _ => format!("{role}-{}", hex(&[a, b, c])),
        };
        persona
    }

    /// The same with an operator's name for it, in small letters: with points in it, its domain, too.
    ///
    /// # Errors
    /// [`NameError`]: what is given is no name; nothing is changed.
    pub fn named(mut self, name: &str) -> Result<Self, NameError> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() > HOST_BYTES_MAX || !name.split('.').all(is_label) {
            return Err(NameError(crate::safe_text(name.as_bytes(), 80)));
        }
        let name = name.to_ascii_lowercase();
        match name.split_once('.') {
            Some((host, domain)) => (self.host, self.domain) = (host.to_string(), domain.to_string()),
            None => self.host = name,
        }
        Ok(self)
    }

    /// A secret of its own for `purpose`, such as a host key's (HMAC-SHA-256 of the purpose, keyed by the seed).
    #[must_use]
    pub fn key(&self, purpose: &str) -> [u8; 32] {
        derived(&self.seed, &[b"honeymesh persona 1: ", purpose.as_bytes()])
    }

    /// A number for `purpose` that stays, for whatever differs from machine to machine.
    #[must_use]
    pub fn number(&self, purpose: &str) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.key(purpose);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The host's name without its domain, as `hostname` prints it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Both, as `hostname -f` prints them.
    #[must_use]
    pub fn fqdn(&self) -> String {
        format!("{}.{}", self.host, self.domain)
    }

    /// The kernel that the machine runs at `now`: the newest that there was when it was started.
    #[must_use]
    pub fn kernel(&self, now: WallTime) -> &'static Kernel {
        self.era().kernel(now)
    }

    /// Debian's release with its point, as `/etc/debian_version` has it at `now`.
    #[must_use]
    pub fn release(&self, now: WallTime) -> &'static str {
        releases::point_at(now.0 / 1_000_000)
    }

    /// The same machine with the programs that these traps play running on it; a trap that plays another machine adds none.
    #[must_use]
    pub fn serving<'a>(mut self, traps: impl IntoIterator<Item = &'a Definition>) -> Self {
        self.programs = programs::of(traps);
        self
    }

    /// The programs that run on it besides what every Debian runs, in the order in which they are started.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &'static str> + use<> {
        programs::among(self.programs)
    }

    /// When it was installed, in seconds since 1970: nothing that it made itself is older.
    #[must_use]
    pub fn installed(&self) -> u64 {
        let (first, days) = INSTALLED;
        first + self.number("installed") % (days * DAY_SECONDS)
    }

    /// When something was set up on it: on the day that it was installed, in seconds since 1970.
    #[must_use]
    pub fn set_up(&self, what: &str) -> u64 {
        self.installed() + SET_UP_SECONDS + self.number(&format!("set up {what}")) % SET_UP_WITHIN_SECONDS
    }

    /// The hardware.
    #[must_use]
    pub fn machine(&self) -> Machine {
        MACHINES[usize::try_from(self.number("machine") % MACHINES.len() as u64).unwrap_or(0)]
    }

    /// When it is started, for services that tell it.
    #[must_use]
    pub fn era(&self) -> Era {
        let (least, most) = RUN_DAYS;
        let run = (least + self.number("run") % (most - least)) * DAY_SECONDS;
        Era { run, offset: self.number("boot") % run, salt: self.number("pids") }
    }

    /// When the device beside it is started, which is another machine: seldom, when the power fails.
    pub(crate) fn device_era(&self) -> Era {
        let (least, most) = DEVICE_RUN_DAYS;
        let run = (least + self.number("device run") % (most - least)) * DAY_SECONDS;
        Era { run, offset: self.number("device boot") % run, salt: 0 }
    }

    /// When the machine was started last, as it would say at `now`: it is started again every few weeks, always at the same
    /// time of day, so that its uptime grows from visit to visit and every service tells the same.
    #[must_use]
    pub fn booted(&self, now: WallTime) -> WallTime {
        self.era().booted(now)
    }

    /// Seconds since then, at `now`.
    #[must_use]
    pub fn uptime(&self, now: WallTime) -> u64 {
        self.era().uptime(now)
    }
}

/// HMAC-SHA-256 of the parts, one after the other.
pub(crate) fn derived(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// When a machine is started: again and again, every so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Era {
    run: u64,
    offset: u64,
    /// Makes what differs from start to start.
    salt: u64,
}

impl Era {
    /// [`Persona::booted`].
    #[must_use]
    pub const fn booted(&self, now: WallTime) -> WallTime {
        WallTime((now.0 / 1_000_000 - self.uptime(now)) * 1_000_000)
    }

    /// [`Persona::uptime`].
    #[must_use]
    pub const fn uptime(&self, now: WallTime) -> u64 {
        let seconds = now.0 / 1_000_000;
        let running = (seconds + self.run - self.offset) % self.run;
        if running < seconds { running } else { seconds }
    }

    /// [`Persona::kernel`].
    #[must_use]
    pub fn kernel(&self, now: WallTime) -> &'static Kernel {
        releases::kernel_at(self.booted(now).0 / 1_000_000)
    }

    /// The number of a program's process, the same from one start of the machine to the next: the later a program is started, the
    /// higher.
    pub(crate) fn pid(&self, program: &str, now: WallTime) -> u32 {
        programs::pid(program, self.salt ^ self.booted(now).0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};

    pub(crate) fn seeds() -> impl Iterator<Item = Persona> {
        (0..200_u64).map(|seed| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            Persona::of(bytes)
        })
    }

    #[test]
    fn a_seed_says_the_same_every_time_and_another_something_else() {
        assert_eq!(Persona::of([7; 32]), Persona::of([7; 32]));
        let names: BTreeSet<String> = seeds().map(|persona| persona.host().into()).collect();
        assert!(names.len() > 100, "{} names of 200 seeds", names.len());
        let keys: BTreeSet<[u8; 32]> = seeds().flat_map(|persona| [persona.key("ssh"), persona.key("tls")]).collect();
        assert_eq!(keys.len(), 400, "each purpose of each has its own");
        let machines: Vec<usize> =
            MACHINES.iter().map(|one| seeds().filter(|persona| persona.machine() == *one).count()).collect();
        assert!(machines.iter().all(|count| *count > 10), "{machines:?}");
    }

    #[test]
    fn every_name_made_is_one_that_an_operator_could_give() {
        for persona in seeds() {
            assert_eq!(persona.clone().named(&persona.fqdn()).unwrap(), persona);
        }
    }

    #[test]
    fn an_operator_names_it() {
        let persona = || Persona::of([1; 32]);
        let named = persona().named("Shop.Example.org").unwrap();
        assert_eq!((named.host(), named.domain(), named.fqdn().as_str()), ("shop", "example.org", "shop.example.org"));
        assert_eq!(persona().named("db7").unwrap().fqdn(), "db7.localdomain");
        assert_eq!(named.key("ssh"), persona().key("ssh"), "a name changes no key");
        for wrong in ["", "a..b", "-a", "a-", "a b", "a\nb", "ä", &"x".repeat(64), &"a.".repeat(127)] {
            assert!(persona().named(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(
            persona().named("a_b").unwrap_err().to_string(),
            "`a_b` is no name of a host: write letters, digits and hyphens, in labels of 1 to 63 with points between them"
        );
    }

    #[test]
    fn the_uptime_grows_until_the_machine_is_started_again() {
        let start = 1_790_000_000;
        for persona in seeds().take(20) {
            let mut last = persona.uptime(WallTime(start * 1_000_000));
            let mut starts = 0;
            for hour in 1..(120 * 24) {
                let now = WallTime((start + hour * 3_600) * 1_000_000);
                let uptime = persona.uptime(now);
                assert_eq!(persona.booted(now).0 / 1_000_000 + uptime, now.0 / 1_000_000);
                assert!(uptime < RUN_DAYS.1 * DAY_SECONDS);
                match uptime {
                    grown if grown == last + 3_600 => {}
                    fresh => {
                        assert!(fresh < 3_600, "{fresh}");
                        starts += 1;
                    }
                }
                last = uptime;
            }
            assert!((1..=5).contains(&starts), "{starts} starts in 120 days");
        }
        let _ = seeds().next().unwrap().booted(WallTime(0));
    }

    /// Days from 2026-02-01 on, at noon.
    fn days() -> impl Iterator<Item = WallTime> {
        (0..1_200).map(|day| WallTime((1_769_947_200 + day * DAY_SECONDS) * 1_000_000))
    }

    #[test]
    fn no_machine_runs_a_kernel_that_was_made_after_its_start() {
        for persona in seeds() {
            for now in days() {
                let kernel = persona.kernel(now);
                let built = &kernel.build[kernel.build.len() - 11..kernel.build.len() - 1];
                let booted = crate::calendar::Moment::of(persona.booted(now).0 / 1_000_000);
                let booted = format!("{}-{:02}-{:02}", booted.year, booted.month, booted.day);
                assert!(built < booted.as_str(), "{} started on {booted}", kernel.build);
            }
        }
        let newest: BTreeSet<&str> = days().map(|now| seeds().next().unwrap().kernel(now).release).collect();
        assert!(newest.len() > 5, "a machine that is started again has a newer one: {newest:?}");
    }

    #[test]
    fn nothing_is_older_than_the_machine_and_the_machine_is_younger_than_its_system() {
        for persona in seeds() {
            let (installed, set_up) = (persona.installed(), persona.set_up("web"));
            assert!(installed > 1_754_697_600, "Debian 13 is of 2025-08-09");
            assert!((installed..installed + DAY_SECONDS).contains(&set_up), "{installed} {set_up}");
            assert!(days().all(|now| persona.booted(now).0 / 1_000_000 > set_up || now.0 / 1_000_000 < 1_775_000_000));
        }
    }

    #[test]
    fn processes_have_numbers_of_their_own_that_stay_until_the_next_start() {
        let persona = seeds().next().unwrap();
        let era = persona.era();
        let (now, later) = (WallTime(1_796_040_000_000_000), WallTime(1_796_040_060_000_000));
        let pids: Vec<u32> = programs::ORDER.iter().map(|program| era.pid(program, now)).collect();
        assert!(pids.is_sorted_by(|one, next| one < next), "{pids:?}");
        assert_eq!(era.pid("memcached", now), era.pid("memcached", later));
        let runs: BTreeSet<u32> = days().map(|now| era.pid("memcached", now)).collect();
        assert!(runs.len() > 3, "{runs:?}");
    }

    #[test]
    fn the_seed_is_not_shown() {
        assert!(!format!("{:?}", Persona::of([0xab; 32])).contains("171"));
    }
}
