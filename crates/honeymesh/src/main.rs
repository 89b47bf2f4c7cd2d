//! The `honeymesh` binary: daemon and client in one.

use clap::{Parser, error::ErrorKind};
use honeymesh::{cli, commands, daemon, failure::Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::panics::tell_harmlessly();
    let done = match cli::Cli::try_parse() {
        Ok(cli) => commands::run(cli),
        Err(error) => usage(&error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Help and version are answers; everything else is a usage error in one line.
fn usage(error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(error.print()?),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.print()?;
            Err(Failure::Usage(Vec::new()))
        }
        _ => Err(Failure::usage(cli::one_line(error))),
    }
}
