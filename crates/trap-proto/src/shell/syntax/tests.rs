//! How lines fall into commands.

use super::*;
use alloc::{format, string::String};

fn text(word: &Word) -> String {
    word.iter()
        .map(|part| match part {
            Part::Plain(text) => String::from_utf8_lossy(text).into_owned(),
            Part::Quoted(text) => format!("'{}'", String::from_utf8_lossy(text)),
            Part::Value { name, change, .. } => {
                format!(
                    "<{}{}>",
                    String::from_utf8_lossy(name),
                    change
                        .as_ref()
                        .map(|(change, word)| format!("{}{}", String::from_utf8_lossy(change), text(word)))
                        .unwrap_or_default()
                )
            }
            Part::Output { text, .. } => format!("({})", String::from_utf8_lossy(text)),
            Part::Sum { text, .. } => format!("(({}))", String::from_utf8_lossy(text)),
            Part::File { text, .. } => format!("<({})", String::from_utf8_lossy(text)),
        })
        .collect()
}

fn list(list: &List) -> String {
    let item = |item: &Item| {
        let nodes: Vec<String> = item.pipeline.iter().map(node).collect();
        let joint = match item.joint {
            Joint::And => "&& ",
            Joint::Or => "|| ",
            _ => "",
        };
        format!(
            "{joint}{}{}{}",
            if item.is_negated { "! " } else { "" },
            nodes.join(" | "),
            if item.in_background { " &" } else { "" }
        )
    };
    list.0.iter().map(item).collect::<Vec<_>>().join("; ")
}

fn node(node: &Node) -> String {
    let body = match &node.body {
        Body::Simple { assignments, words } => {
            let set = assignments.iter().map(|one| {
                let value = match &one.value {
                    Assigned::One(word) => text(word),
                    Assigned::Several(words) => format!("({})", words.iter().map(text).collect::<Vec<_>>().join(",")),
                };
                format!("{}{}={value}", String::from_utf8_lossy(&one.name), if one.appends { "+" } else { "" })
            });
            set.chain(words.iter().map(text)).collect::<Vec<_>>().join(" ")
        }
        Body::Group(inner) => format!("{{{}}}", list(inner)),
        Body::Inner(inner) => format!("({})", list(inner)),
        Body::If { arms, otherwise } => {
            let arms: Vec<String> =
                arms.iter().map(|(condition, then)| format!("if {} then {}", list(condition), list(then))).collect();
            format!("{} else {}", arms.join(" el"), list(otherwise))
        }
        Body::Loop { condition, is_until, body } => {
            format!("while{} {} do {}", if *is_until { " not" } else { "" }, list(condition), list(body))
        }
        Body::For { name, words, body } => {
            format!(
                "for {} in {} do {}",
                String::from_utf8_lossy(name),
                words.iter().map(text).collect::<Vec<_>>().join(","),
                list(body)
            )
        }
        Body::Case { word, arms } => {
            let arms: Vec<String> = arms
                .iter()
                .map(|(patterns, then)| format!("{}) {}", patterns.iter().map(text).collect::<Vec<_>>().join("|"), list(then)))
                .collect();
            format!("case {} {}", text(word), arms.join(" "))
        }
        Body::Count { sums, body } => {
            format!(
                "for(({};{};{})){}",
                String::from_utf8_lossy(&sums[0]),
                String::from_utf8_lossy(&sums[1]),
                String::from_utf8_lossy(&sums[2]),
                list(body)
            )
        }
        Body::Function { name, body, .. } => format!("{}() {}", String::from_utf8_lossy(name), self::node(body)),
    };
    let redirects =
        node.redirects.iter().map(|redirect| format!(" {}{:?}{}", redirect.number, redirect.kind, text(&redirect.word)));
    body + &redirects.collect::<String>()
}

fn read(line: &str) -> String {
    let mut text = Text::new(line.as_bytes());
    let mut lines = Vec::new();
    loop {
        match text.next_line() {
            Ok(Some(read)) => lines.push(list(&read)),
            Ok(None) => return lines.join("\n"),
            Err(trouble) => {
                lines.push(format!("{trouble:?}"));
                return lines.join("\n");
            }
        }
    }
}

#[test]
fn lines_fall_into_commands_as_bash_reads_them() {
    let table = [
        ("uname -a", "uname -a"),
        ("a; b && c || d | e & f", "a; b; && c; || d | e &; f"),
        (r#"echo 'a; b' "c d"x\ y"#, "echo 'a; b' 'c d'x' 'y"),
        (r#"echo "a\"b; id" $HOME"#, r#"echo 'a"b; id' <HOME>"#),
        ("echo $'\\x41\\n' ${a:-b c} ${#a}", "echo 'A\n' <a:-b c> <alength>"),
        ("x=1 y=$(uname -m) cmd", "x=1 y=(uname -m) cmd"),
        ("echo `id; echo \\`w\\`` $((1+(2*3)))", "echo (id; echo `w`) ((1+(2*3)))"),
        ("echo $(echo \")\" $(id))", "echo (echo \")\" $(id))"),
        ("cat < /etc/passwd > a 2>&1", "cat 0From/etc/passwd 1Toa 2Same1"),
        ("x &> /dev/null; y >>b 2>/dev/null", "x 1Both/dev/null; y 1Appendb 2To/dev/null"),
        ("cat <<EOF > a; id\nx $y\nEOF\nw", "cat 0Here'x '<y>'\n' 1Toa; id\nw"),
        ("cat <<'EOF'\nx $y\nEOF", "cat 0Here'x $y\n'"),
        ("(a; b) | { c; }", "(a; b) | {c}"),
        ("if [ -f x ]; then a; elif b; then c; else d; fi >e", "if [ -f x ] then a elif b then c else d 1Toe"),
        ("while true; do a; sleep 1; done &", "while true do a; sleep 1 &"),
        ("for i in 1 2 $x; do\necho $i\ndone", "for i in 1,2,<x> do echo <i>"),
        ("case $x in a|b) c;; *) d; esac", "case <x> a|b) c *) d"),
        ("f() { a; }; f", "f() {a}; f"),
        ("! a | b", "! a | b"),
        ("# nothing\nid # more", "id"),
        ("[[ a == b && c ]]", "[[ a == b '&&' c ]]"),
        ("a\\\nb", "ab"),
        ("", ""),
        ("ls ;;", "Unexpected([59, 59])"),
        ("echo \"a", "Unclosed(34)"),
        ("if true", "End"),
        ("fi", "Unexpected([102, 105])"),
        ("a | | b", "Unexpected([124])"),
        ("echo a\n)", "echo a\nUnexpected([41])"),
    ];
    for (line, expected) in table {
        assert_eq!(read(line), expected, "{line}");
    }
}

#[test]
fn what_is_read_is_bounded_and_what_was_whole_stays() {
    let many = read(&"a;".repeat(5_000));
    assert!(many.starts_with("a; a") && many.len() < 3 * PIECES_MAX);
    assert_eq!(read(&"( ".repeat(500)), "");
    assert_eq!(read(&format!("id; {}", "{ ".repeat(100))), "id");
    assert_eq!(read(&"${a:-".repeat(100)), "Unclosed(125)");
}
