//! How long real servers wait before they answer, so that a trap does, too.

use crate::text::random_below;

/// The longest wait before one answer, in milliseconds; longer ones are cut to it.
pub const DELAY_MS_MAX: u32 = 10_000;
/// What busybox's login waits after a wrong password, in milliseconds (`FAIL_DELAY`).
pub(crate) const BUSYBOX_MS: u32 = 3_000;
/// What pam_unix asks for after a wrong password, in milliseconds; PAM makes half as much to one and a half of it.
const PAM_MS: u32 = 2_000;
/// What vsftpd adds to that (`delay_failed_login`).
const VSFTPD_MS: u32 = 1_000;
/// What Dovecot waits besides after a wrong password (`auth_failure_delay`), and how often it looks whether that is over.
const DOVECOT_MS: u32 = 2_000;
const DOVECOT_LOOK_MS: u32 = 500;
/// What Postfix waits before it names the tenth mistake and each that follows (`smtpd_error_sleep_time`).
pub(crate) const POSTFIX_MS: u32 = 1_000;
/// What TigerVNC waits after a wrong password.
pub(crate) const TIGERVNC_MS: u32 = 100;

/// How long a stranger may take where the protocol says so, in milliseconds; `None`: as long as with others. However long it is,
/// the carrier's own deadline for a whole session ends it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Without a byte.
    pub silence_ms: Option<u32>,
    /// From the connection's beginning on, whatever comes.
    pub all_ms: Option<u32>,
}

/// How long a carrier keeps an answer back.
///
/// What was found is reported before; nothing is read meanwhile; and a session's deadlines go on. A pause that is no longer than
/// zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Pause {
    /// How many bytes of the answer are written at once: a terminal's echo does not wait for the login.
    pub at: usize,
    /// How long the rest waits, in milliseconds: at most [`DELAY_MS_MAX`].
    pub ms: u32,
}

/// vsftpd with PAM, as Debian sets both up.
pub(crate) fn vsftpd_ms(seed: u64, turn: usize) -> u32 {
    VSFTPD_MS + pam_ms(seed, turn)
}

/// PAM after a wrong password, whatever program asks: the mean of three numbers, so that most waits are near to what was asked for.
pub(crate) fn pam_ms(seed: u64, turn: usize) -> u32 {
    let mut seed = own(seed, turn);
    let sum = (0..3).map(|_| random_below(&mut seed, PAM_MS)).sum::<u32>();
    PAM_MS / 2 + sum / 3
}

/// What sshd does to hide how long it took to refuse (`ensure_minimum_time_since`): it waits until so many times a delay of the
/// user's own have passed, in microseconds, each time twice as many. `took_ms` is what PAM has waited.
pub(crate) fn openssh_ms(user_delay_us: u32, took_ms: u32) -> u32 {
    let mut wait_us = u64::from(user_delay_us.max(1));
    while wait_us < u64::from(took_ms) * 1_000 {
        wait_us *= 2;
    }
    u32::try_from(wait_us / 1_000).unwrap_or(u32::MAX)
}

/// Dovecot with PAM, as Debian sets both up.
pub(crate) fn dovecot_ms(seed: u64, turn: usize) -> u32 {
    pam_ms(seed, turn) + DOVECOT_MS + random_below(&mut own(seed, turn), DOVECOT_LOOK_MS)
}

/// Numbers of a session's `turn`th wait, which tell nothing of what else its seed makes.
const fn own(seed: u64, turn: usize) -> u64 {
    (seed ^ 0x7061_7573_6500_0000).wrapping_add((turn as u64) << 40)
}

impl Pause {
    /// All that follows `answer` waits.
    pub(crate) fn behind(answer: &[u8], ms: u32) -> Self {
        Self { at: answer.len(), ms: ms.min(DELAY_MS_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_differ_within_what_the_server_does() {
        let waits: alloc::vec::Vec<u32> = (0..1_000).map(|turn| vsftpd_ms(7, turn)).collect();
        assert!(waits.iter().all(|ms| (2_000..=4_000).contains(ms)) && waits.iter().any(|ms| *ms != waits[0]));
        assert!((0..1_000).map(|turn| dovecot_ms(7, turn)).all(|ms| (3_000..5_500).contains(&ms)));
        assert_eq!(
            [0, 1_000, 1_668, 1_669, 3_000].map(|took| openssh_ms(6_520, took)),
            [6, 1_669, 1_669, 1_669, 3_338],
            "as measured"
        );
        assert_eq!(random_below(&mut 7, 0), 0);
    }
}
