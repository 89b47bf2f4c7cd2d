//! xdp-filter of xdp-tools: the XDP firewall that distributions package.

use super::{Contender, Guard, Role, entered};
use crate::{
    bans::{Family, Load, key},
    host::{Host, try_run},
};
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

pub const NAME: &str = "xdp-filter";
/// Its table has room for 10,000; each one is a call of the program.
const BANS_MAX: u32 = 1_000;

pub fn contender() -> Contender {
    let set_up = Box::new(set_up);
    Contender { name: NAME, role: Role::Table, families: &[Family::V4], bans_max: BANS_MAX, nets: false, set_up }
}

fn set_up(host: &Host, load: &Load) -> Result<Guard, String> {
    let (interface, load) = (host.interface(), *load);
    host.run(move || {
        mounted()?;
        try_run("xdp-filter", &["load", &interface, "-m", "native", "-f", "ipv4"], "")
    })?;
    let enter =
        move || (0..load.bans).try_for_each(|number| try_run("xdp-filter", &["ip", &key(load.family, number), "-m", "src"], ""));
    let cost = entered(|| host.run(enter))?;
    Ok(Guard { _held: Box::new(()), cost: Some(cost), octets: None })
}

/// It pins at `/sys/fs/bpf` and nowhere else. This mount is seen by nobody outside the benchmark, and goes with it.
fn mounted() -> Result<(), String> {
    const HERE: &str = "/sys/fs/bpf";
    static ONCE: std::sync::OnceLock<Result<(), String>> = std::sync::OnceLock::new();
    let make = || {
        let failed = |error: nix::Error| format!("{HERE}: {error}");
        let _there_is_one = statfs(HERE).map_err(failed)?.filesystem_type() == BPF_FS_MAGIC;
        mount(Some("bpf"), HERE, Some("bpf"), MsFlags::empty(), None::<&str>).map_err(failed)
    };
    ONCE.get_or_init(make).clone()
}
