//! The other programs: who one is, and which there are.

use super::{Output, Place, Shell};
use crate::Persona;
use alloc::{
    format,
    string::{String, ToString},
};

/// What a server's Debian has in `/usr/bin`, as far as it is known here.
const BIN: &str = "[ apt apt-cache apt-get apt-mark arch awk b2sum base32 base64 basename bash bashbug bootctl bunzip2 busctl busybox \
    bzcat bzip2 cat chage chattr chfn chgrp chmod chown chsh chrt cksum clear cmp comm cp crontab csplit curl cut dash date dd \
    deb-systemd-helper debconf df diff diff3 dir dircolors dirname dmesg dpkg dpkg-deb dpkg-query du echo ed egrep env expand expiry \
    expr factor faillog fallocate false fgrep file find findmnt flock fmt fold free getconf getent getopt gpasswd grep groups \
    gunzip gzip hd head hexdump hostid hostname hostnamectl iconv id infocmp install ionice ip ipcmk ipcrm ipcs join journalctl kill \
    less lesspipe link ln locale localectl logger login loginctl logname look ls lsattr lsblk lscpu lsipc lslocks lslogins lsmem \
    lsns lspci lsusb man mawk mcookie md5sum mesg mkdir mkfifo mknod mktemp more mount mountpoint mv namei nano newgrp nice nl nohup \
    nproc nsenter numfmt od openssl partx passwd paste pathchk perl pgrep pidof ping pinky pkill pmap pr printenv printf prlimit ps \
    ptx pwd pwdx python3 rbash readlink realpath renice reset rev rgrep rm rmdir run-parts savelog scp sdiff sed seq setpriv setsid \
    sftp sg sh sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf skill slabtop sleep snice sort split ss ssh ssh-add \
    ssh-agent ssh-copy-id ssh-keygen ssh-keyscan stat stdbuf stty su sudo sum sync systemctl systemd-analyze systemd-cat \
    systemd-detect-virt tabs tac tail tar taskset tee test timedatectl timeout tload toe top touch tput tr true truncate \
    tset tsort tty tzselect uname uncompress unexpand uniq unlink unlzma unshare unxz unzip update-alternatives uptime users utmpdump \
    vdir vi vim.tiny vmstat w wall watch wc wdctl wget whereis which who whoami xargs xxd xz xzcat yes zcat zgrep zless zmore";
/// The same in `/usr/sbin`.
const SBIN: &str = "add-shell addgroup adduser agetty apparmor_parser arpd badblocks blkid blockdev chcpu chgpasswd chmem chpasswd \
    chroot cron ctrlaltdel deb-systemd-invoke delgroup deluser depmod dhcpcd dmsetup dpkg-preconfigure e2fsck fdisk findfs fsck \
    fsck.ext4 fsfreeze fstrim getcap getpcaps getty groupadd groupdel groupmems groupmod grpck grub-install grub-mkconfig halt hwclock \
    iconvconfig init insmod invoke-rc.d iptables ip6tables iptables-save isosize kexec killall5 ldattach ldconfig logrotate losetup \
    lsmod mke2fs mkfs mkfs.ext4 mkswap modinfo modprobe newusers nft nologin pam-auth-update pivot_root policy-rc.d poweroff pwck \
    pwconv readprofile reboot remove-shell resize2fs rmmod rtmon runlevel runuser service setcap shutdown sshd start-stop-daemon sulogin \
    swapoff swapon switch_root sysctl tc telinit tune2fs tzconfig update-grub update-initramfs update-passwd update-rc.d useradd \
    userdel usermod vigr vipw visudo wipefs zic zramctl";
pub(super) const BUSYBOX: &str = "BusyBox v1.37.0 (Debian 1:1.37.0-6+b9) multi-call binary.\nBusyBox is copyrighted by many authors between \
    1998-2015.\nLicensed under GPLv2. See source distribution for detailed\ncopyright notices.\n\n\
    Usage: busybox [function [arguments]...]\n   or: busybox --list[-full]\n   or: busybox --show SCRIPT\n";

/// Where programs are.
const FOLDERS: [&[u8]; 5] = [b"/usr/bin/", b"/bin/", b"/usr/sbin/", b"/sbin/", b"/usr/local/bin/"];

/// The names of the files in `/usr/bin`.
pub(super) fn names() -> impl Iterator<Item = String> {
    BIN.split_whitespace().map(ToString::to_string)
}

/// The names of the files in `/usr/sbin`.
pub(super) fn system_names() -> impl Iterator<Item = String> {
    SBIN.split_whitespace().map(ToString::to_string)
}

/// Where a program is, if it is there.
pub(super) fn path_of(name: &str) -> Option<String> {
    if BIN.split_whitespace().any(|known| known == name) {
        return Some(format!("/usr/bin/{name}"));
    }
    SBIN.split_whitespace().any(|known| known == name).then(|| format!("/usr/sbin/{name}"))
}

/// Whether a path is that of a program.
pub(super) fn is_program(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    match folder {
        "/bin" | "/usr/bin" => BIN.split_whitespace().any(|known| known == name),
        "/sbin" | "/usr/sbin" => SBIN.split_whitespace().any(|known| known == name),
        _ => false,
    }
}

/// A program's name without the folder that programs are in.
pub(super) fn plain(path: &[u8]) -> &[u8] {
    FOLDERS.iter().find_map(|folder| path.strip_prefix(*folder)).unwrap_or(path)
}

/// How long a program is, in bytes: the same on all machines.
pub(super) fn size(_persona: &Persona, name: &str) -> u64 {
    match name {
        "bash" | "rbash" => 1_298_416,
        "busybox" => 796_208,
        "sh" | "dash" => 129_736,
        "cat" | "exe" => 48_144,
        "ls" => 158_632,
        "wget" => 565_368,
        "curl" => 313_976,
        "perl" => 4_023_264,
        "echo" => 43_856,
        _ => 27_000 + name.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 12_000) * 8,
    }
}

impl Shell<'_> {
    /// Answers a program that is there; `false` if it is not.
    pub(super) fn program(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) -> bool {
        let [path, arguments @ ..] = words else { return true };
        let name = plain(path);
        match name {
            b"id" => self.id(arguments, output),
            b"whoami" if !arguments.is_empty() => {
                let word = crate::safe_text(arguments[0], 200);
                let text = format!("whoami: extra operand \u{2018}{word}\u{2019}\nTry 'whoami --help' for more information.\n");
                self.fail(&text, output);
            }
            b"whoami" | b"logname" => output.say(&format!("{}\n", self.user)),
            b"ls" | b"dir" | b"vdir" => self.list(arguments, place, output),
            b"wget" => self.wget(words, output),
            b"curl" => self.curl(words, output),
            b"arch" => output.say("x86_64\n"),
            silent => return core::str::from_utf8(silent).is_ok_and(|name| path_of(name).is_some()),
        }
        true
    }
}
