//! What the keeper gets when it starts, and nothing later: what is wanted, the programs, the links that are there.

use super::wire;
use crate::{
    Attach, AttachMode, Error, OnExit,
    link::{Link, Seat},
    system::Interface,
};
use nix::errno::Errno;
use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::PathBuf,
};

/// Everything the keeper knows.
#[derive(Debug)]
pub(crate) struct Kit {
    /// Names and patterns.
    pub(crate) wanted: Vec<String>,
    pub(crate) attach: Attach,
    pub(crate) exit: OnExit,
    /// The directory of this version, below which links are pinned, if they are.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) program: OwnedFd,
    /// The second program, if one is wanted. Whether sockets of a trap are there for it is not the keeper's business: they
    /// lie in a table, and whoever puts one there gives it to every interface at once.
    pub(crate) steering: Option<OwnedFd>,
    pub(crate) links: Vec<Link>,
}

/// The same, as whoever sends it has it.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) wanted: &'a [String],
    pub(crate) attach: Attach,
    pub(crate) exit: OnExit,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) program: BorrowedFd<'a>,
    pub(crate) steering: Option<BorrowedFd<'a>>,
    pub(crate) links: Vec<&'a Link>,
}

/// Puts the kit into `socket`, from where the other end takes it with [`receive`]: one datagram that says how many follow,
/// and links in the others.
pub(crate) fn send(socket: BorrowedFd<'_>, told: &Told<'_>) -> Result<(), Error> {
    let parts: Vec<&[&Link]> = told.links.chunks(wire::DESCRIPTORS_MAX).collect();
    let mut lines = vec![attach_word(told.attach).to_owned(), exit_word(told.exit).to_owned(), parts.len().to_string()];
    lines.extend(told.wanted.iter().map(|name| format!("want {name}")));
    lines.extend(told.directory.iter().map(|path| format!("pins {}", path.display())));
    lines.extend(told.steering.iter().map(|_| "steer dark".to_owned()));
    let programs: Vec<BorrowedFd<'_>> = [told.program].into_iter().chain(told.steering).collect();
    let failed = |errno| Error::Keeper(format!("it cannot be told what to keep: {errno}"));
    wire::send(socket, lines.join("\n").as_bytes(), &programs).map_err(failed)?;
    parts.into_iter().try_for_each(|part| send_links(socket, part)).map_err(failed)
}

/// Puts links into `socket`, from where the other end takes them with [`receive_links`].
pub(super) fn send_links(socket: BorrowedFd<'_>, links: &[&Link]) -> Result<(), Errno> {
    let lines: Vec<String> = links.iter().map(|link| link_line(link)).collect();
    let descriptors: Vec<BorrowedFd<'_>> = links.iter().map(|link| link.fd()).collect();
    wire::send(socket, lines.join("\n").as_bytes(), &descriptors)
}

/// Takes the kit out of `socket`.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Kit> {
    let (text, descriptors) = wire::receive(socket)?;
    let (mut kit, parts) = read(text_of(&text)?, descriptors).ok_or(Errno::EBADMSG)?;
    for _ in 0..parts {
        kit.links.extend(receive_links(socket)?);
    }
    Ok(kit)
}

/// Takes links out of `socket`; none if the other end is gone.
pub(super) fn receive_links(socket: BorrowedFd<'_>) -> io::Result<Vec<Link>> {
    let (text, descriptors) = wire::receive(socket)?;
    let lines = text_of(&text)?.lines().zip(descriptors);
    let links: Option<Vec<Link>> = lines.map(|(line, fd)| read_link(line, fd)).collect();
    links.ok_or_else(|| Errno::EBADMSG.into())
}

fn text_of(octets: &[u8]) -> Result<&str, Errno> {
    std::str::from_utf8(octets).map_err(|_| Errno::EBADMSG)
}

/// The kit without its links, and in how many datagrams those come.
fn read(text: &str, descriptors: Vec<OwnedFd>) -> Option<(Kit, usize)> {
    let mut lines = text.split('\n');
    let attach = attach_of(lines.next()?)?;
    let exit = exit_of(lines.next()?)?;
    let parts = lines.next()?.parse().ok()?;
    let mut descriptors = descriptors.into_iter();
    let program = descriptors.next()?;
    let (mut wanted, mut steering, mut directory) = (Vec::new(), None, None);
    for line in lines {
        match line.split_once(' ')? {
            ("want", name) => wanted.push(name.to_owned()),
            ("pins", path) => directory = Some(PathBuf::from(path)),
            ("steer", "dark") => steering = Some(descriptors.next()?),
            _ => return None,
        }
    }
    Some((Kit { wanted, attach, exit, directory, program, steering, links: Vec::new() }, parts))
}

/// Index, seat, name.
fn link_line(link: &Link) -> String {
    format!("{} {} {}", link.interface().index, seat_word(link.seat()), link.interface().name)
}

fn read_link(text: &str, fd: OwnedFd) -> Option<Link> {
    let mut words = text.splitn(3, ' ');
    let index = words.next()?.parse().ok()?;
    let word = words.next()?;
    let seats = [Seat::Xdp(AttachMode::Native), Seat::Xdp(AttachMode::Generic), Seat::Tcx];
    let seat = seats.into_iter().find(|seat| seat_word(*seat) == word)?;
    let name = words.next()?.to_owned();
    Some(Link::new(Interface { name, index }, seat, fd))
}

const fn seat_word(seat: Seat) -> &'static str {
    match seat {
        Seat::Xdp(mode) => mode.as_str(),
        Seat::Tcx => "tcx",
    }
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

    fn link(index: u32, seat: Seat) -> Link {
        Link::new(Interface { name: format!("eth {index}"), index }, seat, file())
    }

    #[test]
    fn what_is_sent_arrives_with_its_descriptors_however_many_links_there_are() {
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let seats = [Seat::Xdp(AttachMode::Generic), Seat::Tcx, Seat::Xdp(AttachMode::Native)];
        let links: Vec<Link> = (1..=300).zip(seats.into_iter().cycle()).map(|(index, seat)| link(index, seat)).collect();
        let (wanted, program) = (["eth0".to_owned(), "veth*".to_owned()], file());
        let told = Told {
            wanted: &wanted,
            attach: Attach::Native,
            exit: OnExit::Release,
            directory: Some(PathBuf::from("/sys/fs/bpf/a b/v2")),
            program: program.as_fd(),
            steering: Some(program.as_fd()),
            links: links.iter().collect(),
        };
        send(one.as_fd(), &told).unwrap();
        let kit = receive(other.as_fd()).unwrap();
        assert_eq!((kit.wanted, kit.attach, kit.exit), (wanted.to_vec(), Attach::Native, OnExit::Release));
        assert_eq!(kit.directory.unwrap().to_str(), Some("/sys/fs/bpf/a b/v2"));
        assert!(kit.steering.is_some());
        let of = |links: &[Link]| links.iter().map(|link| (link.interface().clone(), link.seat())).collect::<Vec<_>>();
        assert_eq!(of(&kit.links), of(&links));
        drop(one);
        assert!(receive_links(other.as_fd()).unwrap().is_empty(), "the end");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "auto",
            "auto\nhold",
            "auto\nhold\n0\nwant",
            "auto\nhold\n0\nsteer dark",
            "auto\nhold\n0\ndo this",
            "fast\nhold\n0",
        ] {
            assert!(read(text, vec![file()]).is_none(), "{text:?}");
        }
        assert!(read("auto\nhold\n0\nwant eth0", Vec::new()).is_none(), "no program");
        assert!(read("auto\nhold\n0\nwant eth0", vec![file()]).is_some());
        for text in ["", "7", "7 tcx", "x tcx eth0", "7 offload eth0"] {
            assert!(read_link(text, file()).is_none(), "{text:?}");
        }
    }
}
