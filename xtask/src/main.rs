//! Set-up, demo, test, bench, tidy.

fn main() {}
