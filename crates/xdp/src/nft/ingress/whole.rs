//! Which packets contradict themselves or end too early: counted as the XDP program counts them (`Counter::Malformed`), and passed.
//!
//! ```text
//! v4, v6, …          nobody banned it: a plain packet that is whole passes here
//!   whole4, …        does its header say what it must?
//!     beyond4, …     where is its end, and what comes behind the header?
//!       tcp4, udp4   a whole header of that, within packet and frame
//!       far6         … behind IPv6 extension headers, where the kernel has looked for it
//! malformed          anything else
//! ```
//!
//! A rule that reads an octet which is not there goes no further, so what is too short comes to the rule behind it.

use super::{Chains, Rule};
use crate::nft::{
    ask::{HEADER_LEN_AT, HEADER_REST_LEN, TCP, UDP, long_enough, whole_header},
    expression::{Compare, Expression, ExtensionHeader, Meta, Register, Verdict, goto, is},
    layout::Layout,
    locked::LOCKED,
    tier::Family,
};

/// The counter, and the chain that counts.
pub(super) const MALFORMED: &str = "malformed";

const V4_LEN: u32 = 20;
const V6_LEN: u32 = 40;
const TCP_LEN: u32 = 20;
const UDP_LEN: u32 = 8;
/// The fewest and the most words of an IPv4 header.
const WORDS_MIN: u8 = 5;
const WORDS_MAX: u8 = 15;
const WORD: u8 = 4;
/// IPv6 headers that others may follow: hop-by-hop, routing, fragment, authentication, destination.
const EXTENSIONS: [u8; 5] = [0, 43, FRAGMENT, 51, 60];
const FRAGMENT: u8 = 44;

/// Chains that have the same rules for packets with and without a second tag.
pub(super) struct Names {
    pub(super) header: &'static str,
    pub(super) beyond: &'static str,
    pub(super) tcp: &'static str,
    pub(super) udp: &'static str,
}

impl Names {
    pub(super) const fn all(&self) -> [&'static str; 4] {
        [self.header, self.beyond, self.tcp, self.udp]
    }
}

const FAR: &str = "far6";

/// The chains that are nobody's else.
pub(super) const CHAINS: [&str; 2] = [FAR, MALFORMED];

/// Every rule of them.
pub(super) fn ends(layout: &Layout) -> Vec<Rule> {
    let mut rules = far(layout);
    rules.push((MALFORMED, vec![Expression::Count(MALFORMED), accept()]));
    rules
}

/// The rules for what came by these chains and is not banned.
pub(super) fn rules(layout: &Layout, chains: &Chains) -> Vec<Rule> {
    let check = Check { layout, chains, skip: chains.skip };
    match chains.family {
        Family::V4 => check.v4(),
        Family::V6 => check.v6(),
    }
}

struct Check<'a> {
    layout: &'a Layout,
    chains: &'a Chains,
    skip: u32,
}

impl Check<'_> {
    fn v4(&self) -> Vec<Rule> {
        let Names { header, beyond, tcp, udp } = self.chains.whole;
        let passes = |steps: Vec<Vec<Expression>>| [steps.concat(), vec![accept()]].concat();
        // Whatever it is, these are whole: where most packets end. The first octet of what a TCP header's length is in may be any of another protocol's.
        let longest = self.total(WORDS_MIN, V4_LEN + TCP_LEN);
        let mut rules = vec![
            (self.chains.lookups, passes(vec![longest, self.whole_tcp(V4_LEN)])),
            (
                self.chains.lookups,
                passes(vec![self.total(WORDS_MIN, V4_LEN + UDP_LEN), self.differs(9, TCP), self.readable(V4_LEN, UDP_LEN)]),
            ),
            (self.chains.lookups, vec![goto(header)]),
            (
                header,
                [self.readable(V4_LEN - 1, 1), self.within(0, 0x40 | WORDS_MIN, 0x40 | WORDS_MAX), vec![goto(beyond)]].concat(),
            ),
            (header, vec![goto(MALFORMED)]),
        ];
        if self.skip == 0 {
            // What the kernel has put together of many segments may be longer than the header can say, and says zero. It knows them.
            let zero = vec![self.header(2, 2), is(&[0; 2]), Expression::Meta(Meta::Transport)];
            rules.push((beyond, passes(vec![zero, vec![Expression::Compare(Compare::AtLeast, vec![0])]])));
        }
        rules.extend(lengths().map(|words| (beyond, [self.too_short(words), vec![goto(MALFORMED)]].concat())));
        rules.extend(self.unless_locked());
        let later =
            vec![self.header(6, 2), Expression::Mask(vec![0x1f, 0xff]), Expression::Compare(Compare::Differs, vec![0; 2])];
        rules.push((beyond, passes(vec![later])));
        rules.extend(self.transports(9));
        for words in lengths() {
            let at = u32::from(words * WORD);
            rules.push((tcp, passes(vec![self.total(words, at + TCP_LEN), self.whole_tcp(at)])));
            rules.push((udp, passes(vec![self.total(words, at + UDP_LEN), self.readable(at, UDP_LEN)])));
        }
        rules.extend([tcp, udp].map(|chain| (chain, vec![goto(MALFORMED)])));
        rules
    }

    /// A length of zero is a jumbogram's, whose real one is an option.
    fn v6(&self) -> Vec<Rule> {
        let Names { header, beyond, tcp, udp } = self.chains.whole;
        let version = || self.within(0, 0x60, 0x6f);
        let holds = |len: u32| vec![self.header(4, 2), Expression::Compare(Compare::AtLeast, short(len))];
        let ends_within = |len: u32| {
            let range = Expression::Range { is_within: true, first: short(1), last: short(len - 1) };
            vec![self.header(4, 2), range, goto(MALFORMED)]
        };
        let plain = |protocol, len, rest: Vec<Expression>| {
            (self.chains.lookups, [self.equals(6, protocol), holds(len), version(), rest, vec![accept()]].concat())
        };
        let mut rules = vec![
            plain(TCP, TCP_LEN, self.whole_tcp(V6_LEN)),
            plain(UDP, UDP_LEN, self.readable(V6_LEN, UDP_LEN)),
            (self.chains.lookups, vec![goto(header)]),
            (header, [self.readable(V6_LEN - 1, 1), version(), vec![goto(beyond)]].concat()),
            (header, vec![goto(MALFORMED)]),
        ];
        rules.extend(self.unless_locked());
        rules.extend(self.transports(6));
        // Behind a tag the kernel has not looked for what follows them.
        let followed = || if self.skip == 0 { vec![goto(FAR)] } else { [self.readable(V6_LEN, 4), vec![accept()]].concat() };
        for extension in EXTENSIONS {
            rules.push((beyond, [self.equals(6, extension), followed()].concat()));
            if self.skip > 0 {
                rules.push((beyond, [self.equals(6, extension), vec![goto(MALFORMED)]].concat()));
            }
        }
        rules.extend([
            (tcp, ends_within(TCP_LEN)),
            (tcp, [self.whole_tcp(V6_LEN), vec![accept()]].concat()),
            (tcp, vec![goto(MALFORMED)]),
            (udp, ends_within(UDP_LEN)),
            (udp, [self.readable(V6_LEN, UDP_LEN), vec![accept()]].concat()),
            (udp, vec![goto(MALFORMED)]),
        ]);
        rules
    }

    /// In a lockdown nobody asks for what is behind the header: the rules within the network stack do.
    fn unless_locked(&self) -> Option<Rule> {
        let holds = || vec![Expression::Meta(Meta::Protocol), Expression::InSet(LOCKED.into()), accept()];
        self.layout.is_locked.then(|| (self.chains.whole.beyond, holds()))
    }

    /// On to what the octet `at` this place says that there is.
    fn transports(&self, at: u32) -> Vec<Rule> {
        let Names { beyond, tcp, udp, .. } = self.chains.whole;
        let to = |protocol, chain| (beyond, [self.equals(at, protocol), vec![goto(chain)]].concat());
        let mut rules = vec![to(TCP, tcp)];
        rules.extend(sees_datagrams(self.layout).then(|| to(UDP, udp)));
        rules
    }

    /// Has the IPv4 header so many words, and the packet at least so many octets?
    fn total(&self, words: u8, at_least: u32) -> Vec<Expression> {
        self.first_word(words, at_least, u32::from(u16::MAX))
    }

    /// Has it so many, and ends within it?
    fn too_short(&self, words: u8) -> Vec<Expression> {
        self.first_word(words, 0, u32::from(words * WORD) - 1)
    }

    fn first_word(&self, words: u8, first: u32, last: u32) -> Vec<Expression> {
        let word = |len| [vec![0x40 | words, 0], short(len)].concat();
        let range = Expression::Range { is_within: true, first: word(first), last: word(last) };
        vec![self.header(0, 4), Expression::Mask(vec![0xff, 0, 0xff, 0xff]), range]
    }

    /// Is there a whole TCP header `at` this place that says that it is one?
    fn whole_tcp(&self, at: u32) -> Vec<Expression> {
        vec![self.header(at + HEADER_LEN_AT, HEADER_REST_LEN), long_enough()]
    }

    /// Are there so many octets `at` this place? The comparison always holds.
    fn readable(&self, at: u32, len: u32) -> Vec<Expression> {
        vec![self.header(at, len), any(len)]
    }

    fn within(&self, at: u32, first: u8, last: u8) -> Vec<Expression> {
        vec![self.header(at, 1), Expression::Range { is_within: true, first: vec![first], last: vec![last] }]
    }

    fn equals(&self, at: u32, octet: u8) -> Vec<Expression> {
        vec![self.header(at, 1), is(&[octet])]
    }

    fn differs(&self, at: u32, octet: u8) -> Vec<Expression> {
        vec![self.header(at, 1), Expression::Compare(Compare::Differs, vec![octet])]
    }

    const fn header(&self, at: u32, len: u32) -> Expression {
        Expression::Header { offset: self.skip + at, len }
    }
}

/// Behind extension headers the transport header is where the kernel has found it, which follows any number of them but none that
/// authenticates. Where it found none, the packet is shorter than it says.
fn far(layout: &Layout) -> Vec<Rule> {
    let later = ExtensionHeader { kind: FRAGMENT, offset: 2, len: 2 };
    let is_of = |protocol| vec![Expression::Meta(Meta::Transport), is(&[protocol])];
    let datagram = Expression::Segment { offset: 0, len: UDP_LEN, to: Register::FIRST };
    let mut rules = vec![
        vec![
            Expression::Extension(later),
            Expression::Mask(vec![0xff, 0xf8]),
            Expression::Compare(Compare::Differs, vec![0; 2]),
            accept(),
        ],
        [is_of(TCP), whole_header(), vec![accept()]].concat(),
        [is_of(TCP), vec![goto(MALFORMED)]].concat(),
    ];
    if sees_datagrams(layout) {
        rules.push([is_of(UDP), vec![datagram, any(UDP_LEN), accept()]].concat());
        rules.push([is_of(UDP), vec![goto(MALFORMED)]].concat());
    }
    rules.push(vec![Expression::Meta(Meta::Transport), any(1), accept()]);
    rules.push(vec![goto(MALFORMED)]);
    rules.into_iter().map(|steps| (FAR, steps)).collect()
}

/// Are datagrams looked into, as `[scan] udp` says?
fn sees_datagrams(layout: &Layout) -> bool {
    layout.scan.as_ref().is_some_and(|scan| scan.udp)
}

/// How long an IPv4 header may be, in words.
fn lengths() -> std::ops::RangeInclusive<u8> {
    WORDS_MIN..=WORDS_MAX
}

/// Goes on with whatever is loaded: without a comparison, `nft` does not show the rule.
pub(in crate::nft) fn any(len: u32) -> Expression {
    Expression::Compare(Compare::AtLeast, vec![0; usize::try_from(len).unwrap_or(0)])
}

fn short(number: u32) -> Vec<u8> {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes().into()
}

const fn accept() -> Expression {
    Expression::Verdict(Verdict::Accept)
}
