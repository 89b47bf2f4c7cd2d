//! The fuzzer: libFuzzer around the target that `HONEYMESH_FUZZ_TARGET` names. `cargo xtask fuzz` builds and runs it.
//!
//! With `HONEYMESH_FUZZ_SEEDS` it only writes inputs to begin with into that folder, with what tests have left in `HONEYMESH_RECORD`.
#![no_main]

use honeymesh_fuzz::{Target, named, seeds};
use std::{env, path::Path, process::exit, sync::LazyLock};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    if let Some(folder) = env::var_os("HONEYMESH_FUZZ_SEEDS") {
        let recorded = env::var_os("HONEYMESH_RECORD").unwrap_or_default();
        match seeds::write(Path::new(&recorded), Path::new(&folder)) {
            Ok(many) => eprintln!("{many} inputs were written"),
            Err(error) => {
                eprintln!("{error}");
                exit(1)
            }
        }
    }
    let name = env::var("HONEYMESH_FUZZ_TARGET").unwrap_or_default();
    named(&name).unwrap_or_else(|| {
        eprintln!("HONEYMESH_FUZZ_TARGET=`{name}` is no target; `cargo xtask fuzz --list` lists them");
        exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.run(data));
