//! The numbers of nf_tables, as `linux/netfilter/nf_tables.h` and `nfnetlink.h` give them: stable for ever.

/// `NFPROTO_NETDEV`: the family whose chains see packets before the network stack does.
pub(super) const FAMILY_NETDEV: u8 = 5;
/// `NFPROTO_IPV4` and `NFPROTO_IPV6`.
pub(super) const FAMILY_IP4: u8 = 2;
pub(super) const FAMILY_IP6: u8 = 10;
/// `NFPROTO_INET`: the family whose chains see packets of IPv4 and IPv6 within the network stack.
pub(super) const FAMILY_INET: u8 = 1;
/// The subsystem, in the upper octet of a message's type.
pub(super) const SUBSYSTEM: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN` and `…_END`: what lies between them happens at once or not at all.
pub(super) const BATCH_BEGIN: u16 = 0x10;
pub(super) const BATCH_END: u16 = 0x11;

/// `NLMSG_ERROR` and `NLMSG_DONE`.
pub(super) const ERROR: u16 = 2;
pub(super) const DONE: u16 = 3;

/// `NLM_F_…`.
pub(super) mod flag {
    pub(crate) const REQUEST: u16 = 1;
    pub(crate) const ACK: u16 = 4;
    pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
    pub(crate) const DUMP: u16 = 0x300;
    pub(crate) const CREATE: u16 = 0x400;
    pub(crate) const APPEND: u16 = 0x800;
}

/// `NFT_MSG_…`.
pub(super) mod message {
    pub(crate) const NEW_TABLE: u16 = 0;
    pub(crate) const GET_TABLE: u16 = 1;
    pub(crate) const DEL_TABLE: u16 = 2;
    pub(crate) const NEW_CHAIN: u16 = 3;
    pub(crate) const GET_CHAIN: u16 = 4;
    pub(crate) const DEL_CHAIN: u16 = 5;
    pub(crate) const NEW_RULE: u16 = 6;
    pub(crate) const GET_RULE: u16 = 7;
    pub(crate) const DEL_RULE: u16 = 8;
    pub(crate) const NEW_SET: u16 = 9;
    pub(crate) const GET_SET: u16 = 10;
    pub(crate) const DEL_SET: u16 = 11;
    pub(crate) const NEW_ELEMENT: u16 = 12;
    pub(crate) const GET_ELEMENT: u16 = 13;
    pub(crate) const DEL_ELEMENT: u16 = 14;
    pub(crate) const NEW_OBJECT: u16 = 18;
    pub(crate) const GET_OBJECT: u16 = 19;
}

/// `NFTA_TABLE_…` and `NFT_TABLE_F_…`.
pub(super) mod table {
    pub(crate) const NAME: u16 = 1;
    pub(crate) const FLAGS: u16 = 2;
    pub(crate) const USERDATA: u16 = 6;
    /// None of its rules is asked.
    pub(crate) const DORMANT: u32 = 1;
    /// Nobody but the socket that made it may change it (Linux 5.12).
    pub(crate) const OWNED: u32 = 2;
    /// It outlives that socket, and the next may have it (Linux 6.9).
    pub(crate) const PERSISTENT: u32 = 4;
}

/// `NFTA_CHAIN_…` and `NFTA_HOOK_…`.
pub(super) mod chain {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 3;
    pub(crate) const HOOK: u16 = 4;
    pub(crate) const POLICY: u16 = 5;
    pub(crate) const TYPE: u16 = 7;
    pub(crate) const HOOK_NUMBER: u16 = 1;
    pub(crate) const HOOK_PRIORITY: u16 = 2;
    pub(crate) const HOOK_DEVICE: u16 = 3;
    /// `NF_NETDEV_INGRESS`.
    pub(crate) const INGRESS: u32 = 0;
    /// `NF_INET_PRE_ROUTING`.
    pub(crate) const PREROUTING: u32 = 0;
}

/// `NFTA_RULE_…`, `NFTA_LIST_ELEM` and `NFTA_EXPR_…`.
pub(super) mod rule {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const CHAIN: u16 = 2;
    pub(crate) const EXPRESSIONS: u16 = 4;
    pub(crate) const LIST_ELEMENT: u16 = 1;
    pub(crate) const EXPRESSION_NAME: u16 = 1;
    pub(crate) const EXPRESSION_DATA: u16 = 2;
}

/// `NFTA_SET_…` and `NFT_SET_…`.
pub(super) mod set {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 2;
    pub(crate) const FLAGS: u16 = 3;
    pub(crate) const KEY_TYPE: u16 = 4;
    pub(crate) const KEY_LEN: u16 = 5;
    pub(crate) const DATA_TYPE: u16 = 6;
    pub(crate) const DATA_LEN: u16 = 7;
    pub(crate) const DESCRIPTION: u16 = 9;
    pub(crate) const ID: u16 = 10;
    pub(crate) const TIMEOUT: u16 = 11;
    pub(crate) const REMOVAL_INTERVAL: u16 = 12;
    pub(crate) const EXPRESSION: u16 = 17;
    pub(crate) const EXPRESSIONS: u16 = 18;
    /// Within the description.
    pub(crate) const SIZE: u16 = 1;
    /// Its entries have a value.
    pub(crate) const MAP: u32 = 8;
    pub(crate) const TIMEOUTS: u32 = 0x10;
    /// Rules add to it.
    pub(crate) const DYNAMIC: u32 = 0x20;
    /// What `nft` calls `ipv4_addr`, `ipv6_addr`, `ether_type`, `inet_service` and `mark`; only it reads this.
    pub(crate) const TYPE_IPV4: u32 = 7;
    pub(crate) const TYPE_IPV6: u32 = 8;
    pub(crate) const TYPE_ETHERTYPE: u32 = 10;
    pub(crate) const TYPE_PORT: u32 = 13;
    /// `mark`: four octets in the machine's order.
    pub(crate) const TYPE_MARK: u32 = 19;
    /// By how many bits the first of two types is moved up when a key is made of both.
    pub(crate) const TYPE_BITS: u32 = 6;
}

/// `NFTA_SET_ELEM_LIST_…`, `NFTA_SET_ELEM_…` and `NFTA_DATA_…`.
pub(super) mod element {
    pub(crate) const LIST_TABLE: u16 = 1;
    pub(crate) const LIST_SET: u16 = 2;
    pub(crate) const LIST_ELEMENTS: u16 = 3;
    pub(crate) const KEY: u16 = 1;
    pub(crate) const FLAGS: u16 = 3;
    /// It stands for every key that has no entry (Linux 5.13).
    pub(crate) const CATCH_ALL: u32 = 2;
    pub(crate) const TIMEOUT: u16 = 4;
    pub(crate) const EXPIRATION: u16 = 5;
    pub(crate) const USERDATA: u16 = 6;
    pub(crate) const EXPRESSION: u16 = 7;
    pub(crate) const DATA_VALUE: u16 = 1;
    pub(crate) const DATA_VERDICT: u16 = 2;
    pub(crate) const VERDICT_CODE: u16 = 1;
    pub(crate) const VERDICT_CHAIN: u16 = 2;
}

/// `NFTA_OBJ_…` and `NFTA_COUNTER_…`.
pub(super) mod object {
    pub(crate) const TABLE: u16 = 1;
    pub(crate) const NAME: u16 = 2;
    pub(crate) const TYPE: u16 = 3;
    pub(crate) const DATA: u16 = 4;
    pub(crate) const COUNTER: u32 = 1;
    pub(crate) const COUNTER_BYTES: u16 = 1;
    pub(crate) const COUNTER_PACKETS: u16 = 2;
}

/// The kind of a comment in user data, which `nft` prints, and its longest text with the final zero.
pub(super) const COMMENT: u8 = 0;
pub(super) const COMMENT_LEN_MAX: usize = 128;

/// nfnetlink's log: `NFNL_SUBSYS_ULOG`, `NFULNL_…`, `NFULA_…`.
pub(super) mod log {
    pub(crate) const SUBSYSTEM: u16 = 4;
    pub(crate) const PACKET: u16 = 0;
    pub(crate) const CONFIG: u16 = 1;
    pub(crate) const CONFIG_COMMAND: u16 = 1;
    pub(crate) const CONFIG_MODE: u16 = 2;
    pub(crate) const CONFIG_THRESHOLD: u16 = 5;
    pub(crate) const CONFIG_FLAGS: u16 = 6;
    pub(crate) const BIND: u8 = 1;
    /// Octets of the packet come along.
    pub(crate) const COPY_PACKET: u8 = 2;
    /// What is told is numbered, so that a gap is seen.
    pub(crate) const FLAG_NUMBERED: u16 = 1;
    pub(crate) const PAYLOAD: u16 = 9;
    pub(crate) const PREFIX: u16 = 10;
    pub(crate) const NUMBER: u16 = 12;
}
