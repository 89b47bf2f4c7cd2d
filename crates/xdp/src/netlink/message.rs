//! Netlink's octets: a question about interfaces, and what the answer says of their XDP programs.

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const IFLA_IFNAME: u16 = 3;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_XDP: u16 = 43;
/// `IFLA_XDP_{DRV,SKB,HW}_PROG_ID`.
const XDP_NATIVE_ID: u16 = 5;
const XDP_GENERIC_ID: u16 = 6;
const XDP_OFFLOADED_ID: u16 = 7;
/// `RTEXT_FILTER_SKIP_STATS`.
const SKIP_STATS: u32 = 1 << 3;
/// The two upper bits of an attribute's type are flags.
const TYPE_MASK: u16 = 0x3fff;

const HEADER_LEN: usize = 16;
const LINK_LEN: usize = 16;
const ATTRIBUTE_LEN: usize = 4;

/// An interface, and the numbers of the programs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) native: Option<u32>,
    pub(crate) generic: Option<u32>,
    pub(crate) offloaded: Option<u32>,
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
    let mut attributes = attribute(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes());
    if let Some(name) = name {
        attributes.extend(attribute(IFLA_IFNAME, &[name.as_bytes(), &[0]].concat()));
    }
    let flags = if name.is_some() { NLM_F_REQUEST } else { NLM_F_REQUEST | NLM_F_DUMP };
    let len = u32::try_from(HEADER_LEN + LINK_LEN + attributes.len()).unwrap_or(0);
    let mut octets = Vec::new();
    octets.extend(len.to_ne_bytes());
    octets.extend(RTM_GETLINK.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend(sequence.to_ne_bytes());
    octets.extend([0; 4 + LINK_LEN]);
    octets.extend(attributes);
    octets
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(ATTRIBUTE_LEN + value.len()).unwrap_or(0);
    let mut octets = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// Reads one datagram of the answer to the question `sequence`. What makes no sense, or answers another question, is
/// left out.
pub(crate) fn read(mut octets: &[u8], sequence: u32) -> Answer {
    let mut answer = Answer::default();
    while let Some((kind, number, body, rest)) = split_message(octets) {
        octets = rest;
        if number != sequence {
            continue;
        }
        match kind {
            RTM_NEWLINK => answer.seen.extend(interface(body)),
            // Zero is an acknowledgement.
            NLMSG_ERROR => answer.error = errno(body),
            NLMSG_DONE => answer.is_last = true,
            _ => {}
        }
    }
    answer
}

/// Zero is an acknowledgement, and no error.
fn errno(body: &[u8]) -> Option<i32> {
    u32_at(body, 0).map(|errno| errno.cast_signed().wrapping_neg()).filter(|errno| *errno != 0)
}

/// Kind, sequence number, body, and what follows.
fn split_message(octets: &[u8]) -> Option<(u16, u32, &[u8], &[u8])> {
    let len = usize::try_from(u32_at(octets, 0)?).ok()?;
    let body = octets.get(HEADER_LEN..len)?;
    Some((u16_at(octets, 4)?, u32_at(octets, 8)?, body, octets.get(len.next_multiple_of(4)..).unwrap_or_default()))
}

fn interface(body: &[u8]) -> Option<Seen> {
    let mut seen = Seen { index: u32_at(body, 4)?, ..Seen::default() };
    for (kind, value) in attributes(body.get(LINK_LEN..)?) {
        match kind {
            IFLA_IFNAME => {
                let name = value.split(|octet| *octet == 0).next().unwrap_or_default();
                seen.name = String::from_utf8_lossy(name).into_owned();
            }
            IFLA_XDP => programs(value, &mut seen),
            _ => {}
        }
    }
    Some(seen).filter(|seen| !seen.name.is_empty())
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

fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(octets, 0)?);
        let value = octets.get(ATTRIBUTE_LEN..len)?;
        let kind = u16_at(octets, 2)? & TYPE_MASK;
        octets = octets.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(HEADER_LEN + body.len()).unwrap();
        let head = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 2], &sequence.to_ne_bytes(), &[0; 4]].concat();
        [head, body.to_vec()].concat()
    }

    fn veth() -> Vec<u8> {
        let link = [&[0; 4][..], &7_u32.to_ne_bytes(), &[0; 8]].concat();
        let id = attribute(XDP_NATIVE_ID, &3_859_u32.to_ne_bytes());
        let xdp = attribute(IFLA_XDP | 0x8000, &[attribute(2, &[1]), id].concat());
        message(RTM_NEWLINK, 4, &[link, attribute(IFLA_IFNAME, b"hm0\0"), xdp].concat())
    }

    #[test]
    fn an_answer_names_the_interface_and_its_program() {
        let answer = read(&[veth(), message(NLMSG_DONE, 4, &[0; 4])].concat(), 4);
        let hm0 = Seen { name: "hm0".into(), index: 7, native: Some(3_859), ..Seen::default() };
        assert_eq!(answer, Answer { seen: vec![hm0], error: None, is_last: true });
        assert_eq!(read(&veth(), 5), Answer::default(), "the answer to another question");
    }

    #[test]
    fn an_error_is_told_and_an_acknowledgement_is_none() {
        let error = |number: i32| read(&message(NLMSG_ERROR, 1, &number.to_ne_bytes()), 1).error;
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
