//! Which programs run on the machine for the services that its traps play.

use crate::Definition;

/// All programs in the order in which a machine starts them; what every Debian runs is among them.
pub(super) const ORDER: [&str; 37] = [
    "systemd-journald",
    "systemd-udevd",
    "systemd-timesyncd",
    "cron",
    "dbus-daemon",
    "systemd-logind",
    "unattended-upgrades",
    "agetty",
    "agetty serial",
    "named",
    "ntpd",
    "snmpd",
    "in.tftpd",
    "memcached",
    "redis-server",
    "mosquitto",
    "mongod",
    "slapd",
    "containerd",
    "sshd",
    "vsftpd",
    "dovecot",
    "nginx",
    "apache2",
    "minio",
    "miniupnpd",
    "asterisk",
    "mariadbd",
    "postgres",
    "jenkins",
    "elasticsearch",
    "sqlservr",
    "kube-apiserver",
    "dockerd",
    "smbd",
    "Xtigervnc",
    "postfix",
];
/// The first number that a program may get, and how many there are from one to the next: the processes that a program starts
/// besides itself have those behind its own.
const FIRST: u32 = 330;
const STEP: u32 = 24;
/// A program's own number is among the first so many of its.
const SPREAD: u64 = 12;

/// The programs of these traps: a bit for each, by its place in [`ORDER`].
pub(super) fn of<'a>(traps: impl IntoIterator<Item = &'a Definition>) -> u64 {
    let running = traps.into_iter().flat_map(|trap| plays(&trap.service, trap.site.as_deref()));
    running.filter_map(|program| ORDER.iter().position(|known| known == program)).fold(0, |bits, place| bits | 1 << place)
}

/// Those whose bits are set, in the order in which they are started.
pub(super) fn among(bits: u64) -> impl Iterator<Item = &'static str> {
    ORDER.into_iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1).map(|(_, program)| program)
}

/// What a service and its site need; nothing if they are another machine's.
fn plays(service: &str, site: Option<&str>) -> &'static [&'static str] {
    match (service, site) {
        ("http" | "https", Some("wordpress")) => &["apache2", "mariadbd"],
        ("http" | "https", Some("router")) => &[],
        ("http" | "https", Some("object-store")) => &["minio"],
        ("http" | "https", Some("ci")) => &["jenkins"],
        ("http" | "https", _) => &["nginx"],
        ("ftp", _) => &["vsftpd"],
        ("smtp" | "smtps", _) => &["postfix"],
        ("pop3" | "pop3s" | "imap" | "imaps", _) => &["dovecot"],
        ("redis", _) => &["redis-server"],
        ("memcached", _) => &["memcached"],
        ("mysql", _) => &["mariadbd"],
        ("postgresql", _) => &["postgres"],
        ("vnc", _) => &["Xtigervnc"],
        ("dns", _) => &["named"],
        ("ntp", _) => &["ntpd"],
        ("snmp", _) => &["snmpd"],
        ("tftp", _) => &["in.tftpd"],
        ("sip", _) => &["asterisk"],
        ("ssdp", _) => &["miniupnpd"],
        ("elasticsearch", _) => &["elasticsearch"],
        ("docker", _) => &["containerd", "dockerd"],
        ("kubernetes", _) => &["containerd", "kube-apiserver"],
        ("mssql", _) => &["sqlservr"],
        ("smb", _) => &["smbd"],
        ("ldap", _) => &["slapd"],
        ("mongodb", _) => &["mongod"],
        ("mqtt", _) => &["mosquitto"],
        _ => &[],
    }
}

/// The number of a program's process; `start` tells one start of one machine from another.
pub(super) fn pid(program: &str, start: u64) -> u32 {
    let place = ORDER.iter().position(|known| *known == program).unwrap_or(ORDER.len());
    let place = u32::try_from(place).unwrap_or_default();
    let mut seed = start.wrapping_add(u64::from(place) << 40);
    FIRST + place * STEP + crate::text::random_below(&mut seed, u32::try_from(SPREAD).unwrap_or(1))
}
