//! The kernel itself, how it is set, and what this process may do with it.

use super::{
    finding::{Area, Finding, State},
    rung::FLOOR,
};
use honeymesh_xdp::doctor::{Capability, KernelFacts};

/// The first kernel on which a running daemon needs no capability for its tables.
const UNPRIVILEGED: (u32, u32) = (5, 19);

/// Every finding about the kernel's settings and this process's power. `rests_on_nftables`: a start does without XDP.
pub fn judge(facts: &KernelFacts, rests_on_nftables: bool) -> Vec<Finding> {
    let mut findings = vec![release(facts, rests_on_nftables), btf(facts), jit(facts), unprivileged(facts)];
    findings.extend(lockdown(facts));
    findings.push(power(facts));
    findings
}

fn release(facts: &KernelFacts, rests_on_nftables: bool) -> Finding {
    let matters =
        "below 5.18 the kernel lacks what the program is made of; below 5.19 the daemon must keep CAP_BPF while it runs";
    let finding = |state, detail: String| Finding::new(Area::Kernel, "release", state, detail, matters);
    match facts.version {
        None => finding(State::Skip, format!("`{}` is no release that can be read", facts.release)),
        Some(version) if version < FLOOR && rests_on_nftables => {
            finding(State::Warn, format!("Linux {} is too old for XDP, so nftables drops", facts.release))
                .mend("run Linux 5.18 or later; 6.6 has everything")
        }
        Some(version) if version < FLOOR => finding(State::Fail, format!("Linux {} is too old, 5.18 is needed", facts.release))
            .mend("run Linux 5.18 or later; 6.6 has everything"),
        Some(version) if version < UNPRIVILEGED => {
            finding(State::Warn, format!("Linux {}: works, with less protection", facts.release)).mend("run Linux 5.19 or later")
        }
        Some(_) => finding(State::Ok, format!("Linux {}", facts.release)),
    }
}

fn btf(facts: &KernelFacts) -> Finding {
    let detail = match facts.has_btf {
        true => "the kernel describes its own types; the program does not need them",
        false => "the kernel does not describe its own types; the program does not need them either",
    };
    Finding::new(Area::Kernel, "BTF", State::Ok, detail, "tools such as bpftool show more with it")
}

fn jit(facts: &KernelFacts) -> Finding {
    let matters = "interpreted, the program costs about ten times as much for each packet";
    let finding = |state, detail: &str| Finding::new(Area::Kernel, "BPF compiler", state, detail, matters);
    match facts.jit {
        Some(0) => finding(State::Warn, "off: programs are interpreted").mend("sysctl net.core.bpf_jit_enable=1"),
        Some(_) => finding(State::Ok, "on"),
        // Without the switch it is always on: CONFIG_BPF_JIT_ALWAYS_ON, or another network namespace than the first.
        None => finding(State::Skip, "the switch net.core.bpf_jit_enable cannot be read here"),
    }
}

fn unprivileged(facts: &KernelFacts) -> Finding {
    let matters = "with it every user of this machine can load programs into the kernel, which has been a way to become root";
    let finding = |state, detail: &str| Finding::new(Area::Kernel, "unprivileged BPF", state, detail, matters);
    match facts.unprivileged_bpf_disabled {
        Some(0) => finding(State::Warn, "allowed").mend("sysctl kernel.unprivileged_bpf_disabled=1"),
        Some(_) => finding(State::Ok, "forbidden; HoneyMesh does not need it"),
        None => finding(State::Skip, "kernel.unprivileged_bpf_disabled cannot be read"),
    }
}

fn lockdown(facts: &KernelFacts) -> Option<Finding> {
    let lockdown = facts.lockdown.as_deref()?;
    let detail = format!("{lockdown}: no obstacle, the program reads packets and its own tables only");
    Some(Finding::new(Area::Kernel, "lockdown", State::Ok, detail, "it forbids programs to read the kernel's memory"))
}

fn power(facts: &KernelFacts) -> Finding {
    let needed = [Capability::Bpf, Capability::NetAdmin, Capability::Perfmon];
    let missing: Vec<&str> = needed.into_iter().filter(|cap| !facts.capabilities.contains(cap)).map(Capability::name).collect();
    let matters = "the daemon needs them at its start, and gives them away afterwards";
    if missing.is_empty() {
        let detail = "this process has what a start needs: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON";
        return Finding::new(Area::Power, "capabilities", State::Ok, detail, matters);
    }
    let detail = format!("this process lacks {}, so less can be looked at", missing.join(", "));
    Finding::new(Area::Power, "capabilities", State::Skip, detail, matters).mend("run doctor as the daemon is started: as root")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong, the finding's name, and how it is judged.
    type Change = (fn(&mut KernelFacts), &'static str, State);

    fn good() -> KernelFacts {
        KernelFacts {
            release: "6.18.1".into(),
            version: Some((6, 18)),
            has_btf: true,
            jit: Some(1),
            unprivileged_bpf_disabled: Some(2),
            lockdown: Some("integrity".into()),
            has_bpffs: true,
            capabilities: Capability::ALL.to_vec(),
        }
    }

    #[test]
    fn pretended_kernels_are_judged() {
        assert!(judge(&good(), false).iter().all(|finding| finding.state == State::Ok));
        let change: [Change; 7] = [
            (|facts| facts.version = Some((5, 15)), "release", State::Fail),
            (|facts| facts.version = Some((5, 18)), "release", State::Warn),
            (|facts| facts.version = None, "release", State::Skip),
            (|facts| facts.jit = Some(0), "BPF compiler", State::Warn),
            (|facts| facts.unprivileged_bpf_disabled = Some(0), "unprivileged BPF", State::Warn),
            (|facts| facts.capabilities.clear(), "capabilities", State::Skip),
            (|facts| facts.jit = None, "BPF compiler", State::Skip),
        ];
        for (change, name, state) in change {
            let mut facts = good();
            change(&mut facts);
            let findings = judge(&facts, false);
            let bad: Vec<_> = findings.iter().filter(|finding| finding.state != State::Ok).collect();
            assert!(bad.len() == 1 && bad[0].name == name && bad[0].state == state, "{name}: {bad:?}");
        }
    }

    #[test]
    fn an_old_kernel_is_no_obstacle_to_what_drops_without_xdp() {
        let facts = KernelFacts { version: Some((5, 15)), ..good() };
        assert_eq!([judge(&facts, false)[0].state, judge(&facts, true)[0].state], [State::Fail, State::Warn]);
    }

    #[test]
    fn whatever_is_to_be_changed_says_how() {
        let facts = KernelFacts { jit: Some(0), unprivileged_bpf_disabled: Some(0), version: Some((5, 1)), ..good() };
        assert!(judge(&facts, false).iter().filter(|finding| finding.state != State::Ok).all(|finding| finding.mend.is_some()));
    }
}
