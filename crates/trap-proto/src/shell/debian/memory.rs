//! What a stranger's shell remembers until its channel ends: variables, the words it was given, how the last command ended.

use alloc::vec::Vec;

/// Variables that are kept, and the bytes of one; further ones are forgotten, longer ones cut.
const VARIABLES_MAX: usize = 16;
const VARIABLE_BYTES_MAX: usize = 512;
const VARIABLES_BYTES_MAX: usize = 2_048;
/// Words behind `sh -c text` that are kept.
const ARGUMENTS_MAX: usize = 9;

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) arguments: Vec<Vec<u8>>,
    /// `$?`.
    pub(super) status: u32,
    /// Numbers that were drawn, which changes the next.
    pub(super) drawn: u64,
}

impl Memory {
    pub(super) fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) {
        let others: usize =
            self.variables.iter().filter(|(known, _)| known != name).map(|(name, value)| name.len() + value.len()).sum();
        let room = VARIABLES_BYTES_MAX.saturating_sub(others + name.len()).min(VARIABLE_BYTES_MAX);
        let value = value[..value.len().min(room)].to_vec();
        let has_room = self.variables.len() < VARIABLES_MAX;
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => *before = value,
            None if has_room && name.len() + others <= VARIABLES_BYTES_MAX => {
                self.variables.push((name.to_vec(), value));
            }
            None => {}
        }
    }

    pub(super) fn unset(&mut self, name: &[u8]) {
        self.variables.retain(|(known, _)| known != name);
    }

    pub(super) fn variables(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.variables
    }

    /// The variables as another shell's ends; what was there before comes back.
    pub(super) fn restore(&mut self, before: Vec<(Vec<u8>, Vec<u8>)>) {
        self.variables = before;
    }

    pub(super) fn with_arguments(&mut self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        core::mem::replace(&mut self.arguments, words.iter().take(ARGUMENTS_MAX).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn what_is_kept_is_bounded() {
        let mut memory = Memory::default();
        (0..40).for_each(|number| memory.set(format!("v{number}").as_bytes(), &[b'x'; 5_000]));
        let kept: usize = memory.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(kept <= VARIABLES_BYTES_MAX && memory.variables[0].1.len() == VARIABLE_BYTES_MAX, "{kept}");
        let mut many = Memory::default();
        (0..40).for_each(|number| many.set(format!("v{number}").as_bytes(), b"x"));
        assert_eq!(many.variables.len(), VARIABLES_MAX);
    }
}
