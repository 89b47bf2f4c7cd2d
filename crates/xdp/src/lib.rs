//! Bans into the kernel, knocks out of it: load, attach, pin, audit.
