//! The self-probe's source that must pass is, from a wire, a source like any other: on both rungs.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::{Kind, Stage, full},
};

#[test]
fn what_the_operator_allows_covers_the_self_probes_source() {
    for kind in [Kind::Xdp, Kind::Nft] {
        alone("the probe's source", |room| is_covered(&Stage::new(room, kind)));
    }
}

fn is_covered(stage: &Stage<'_>) {
    for is_probing in [false, true] {
        let mut kernel = stage.start();
        if is_probing {
            kernel.begin_probing();
        }
        for (source, around, wider) in
            [("192.0.0.31", "192.0.0.0/24", "192.0.0.0/8"), ("100:0:0:1::1f", "100:0:0:1::/64", "100::/16")]
        {
            kernel.raise(&full(around)).unwrap();
            kernel.set_allow(&[]);
            assert!(stage.drops(&*kernel, source), "{source}: from a wire it is a source like any other");
            for net in [around, wider, source] {
                kernel.set_allow(&[net]);
                assert!(!stage.drops(&*kernel, source), "{source} is allowed by {net}");
            }
            kernel.set_allow(&["198.18.0.0/15"]);
            assert!(stage.drops(&*kernel, source), "{source}");
        }
        kernel.release();
    }
}
