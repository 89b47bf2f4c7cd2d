//! What needs power, and what does not.
#![expect(unsafe_code, reason = "only the raw call changes the user of one thread alone")]

mod common;

use common::{alone, hour};
use honeymesh_types::Scope;
use honeymesh_xdp::{Error, Kernel, now};
use honeymesh_xdp_program::testing::{HERE4, Packet, SYN};

const NOBODY: libc::c_long = 65_534;

/// This thread becomes nobody, without any capability; the other threads stay what they are.
fn become_nobody() {
    // SAFETY: a plain system call without addresses.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    assert_eq!(result, 0);
}

#[test]
fn a_running_kernel_needs_no_power() {
    alone("no power while running", |room| {
        let (mut kernel, mut knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        kernel.try_frame(&Packet::tcp("203.0.113.9", HERE4, 23, SYN).build(), 1).unwrap();
        become_nobody();
        assert_eq!(knocks.next(now()).map(|knock| knock.port), Some(23));
        kernel.raise(&hour("203.0.113.7", Scope::All), now()).unwrap();
        kernel.raise(&hour("198.51.100.0/24", Scope::Dark), now()).unwrap();
        kernel.set_allow(&["203.0.113.8/32".parse().unwrap()]).unwrap();
        kernel.set_enforcing(false).unwrap();
        let intent = [hour("203.0.113.7", Scope::Dark)];
        assert!(!kernel.reconcile(&intent, now()).unwrap().is_none());
        assert!(kernel.audit(&intent, now()).unwrap().is_none());
        assert_eq!((kernel.bans(), kernel.sweep(now()).unwrap(), kernel.counters().unwrap().knocks), (1, 0, 1));
        assert!(kernel.interfaces()[0].attached);
        assert!(kernel.lift(&"203.0.113.7".parse().unwrap()).unwrap());
    });
}

#[test]
fn without_power_a_start_says_what_it_needs() {
    alone("start without power", |room| {
        become_nobody();
        let mut options = room.options(&["lo"]);
        options.exit = honeymesh_xdp::OnExit::Release;
        let error = Kernel::start(&options).unwrap_err();
        assert!(matches!(error, Error::Privilege { .. }), "{error}");
        assert!(error.to_string().contains("run as root, or with the capabilities CAP_BPF"), "{error}");
        options.exit = honeymesh_xdp::OnExit::Hold;
        let error = Kernel::start(&options).unwrap_err();
        assert!(matches!(error, Error::Privilege { .. } | Error::Bpffs { .. }), "{error}");
    });
}
