//! The second program, at the door of the network stack: connections to dark ports go to the trap.

use crate::{
    Helpers,
    bindings::{Skb, SkBuff, TCX_NEXT, assign},
    tables::HM_TRAPS,
};
use honeymesh_xdp_program::{Steer, steer};

/// The entry point, once for each packet. Whatever was decided, other programs have their say.
#[unsafe(link_section = "classifier")]
#[unsafe(no_mangle)]
extern "C" fn honeymesh_steer(context: *mut SkBuff) -> i32 {
    steer(&Skb(context), &Helpers(context));
    TCX_NEXT
}

impl Steer for Helpers<SkBuff> {
    #[inline(always)]
    fn assign(&self, index: u32) -> bool {
        assign(self.0, &HM_TRAPS, index)
    }
}
