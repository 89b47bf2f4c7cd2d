//! A host kernel out of a setting.

use super::{
    host::HostKernel,
    table::{End, Setting},
};
use core::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use honeymesh_xdp_abi::{AddressKey, BanEntry, FOREVER, NetKey4, NetKey6, REASON_SCAN, SCOPE_ALL, SourceKey, network_words};

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
        kernel.budget = usize::try_from(setting.budget).unwrap_or(usize::MAX);
        kernel.open_gates();
        kernel.gates = kernel.gates.with(honeymesh_xdp_abi::Gates::ENFORCING, setting.enforcing);
        kernel
    }

    fn enter(&mut self, subject: &str, scope: u8, end: End) {
        let (addr, bits) = prefix(subject);
        let deadline_ns = match end {
            End::Past => self.now_ns.get(),
            End::Later => self.now_ns.get() + 1,
            End::Never => FOREVER,
        };
        let entry = Cell::new(BanEntry { deadline_ns, hits: 0, reasons: REASON_SCAN, scope, grade: 0, bits });
        let _replaced = match (addr, bits, scope == SCOPE_ALL) {
            (IpAddr::V4(addr), 32, true) => self.bans4.insert(addr.to_bits().to_be(), entry),
            (IpAddr::V4(addr), 32, false) => self.dark.insert(SourceKey::v4(addr.to_bits()), entry),
            (IpAddr::V4(addr), ..) => self.nets4.insert(NetKey4::new(addr.to_bits(), bits), entry),
            (IpAddr::V6(addr), 64, true) => self.bans6.insert(half(addr), entry),
            (IpAddr::V6(addr), _, false) if is_source(addr, bits) => self.dark.insert(SourceKey::v6(addr.to_bits()), entry),
            (IpAddr::V6(addr), ..) => self.nets6.insert(NetKey6::new(addr.to_bits(), bits), entry),
        };
    }

    /// The entry of a subject, in whichever table it is.
    #[must_use]
    pub fn entry(&self, subject: &str) -> Option<BanEntry> {
        let (addr, bits) = prefix(subject);
        let cell = match addr {
            IpAddr::V4(addr) => self
                .bans4
                .get(&addr.to_bits().to_be())
                .filter(|_| bits == 32)
                .or_else(|| self.dark.get(&SourceKey::v4(addr.to_bits())).filter(|_| bits == 32))
                .or_else(|| self.nets4.get(&NetKey4::new(addr.to_bits(), bits))),
            IpAddr::V6(addr) => self
                .bans6
                .get(&half(addr))
                .filter(|_| bits == 64)
                .or_else(|| self.dark.get(&SourceKey::v6(addr.to_bits())).filter(|_| is_source(addr, bits)))
                .or_else(|| self.nets6.get(&NetKey6::new(addr.to_bits(), bits))),
        };
        cell.map(Cell::get)
    }
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

fn half(addr: Ipv6Addr) -> [u32; 2] {
    let [a, b, ..] = network_words(addr.to_bits());
    [a, b]
}

/// Does an IPv6 prefix of this length have a [`SourceKey`] of its own?
const fn is_source(addr: Ipv6Addr, bits: u32) -> bool {
    match SourceKey::is_link_local(addr.to_bits()) {
        true => bits == 128,
        false => bits == 64,
    }
}
