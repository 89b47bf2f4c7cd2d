//! A child process confines itself and tries what it must not do and what it must still be able to do.
#![expect(unsafe_code, reason = "the attacks are raw system calls")]

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod duties;
#[cfg(test)]
mod files;
#[cfg(test)]
mod other_user;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod scene;
