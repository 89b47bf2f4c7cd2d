//! What many connections, moments and users come to; what one connection is answered is held against a real server
//! (`crates/trap/tests/real/redis*.txt`).

use super::Redis;
use crate::{Persona, drive};
use alloc::{format, string::String};
use honeymesh_types::Signs;

fn redis() -> Redis {
    Redis::of(&Persona::of([7; 32]))
}

/// Redis takes the last `AUTH` that is an option, and a name may be called so.
#[test]
fn a_login_behind_hello_is_the_one_that_counts() {
    let table: [(&str, Option<(&str, &str)>); 10] = [
        ("HELLO 3 AUTH root toor", Some(("root", "toor"))),
        ("HELLO 3 SETNAME auth AUTH root toor", Some(("root", "toor"))),
        ("HELLO 3 SETNAME auth SETNAME x", None),
        ("HELLO 3 SETNAME auth", None),
        ("HELLO 3 AUTH a b AUTH root toor", Some(("root", "toor"))),
        ("HELLO 3 AUTH auth auth", Some(("auth", "auth"))),
        ("HELLO 3 AUTH root toor SETNAME auth", Some(("root", "toor"))),
        ("HELLO 3 AUTH root toor FOO AUTH a b", Some(("root", "toor"))),
        ("HELLO 3 FOO AUTH root toor", Some(("root", "toor"))),
        ("HELLO AUTH root toor", Some(("root", "toor"))),
    ];
    for (words, login) in table {
        let heard = drive::whole(&mut redis().session(7), format!("{words}\r\n").as_bytes());
        let (found, _) = &heard.reports[0];
        let field = |name: &str| found.fields.get(name).map(String::as_str);
        assert_eq!(field("username").zip(field("password")), login, "{words}");
        assert_eq!(found.signs.contains(Signs::CREDENTIALS), login.is_some(), "{words}");
    }
}
