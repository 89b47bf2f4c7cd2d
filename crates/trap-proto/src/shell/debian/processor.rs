//! The machine's processors: `/proc/cpuinfo` and `lscpu`.

use crate::Persona;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What the kernel says a processor can do under KVM; the makers differ in a few words.
const FLAGS: &str = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx \
    pdpe1gb rdtscp lm constant_tsc rep_good nopl cpuid tsc_known_freq pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe \
    popcnt aes xsave avx f16c rdrand hypervisor lahf_lm";
const INTEL_FLAGS: &str = " ss ht pcid abm 3dnowprefetch fsgsbase bmi1 avx2 smep bmi2 erms invpcid rdseed adx smap xsaveopt";
const AMD_FLAGS: &str = " mmxext fxsr_opt extd_apicid cmp_legacy svm cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw fsgsbase \
    bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha_ni xsaveopt";
/// A processor's weaknesses, as the kernel names them in `/proc/cpuinfo`.
const fn bugs(family: (u8, u8), is_old_intel: bool) -> &'static str {
    match (family, is_old_intel) {
        ((25, _), _) => "sysret_ss_attrs null_seg spectre_v1 spectre_v2 spec_store_bypass srso ibpb_no_ret tsa",
        ((23, 49), _) => "sysret_ss_attrs null_seg spectre_v1 spectre_v2 spec_store_bypass retbleed smt_rsb srso ibpb_no_ret",
        ((23, _), _) => "fxsave_leak sysret_ss_attrs null_seg spectre_v1 spectre_v2 spec_store_bypass retbleed smt_rsb srso div0",
        (_, true) => {
            "cpu_meltdown spectre_v1 spectre_v2 spec_store_bypass l1tf mds swapgs itlb_multihit mmio_stale_data retbleed gds bhi its"
        }
        (_, false) => "spectre_v1 spectre_v2 spec_store_bypass swapgs itlb_multihit mmio_stale_data retbleed gds bhi its",
    }
}

/// What the kernel does about them: a row of `lscpu` for each that it knows, the name that `bugs` has, and what stands there if it is one.
const VULNERABILITIES: [(&str, &str, &str); 17] = [
    ("Gather data sampling", "gds", "Unknown: Dependent on hypervisor status"),
    ("Indirect target selection", "its", "Mitigation; Aligned branch/return thunks"),
    ("Itlb multihit", "itlb_multihit", "KVM: Mitigation: VMX unsupported"),
    ("L1tf", "l1tf", "Mitigation; PTE Inversion"),
    ("Mds", "mds", "Vulnerable: Clear CPU buffers attempted, no microcode; SMT Host state unknown"),
    ("Meltdown", "cpu_meltdown", "Mitigation; PTI"),
    ("Mmio stale data", "mmio_stale_data", "Vulnerable: Clear CPU buffers attempted, no microcode; SMT Host state unknown"),
    ("Reg file data sampling", "rfds", ""),
    ("Retbleed", "retbleed", "Vulnerable"),
    ("Spec rstack overflow", "srso", "Vulnerable: Safe RET, no microcode"),
    ("Spec store bypass", "spec_store_bypass", "Vulnerable"),
    ("Spectre v1", "spectre_v1", "Mitigation; usercopy/swapgs barriers and __user pointer sanitization"),
    (
        "Spectre v2",
        "spectre_v2",
        "Mitigation; Retpolines; STIBP disabled; RSB filling; PBRSB-eIBRS Not affected; BHI Not affected",
    ),
    ("Srbds", "srbds", ""),
    ("Tsa", "tsa", "Vulnerable: Clear CPU buffers attempted, no microcode"),
    ("Tsx async abort", "taa", ""),
    ("Vmscape", "vmscape", ""),
];
/// Columns of the names where no terminal is.
const PLAIN_COLUMNS: usize = 40;

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

fn flags(persona: &Persona) -> String {
    String::from(FLAGS) + if is_intel(persona) { INTEL_FLAGS } else { AMD_FLAGS }
}

fn weaknesses(persona: &Persona) -> &'static str {
    bugs(family(persona), persona.machine().processor.contains("Skylake"))
}

fn stepping(persona: &Persona) -> u8 {
    if is_intel(persona) { 4 } else { 1 }
}

/// KiB of the caches of one processor: first of data and of instructions, second, third.
fn caches(persona: &Persona) -> [u64; 4] {
    match family(persona) {
        (25, _) => [32, 32, 512, 32_768],
        (23, 49) => [32, 32, 512, 16_384],
        (23, _) => [32, 64, 512, 8_192],
        _ => [32, 32, 4_096, 16_384],
    }
}

pub(super) fn cpuinfo(persona: &Persona) -> String {
    let machine = persona.machine();
    let ((family, model), flags, bugs) = (family(persona), flags(persona), weaknesses(persona));
    let (bogomips, stepping, [_, _, second, third]) = (bogomips(persona), stepping(persona), caches(persona));
    let cache = if is_intel(persona) { third } else { second };
    let pages = if is_intel(persona) { "" } else { "TLB size\t: 1024 4K pages\n" };
    let one = |number: u8| {
        format!(
            "processor\t: {number}\nvendor_id\t: {}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {}\nstepping\t: {stepping}\n\
             microcode\t: 0x1\ncpu MHz\t\t: {}\ncache size\t: {cache} KB\nphysical id\t: {number}\nsiblings\t: 1\ncore id\t\t: 0\n\
             cpu cores\t: 1\napicid\t\t: {number}\ninitial apicid\t: {number}\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\n\
             wp\t\t: yes\nflags\t\t: {flags}\nbugs\t\t: {bugs}\nbogomips\t: {bogomips}\n{pages}clflush size\t: 64\ncache_alignment\t: 64\n\
             address sizes\t: 40 bits physical, 48 bits virtual\npower management:\n\n",
            machine.vendor, machine.processor, machine.mhz
        )
    };
    (0..machine.cores).map(one).collect()
}

/// Processors as util-linux lists them: two are no range.
fn listed(cores: u8) -> String {
    match cores {
        0 | 1 => "0".into(),
        2 => "0,1".into(),
        cores => format!("0-{}", cores - 1),
    }
}

/// Rows of `lscpu`: how deep a terminal shows each under a heading, its name there and elsewhere, and what it says.
fn rows(persona: &Persona) -> Vec<(usize, String, String, String)> {
    let machine = persona.machine();
    let ((family, model), cores) = (family(persona), u64::from(machine.cores));
    let row = |depth: usize, name: &str, value: String| (depth, name.to_string(), name.to_string(), value);
    let mut rows = alloc::vec![
        row(0, "Architecture", "x86_64".into()),
        row(1, "CPU op-mode(s)", "32-bit, 64-bit".into()),
        row(1, "Address sizes", "40 bits physical, 48 bits virtual".into()),
        row(1, "Byte Order", "Little Endian".into()),
        row(0, "CPU(s)", cores.to_string()),
        row(1, "On-line CPU(s) list", listed(machine.cores)),
        row(0, "Vendor ID", machine.vendor.into()),
        row(1, "Model name", machine.processor.into()),
        row(2, "CPU family", family.to_string()),
        row(2, "Model", model.to_string()),
        row(2, "Thread(s) per core", "1".into()),
        row(2, "Core(s) per socket", "1".into()),
        row(2, "Socket(s)", cores.to_string()),
        row(2, "Stepping", stepping(persona).to_string()),
        row(2, "BogoMIPS", bogomips(persona)),
        row(2, "Flags", flags(persona)),
        (0, "Virtualization features".into(), String::new(), String::new()),
        row(1, "Hypervisor vendor", "KVM".into()),
        row(1, "Virtualization type", "full".into()),
        (0, "Caches (sum of all)".into(), String::new(), String::new()),
    ];
    for (name, kib) in ["L1d", "L1i", "L2", "L3"].into_iter().zip(caches(persona)) {
        let all = kib * cores;
        let size = if all % 1_024 == 0 { format!("{} MiB", all / 1_024) } else { format!("{all} KiB") };
        rows.push((1, name.into(), format!("{name} cache"), format!("{size} ({cores} instances)")));
    }
    rows.extend([
        (0, "NUMA".into(), String::new(), String::new()),
        row(1, "NUMA node(s)", "1".into()),
        row(1, "NUMA node0 CPU(s)", listed(machine.cores)),
        (0, "Vulnerabilities".into(), String::new(), String::new()),
    ]);
    let known: Vec<&str> = weaknesses(persona).split(' ').collect();
    for (name, bug, told) in VULNERABILITIES {
        let told = if known.contains(&bug) { told } else { "Not affected" };
        rows.push((1, name.into(), format!("Vulnerability {name}"), told.into()));
    }
    rows
}

/// `lscpu` of util-linux 2.41: under headings and wrapped on a terminal of so many columns.
pub(super) fn lscpu(persona: &Persona, columns: Option<usize>) -> String {
    let rows = rows(persona);
    let Some(columns) = columns else {
        let told = rows.iter().filter(|(_, _, name, _)| !name.is_empty());
        return told.map(|(_, _, name, value)| format!("{:<PLAIN_COLUMNS$} {value}\n", format!("{name}:"))).collect();
    };
    let wide = rows.iter().map(|(depth, name, ..)| 2 * depth + name.len() + 1).max().unwrap_or(0);
    let room = columns.saturating_sub(wide + 1).max(1);
    let shown = |(depth, name, _, value): &(usize, String, String, String)| {
        let value: Vec<char> = value.chars().collect();
        let lines: Vec<String> = value.chunks(room).map(|line| line.iter().collect()).collect();
        let gap = format!("\n{:wide$} ", "");
        format!("{:<wide$} {}\n", format!("{:1$}{name}:", "", 2 * depth), lines.join(&gap))
    };
    rows.iter().map(shown).collect()
}
