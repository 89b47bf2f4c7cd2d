//! Gives power away: capabilities, no-new-privileges, seccomp.
