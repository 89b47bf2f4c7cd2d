//! Which device a telnet login belongs to: a router, an access point, a camera or a recorder with a firmware of this year, made from
//! the persona's seed once for all sessions.

use crate::{Era, Persona, calendar::Moment, text::hex};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// Firmware was made from 2026-01-12T06:00:00Z on (in seconds since 1970), within so many days, in so many seconds of a day: the
/// device is started behind that in any case.
const MADE: (u64, u64, u64) = (1_768_197_600, 110, 9 * 3_600);
const DAY_SECONDS: u64 = 86_400;
/// The kernel is made so many seconds before the programs, at least and less than.
const KERNEL_EARLIER: (u64, u64) = (180, 2_700);
/// The number of a session's own shell among its processes.
pub(crate) const SHELL_PID: &str = "981";
/// The digits of a password's hash, as crypt(5) writes them, and how many there are of a salt and of SHA-256's.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SALT_DIGITS: usize = 16;
const HASH_DIGITS: usize = 43;
/// The device's own address, which its makers give it.
const ADDRESS: &str = "192.168.1.1";

/// What a maker sells.
struct Family {
    /// What it is called; `#` is a part of its own address.
    names: [&'static str; 3],
    machine: &'static str,
    kernels: [&'static str; 3],
    /// How its kernel was made.
    made: &'static str,
    compiler: &'static str,
    busybox: &'static str,
    processor: &'static str,
    program_head: &'static [u8],
    cores: u64,
    memory_kib: u64,
    /// The makers' part of its addresses.
    vendors: [[u8; 3]; 2],
    program: &'static str,
}

/// The head of a 32-bit little-endian ARM program: bots read it to learn which of their builds will run.
const ARM: &[u8] = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0\xd4\x8f\0\0\x34\0\0\0\
    \x60\x21\x05\0\0\x02\0\x05\x34\0\x20\0\x08\0\x28\0\x1c\0\x1b\0";
/// The same of a 32-bit little-endian MIPS one.
const MIPSEL: &[u8] = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x08\0\x01\0\0\0\x90\x2a\x40\0\x34\0\0\0\
    \x3c\x8d\x05\0\x07\x10\0\x70\x34\0\x20\0\x0a\0\x28\0\x24\0\x23\0";
/// The same of a 64-bit ARM one.
const AARCH64: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0\x28\x61\x40\0\0\0\0\0\x40\0\0\0\0\0\0\0\
    \x90\x4c\x06\0\0\0\0\0\0\0\0\0\x40\0\x38\0\x07\0\x40\0\x1b\0\x1a\0";

const CORTEX_A7: &str = "processor\t: 0\nmodel name\t: ARMv7 Processor rev 5 (v7l)\nBogoMIPS\t: 100.00\n\
    Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm\nCPU implementer\t: 0x41\n\
    CPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: 0xc07\nCPU revision\t: 5\n\nHardware\t: Generic DT based system\n\
    Revision\t: 0000\nSerial\t\t: 0000000000000000\n";
const MT7621: &str = "system type\t\t: MediaTek MT7621 ver:1 eco:3\nmachine\t\t\t: MediaTek MT7621 reference board\nprocessor\t\t: 0\n\
    cpu model\t\t: MIPS 1004Kc V2.15\nBogoMIPS\t\t: 586.13\nwait instruction\t: yes\nmicrosecond timers\t: yes\n\
    tlb_entries\t\t: 32\nextra interrupt vector\t: yes\nhardware watchpoint\t: yes, count: 4, address/irw mask: [0x0ffc, 0x0ffc, 0x0ffb, 0x0ffb]\n\
    isa\t\t\t: mips1 mips2 mips32r1 mips32r2\nASEs implemented\t: mips16 dsp mt\nshadow register sets\t: 1\n\
    kscratch registers\t: 0\npackage\t\t\t: 0\ncore\t\t\t: 0\nVPE\t\t\t: 0\nVCED exceptions\t\t: not available\nVCEI exceptions\t\t: not available\n";
const CORTEX_A53: &str = "processor\t: 0\nBogoMIPS\t: 26.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n\
    CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n\n\
    processor\t: 1\nBogoMIPS\t: 26.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n\
    CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n";

/// What is sold: kernels are of branches that were still kept when this year's firmware was made.
const FAMILIES: [Family; 4] = [
    Family {
        names: ["localhost", "IPC", "ipc-#"],
        machine: "armv7l",
        kernels: ["5.10.226", "5.10.233", "5.10.240"],
        made: "SMP PREEMPT",
        compiler: "arm-linux-gnueabihf-gcc (Buildroot 2024.02.9) 12.4.0",
        busybox: "1.36.1",
        processor: CORTEX_A7,
        program_head: ARM,
        cores: 1,
        memory_kib: 59_832,
        vendors: [[0xbc, 0xba, 0xc2], [0x3c, 0xef, 0x8c]],
        program: "/usr/bin/ipcd -c /etc/ipc.conf",
    },
    Family {
        names: ["router", "RT-#", "(none)"],
        machine: "mips",
        kernels: ["5.15.167", "5.15.178", "5.15.189"],
        made: "SMP",
        compiler: "mipsel-linux-gcc (Buildroot 2023.11.1) 12.3.0",
        busybox: "1.36.1",
        processor: MT7621,
        program_head: MIPSEL,
        cores: 4,
        memory_kib: 124_640,
        vendors: [[0x00, 0x0c, 0x43], [0x50, 0x64, 0x2b]],
        program: "/usr/sbin/httpd -h /www",
    },
    Family {
        names: ["ap-#", "gateway", "GW-#"],
        machine: "aarch64",
        kernels: ["6.1.119", "6.1.128", "6.1.137"],
        made: "SMP PREEMPT",
        compiler: "aarch64-linux-gnu-gcc (Buildroot 2024.11.1) 13.3.0",
        busybox: "1.37.0",
        processor: CORTEX_A53,
        program_head: AARCH64,
        cores: 2,
        memory_kib: 249_216,
        vendors: [[0x60, 0xcf, 0x84], [0x28, 0xee, 0x52]],
        program: "/usr/sbin/uhttpd -f -h /www -p 80",
    },
    Family {
        names: ["dvr", "DVR-#", "nvr-#"],
        machine: "armv7l",
        kernels: ["5.10.223", "5.10.230", "5.10.238"],
        made: "SMP",
        compiler: "arm-linux-gnueabi-gcc (Buildroot 2024.02.6) 12.3.0",
        busybox: "1.36.1",
        processor: CORTEX_A7,
        program_head: ARM,
        cores: 1,
        memory_kib: 122_880,
        vendors: [[0x00, 0x12, 0x31], [0x70, 0x4a, 0x0e]],
        program: "/usr/sbin/dvrd",
    },
];

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// What it calls itself, if the operator does not name it.
    pub(crate) host: String,
    /// `uname -m`.
    pub(crate) machine: &'static str,
    /// `uname -r` and `uname -v`.
    pub(crate) kernel: String,
    /// `/proc/version`.
    pub(crate) version: String,
    /// What busybox calls itself.
    pub(crate) busybox: String,
    /// What its firmware was built with.
    pub(crate) buildroot: &'static str,
    /// When, in seconds since 1970.
    pub(crate) made: u64,
    /// Memory that the kernel sees, in KiB.
    pub(crate) memory_kib: u64,
    /// `/etc/shadow`.
    pub(crate) shadow: String,
    /// `/proc/cpuinfo`.
    pub(crate) processor: &'static str,
    /// The first bytes of its programs.
    pub(crate) program_head: &'static [u8],
    /// `ifconfig` and `ps`.
    pub(crate) interfaces: String,
    pub(crate) processes: String,
    program: &'static str,
    cores: u64,
    era: Era,
}

impl Device {
    /// The one that stands beside this machine.
    pub(crate) fn of(persona: &Persona) -> Self {
        let pick = |what: &str, of: usize| usize::try_from(persona.number(what) % of as u64).unwrap_or_default();
        let family = &FAMILIES[pick("device", FAMILIES.len())];
        let [a, b, c, ..] = persona.key("device address");
        let vendor = family.vendors[pick("device vendor", family.vendors.len())];
        let address = [vendor.as_slice(), &[a, b, c & 0xfe]].concat();
        let (first, days, seconds) = MADE;
        let made = first + persona.number("device made") % days * DAY_SECONDS + persona.number("device made at") % seconds;
        let (least, below) = KERNEL_EARLIER;
        let kernel_made = Moment::of(made - least - persona.number("device kernel made") % (below - least));
        let Moment { year, month, day, hour, minute, second, .. } = Moment::of(made);
        let busybox = format!("BusyBox v{} ({year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC)", family.busybox);
        let build = format!("#1 {} {}", family.made, date(&kernel_made));
        let release = family.kernels[pick("device kernel", family.kernels.len())];
        let name = family.names[pick("device name", family.names.len())];
        Self {
            host: name.replace('#', &hex(&[b, c & 0xfe]).to_uppercase()),
            machine: family.machine,
            version: format!("Linux version {release} (builder@build) ({}, GNU ld (GNU Binutils) 2.40) {build}", family.compiler),
            kernel: format!("{release} {build}"),
            buildroot: family
                .compiler
                .split_once("Buildroot ")
                .map_or("", |(_, behind)| behind.split(')').next().unwrap_or_default()),
            busybox,
            made,
            memory_kib: family.memory_kib,
            shadow: shadow(&persona.key("device salt"), &persona.key("device hash")),
            processor: family.processor,
            program_head: family.program_head,
            interfaces: interfaces(&address, persona.number("device traffic")),
            processes: processes(family.program),
            program: family.program,
            cores: family.cores,
            era: persona.device_era(),
        }
    }

    /// What ash says when it starts.
    pub(crate) fn greeting(&self) -> String {
        format!("\n\n{} built-in shell (ash)\nEnter 'help' for a list of built-in commands.\n\n", self.busybox)
    }

    /// The first lines of what busybox says of itself.
    pub(crate) fn multi_call(&self) -> String {
        format!(
            "{} multi-call binary.\nBusyBox is copyrighted by many authors between 1998-2015.\n\
             Licensed under GPLv2. See source distribution for detailed\ncopyright notices.\n",
            self.busybox
        )
    }

    /// Where its own program is.
    pub(crate) fn program(&self) -> &'static str {
        self.program.split(' ').next().unwrap_or_default()
    }

    /// How long its programs are, in bytes: to the end of the sections that their head tells of.
    pub(crate) fn program_bytes(&self) -> u64 {
        let number = |at: usize, bytes: usize| {
            let digits = self.program_head.get(at..at + bytes).unwrap_or_default();
            digits.iter().rev().fold(0_u64, |number, digit| number << 8 | u64::from(*digit))
        };
        match self.program_head.len() {
            64 => number(40, 8) + number(58, 2) * number(60, 2),
            _ => number(32, 4) + number(46, 2) * number(48, 2),
        }
    }

    /// When it was started, in seconds since 1970.
    pub(crate) fn booted(&self, now: WallTime) -> u64 {
        now.0 / 1_000_000 - self.era.uptime(now)
    }

    /// `/proc/meminfo`, as far as people read it.
    pub(crate) fn meminfo(&self, now: WallTime) -> String {
        let all = self.memory_kib;
        let free = all / 3 + (now.0 / 60_000_000).wrapping_mul(2_654_435_761) % (all / 50);
        let (cached, buffers) = (all / 5 / 4 * 4, all / 40 / 4 * 4);
        let row = |(name, kib): (&str, u64)| format!("{:<16}{kib:>8} kB\n", name.to_string() + ":");
        let rows = [
            ("MemTotal", all),
            ("MemFree", free / 4 * 4),
            ("MemAvailable", (free + cached) / 4 * 4),
            ("Buffers", buffers),
            ("Cached", cached),
            ("SwapCached", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
        ];
        rows.into_iter().map(row).collect()
    }

    /// `uptime`, as busybox prints it where it knows of no users.
    pub(crate) fn uptime(&self, now: WallTime) -> String {
        let up = self.era.uptime(now);
        let days = match up / DAY_SECONDS {
            0 => String::new(),
            1 => "1 day, ".to_string(),
            days => format!("{days} days, "),
        };
        let (hours, minutes) = (up % DAY_SECONDS / 3_600, up % 3_600 / 60);
        let hours = if hours == 0 { format!("{minutes} min") } else { format!("{hours:2}:{minutes:02}") };
        let Moment { hour, minute, second, .. } = Moment::of(now.0 / 1_000_000);
        let busy = |minutes: u64| format!("0.{:02}", (now.0 / 60_000_000 / minutes).wrapping_mul(2_654_435_761) % 23);
        format!(" {hour:02}:{minute:02}:{second:02} up {days}{hours},  load average: {}, {}, {}", busy(1), busy(5), busy(15))
    }

    /// `/proc/uptime`.
    pub(crate) fn proc_uptime(&self, now: WallTime) -> String {
        let hundredths = self.era.uptime(now) * 100 + now.0 / 10_000 % 100;
        let idle = hundredths * self.cores * 91 / 100;
        format!("{}.{:02} {}.{:02}", hundredths / 100, hundredths % 100, idle / 100, idle % 100)
    }
}

/// `/etc/shadow` as Buildroot makes it: what no password hashes to, so that nobody is ever let in by it.
fn shadow(salt: &[u8; 32], hash: &[u8; 32]) -> String {
    let digits = |bytes: &[u8], count: usize| -> String {
        bytes
            .iter()
            .cycle()
            .zip(0_u8..)
            .take(count)
            .map(|(byte, at)| char::from(DIGITS[usize::from(byte.wrapping_add(at) % 64)]))
            .collect()
    };
    let others = ["daemon", "bin", "sys", "sync", "mail", "www-data", "operator", "nobody"];
    let root = format!("root:$5${}${}5:::::::\n", digits(salt, SALT_DIGITS), digits(hash, HASH_DIGITS - 1));
    others.iter().fold(root, |text, name| text + &format!("{name}:*:::::::\n"))
}

/// `Wed Feb 11 08:14:52 UTC 2026`.
fn date(at: &Moment) -> String {
    let Moment { year, day, hour, minute, second, .. } = at;
    format!("{} {} {day:>2} {hour:02}:{minute:02}:{second:02} UTC {year}", at.weekday(), at.month_name())
}

fn interfaces(address: &[u8], traffic: u64) -> String {
    let shown = address.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    let (received, sent) = (traffic % 9_000_000 + 80_000, traffic / 7 % 5_000_000 + 60_000);
    format!(
        "br0       Link encap:Ethernet  HWaddr {shown}  \n          inet addr:{ADDRESS}  Bcast:192.168.1.255  Mask:255.255.255.0\n\
         \x20         UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n          RX packets:{received} errors:0 dropped:0 overruns:0 frame:0\n\
         \x20         TX packets:{sent} errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:1000 \n\n\
         lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n\n"
    )
}

/// As busybox's `ps` prints them.
fn processes(program: &str) -> String {
    format!(
        "  PID USER       VSZ STAT COMMAND\n    1 root      1320 S    init\n    2 root         0 SW   [kthreadd]\n    8 root         0 SW   [ksoftirqd/0]\n\
         \x20  10 root         0 IW   [rcu_preempt]\n   41 root         0 SW   [kswapd0]\n  204 root      1312 S    /sbin/syslogd -n\n\
         \x20 208 root      1312 S    /sbin/klogd -n\n  311 root      5872 S    {program}\n  327 root      1316 S    /usr/sbin/telnetd -F\n\
         \x20 981 root      1324 S    -sh\n  988 root      1320 R    ps\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive::NOW, persona::tests::seeds};
    use alloc::collections::BTreeSet;

    #[test]
    fn devices_differ_from_node_to_node_and_stay() {
        let all: Vec<Device> = seeds().map(|persona| Device::of(&persona)).collect();
        let differ = |of: &dyn Fn(&Device) -> String| all.iter().map(of).collect::<BTreeSet<_>>().len();
        assert!(differ(&|device| device.interfaces.clone()) > 195, "no two have one address");
        assert!(differ(&|device| device.kernel.clone()) > 195 && differ(&|device| device.greeting()) > 195);
        assert_eq!(differ(&|device| device.machine.to_string()), 3);
        assert!(seeds().zip(&all).all(|(persona, device)| Device::of(&persona) == *device), "the same at each start");
    }

    #[test]
    fn a_device_agrees_with_itself() {
        for device in seeds().map(|persona| Device::of(&persona)) {
            let class = if device.machine == "aarch64" { 2 } else { 1 };
            let kind = match device.machine {
                "aarch64" => 0xb7,
                "mips" => 8,
                _ => 0x28,
            };
            let head = device.program_head;
            assert_eq!((head[4], head[18], head.len()), (class, kind, if class == 2 { 64 } else { 52 }), "{}", device.machine);
            let (release, build) = device.kernel.split_once(' ').unwrap();
            assert!(device.version.starts_with(&format!("Linux version {release} ")) && device.version.ends_with(build));
            let greeting = device.greeting();
            let made = &greeting[greeting.find('(').unwrap() + 1..greeting.find(" UTC").unwrap()];
            assert!(device.version.contains(&format!("(Buildroot {})", device.buildroot)), "{}", device.version);
            assert!((300_000..500_000).contains(&device.program_bytes()) && device.shadow.lines().next().unwrap().len() == 75);
            assert!(!build.contains(&made[11..]), "not of the same second: {made} {build}");
            assert!(
                NOW.0 / 1_000_000 - device.era.uptime(NOW) > MADE.0 + MADE.1 * DAY_SECONDS + DAY_SECONDS,
                "it is started behind its making"
            );
            let (up, line) = (device.era.uptime(NOW), device.proc_uptime(NOW));
            assert_eq!(line.split('.').next().unwrap().parse::<u64>().unwrap(), up);
            let hours = up % DAY_SECONDS / 3_600;
            let shown = device.uptime(NOW);
            assert!(
                hours == 0 || shown.contains(&format!("{hours:2}:{:02},  load average: 0.", up % 3_600 / 60)),
                "{shown} {up}"
            );
        }
    }
}
