//! A host kernel out of a setting.

use super::{
    host::{HEADER, HostKernel, HostWay},
    table::{End, Setting},
};
use core::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
};
use honeymesh_xdp_abi::{AddressKey, BanEntry, FOREVER, Gates, Life, NetKey4, NetKey6, REASON_SCAN, network_words};

/// A prefix out of `203.0.113.7`, `203.0.113.0/24` and the like.
///
/// # Panics
/// If it is none: tests only.
#[expect(clippy::expect_used, reason = "a test with a bad prefix must fail where it stands")]
fn prefix(text: &str) -> (IpAddr, u32) {
    let (addr, bits) = text.split_once('/').unwrap_or((text, ""));
    let addr: IpAddr = addr.parse().expect("an address");
    let whole = if addr.is_ipv4() { 32 } else { 128 };
    (addr, if bits.is_empty() { whole } else { bits.parse().expect("a prefix length") })
}

impl HostKernel {
    /// The kernel that `setting` describes.
    #[must_use]
    pub fn of(setting: &Setting) -> Self {
        let mut kernel = Self::new(setting.scan);
        for (subject, scope, end) in &setting.bans {
            kernel.enter(subject, *scope, *end);
        }
        for net in &setting.allow {
            match prefix(net) {
                (IpAddr::V4(addr), bits) => kernel.allow4.push(NetKey4::new(addr.to_bits(), bits)),
                (IpAddr::V6(addr), bits) => kernel.allow6.push(NetKey6::new(addr.to_bits(), bits)),
            }
        }
        kernel.local = setting.local.iter().map(|addr| local(prefix(addr).0)).collect();
        kernel.served.clone_from(&setting.served);
        kernel.bound = setting.served.iter().chain(&setting.bound).copied().collect();
        kernel.except.clone_from(&setting.except);
        kernel.budget = usize::try_from(setting.budget).unwrap_or(usize::MAX);
        kernel.open_gates();
        kernel.gates = kernel
            .gates
            .with(Gates::ENFORCING, setting.enforcing)
            .with(setting.dark, true)
            .with(Gates::FORWARDS, setting.forwards)
            .with(Gates::UDP, setting.udp)
            .with(Gates::ORACLE, setting.oracle);
        kernel.lock_down(setting);
        kernel
    }

    fn lock_down(&mut self, setting: &Setting) {
        self.connections.clone_from(&setting.connections);
        self.lockdown_until_ns.set(setting.lockdown.map_or(0, |end| self.deadline(end)));
        self.gates = self.gates.with(honeymesh_xdp_abi::Gates::LOCKDOWN, setting.lockdown.is_some());
    }

    fn deadline(&self, end: End) -> u64 {
        match end {
            End::Past => self.now_ns.get(),
            End::Later => self.now_ns.get() + 1,
            End::Never => FOREVER,
        }
    }

    fn enter(&mut self, subject: &str, scope: u8, end: End) {
        let (addr, bits) = prefix(subject);
        let deadline_ns = self.deadline(end);
        let entry = Cell::new(BanEntry { deadline_ns, hits: 0, reasons: REASON_SCAN, scope, grade: 0, bits });
        let way = || HostWay { life: Life::new(self.tick(end), REASON_SCAN, scope, 0), ..HostWay::default() };
        match (addr, exact(addr, bits)) {
            (IpAddr::V4(_), Some(key)) => drop(self.bans4.insert(key, way())),
            (IpAddr::V6(_), Some(key)) => drop(self.bans6.insert(key, way())),
            (IpAddr::V4(addr), None) => drop(self.nets4.insert(NetKey4::new(addr.to_bits(), bits), entry)),
            (IpAddr::V6(addr), None) => drop(self.nets6.insert(NetKey6::new(addr.to_bits(), bits), entry)),
        }
    }

    /// The tick of an end, as the host's clock has it.
    fn tick(&self, end: End) -> u32 {
        let now = u32::try_from(self.now_ns.get() >> HEADER.tick_shift).unwrap_or(0);
        match end {
            End::Past => now,
            End::Later => now + 1,
            End::Never => Life::FOREVER,
        }
    }

    /// The drops of a subject's ban, in whichever table it is.
    #[must_use]
    pub fn hits(&self, subject: &str) -> Option<u64> {
        let (addr, bits) = prefix(subject);
        match (addr, exact(addr, bits)) {
            (IpAddr::V4(_), Some(key)) => self.bans4.get(&key).map(|way| way.hits.get().into()),
            (IpAddr::V6(_), Some(key)) => self.bans6.get(&key).map(|way| way.hits.get().into()),
            (IpAddr::V4(addr), None) => self.nets4.get(&NetKey4::new(addr.to_bits(), bits)).map(|cell| cell.get().hits),
            (IpAddr::V6(addr), None) => self.nets6.get(&NetKey6::new(addr.to_bits(), bits)).map(|cell| cell.get().hits),
        }
    }
}

/// The key of a subject that has an exact ban: an IPv4 address or an IPv6 /64, but none that is all zeros.
fn exact(addr: IpAddr, bits: u32) -> Option<u64> {
    let key = match (addr, bits) {
        (IpAddr::V4(addr), 32) => addr.to_bits().to_be().into(),
        (IpAddr::V6(addr), 64) => {
            let [low, high, ..] = network_words(addr.to_bits());
            u64::from(high) << 32 | u64::from(low)
        }
        _ => 0,
    };
    (key != 0).then_some(key)
}

fn local(addr: IpAddr) -> AddressKey {
    match addr {
        IpAddr::V4(addr) => v4(addr),
        IpAddr::V6(addr) => AddressKey::v6(addr.to_bits()),
    }
}

fn v4(addr: Ipv4Addr) -> AddressKey {
    AddressKey::v4(addr.to_bits())
}
