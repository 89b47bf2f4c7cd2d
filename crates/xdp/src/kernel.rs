//! The one owner of the kernel's tables and links.

use crate::{Counters, Drift, Error, InterfaceStatus, Knocks, Options, TestVerdict};
use honeymesh_types::{Enforcement, Now, Subject};
use ipnet::IpNet;
use std::net::IpAddr;

/// The kernel's tables and links. After [`Kernel::start`] nothing here needs a capability on Linux 5.19 or later.
#[derive(Debug)]
pub struct Kernel {
    _private: (),
}

impl Kernel {
    /// Loads the program, adopts what an earlier start has pinned, attaches (or replaces the program in place, without
    /// a gap) and pins. Mounts the BPF file system if there is none.
    ///
    /// It starts with an empty allowlist and no local addresses unless it adopts them, and enforcing.
    ///
    /// # Errors
    /// Any [`Error`]; what this call had made is undone.
    pub fn start(_options: &Options) -> Result<(Self, Knocks), Error> {
        Err(Error::Options("not built yet".into()))
    }

    /// Enters a ban, or changes it in place: its drops so far stay counted, and a changed scope leaves one entry.
    /// `until` is turned into the kernel's clock; a ban that has ended already is removed.
    ///
    /// # Errors
    /// [`Error::Full`] and nothing changed, or [`Error::Table`].
    pub fn raise(&mut self, _what: &Enforcement, _now: Now) -> Result<(), Error> {
        Ok(())
    }

    /// Removes whatever entry stands for `subject`. `false` if there was none.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn lift(&mut self, _subject: &Subject) -> Result<bool, Error> {
        Ok(false)
    }

    /// Makes the kernel's allowlist equal to `nets`; what is added is added first.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 65,536 prefixes of one family) or [`Error::Table`].
    pub fn set_allow(&mut self, _nets: &[IpNet]) -> Result<(), Error> {
        Ok(())
    }

    /// Makes the kernel's list of own addresses equal to `addrs`: only packets to these are ever probes.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 4,096 addresses) or [`Error::Table`].
    pub fn set_local(&mut self, _addrs: &[IpAddr]) -> Result<(), Error> {
        Ok(())
    }

    /// Enforce, or only count what would be dropped (mode `observe`): then nothing is dropped and nobody is silenced.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn set_enforcing(&mut self, _on: bool) -> Result<(), Error> {
        Ok(())
    }

    /// Packets that the entry of `subject` has dropped (or would have); 0 if there is none.
    #[must_use]
    pub fn drops(&self, _subject: &Subject) -> u64 {
        0
    }

    /// Makes the kernel equal to `intent` and says what was different. Also removes expired entries.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Table`]; part of the difference may have been mended.
    pub fn reconcile(&mut self, _intent: &[Enforcement], _now: Now) -> Result<Drift, Error> {
        Ok(Drift::default())
    }

    /// Says how the kernel differs from `intent`, and changes nothing.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn audit(&self, _intent: &[Enforcement], _now: Now) -> Result<Drift, Error> {
        Ok(Drift::default())
    }

    /// Removes entries whose end has come. They drop nothing any more, they only take room: call it every minute or so.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn sweep(&mut self, _now: Now) -> Result<usize, Error> {
        Ok(0)
    }

    /// What was counted so far, summed over all CPUs.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn counters(&self) -> Result<Counters, Error> {
        Ok(Counters::default())
    }

    /// The guarded interfaces.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        Vec::new()
    }

    /// How many bans user space has in the kernel, expired ones included until they are swept.
    #[must_use]
    pub fn bans(&self) -> usize {
        0
    }

    /// Runs the program on a frame without a wire, `repeat` times: a self-test, and a measure of its cost. Tables and
    /// counters change as they would for a real frame. Needs CAP_BPF and CAP_NET_ADMIN.
    ///
    /// # Errors
    /// [`Error::Refused`]: no permission, or fewer than 14 octets.
    pub fn try_frame(&self, _frame: &[u8], _repeat: u32) -> Result<TestVerdict, Error> {
        Err(Error::Options("not built yet".into()))
    }

    /// Detaches everywhere, removes every pin and the pin directory: nothing stays.
    ///
    /// # Errors
    /// [`Error::Pin`]; what could be removed is removed.
    pub fn release(self) -> Result<(), Error> {
        Ok(())
    }
}
