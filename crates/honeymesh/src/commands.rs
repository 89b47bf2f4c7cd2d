//! What each command does. `run`, `check`, `doctor`, `release`, `join`, `authority new` and `key new` need no daemon, `keeper`, `nft-writer`, `clerk` and `traps`
//! serve one; every other one asks it.

mod authority_new;
mod bans;
mod check;
mod clerk;
mod doctor;
mod events;
mod export;
mod join;
mod keeper;
mod key_new;
mod nft_writer;
mod oneself;
mod orders;
mod payload;
mod peers;
mod release;
mod status;
mod traps;
mod verify;
mod why;

use crate::{
    cli::{AllowAction, AuthorityAction, Cli, Command, JoinTokenAction, KeyAction, PeersAction},
    daemon,
    failure::Failure,
};
use std::future::Future;

/// Does what the command line says.
///
/// # Errors
/// Whatever keeps it from being done, with its exit code.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Run(args) => daemon::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Release(args) => release::run(&args),
        Command::Keeper => keeper::run(),
        Command::Key(key) => match key.action {
            KeyAction::New(args) => key_new::run(&args),
            KeyAction::Rotate(args) => ask(orders::rotate(args)),
        },
        Command::Status(args) => ask(status::run(args)),
        Command::Bans(args) => ask(bans::run(args)),
        Command::Ban(args) => ask(orders::ban(args)),
        Command::Unban(args) => ask(orders::unban(args)),
        Command::Why(args) => ask(why::run(args)),
        Command::Allow(allow) => match allow.action {
            AllowAction::Add(args) => ask(orders::allow_add(args)),
            AllowAction::Remove(args) => ask(orders::allow_remove(args)),
            AllowAction::List(args) => ask(bans::allowed(args)),
        },
        Command::Events(args) => ask(events::run(args)),
        Command::Export(args) => ask(export::run(args)),
        Command::Payload(args) => ask(payload::run(args)),
        Command::Peers(args) => match args.action {
            None => ask(peers::run(args.plain)),
            Some(PeersAction::Revoke(node)) => ask(orders::revoke(node, true)),
            Some(PeersAction::Restore(node)) => ask(orders::revoke(node, false)),
            Some(PeersAction::Pardon(args)) => ask(orders::pardon(args)),
            Some(PeersAction::Verify(args)) => verify::run(&args),
        },
        Command::JoinToken(token) => match token.action {
            JoinTokenAction::New(args) => ask(orders::join_token(args)),
        },
        Command::Join(args) => join::run(&args),
        Command::Authority(authority) => match authority.action {
            AuthorityAction::New(args) => authority_new::run(&args),
        },
        Command::Mode(args) => ask(orders::mode(args)),
        Command::NftWriter => nft_writer::run(),
        Command::Clerk => clerk::run(),
        Command::Traps => traps::run(),
    }
}

/// Runs a client's question to its end.
fn ask(question: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("this machine gives no event queue: {error}")))?;
    runtime.block_on(question)
}
