//! What the machine says of itself: kernel, processors, memory, time since its start, and the files that tell it.

use super::{Output, Shell};
use crate::Persona;
use alloc::{format, string::String, vec::Vec};

/// What the kernel says a processor can do under KVM; the makers differ in a few words.
const FLAGS: &str = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx \
    pdpe1gb rdtscp lm constant_tsc rep_good nopl cpuid tsc_known_freq pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe \
    popcnt aes xsave avx f16c rdrand hypervisor lahf_lm";
const INTEL_FLAGS: &str = " ss ht pcid abm 3dnowprefetch fsgsbase bmi1 avx2 smep bmi2 erms invpcid rdseed adx smap xsaveopt";
const AMD_FLAGS: &str = " mmxext fxsr_opt extd_apicid cmp_legacy svm cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw fsgsbase \
    bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha_ni xsaveopt";
const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
    bin:x:2:2:bin:/bin:/usr/sbin/nologin\nsys:x:3:3:sys:/dev:/usr/sbin/nologin\nsync:x:4:65534:sync:/bin:/bin/sync\n\
    man:x:6:12:man:/var/cache/man:/usr/sbin/nologin\nmail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n\
    www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nbackup:x:34:34:backup:/var/backups:/usr/sbin/nologin\n\
    _apt:x:42:65534::/nonexistent:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
    systemd-network:x:998:998:systemd Network Management:/:/usr/sbin/nologin\n\
    messagebus:x:990:990:System Message Bus:/nonexistent:/usr/sbin/nologin\nsshd:x:989:65534:sshd user:/run/sshd:/usr/sbin/nologin\n";
const BUILDER: &str = "(debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils \
    for Debian) 2.44)";
const DAY_SECONDS: u64 = 24 * 3_600;

impl Shell<'_> {
    /// Answers what asks for the machine; `false` if this does not.
    pub(super) fn machine(&self, words: &[&[u8]], output: &mut Output) -> bool {
        let (name, arguments) = match words {
            [name, arguments @ ..] => (name.rsplit(|byte| *byte == b'/').next().unwrap_or_default(), arguments),
            [] => return false,
        };
        let text = match name {
            b"uname" => uname(self.persona, arguments),
            b"nproc" => format!("{}\n", self.persona.machine().cores),
            b"lscpu" => lscpu(self.persona),
            b"free" => self.free(arguments),
            b"uptime" => format!("{}\n", self.up()),
            b"w" => format!("{}\nUSER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU  WHAT\n", self.up()),
            b"hostname" if arguments == [b"-f".as_slice()] => self.persona.fqdn() + "\n",
            b"hostname" | b"hostnamectl" => format!("{}\n", self.persona.host()),
            b"df" => "Filesystem      Size  Used Avail Use% Mounted on\nudev            1.9G     0  1.9G   0% /dev\n\
                      tmpfs           392M  564K  391M   1% /run\n/dev/vda1        40G  3.1G   35G   9% /\n\
                      tmpfs           2.0G     0  2.0G   0% /dev/shm\n"
                .into(),
            b"cat" if !arguments.is_empty() => {
                arguments.iter().for_each(|file| self.cat(file, output));
                return true;
            }
            _ => return false,
        };
        output.out.extend_from_slice(text.as_bytes());
        true
    }

    fn cat(&self, file: &[u8], output: &mut Output) {
        if output.out.len() > super::OUTPUT_BYTES_MAX {
            return;
        }
        let persona = self.persona;
        let text = match file {
            b"/proc/cpuinfo" => cpuinfo(persona),
            b"/proc/meminfo" => meminfo(persona),
            b"/proc/version" => format!("Linux version {} {BUILDER} {}\n", persona.kernel(), persona.kernel_build()),
            b"/proc/uptime" => format!("{}.00 {}.00\n", self.uptime(), self.uptime() * u64::from(persona.machine().cores)),
            b"/etc/os-release" | b"/usr/lib/os-release" => os_release(persona),
            b"/etc/issue" => "Debian GNU/Linux 13 \\n \\l\n\n".into(),
            b"/etc/debian_version" => format!("{}\n", persona.release()),
            b"/etc/hostname" => format!("{}\n", persona.host()),
            b"/etc/passwd" if self.is_root() => PASSWD.into(),
            b"/etc/passwd" => format!("{PASSWD}{0}:x:1000:1000:,,,:/home/{0}:/bin/bash\n", self.user),
            b"/etc/shadow" if !self.is_root() => return self.fail("cat: /etc/shadow: Permission denied\n", output),
            other => {
                let name = String::from_utf8_lossy(other);
                return self.fail(&format!("cat: {name}: No such file or directory\n"), output);
            }
        };
        output.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn fail(&self, text: &str, output: &mut Output) {
        output.status = 1;
        output.complain(text);
    }

    fn uptime(&self) -> u64 {
        self.persona.uptime(self.now)
    }

    /// ` 12:00:00 up 5 days,  3:04,  1 user,  load average: 0.08, 0.03, 0.01`.
    fn up(&self) -> String {
        let up = self.uptime();
        let days = match up / DAY_SECONDS {
            0 => String::new(),
            1 => "1 day, ".into(),
            days => format!("{days} days, "),
        };
        let (hours, minutes) = (up % DAY_SECONDS / 3_600, up % 3_600 / 60);
        let hours = if hours == 0 { format!("{minutes} min") } else { format!("{hours:2}:{minutes:02}") };
        let clock = self.now.0 / 1_000_000 % DAY_SECONDS;
        format!(
            " {:02}:{:02}:{:02} up {days}{hours},  1 user,  load average: 0.08, 0.03, 0.01",
            clock / 3_600,
            clock % 3_600 / 60,
            clock % 60
        )
    }

    fn free(&self, arguments: &[&[u8]]) -> String {
        let total = u64::from(self.persona.machine().memory_mib);
        let (used, shared, cached) = (total / 9, 1, total / 4);
        let free = total - used - cached;
        let unit = |mib: u64| match arguments {
            [b"-m", ..] => format!("{mib}"),
            [b"-g", ..] => format!("{}", mib / 1_024),
            [b"-h", ..] => format!("{}.{}Gi", mib / 1_024, mib % 1_024 * 10 / 1_024),
            _ => format!("{}", mib * 1_024),
        };
        let row = |name: &str, columns: &[u64]| {
            columns.iter().fold(format!("{name:<8}"), |row, mib| row + &format!("{:>12}", unit(*mib)))
        };
        format!(
            "               total        used        free      shared  buff/cache   available\n{}\n{}\n",
            row("Mem:", &[total, used, free, shared, cached, total - used]),
            row("Swap:", &[0, 0, 0])
        )
    }
}

fn uname(persona: &Persona, arguments: &[&[u8]]) -> String {
    let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
    let all = letters.contains(&b'a');
    let parts = [
        (b's', "Linux"),
        (b'n', persona.host()),
        (b'r', persona.kernel()),
        (b'v', persona.kernel_build()),
        (b'm', "x86_64"),
        (b'o', "GNU/Linux"),
    ];
    let wanted = |letter: u8| all || letters.contains(&letter) || (letters.is_empty() && letter == b's');
    parts.iter().filter(|(letter, _)| wanted(*letter)).map(|(_, part)| *part).collect::<Vec<_>>().join(" ") + "\n"
}

fn os_release(persona: &Persona) -> String {
    format!(
        "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nVERSION=\"13 (trixie)\"\n\
         VERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL={}\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n\
         SUPPORT_URL=\"https://www.debian.org/support\"\nBUG_REPORT_URL=\"https://bugs.debian.org/\"\n",
        persona.release()
    )
}

/// Family and model, as the makers number them.
fn family(persona: &Persona) -> (u8, u8) {
    match persona.machine().processor {
        name if name.contains("Milan") => (25, 1),
        name if name.contains("Rome") => (23, 49),
        name if name.contains("EPYC") => (23, 1),
        _ => (6, 85),
    }
}

fn is_intel(persona: &Persona) -> bool {
    persona.machine().vendor == "GenuineIntel"
}

/// Twice the clock.
fn bogomips(persona: &Persona) -> String {
    let (whole, part) = persona.machine().mhz.split_once('.').unwrap_or_default();
    let hundredths = whole.parse::<u64>().unwrap_or_default() * 200
        + part.get(..2).and_then(|part| part.parse::<u64>().ok()).unwrap_or_default() * 2;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn cpuinfo(persona: &Persona) -> String {
    let machine = persona.machine();
    let (family, model) = family(persona);
    let flags = String::from(FLAGS) + if is_intel(persona) { INTEL_FLAGS } else { AMD_FLAGS };
    let bogomips = bogomips(persona);
    let cache = if is_intel(persona) { 16_384 } else { 512 };
    let one = |number: u8| {
        format!(
            "processor\t: {number}\nvendor_id\t: {}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {}\nstepping\t: {}\n\
             microcode\t: 0x1\ncpu MHz\t\t: {}\ncache size\t: {cache} KB\nphysical id\t: {number}\nsiblings\t: 1\ncore id\t\t: 0\n\
             cpu cores\t: 1\napicid\t\t: {number}\ninitial apicid\t: {number}\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\n\
             wp\t\t: yes\nflags\t\t: {flags}\nbogomips\t: {bogomips}\nclflush size\t: 64\ncache_alignment\t: 64\n\
             address sizes\t: 40 bits physical, 48 bits virtual\npower management:\n\n",
            machine.vendor,
            machine.processor,
            if is_intel(persona) { 4 } else { 1 },
            machine.mhz
        )
    };
    (0..machine.cores).map(one).collect()
}

fn lscpu(persona: &Persona) -> String {
    let machine = persona.machine();
    let (family, model) = family(persona);
    let last = machine.cores - 1;
    let rows = [
        ("Architecture:", String::from("x86_64")),
        ("CPU op-mode(s):", "32-bit, 64-bit".into()),
        ("Address sizes:", "40 bits physical, 48 bits virtual".into()),
        ("Byte Order:", "Little Endian".into()),
        ("CPU(s):", format!("{}", machine.cores)),
        ("On-line CPU(s) list:", format!("0-{last}")),
        ("Vendor ID:", machine.vendor.into()),
        ("Model name:", machine.processor.into()),
        ("CPU family:", format!("{family}")),
        ("Model:", format!("{model}")),
        ("Thread(s) per core:", "1".into()),
        ("Core(s) per socket:", "1".into()),
        ("Socket(s):", format!("{}", machine.cores)),
        ("BogoMIPS:", bogomips(persona)),
        ("Hypervisor vendor:", "KVM".into()),
        ("Virtualization type:", "full".into()),
    ];
    rows.iter().map(|(name, value)| format!("{name:<40} {value}\n")).collect()
}

fn meminfo(persona: &Persona) -> String {
    let total = u64::from(persona.machine().memory_mib) * 1_024;
    let rows = [
        ("MemTotal:", total),
        ("MemFree:", total * 23 / 36),
        ("MemAvailable:", total * 8 / 9),
        ("Buffers:", total / 40),
        ("Cached:", total / 5),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
    ];
    rows.iter().map(|(name, kib)| format!("{name:<16}{kib:>8} kB\n")).collect()
}
