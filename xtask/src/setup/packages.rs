//! What has to be installed, for which purpose, and why: one line each.

use super::Purpose;

/// A Debian package.
pub struct Package {
    /// What needs it.
    pub purpose: Purpose,
    /// Its name in Debian.
    pub name: &'static str,
    /// What it is for.
    pub why: &'static str,
}

const fn package(purpose: Purpose, name: &'static str, why: &'static str) -> Package {
    Package { purpose, name, why }
}

/// Every Debian package.
pub const PACKAGES: &[Package] = &[
    package(Purpose::Build, "gcc", "compiles the C parts of SQLite and of the TLS library"),
    package(Purpose::Build, "libc6-dev", "the C library's headers, for the same"),
    package(Purpose::Build, "make", "used by the same builds"),
    package(Purpose::Build, "git", "says which files are the project's"),
    package(Purpose::Ebpf, "rustc-web", "the Rust compiler for the kernel program"),
    package(Purpose::Ebpf, "libstd-rust-web-dev-bpf", "Rust's core library, compiled for BPF"),
    package(Purpose::Ebpf, "llvm-22", "opt and llc: link the kernel program"),
    package(Purpose::Lab, "valgrind", "counts the instructions that an input costs"),
    package(Purpose::Lab, "iproute2", "ip: network namespaces, links, addresses, routes"),
    package(Purpose::Lab, "nftables", "nft: cuts and heals links between hosts"),
    package(Purpose::Lab, "procps", "kill and ps"),
    package(Purpose::Lab, "systemd", "systemd-analyze, systemd-sysusers, systemd-tmpfiles: read what is in packaging/systemd"),
    package(Purpose::Lab, "util-linux", "nsenter, setpriv and taskset: programs in a namespace, with less power, or on one CPU"),
    package(Purpose::Lab, "nmap", "the scanner"),
    package(Purpose::Lab, "hping3", "SYNs with a forged source"),
    package(Purpose::Lab, "curl", "the HTTP visitor"),
    package(Purpose::Lab, "lftp", "the FTP visitor"),
    package(Purpose::Lab, "openssh-client", "the SSH visitor"),
    package(Purpose::Lab, "openssh-sftp-server", "the SFTP server that the SSH trap's is held against"),
    package(Purpose::Lab, "sshpass", "types its password"),
    package(Purpose::Lab, "dropbear-bin", "dbclient: the SSH visitor from a router"),
    package(Purpose::Lab, "ncrack", "guesses passwords at SSH and the remote desktop, a third way"),
    package(Purpose::Lab, "python3-paramiko", "the SSH visitor of most scripts"),
    package(Purpose::Lab, "ssh-audit", "judges an SSH server by what it offers"),
    package(Purpose::Lab, "hydra", "guesses passwords at every service that takes them"),
    package(Purpose::Lab, "medusa", "guesses them another way"),
    package(Purpose::Lab, "busybox", "the telnet visitor, as on the devices that bots run on"),
    package(Purpose::Lab, "swaks", "the SMTP visitor"),
    package(Purpose::Lab, "libnet-ssleay-perl", "its TLS"),
    package(Purpose::Lab, "redis-tools", "redis-cli: the Redis visitor"),
    package(Purpose::Lab, "netcat-openbsd", "nc: sends lines as a script does"),
    package(Purpose::Lab, "mariadb-client", "mariadb: the MySQL visitor"),
    package(Purpose::Lab, "postgresql-client", "psql: the PostgreSQL visitor"),
    package(Purpose::Lab, "bind9-dnsutils", "dig: the DNS visitor"),
    package(Purpose::Lab, "ntpsec-ntpdate", "ntpdate: the NTP visitor"),
    package(Purpose::Lab, "snmp", "snmpget: the SNMP visitor"),
    package(Purpose::Lab, "tftp-hpa", "tftp: the TFTP visitor"),
    package(Purpose::Lab, "sipsak", "the SIP visitor"),
    package(Purpose::Lab, "freetds-bin", "tsql: the SQL Server visitor"),
    package(Purpose::Lab, "smbclient", "the SMB visitor"),
    package(Purpose::Lab, "python3-impacket", "SMB and SQL Server as intruders' tools speak them"),
    package(Purpose::Lab, "ldap-utils", "ldapsearch: the LDAP visitor"),
    package(Purpose::Lab, "python3-pymongo", "the MongoDB visitor"),
    package(Purpose::Lab, "mosquitto-clients", "mosquitto_pub and mosquitto_sub: the MQTT visitors"),
    package(Purpose::Lab, "mbpoll", "the Modbus visitor"),
    package(Purpose::Lab, "adb", "the visitor of Android's debugging port"),
    package(Purpose::Lab, "libmemcached-tools", "memcstat, memccp and memccat: the memcached visitors"),
    package(Purpose::Lab, "s3cmd", "the visitor of buckets"),
    package(Purpose::Lab, "python3-docker", "the visitor of Docker's engine"),
    package(Purpose::Lab, "python3-kubernetes", "the visitor of clusters"),
    package(Purpose::Lab, "python3-elasticsearch", "the Elasticsearch visitor"),
    package(Purpose::Lab, "vncsnapshot", "the VNC visitor, without a screen"),
    package(Purpose::Lab, "tcpdump", "sees what the attacker sees"),
    package(Purpose::Lab, "openssl", "knocks at the API with old TLS"),
    package(Purpose::Bench, "ipset", "a competitor in the kernel benchmark"),
    package(Purpose::Bench, "iptables", "asks ipset's sets"),
    package(Purpose::Bench, "xdp-tools", "xdp-filter, a competitor in the kernel benchmark"),
    package(Purpose::BenchMesh, "golang-go", "builds memberlist, a competitor in the mesh benchmark"),
    package(Purpose::BenchMesh, "golang-github-hashicorp-memberlist-dev", "its source"),
    package(Purpose::BenchTraps, "python3-venv", "holds the competitors in the traps benchmark"),
    package(Purpose::BenchTraps, "libsqlite3-0", "CrowdSec's database"),
    package(Purpose::Fuzz, "g++", "compiles libFuzzer"),
    package(Purpose::Browser, "chromium", "opens the dashboard in the browser tests"),
    package(Purpose::Browser, "chromium-driver", "drives it"),
    package(Purpose::Browser, "fonts-liberation", "letters on the dashboard's pictures"),
];

/// A program from PyPI, in a Python environment of its own.
pub struct Python {
    /// What needs it.
    pub purpose: Purpose,
    /// Its name there.
    pub name: &'static str,
    /// The one version that is measured.
    pub version: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// Every such program.
pub const PYTHONS: &[Python] = &[
    Python {
        purpose: Purpose::BenchTraps,
        name: "opencanary",
        version: "0.9.10",
        why: "OpenCanary, a competitor in the traps benchmark",
    },
    Python { purpose: Purpose::BenchTraps, name: "cowrie", version: "3.1.4", why: "Cowrie, another one" },
];

/// A package of Debian's that is unpacked and not installed.
pub struct Unpacked {
    /// What needs it.
    pub purpose: Purpose,
    /// Its name there.
    pub name: &'static str,
    /// A file of it, by which it is known to be there.
    pub file: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// Every such package.
pub const UNPACKED: &[Unpacked] = &[
    Unpacked {
        purpose: Purpose::BenchTraps,
        name: "fail2ban",
        file: "usr/bin/fail2ban-server",
        why: "bans by logs, beside ours in the traps benchmark",
    },
    Unpacked {
        purpose: Purpose::BenchTraps,
        name: "python3-pyinotify",
        file: "usr/lib/python3/dist-packages/pyinotify.py",
        why: "lets it see at once that a log has grown",
    },
    Unpacked {
        purpose: Purpose::BenchTraps,
        name: "portsentry",
        file: "usr/sbin/portsentry",
        why: "bans by connections, beside it",
    },
    Unpacked {
        purpose: Purpose::BenchTraps,
        name: "crowdsec",
        file: "usr/bin/crowdsec",
        why: "decides by logs, with its hub's detections in the package",
    },
    Unpacked {
        purpose: Purpose::BenchTraps,
        name: "crowdsec-firewall-bouncer",
        file: "usr/bin/crowdsec-firewall-bouncer",
        why: "asks it for decisions and enters them into nftables",
    },
];

/// A program that cargo compiles and installs.
pub struct Tool {
    /// What needs it.
    pub purpose: Purpose,
    /// The crate, which is also the program.
    pub name: &'static str,
    /// The one version that is used, so that every machine judges alike.
    pub version: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// Every cargo tool.
pub const TOOLS: &[Tool] = &[Tool {
    purpose: Purpose::Checks,
    name: "cargo-deny",
    version: "0.20.2",
    why: "licences, sources and bans of dependencies",
}];

/// A crate of the project's that is no part of its workspace, compiled where it lies.
pub struct Contender {
    /// What needs it.
    pub purpose: Purpose,
    /// Where it lies, from the root.
    pub folder: &'static str,
    /// The program.
    pub name: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// Every such crate.
pub const CONTENDERS: &[Contender] = &[Contender {
    purpose: Purpose::BenchMesh,
    folder: "sim/benches/iroh-gossip",
    name: "iroh-gossip-contender",
    why: "iroh-gossip, a competitor in the mesh benchmark: some 240 crates, minutes to compile",
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_stands_once_with_a_reason() {
        let mut names: Vec<_> = PACKAGES.iter().map(|package| package.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
        assert!(PACKAGES.iter().all(|package| !package.why.is_empty()));
    }

    #[test]
    fn every_unpacked_package_is_known_by_a_file_of_its_own() {
        let mut files: Vec<_> = UNPACKED.iter().map(|package| package.file).collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), UNPACKED.len());
        assert!(UNPACKED.iter().all(|package| !package.file.starts_with('/') && !package.why.is_empty()));
    }

    #[test]
    fn names_are_what_apt_takes_for_a_name() {
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
        assert!(PACKAGES.iter().all(|package| plain(package.name)));
        assert!(UNPACKED.iter().all(|package| plain(package.name)));
    }
}
