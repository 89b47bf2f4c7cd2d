//! How a cluster is told apart on the wire: 8 bytes made of its name.

use honeymesh_types::ClusterName;

/// A cluster's name as 8 bytes. Public: it tells clusters apart, it protects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClusterTag(pub(crate) [u8; 8]);

impl ClusterTag {
    /// Separates this use of the name from all others.
    const CONTEXT: &'static str = "honeymesh 2026 mesh cluster tag v1";

    pub(crate) fn of(name: &ClusterName) -> Self {
        let hash = blake3::derive_key(Self::CONTEXT, name.as_str().as_bytes());
        let mut tag = [0; 8];
        tag.copy_from_slice(&hash[..8]);
        Self(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_different_tags_and_the_bytes_are_fixed() {
        let tag = |name: &str| ClusterTag::of(&name.parse().unwrap());
        assert_ne!(tag("alpha"), tag("beta"));
        assert_eq!(tag("primary_mesh"), tag("primary_mesh"));
    }
}
