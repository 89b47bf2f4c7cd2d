//! What the writer's answers mean, and what its failures are called here.

use super::{
    element::Element,
    orders::{Answer, Failure, FailureKind, Line, Order},
    tier::Class,
};
use crate::{Error, system};
use std::io;

pub(super) fn elements(line: &mut Line, order: &Order) -> Result<Vec<Element>, Error> {
    line.say(order).map_err(|source| silent(line, source))?;
    let mut elements = Vec::new();
    loop {
        match hear(line)? {
            Answer::Elements { mut all, is_last } => {
                elements.append(&mut all);
                if is_last {
                    return Ok(elements);
                }
            }
            _ => return Err(unexpected()),
        }
    }
}

pub(super) fn hear(line: &mut Line) -> Result<Answer, Error> {
    match line.hear() {
        Ok(Some(Answer::Failed(failure))) => Err(error(&failure)),
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(silent(line, io::ErrorKind::UnexpectedEof.into())),
        Err(source) => Err(silent(line, source)),
    }
}

/// The line is out of step: it is closed, so that the writer ends and everybody notices.
pub(super) fn silent(line: &Line, source: io::Error) -> Error {
    line.close();
    Error::Nftables { doing: "hear from the process that writes".into(), source }
}

pub(super) fn unexpected() -> Error {
    Error::Nftables { doing: "understand the process that writes".into(), source: io::ErrorKind::InvalidData.into() }
}

pub(super) fn error(failure: &Failure) -> Error {
    let Failure { kind, errno, what } = failure;
    match kind {
        FailureKind::Full { class, is_usual, limit } => Error::Full {
            table: match (class, is_usual) {
                (Class::Allow, _) => "allowed prefixes",
                (Class::Dark | Class::Placed, _) => "silenced sources",
                (Class::Ban, true) => "bans",
                (Class::Ban, false) => "prefix bans",
            },
            limit: *limit,
            mend: match (class, is_usual) {
                (Class::Allow, _) => "merge prefixes into wider ones",
                (Class::Ban, false) => "merge prefixes into wider ones, or ban single addresses",
                (Class::Dark | Class::Placed, _) | (Class::Ban, true) => "raise [bans] max or merge bans into prefixes",
            },
        },
        FailureKind::Foreign => Error::ForeignTable,
        FailureKind::InUse => in_use(),
        FailureKind::Kernel if system::is_denied(Some(*errno)) => Error::Privilege { doing: format!("{what} nf_tables") },
        FailureKind::Kernel | FailureKind::Order => {
            Error::Nftables { doing: what.clone(), source: io::Error::from_raw_os_error(*errno) }
        }
    }
}

/// Somebody who lives holds the tables.
pub(super) fn in_use() -> Error {
    Error::InUse { path: "the nf_tables table `honeymesh`".into(), by: String::new() }
}

/// What a kernel says about something that it does not have.
pub(super) fn absent(error: Error) -> Error {
    match error {
        Error::Nftables { source, .. }
            if matches!(
                source.raw_os_error(),
                Some(libc::EINVAL | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
            ) =>
        {
            Error::NoNftables { source }
        }
        other => other,
    }
}
