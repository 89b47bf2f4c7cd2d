//! The retransmission oracle: a silenced source goes on being answered on a keyed half of the dark ports, so that user space
//! sees how it reacts. Somebody who listens repeats what was not answered; whoever forges the source is blind to the key.

use super::{Probe, tell, ways};
use crate::Kernel;
use honeymesh_xdp_abi::{
    ANSWERS_MAX, Counter, FATE_ANSWERED, FATE_SILENT, FATE_SPENT, KIND_SUSPECT, KnockRecord, SourceKey, WAYS, fingerprint,
    is_answered, source_hash,
};

/// Is this SYN of a silenced source to be answered? Tells user space of it either way, if the source is still remembered.
/// A function of its own: both families share it, and the program's stack is small.
#[inline(never)]
pub(super) fn is_let_through(probe: &Probe, kernel: &impl Kernel) -> bool {
    let Some(settings) = kernel.scan_settings() else { return false };
    let secret = kernel.secret();
    let hash = source_hash(secret, probe.source);
    let Some(scan) = kernel.bucket(hash & settings.bucket_mask) else { return false };
    let way = ways::find(scan, fingerprint(hash));
    if way >= WAYS as u64 {
        return false;
    }
    let mark = ways::mark(scan, way);
    let fate = if mark.answered() >= ANSWERS_MAX {
        FATE_SPENT
    } else if !is_answered(secret, probe.source, probe.knock.port) {
        FATE_SILENT
    } else if ways::set_mark(scan, way, mark, mark.answering()) {
        kernel.count(Counter::OracleAnswered);
        FATE_ANSWERED
    } else {
        // Another CPU was faster: without an answer that is counted there is none.
        FATE_SPENT
    };
    tell::suspect::<KIND_SUSPECT>(KnockRecord { at_ns: kernel.now_ns(), kind: KIND_SUSPECT, fate, ..probe.knock }, kernel);
    fate == FATE_ANSWERED
}

/// Was any SYN of this source ever let through though it was silenced? Then none goes to the trap, as long as the source is
/// remembered: what is let through must be refused by the network stack. A trap would send a SYN-ACK, to whosever address it is; he
/// answers with a reset, and how many packets he has sent can be asked for from afar, so a forger would not be blind. Which SYN was let
/// through is not known behind the first program, hence all of them, also once the silence is over.
#[inline(never)]
pub(crate) fn was_weighed(source: &SourceKey, kernel: &impl Kernel) -> bool {
    let Some(settings) = kernel.scan_settings() else { return false };
    let hash = source_hash(kernel.secret(), *source);
    let Some(scan) = kernel.bucket(hash & settings.bucket_mask) else { return false };
    let way = ways::find(scan, fingerprint(hash));
    way < WAYS as u64 && ways::mark(scan, way).was_weighed()
}
