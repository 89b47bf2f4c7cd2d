//! What the keeper gets when it starts, and nothing later: what is wanted, the program, the links that are there.

use crate::{Attach, AttachMode, Error, OnExit, attach::Link, system::Interface};
use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    path::PathBuf,
};

/// Links that are handed over; the kernel passes at most 253 descriptors at once. Of more, the keeper knows that they are
/// there, but cannot undo it if somebody puts another program into them.
const LINKS_MAX: usize = 250;
/// The longest description, in octets: 256 names, as many links, a path.
const TEXT_LEN_MAX: usize = 16 * 1_024;

/// Everything the keeper knows.
#[derive(Debug)]
pub(crate) struct Kit {
    /// Names and patterns.
    pub(crate) wanted: Vec<String>,
    pub(crate) attach: Attach,
    pub(crate) exit: OnExit,
    /// Where links are pinned, if they are.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) program: OwnedFd,
    pub(crate) links: Vec<Link>,
}

/// Puts the kit into `socket`, from where the other end takes it with [`receive`].
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    (wanted, attach, exit, directory): (&[String], Attach, OnExit, Option<PathBuf>),
    program: BorrowedFd<'_>,
    links: &[Link],
) -> Result<(), Error> {
    let links = links.get(..LINKS_MAX).unwrap_or(links);
    let mut lines = vec![attach_word(attach).to_owned(), exit_word(exit).to_owned()];
    lines.extend(wanted.iter().map(|name| format!("want {name}")));
    lines.extend(links.iter().map(|link| format!("link {} {} {}", link.interface().index, link.mode(), link.interface().name)));
    lines.extend(directory.iter().map(|path| format!("pins {}", path.display())));
    let text = lines.join("\n");
    let descriptors: Vec<RawFd> =
        [program.as_raw_fd()].into_iter().chain(links.iter().map(|link| link.fd().as_raw_fd())).collect();
    let parts = [IoSlice::new(text.as_bytes())];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let sent = sendmsg::<()>(socket.as_raw_fd(), &parts, &rights, MsgFlags::MSG_DONTWAIT, None);
    sent.map(|_| ()).map_err(|errno| Error::Keeper(format!("it cannot be told what to keep: {errno}")))
}

/// Takes the kit out of `socket`.
#[expect(unsafe_code, reason = "descriptors arrive as plain numbers")]
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Kit> {
    let mut text = vec![0; TEXT_LEN_MAX];
    let mut rights = cmsg_space!([RawFd; LINKS_MAX + 1]);
    let mut parts = [IoSliceMut::new(&mut text)];
    let (len, descriptors) = {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut rights), flags)?;
        let mut descriptors = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                // SAFETY: the kernel has just made these descriptors for us, and nobody else knows them.
                descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
            }
        }
        (message.bytes, descriptors)
    };
    let text = text.get(..len).and_then(|text| std::str::from_utf8(text).ok()).ok_or(Errno::EBADMSG)?;
    read(text, descriptors).ok_or_else(|| Errno::EBADMSG.into())
}

fn read(text: &str, descriptors: Vec<OwnedFd>) -> Option<Kit> {
    let mut lines = text.split('\n');
    let attach = attach_of(lines.next()?)?;
    let exit = exit_of(lines.next()?)?;
    let mut descriptors = descriptors.into_iter();
    let program = descriptors.next()?;
    let (mut wanted, mut links, mut directory) = (Vec::new(), Vec::new(), None);
    for line in lines {
        match line.split_once(' ')? {
            ("want", name) => wanted.push(name.to_owned()),
            ("link", link) => links.push(read_link(link, descriptors.next()?)?),
            ("pins", path) => directory = Some(PathBuf::from(path)),
            _ => return None,
        }
    }
    Some(Kit { wanted, attach, exit, directory, program, links })
}

fn read_link(text: &str, fd: OwnedFd) -> Option<Link> {
    let mut words = text.splitn(3, ' ');
    let index = words.next()?.parse().ok()?;
    let word = words.next()?;
    let mode = [AttachMode::Native, AttachMode::Generic].into_iter().find(|mode| mode.as_str() == word)?;
    let name = words.next()?.to_owned();
    Some(Link::of(Interface { name, index }, mode, fd))
}

const fn attach_word(attach: Attach) -> &'static str {
    match attach {
        Attach::Auto => "auto",
        Attach::Native => "native",
        Attach::Generic => "generic",
    }
}

fn attach_of(word: &str) -> Option<Attach> {
    [Attach::Auto, Attach::Native, Attach::Generic].into_iter().find(|attach| attach_word(*attach) == word)
}

const fn exit_word(exit: OnExit) -> &'static str {
    match exit {
        OnExit::Hold => "hold",
        OnExit::Release => "release",
    }
}

fn exit_of(word: &str) -> Option<OnExit> {
    [OnExit::Hold, OnExit::Release].into_iter().find(|exit| exit_word(*exit) == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use std::os::fd::AsFd;

    fn file() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn what_is_sent_arrives_with_its_descriptors() {
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let links = [Link::of(Interface { name: "eth0".into(), index: 2 }, AttachMode::Generic, file())];
        let wanted = ["eth0".to_owned(), "veth*".to_owned()];
        let told = (&wanted[..], Attach::Native, OnExit::Release, Some(PathBuf::from("/sys/fs/bpf/a b/v2/links")));
        send(one.as_fd(), told, file().as_fd(), &links).unwrap();
        let kit = receive(other.as_fd()).unwrap();
        assert_eq!((kit.wanted, kit.attach, kit.exit), (wanted.to_vec(), Attach::Native, OnExit::Release));
        assert_eq!(kit.directory.unwrap().to_str(), Some("/sys/fs/bpf/a b/v2/links"));
        assert_eq!((kit.links[0].interface().clone(), kit.links[0].mode()), (links[0].interface().clone(), AttachMode::Generic));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "auto", "auto\nhold\nwant", "auto\nhold\nlink 2 native eth0", "auto\nhold\ndo this", "fast\nhold"] {
            assert!(read(text, vec![file()]).is_none(), "{text:?}");
        }
        assert!(read("auto\nhold\nwant eth0", Vec::new()).is_none(), "no program");
        assert!(read("auto\nhold\nwant eth0", vec![file()]).is_some());
    }
}
