//! The programs that the first one goes on with, and the table it finds them in.

use crate::{Error, load::refused, tables::read_error};
use aya::{Ebpf, maps::ProgramArray, programs::Xdp};
use honeymesh_xdp_abi::table;

/// Has the kernel verify the steps.
pub(crate) fn load(object: &mut Ebpf) -> Result<(), Error> {
    for name in table::STEP_PROGRAMS {
        let program: &mut Xdp = object.program_mut(name).ok_or_else(|| missing(name))?.try_into().map_err(|_| missing(name))?;
        program.load().map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// Puts the steps into their table, which the object holds: without a holder or a pin the kernel empties it. In an adopted
/// table they take the place of an earlier start's one by one: both understand the same tables, so the first program may
/// go on with either.
pub(crate) fn place(object: &mut Ebpf) -> Result<(), Error> {
    for (index, name) in (0..).zip(table::STEP_PROGRAMS) {
        let program: &Xdp = object.program(name).ok_or_else(|| missing(name))?.try_into().map_err(|_| missing(name))?;
        let fd = program.fd().map_err(|error| refused(&error))?.try_clone().map_err(|error| refused(&error))?;
        let map = object.map_mut(table::STEPS).ok_or_else(|| missing(table::STEPS))?;
        let mut steps = ProgramArray::try_from(map).map_err(read_error("steps"))?;
        steps.set(index, &fd, 0).map_err(read_error("steps"))?;
    }
    Ok(())
}

fn missing(name: &str) -> Error {
    Error::Refused(format!("the object lacks {name}"))
}
