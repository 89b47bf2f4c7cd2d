//! Files, and local sockets with names, where the kernel has Landlock.

use crate::scene::{directory, expect_all, is_root, play, print, print_held, print_outcome};
use honeymesh_sandbox::{Files, Role, Sandbox};
use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::PathBuf,
    thread,
};

/// Only the own directory may be written, and only it and the system's libraries read.
pub fn scene() {
    let read = ["/usr", "/lib", "/proc", "/etc/hosts"].map(PathBuf::from).to_vec();
    let idle = thread::spawn(|| {
        thread::park();
        fs::read("/etc/passwd").map_err(|error| error.kind())
    });
    // What is without a path is no file; two sockets, because whoever has one open may try it.
    let name = SocketAddr::from_abstract_name(format!("honeymesh-{}", std::process::id())).unwrap();
    let others = UnixDatagram::bind_addr(&name).unwrap();
    let [known, unknown] = [(); 2].map(|()| UnixDatagram::unbound().unwrap());
    known.connect_addr(&name).unwrap();
    let sandbox = Sandbox::of(Role::Node).files(Files { read, write: vec![directory()] });
    let report = sandbox.confine().unwrap();
    print_held(&report);
    let outcome =
        |result: std::io::Result<()>| result.map_err(|error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)));
    print_outcome("send_known", outcome(known.send(b"x").map(drop).and_then(|()| others.recv(&mut [0; 1]).map(drop))));
    print_outcome("send_unknown", outcome(unknown.connect_addr(&name)));
    print_outcome(
        "read_own",
        outcome(fs::write(directory().join("x"), "y").and_then(|()| fs::read(directory().join("x")).map(drop))),
    );
    print_outcome("rename_own", outcome(fs::rename(directory().join("x"), directory().join("z"))));
    print_outcome("read_named", outcome(fs::read("/etc/hosts").map(drop)));
    print_outcome("read_other", outcome(fs::read("/etc/passwd").map(drop)));
    print_outcome("write_other", outcome(fs::write("/tmp/honeymesh-sandbox-escape", "x")));
    idle.thread().unpark();
    let other_thread = idle.join().unwrap().err() == Some(std::io::ErrorKind::PermissionDenied);
    print("other_thread", if other_thread { "refused" } else { "open" });
    print("end", "ok");
}

#[test]
fn files_are_restricted_in_every_thread_where_the_kernel_can() {
    if !is_root() {
        return;
    }
    let results = play("files");
    if results["held"] == "no" {
        eprintln!("SKIPPED: file restriction: this kernel has no Landlock");
        return;
    }
    expect_all(&results, &["read_own", "rename_own", "read_named"], "ok");
    expect_all(&results, &["read_other", "write_other"], "EACCES");
    expect_all(&results, &["other_thread"], "refused");
    expect_all(&results, &["send_known"], "ok");
    if results["send_unknown"] == "ok" {
        eprintln!("SKIPPED: local sockets with names: this kernel's Landlock does not know them (Linux 6.12)");
    } else {
        expect_all(&results, &["send_unknown"], "EPERM");
    }
}
