//! What a look at 64 KiB, and one at a login, costs: `cargo run --release -p honeymesh-detect --example cost`.
#![expect(clippy::print_stdout, reason = "it is there to be read")]

use honeymesh_detect::{Recogniser, Tally};
use std::{collections::BTreeMap, time::Instant};

const BYTES: usize = 64 * 1_024;
const LOOKS: u32 = 20;
const LOGINS: u32 = 10_000;

fn main() {
    let recogniser = Recogniser::new(&[]);
    let repeated = |words: &[u8]| words.iter().copied().cycle().take(BYTES).collect::<Vec<u8>>();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let said = [
        ("text", repeated(b"Lorem ipsum dolor sit amet, consectetur adipiscing elit. ")),
        ("nested layers", repeated(b"%2525252e\\x25${${lower:j}/*Li4vLi4vLi4vLi4vLi4vLi4v*/41414141414141414141 wget http://")),
        ("noise", noise.take(BYTES).collect()),
    ];
    for (name, said) in said {
        let begun = Instant::now();
        for _ in 0..LOOKS {
            drop(recogniser.look(&said, &BTreeMap::new(), &Tally::default()));
        }
        println!("64 KiB of {name}: {:?}", begun.elapsed() / LOOKS);
    }
    let login = b"POST /login HTTP/1.1\r\nHost: 192.0.2.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nAccept: text/html,application/xhtml+xml\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 38\r\n\r\nusername=admin&password=hunter2hunter2";
    let fields = [("path", "/login"), ("username", "admin"), ("password", "hunter2hunter2")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let begun = Instant::now();
    for _ in 0..LOGINS {
        drop(recogniser.look(std::hint::black_box(login), &fields, &Tally::default()));
    }
    println!("one login over HTTP: {:?}", begun.elapsed() / LOGINS);
}
