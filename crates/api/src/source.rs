//! Who counts as one source: an IPv4 address, or an IPv6 customer prefix.

use honeymesh_types::Subject;
use std::net::IpAddr;

/// The key under which a source is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SourceKey(Subject);

impl SourceKey {
    pub(crate) fn of(source: IpAddr) -> Self {
        Self(Subject::of_source(source, &[]))
    }
}
