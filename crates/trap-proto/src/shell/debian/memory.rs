//! What a stranger's shell remembers until its channel ends: variables, the words it was given, how the last command ended.

use alloc::vec::Vec;

/// Variables that are kept, and the bytes of one; further ones are forgotten, longer ones cut.
const VARIABLES_MAX: usize = 16;
const VARIABLE_BYTES_MAX: usize = 512;
const VARIABLES_BYTES_MAX: usize = 2_048;
/// Words behind `sh -c text` that are kept, and their bytes together.
const ARGUMENTS_MAX: usize = 33;
const ARGUMENTS_BYTES_MAX: usize = 16 * 1_024;
/// Functions that are kept from one line to the next, and the bytes of their names and texts.
const FUNCTIONS_MAX: usize = 8;
const FUNCTIONS_BYTES_MAX: usize = 2_048;
/// What stands between the elements of an array: no variable holds such a byte.
pub(super) const BETWEEN: u8 = 0;

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names whose variables other programs get.
    exported: Vec<Vec<u8>>,
    /// Functions that were typed, as they were said.
    functions: Vec<(Vec<u8>, Vec<u8>)>,
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
        self.exported.retain(|known| known != name);
        self.functions.retain(|(known, _)| known != name);
    }

    /// Other programs get this variable; further ones than are known are theirs alone.
    pub(super) fn export(&mut self, name: &[u8]) {
        if self.exported.len() < VARIABLES_MAX && name.len() <= VARIABLE_BYTES_MAX && !self.is_exported(name) {
            self.exported.push(name.to_vec());
        }
    }

    pub(super) fn exported(&self) -> &[Vec<u8>] {
        &self.exported
    }

    pub(super) fn is_exported(&self, name: &[u8]) -> bool {
        self.exported.iter().any(|known| known == name)
    }

    /// Only what is exported is left: the variables of another program.
    pub(super) fn leave_exported(&mut self) {
        let exported = &self.exported;
        self.variables.retain(|(name, _)| exported.contains(name));
    }

    /// The names that are exported are these again.
    pub(super) fn restore_exported(&mut self, before: Vec<Vec<u8>>) {
        self.exported = before;
    }

    /// What was typed of a function.
    pub(super) fn function(&self, name: &[u8]) -> Option<&[u8]> {
        self.functions.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_slice())
    }

    /// Keeps a function; one that does not fit is forgotten, and so is what it was before.
    pub(super) fn keep_function(&mut self, name: &[u8], text: &[u8]) {
        self.functions.retain(|(known, _)| known != name);
        let others: usize = self.functions.iter().map(|(name, text)| name.len() + text.len()).sum();
        if self.functions.len() < FUNCTIONS_MAX && others + name.len() + text.len() <= FUNCTIONS_BYTES_MAX {
            self.functions.push((name.to_vec(), text.to_vec()));
        }
    }

    pub(super) fn variables(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.variables
    }

    /// The variables as another shell's ends; what was there before comes back.
    pub(super) fn restore(&mut self, before: Vec<(Vec<u8>, Vec<u8>)>) {
        self.variables = before;
    }

    pub(super) fn with_arguments(&mut self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut room = ARGUMENTS_BYTES_MAX;
        let fits = |word: &&Vec<u8>| {
            room = room.saturating_sub(word.len());
            room > 0
        };
        let kept: Vec<Vec<u8>> = words.iter().take(ARGUMENTS_MAX).take_while(fits).cloned().collect();
        core::mem::replace(&mut self.arguments, kept)
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
        for number in 0..40 {
            many.set(format!("v{number}").as_bytes(), b"x");
            many.export(format!("v{number}").as_bytes());
            many.keep_function(format!("v{number}").as_bytes(), &[b'x'; 900]);
            many.with_arguments(&alloc::vec![alloc::vec![b'x'; 5_000]; 40]);
        }
        assert_eq!((many.variables.len(), many.exported.len()), (VARIABLES_MAX, VARIABLES_MAX));
        assert_eq!((many.functions.len(), many.arguments.len()), (2, 3));
    }
}
