//! Paths, and what holds them in bounds.

use super::*;
use alloc::{format, string::ToString, vec};

const NOW: WallTime = WallTime(1_795_341_600_000_000);
const OWNER: Owner = Owner { user: 101, group: 101 };

fn tree() -> Tree {
    Tree::new(OWNER, false, 1_759_276_800)
}

#[test]
fn a_path_is_what_a_file_system_makes_of_it() {
    let mut tree = tree();
    assert!(tree.make_folder(b"a", NOW).is_some() && tree.make_folder(b"a/b", NOW).is_some() && tree.enter(b"a/b"));
    let table: [(&[u8], Option<&[u8]>); 13] = [
        (b"x", Some(b"a/b/x")),
        (b"/x", Some(b"x")),
        (b"../x", Some(b"a/x")),
        (b"../../../x", Some(b"x")),
        (b"./x/.", None),
        (b"none/x", None),
        (b"", None),
        (b"/", Some(b"")),
        (b"//a//", Some(b"a")),
        (b"~", Some(b"")),
        (b"~/pub", Some(b"pub")),
        (b".", Some(b"a/b")),
        (&[b'x'; 256], None),
    ];
    for (name, path) in table {
        assert_eq!(tree.resolve(name).as_deref(), path, "{:?}", name.escape_ascii().to_string());
    }
    assert_eq!(tree.resolve(&b"/".repeat(PATH_BYTES_MAX + 1)), None);
}

#[test]
fn what_is_the_operators_stays_as_it_is() {
    let mut tree = Tree::new(OWNER, true, 1_759_276_800);
    assert!(tree.writable(b"/pub/x").is_none() && tree.writable(b"pub").is_none() && tree.writable(b"/incoming/x").is_some());
    assert!(tree.writable(b"x").is_none() && tree.make_folder(b"x", NOW).is_none() && !tree.remove_folder(b"pub"));
    let from = tree.found(b"pub").unwrap();
    assert!(!tree.rename(&from, b"incoming/pub") && tree.found(b"pub").is_some());
    assert!(self::tree().writable(b"x").is_some(), "whoever has a name has a folder of his own");
}

#[test]
fn files_come_and_go_under_their_names() {
    let mut tree = tree();
    let path = tree.writable(b"incoming/x").unwrap();
    tree.write(&path, 7, NOW);
    assert_eq!((tree.file(&path), tree.written(&path).as_deref()), (Some(7), Some("20261122100000")));
    let from = tree.found(b"incoming/x").unwrap();
    assert!(tree.rename(&from, b"y") && tree.found(b"incoming/x").is_none() && tree.file(b"y") == Some(7));
    assert!(!tree.remove_folder(b"y") && !tree.remove_file(b"incoming") && tree.remove_file(b"y") && !tree.remove_file(b"y"));
    assert!(tree.make_folder(b"d", NOW).is_some() && tree.make_folder(b"d", NOW).is_none());
    let path = tree.writable(b"d/z").unwrap();
    tree.write(&path, 0, NOW);
    assert!(!tree.remove_folder(b"d") && tree.remove_file(b"d/z") && tree.remove_folder(b"d"));
    assert_eq!(tree.paths_bytes, "incoming".len() + "pub".len());
}

#[test]
fn entries_and_their_paths_are_bounded() {
    let mut tree = tree();
    let made = (0..1_000).filter(|number| tree.make_folder(format!("{number}").as_bytes(), NOW).is_some()).count();
    assert_eq!((made, tree.writable(b"more")), (ENTRIES_MAX - 2, None));
    let from = tree.found(b"0").unwrap();
    assert!(tree.rename(&from, b"zero") && tree.entries.len() == ENTRIES_MAX);
    let mut tree = self::tree();
    let mut folder = vec![];
    for _ in 0..100 {
        folder = [folder, vec![b'd'; NAME_BYTES_MAX], b"/".to_vec()].concat();
        let _ = tree.make_folder(&folder, NOW);
    }
    for number in 0..100 {
        let name = format!("{}{number}", "n".repeat(NAME_BYTES_MAX - 4));
        let _ = tree.make_folder(name.as_bytes(), NOW);
    }
    assert!(tree.paths_bytes <= PATHS_BYTES_MAX && tree.paths_bytes > PATHS_BYTES_MAX - 300, "{}", tree.paths_bytes);
    let everything = Listing { folder: b"/", filter: b"", is_long: true, with_dots: true, is_anonymous: true };
    assert!(tree.list(&everything, NOW).unwrap().len() <= crate::GIVEN_BYTES_MAX);
}

#[test]
fn names_fit_patterns() {
    let table = [
        ("a.txt", "*.txt", true),
        ("a.txt", "a*", true),
        ("a", "a*a", false),
        ("ab", "b", false),
        ("x", "", true),
        ("abcd", "*b*d", true),
        ("abcd", "*c*b*", false),
        ("abcd", "**", true),
    ];
    for (name, pattern, is_fit) in table {
        assert_eq!(fits(name.as_bytes(), pattern.as_bytes()), is_fit, "{name} {pattern}");
    }
}

#[test]
fn names_that_are_taken_are_counted_up() {
    let mut tree = tree();
    for name in ["f", "f.1", "f.3", "f.x", "ff.2"] {
        let path = tree.writable(name.as_bytes()).unwrap();
        tree.write(&path, 0, NOW);
    }
    assert_eq!((tree.free_number(b"f"), tree.free_number(b"/f.1"), tree.free_number(b"none/x")), (2, 1, 1));
}
