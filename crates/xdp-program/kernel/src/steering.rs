//! The second program, at the door of the network stack: connections to dark ports go to the trap, or nothing answers.

use crate::{
    Helpers,
    bindings::{Skb, SkBuff, TCX_DROP, TCX_NEXT, assign},
    tables::HM_TRAPS,
};
use honeymesh_xdp_program::{Onward, Steer, door};

/// The entry point, once for each packet. What goes on is seen by other programs, too.
#[unsafe(link_section = "classifier")]
#[unsafe(no_mangle)]
extern "C" fn honeymesh_steer(context: *mut SkBuff) -> i32 {
    match door(&Skb(context), &Helpers(context)) {
        Onward::Goes => TCX_NEXT,
        Onward::Dropped => TCX_DROP,
    }
}

impl Steer for Helpers<SkBuff> {
    #[inline(always)]
    fn assign(&self, index: u32) -> bool {
        assign(self.0, &HM_TRAPS, index)
    }
}
