//! The link layer: where in the frame the network header begins.

/// How many VLAN tags (802.1Q, 802.1ad) are followed. A frame with more passes as not IP.
pub const VLAN_TAGS_MAX: usize = 2;

pub(crate) const ETHERNET_LEN: usize = 14;
const VLAN_LEN: usize = 4;
pub(crate) const TYPE_IPV4: u16 = 0x0800;
pub(crate) const TYPE_IPV6: u16 = 0x86dd;
const TYPE_VLAN: u16 = 0x8100;
const TYPE_QINQ: u16 = 0x88a8;

/// A frame whose end nobody promised.
pub trait Frame {
    /// The `N` octets at `offset`, or `None` if the frame ends before them.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// The same as `N` words, at most ten, each as it stands there.
    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let mut words = [0; N];
        for (word, at) in words.iter_mut().zip((offset..).step_by(4)) {
            *word = u32::from_ne_bytes(self.read(at)?);
        }
        Some(words)
    }
}

/// Where the network header begins.
#[derive(Clone, Copy)]
pub(crate) enum Network {
    V4(usize),
    V6(usize),
    Other,
    Malformed,
}

#[inline(always)]
pub(crate) fn network(frame: &impl Frame) -> Network {
    let Some(ethernet) = frame.read::<ETHERNET_LEN>(0) else { return Network::Malformed };
    behind_tags(frame, u16::from_be_bytes([ethernet[12], ethernet[13]]), ETHERNET_LEN)
}

/// Where the network header begins behind the VLAN tags at `offset`, if `kind` says that there are any.
#[inline(always)]
pub(crate) fn behind_tags(frame: &impl Frame, mut kind: u16, mut offset: usize) -> Network {
    for _ in 0..VLAN_TAGS_MAX {
        if kind != TYPE_VLAN && kind != TYPE_QINQ {
            break;
        }
        let Some([_, _, high, low]) = frame.read::<VLAN_LEN>(offset) else { return Network::Malformed };
        kind = u16::from_be_bytes([high, low]);
        offset += VLAN_LEN;
    }
    match kind {
        TYPE_IPV4 => Network::V4(offset),
        TYPE_IPV6 => Network::V6(offset),
        _ => Network::Other,
    }
}
