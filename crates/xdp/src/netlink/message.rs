//! A question about interfaces, and what the answer says of their XDP programs.

use super::octets::{DONE, DUMP, ERROR, REQUEST, attribute, attributes, errno, message, messages, text, u32_at};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_XDP: u16 = 43;
/// `IFLA_XDP_{DRV,SKB,HW}_PROG_ID`.
const XDP_NATIVE_ID: u16 = 5;
const XDP_GENERIC_ID: u16 = 6;
const XDP_OFFLOADED_ID: u16 = 7;
/// `RTEXT_FILTER_SKIP_STATS`.
const SKIP_STATS: u32 = 1 << 3;

/// `struct ifinfomsg`.
const LINK_LEN: usize = 16;

/// An interface, and the numbers of the programs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) native: Option<u32>,
    pub(crate) generic: Option<u32>,
    pub(crate) offloaded: Option<u32>,
    /// What kind of interface it is, where there are kinds: `vlan`, `bridge`, ...
    pub(crate) kind: String,
    /// The index of the interface below it.
    pub(crate) lower: Option<u32>,
    /// The index of the bridge or bond that it belongs to.
    pub(crate) master: Option<u32>,
}

/// What one datagram says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) seen: Vec<Seen>,
    pub(crate) error: Option<i32>,
    pub(crate) is_last: bool,
}

/// Asks for the interface of this name, or for all.
pub(crate) fn question(sequence: u32, name: Option<&str>) -> Vec<u8> {
    let mut body = vec![0; LINK_LEN];
    body.extend(attribute(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes()));
    body.extend(name.map(|name| text(IFLA_IFNAME, name)).unwrap_or_default());
    message(RTM_GETLINK, if name.is_some() { REQUEST } else { REQUEST | DUMP }, sequence, &body)
}

/// Reads one datagram of the answer to the question `sequence`. What makes no sense, or answers another question, is
/// left out.
pub(crate) fn read(octets: &[u8], sequence: u32) -> Answer {
    let mut answer = Answer::default();
    for message in messages(octets).filter(|message| message.sequence == sequence) {
        match message.kind {
            RTM_NEWLINK => answer.seen.extend(interface(message.body)),
            ERROR => answer.error = errno(message.body),
            DONE => answer.is_last = true,
            _ => {}
        }
    }
    answer
}

fn interface(body: &[u8]) -> Option<Seen> {
    let mut seen = Seen { index: u32_at(body, 4)?, ..Seen::default() };
    for (kind, value) in attributes(body.get(LINK_LEN..)?) {
        match kind {
            IFLA_IFNAME => seen.name = name_of(value),
            IFLA_LINK => seen.lower = u32_at(value, 0),
            IFLA_MASTER => seen.master = u32_at(value, 0),
            IFLA_LINKINFO => {
                let kind = attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                seen.kind = kind.map(|(_, value)| name_of(value)).unwrap_or_default();
            }
            IFLA_XDP => programs(value, &mut seen),
            _ => {}
        }
    }
    Some(seen).filter(|seen| !seen.name.is_empty())
}

fn name_of(value: &[u8]) -> String {
    let text = value.split(|octet| *octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn programs(value: &[u8], seen: &mut Seen) {
    for (kind, value) in attributes(value) {
        match kind {
            XDP_NATIVE_ID => seen.native = u32_at(value, 0),
            XDP_GENERIC_ID => seen.generic = u32_at(value, 0),
            XDP_OFFLOADED_ID => seen.offloaded = u32_at(value, 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        message(kind, 0, sequence, body)
    }

    fn veth() -> Vec<u8> {
        let link = [&[0; 4][..], &7_u32.to_ne_bytes(), &[0; 8]].concat();
        let id = attribute(XDP_NATIVE_ID, &3_859_u32.to_ne_bytes());
        let xdp = attribute(IFLA_XDP | 0x8000, &[attribute(2, &[1]), id].concat());
        told(RTM_NEWLINK, 4, &[link, attribute(IFLA_IFNAME, b"hm0\0"), xdp].concat())
    }

    #[test]
    fn an_answer_names_the_interface_and_its_program() {
        let answer = read(&[veth(), told(DONE, 4, &[0; 4])].concat(), 4);
        let hm0 = Seen { name: "hm0".into(), index: 7, native: Some(3_859), ..Seen::default() };
        assert_eq!(answer, Answer { seen: vec![hm0], error: None, is_last: true });
        assert_eq!(read(&veth(), 5), Answer::default(), "the answer to another question");
    }

    #[test]
    fn an_error_is_told_and_an_acknowledgement_is_none() {
        let error = |number: i32| read(&told(ERROR, 1, &number.to_ne_bytes()), 1).error;
        assert_eq!((error(-libc::ENODEV), error(0)), (Some(libc::ENODEV), None));
    }

    #[test]
    fn no_cut_and_no_wrong_length_is_read_beyond() {
        let whole = veth();
        for len in 0..whole.len() {
            let _ = read(&whole[..len], 4);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let mut wrong = whole.clone();
                wrong[at] = value;
                let _ = read(&wrong, 4);
            }
        }
    }
}
