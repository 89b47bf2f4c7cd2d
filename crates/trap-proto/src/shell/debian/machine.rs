//! What the machine says of itself: kernel, processors, memory, time since its start, and the files that tell it.

use super::{Output, Place, Shell};
use crate::Persona;
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::WallTime;

/// What the kernel says a processor can do under KVM; the makers differ in a few words.
const FLAGS: &str = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx \
    pdpe1gb rdtscp lm constant_tsc rep_good nopl cpuid tsc_known_freq pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe \
    popcnt aes xsave avx f16c rdrand hypervisor lahf_lm";
const INTEL_FLAGS: &str = " ss ht pcid abm 3dnowprefetch fsgsbase bmi1 avx2 smep bmi2 erms invpcid rdseed adx smap xsaveopt";
const AMD_FLAGS: &str = " mmxext fxsr_opt extd_apicid cmp_legacy svm cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw fsgsbase \
    bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha_ni xsaveopt";
const BUILDER: &str = "(debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils \
    for Debian) 2.44)";
/// What looking at every process costs, in steps.
pub(super) const PROCESSES_STEPS: usize = 1_000;
/// What `cat` costs for each file, in steps.
const CAT_STEPS: usize = 100;

impl Shell<'_> {
    /// Answers what asks for the machine; `false` if this does not.
    pub(super) fn machine(&self, words: &[&[u8]], place: &Place, output: &mut Output) -> bool {
        let (name, arguments) = match words {
            [name, arguments @ ..] => (name.rsplit(|byte| *byte == b'/').next().unwrap_or_default(), arguments),
            [] => return false,
        };
        if !self.work.take(steps(name)) {
            return true;
        }
        let text = match name {
            b"uname" => uname(self.persona, self.now, arguments),
            b"nproc" => format!("{}\n", self.persona.machine().cores),
            b"lscpu" => lscpu(self.persona),
            b"free" => self.free(arguments),
            b"uptime" => format!("{}\n", self.up()),
            b"w" => place.cut(self.w(arguments, place)),
            b"who" => self.who(place),
            b"ps" => place.cut(self.ps(arguments, place)),
            b"mount" if arguments.is_empty() => self.mounts(false),
            b"hostname" if arguments == [b"-f".as_slice()] => self.persona.fqdn() + "\n",
            b"hostname" | b"hostnamectl" => format!("{}\n", self.persona.host()),
            b"df" => {
                self.df(arguments, output);
                return true;
            }
            b"users" => {
                self.users(output);
                return true;
            }
            _ => return false,
        };
        output.out.extend_from_slice(text.as_bytes());
        true
    }

    pub(super) fn cat(&self, word: &[u8], place: &Place, output: &mut Output) {
        if output.out.len() > super::OUTPUT_BYTES_MAX {
            return;
        }
        if !self.work.take(CAT_STEPS) {
            return;
        }
        let persona = self.persona;
        let path = place.resolve(word, &self.home()).unwrap_or_default();
        let text = match path.as_bytes() {
            b"/proc/cpuinfo" => cpuinfo(persona),
            b"/proc/meminfo" => self.memory().meminfo(),
            b"/proc/version" => {
                format!("Linux version {} {BUILDER} {}\n", self.kernel().release, self.kernel().build)
            }
            b"/proc/uptime" => self.proc_uptime(),
            b"/proc/loadavg" => self.loadavg(place),
            b"/proc/mounts" | b"/proc/self/mounts" | b"/etc/mtab" => self.mounts(true),
            b"/etc/os-release" | b"/usr/lib/os-release" => os_release(persona, self.now),
            b"/etc/issue" => "Debian GNU/Linux 13 \\n \\l\n\n".into(),
            b"/etc/debian_version" => format!("{}\n", persona.release(self.now)),
            b"/etc/hostname" => format!("{}\n", persona.host()),
            b"/etc/passwd" => self.passwd(),
            b"/etc/group" => self.group(),
            b"/etc/hosts" => format!(
                "127.0.0.1\tlocalhost\n127.0.1.1\t{}\t{}\n\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n",
                persona.fqdn(),
                persona.host()
            ),
            b"/etc/shadow" if self.is_root() => self.shadow(),
            other => {
                let what = match other {
                    b"/etc/shadow" | b"/etc/gshadow" | b"/etc/sudoers" if !self.is_root() => "Permission denied",
                    _ if self.is_folder(&path, place) => "Is a directory",
                    _ => "No such file or directory",
                };
                return self.fail(&format!("cat: {}: {what}\n", String::from_utf8_lossy(word)), output);
            }
        };
        output.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn fail(&self, text: &str, output: &mut Output) {
        output.status = 1;
        output.complain(text);
    }
}

/// What a program costs, in steps: those that look at every process are dear.
const fn steps(name: &[u8]) -> usize {
    match name {
        b"ps" | b"w" | b"uptime" => PROCESSES_STEPS,
        b"free" | b"df" | b"mount" | b"lscpu" => 100,
        _ => 20,
    }
}

fn uname(persona: &Persona, now: WallTime, arguments: &[&[u8]]) -> String {
    let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
    let all = letters.contains(&b'a');
    let parts = [
        (b's', "Linux"),
        (b'n', persona.host()),
        (b'r', persona.kernel(now).release),
        (b'v', persona.kernel(now).build),
        (b'm', "x86_64"),
        (b'o', "GNU/Linux"),
    ];
    let wanted = |letter: u8| all || letters.contains(&letter) || (letters.is_empty() && letter == b's');
    parts.iter().filter(|(letter, _)| wanted(*letter)).map(|(_, part)| *part).collect::<Vec<_>>().join(" ") + "\n"
}

fn os_release(persona: &Persona, now: WallTime) -> String {
    format!(
        "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nVERSION=\"13 (trixie)\"\n\
         VERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL={}\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n\
         SUPPORT_URL=\"https://www.debian.org/support\"\nBUG_REPORT_URL=\"https://bugs.debian.org/\"\n",
        persona.release(now)
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
