//! Functions: those of a text, and those that were typed.

use super::Output;
use super::run::{DEPTH_MAX, Leaving, Run};
use crate::shell::syntax::{Node, Text};
use alloc::{rc::Rc, vec::Vec};

/// Functions that a text may have, and variables of their own.
const FUNCTIONS_MAX: usize = 8;
const LOCALS_MAX: usize = 64;

impl Run<'_, '_> {
    /// What was typed is known in the next line, too.
    pub(super) fn define(&mut self, name: &[u8], body: &Rc<Node>, text: &[u8]) {
        self.functions.retain(|(known, _)| known != name);
        if self.functions.len() < FUNCTIONS_MAX {
            self.functions.push((name.to_vec(), body.clone()));
        }
        if self.is_own {
            self.place.memory.keep_function(name, text);
        }
    }

    /// A function by its name: one of this text, or one that was typed before.
    pub(super) fn function(&mut self, name: &[u8]) -> Option<Rc<Node>> {
        if let Some((_, body)) = self.functions.iter().find(|(known, _)| known == name) {
            return Some(body.clone());
        }
        let text = self.place.memory.function(name).filter(|_| self.is_own)?;
        if !self.shell.work.take_bytes(text.len()) {
            return None;
        }
        let list = Text::new(text).next_line().ok()??;
        let body = Rc::new(list.0.into_iter().next()?.pipeline.into_iter().next()?);
        if self.functions.len() < FUNCTIONS_MAX {
            self.functions.push((name.to_vec(), body.clone()));
        }
        Some(body)
    }

    pub(super) fn has_function(&self, name: &[u8]) -> bool {
        self.functions.iter().any(|(known, _)| known == name) || self.is_own && self.place.memory.function(name).is_some()
    }

    /// A function's own variable; `false` where there is no function.
    pub(super) fn localize(&mut self, name: &[u8]) {
        if !self.place.memory.arguments.is_empty() && self.locals.len() < LOCALS_MAX {
            let before = self.place.memory.variable(name).map(<[u8]>::to_vec);
            self.locals.push((name.to_vec(), before));
        }
    }

    pub(super) fn forget_function(&mut self, name: &[u8]) {
        self.functions.retain(|(known, _)| known != name);
    }

    pub(super) fn call(&mut self, body: &Node, words: &[Vec<u8>], output: &mut Output) {
        if self.depth >= DEPTH_MAX {
            return;
        }
        let (arguments, locals) = (self.place.memory.with_arguments(words), self.locals.len());
        self.depth += 1;
        self.node(body, output);
        self.depth -= 1;
        for (name, before) in self.locals.split_off(locals.min(self.locals.len())).into_iter().rev() {
            match before {
                Some(value) => self.place.memory.set(&name, &value),
                None => self.place.memory.unset(&name),
            }
        }
        self.place.memory.with_arguments(&arguments);
        if self.leaving == Some(Leaving::Return) {
            self.leaving = None;
        }
    }
}
