//! What is ordered for long: the mode and other settings, the never-ban set, own addresses. The kernel may refuse it; it stays wanted,
//! and is said again.

use super::Kernel;
use crate::{
    Error,
    load::{LOCAL_MAX, NETS_MAX},
    network,
};
use honeymesh_types::Subject;
use honeymesh_xdp_abi::{AddressKey, Gates, NetKey4, NetKey6, Settings};
use ipnet::IpNet;
use std::net::IpAddr;

/// What the kernel has refused and is wanted all the same.
#[derive(Debug, Default)]
pub(super) struct Owed {
    settings: bool,
    allow: Option<Vec<IpNet>>,
    local: Option<Vec<IpAddr>>,
}

impl Owed {
    pub(super) const fn is_any(&self) -> bool {
        self.settings || self.allow.is_some() || self.local.is_some()
    }
}

impl Kernel {
    /// Writes the settings, if they are others than before or the kernel has refused those.
    pub(super) fn set_settings(&mut self, settings: Settings) -> Result<(), Error> {
        if settings == self.settings && !self.owed.settings {
            return Ok(());
        }
        (self.settings, self.owed.settings) = (settings, true);
        self.tables.set_settings(settings)?;
        self.owed.settings = false;
        Ok(())
    }

    /// Makes the kernel's allowlist equal to `nets`; what is added is added first.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 65,536 prefixes of one family) or [`Error::Table`]; part of it may be there. Unless there are too
    /// many, this is said again with every [`Kernel::guard`] until the kernel takes it.
    pub fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let (mut nets4, mut nets6) = (Vec::new(), Vec::new());
        let (probed, is_for_all) = self.with_probe(nets);
        for net in probed {
            match Subject::new(net).net() {
                IpNet::V4(net) => nets4.push(NetKey4::new(net.network().to_bits(), net.prefix_len().into())),
                IpNet::V6(net) => nets6.push(NetKey6::new(net.network().to_bits(), net.prefix_len().into())),
            }
        }
        let done = self.tables.set_allow(&nets4, &nets6, is_for_all, NETS_MAX);
        let fits = [nets4.len(), nets6.len()].iter().all(|len| *len <= NETS_MAX as usize);
        self.owed.allow = (done.is_err() && fits).then(|| nets.to_vec());
        done
    }

    /// Makes the kernel's list of own addresses equal to `addrs`: only packets to these are ever probes. Also looks again
    /// which ports this machine sends from.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 4,096 addresses) or [`Error::Table`]; part of it may be there. Unless there are too many, this is
    /// said again with every [`Kernel::guard`] until the kernel takes it.
    pub fn set_local(&mut self, addrs: &[IpAddr]) -> Result<(), Error> {
        let keys: Vec<AddressKey> = addrs.iter().map(address_key).collect();
        let done = self.tables.set_local(&keys, LOCAL_MAX);
        self.owed.local = (done.is_err() && addrs.len() <= LOCAL_MAX as usize).then(|| addrs.to_vec());
        done?;
        let gates = self.settings.gates.with(Gates::LOCAL, !keys.is_empty());
        self.set_settings(Settings { gates, ephemeral: network::ephemeral_ports(), ..self.settings })
    }

    /// Says again what the kernel has refused besides settings, which it has by now, or are owed.
    pub(super) fn say_owed(&mut self, settings: bool) -> Result<(), Error> {
        self.owed.settings = settings;
        if let Some(nets) = self.owed.allow.take() {
            self.set_allow(&nets)?;
        }
        if let Some(addrs) = self.owed.local.take() {
            self.set_local(&addrs)?;
        }
        Ok(())
    }
}

fn address_key(addr: &IpAddr) -> AddressKey {
    match addr.to_canonical() {
        IpAddr::V4(addr) => AddressKey::v4(addr.to_bits()),
        IpAddr::V6(addr) => AddressKey::v6(addr.to_bits()),
    }
}
