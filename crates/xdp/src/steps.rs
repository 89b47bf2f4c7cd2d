//! The programs that the first one goes on with, and the table it finds them in.

use crate::{
    Error, bpf,
    load::{refused, verified},
    tables::{os, read_error},
};
use aya::{
    Ebpf,
    maps::{Map, ProgramArray},
    programs::{ProgramFd, Xdp},
};
use honeymesh_xdp_abi::table;
use std::os::fd::AsFd;

const WORDS: &str = "steps";

/// The numbers that the kernel knows the steps by.
#[derive(Debug)]
pub(crate) struct Steps([u32; table::STEP_PROGRAMS.len()]);

/// Has the kernel verify the steps.
pub(crate) fn load(object: &mut Ebpf) -> Result<(), Error> {
    for name in table::STEP_PROGRAMS {
        let program: &mut Xdp = object.program_mut(name).ok_or_else(|| missing(name))?.try_into().map_err(|_| missing(name))?;
        verified(|| program.load())?;
    }
    Ok(())
}

/// Puts the steps into their table, which the object holds: without a holder or a pin the kernel empties it. In an adopted
/// table they take the place of an earlier start's one by one: both understand the same tables, so the first program may
/// go on with either.
pub(crate) fn place(object: &mut Ebpf) -> Result<Steps, Error> {
    let mut ids = [0; table::STEP_PROGRAMS.len()];
    for ((index, name), id) in (0..).zip(table::STEP_PROGRAMS).zip(&mut ids) {
        let fd = loaded(object, name)?.try_clone().map_err(|error| refused(&error))?;
        let failed = |source| Error::Table { doing: "read", table: WORDS, source };
        *id = bpf::program_info(fd.as_fd()).map_err(failed)?.id;
        let map = object.map_mut(table::STEPS).ok_or_else(|| missing(table::STEPS))?;
        let mut steps = ProgramArray::try_from(map).map_err(read_error(WORDS))?;
        steps.set(index, &fd, 0).map_err(|error| Error::Table { doing: "write", table: WORDS, source: os(error) })?;
    }
    Ok(Steps(ids))
}

impl Steps {
    /// Are they all in their table?
    pub(crate) fn are_there(&self, object: &Ebpf) -> Result<bool, Error> {
        let Some(Map::ProgramArray(map)) = object.map(table::STEPS) else { return Err(missing(table::STEPS)) };
        let failed = |source| Error::Table { doing: "read", table: WORDS, source };
        for (index, id) in (0..).zip(self.0) {
            if bpf::lookup(map.fd().as_fd(), index).map_err(failed)? != Some(id) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn loaded<'a>(object: &'a Ebpf, name: &str) -> Result<&'a ProgramFd, Error> {
    let program: &Xdp = object.program(name).ok_or_else(|| missing(name))?.try_into().map_err(|_| missing(name))?;
    program.fd().map_err(|error| refused(&error))
}

fn missing(name: &str) -> Error {
    Error::Refused(format!("the object lacks {name}"))
}
