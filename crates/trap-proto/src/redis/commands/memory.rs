//! `MEMORY USAGE`: what a key and its value take.

use super::{
    Reply, Server,
    stored::{SYNTAX, is, whole},
};
use crate::redis::data::{Refusal, value::weight_of_key};
use alloc::vec::Vec;

/// Parts of a value that are looked at if nobody says how many.
const SAMPLES: usize = 5;

impl Server {
    /// Whether it was asked that.
    pub(super) fn memory(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let [sub, key, options @ ..] = arguments else { return false };
        if command != b"memory" || !is(sub, "usage") {
            return false;
        }
        match self.usage(key, options) {
            Ok(Some(bytes)) => reply.number(bytes),
            Ok(None) => reply.nil(),
            Err(refusal) => reply.raw(refusal),
        }
        true
    }

    /// `None`: there is no such key.
    fn usage(&mut self, key: &[u8], options: &[Vec<u8>]) -> Result<Option<usize>, Refusal> {
        let (mut samples, mut rest) = (SAMPLES, options);
        while let Some((option, behind)) = rest.split_first() {
            let (number, behind) = behind.split_first().filter(|_| is(option, "samples")).ok_or(SYNTAX)?;
            samples = match usize::try_from(whole(number)?) {
                Err(_) => return Err(SYNTAX),
                Ok(0) => usize::MAX,
                Ok(samples) => samples,
            };
            rest = behind;
        }
        let Some(value) = self.data.value(key) else { return Ok(None) };
        self.steps.spend(value.weighed(samples))?;
        Ok(Some(weight_of_key(key) + value.weight(samples)))
    }
}
