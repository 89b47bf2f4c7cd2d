//! Who is banned and why: one door in, one door out.
