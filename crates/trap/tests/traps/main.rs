//! The traps on loopback, held against real sockets and real clients.

#[cfg(test)]
mod any;
#[cfg(test)]
mod apis;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod dark;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod datagrams;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod fingerprints;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod sftp;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod ssh;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tell;
#[cfg(test)]
mod telnet;
#[cfg(test)]
mod things;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod web;
#[cfg(test)]
mod windows;
