//! Patterns are held against the grep, sed and awk of whoever runs the tests: a table, and thousands that are drawn.

extern crate std;

use super::bash::{played, real};
use super::*;
use alloc::{string::String, vec::Vec};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// A command, and what it reads.
type Row = (&'static str, &'static str);

const GREP: &[Row] = &[
    ("grep -o 'a*'", "baaac"),
    ("grep -o '*a'", "*a"),
    ("grep -o 'x\\(*a\\)'", "x*a"),
    ("grep -o 'x\\|*a'", "*a"),
    ("grep -o '^*ab'", "*ab"),
    ("grep -o '\\+b'", "a+b"),
    ("grep -o '\\?b'", "a?b"),
    ("grep -o 'a\\{2\\}'", "aaaaa"),
    ("grep -o 'a\\{2,\\}'", "aaaaa a"),
    ("grep -o 'a\\{,2\\}b'", "aaab"),
    ("grep -o 'a\\{1,2\\}b'", "aaab"),
    ("grep -o 'a+b'", "a+b aab"),
    ("grep -o 'a\\+b'", "a+b aab"),
    ("grep -o 'a\\?b'", "b ab aab"),
    ("grep -o 'a|b'", "a|b"),
    ("grep -o 'a\\|b'", "a|b"),
    ("grep -o 'a\\|ab\\|abc'", "abcab"),
    ("grep -o '(a)'", "(a)"),
    ("grep -o '\\(a\\|b\\)c'", "acbc"),
    ("grep -o 'a^b$c'", "a^b$c"),
    ("grep 'a\\(^b\\)'", "ab"),
    ("grep -o '\\(^a\\)b'", "abab"),
    ("grep -o 'a\\(b$\\)'", "abab"),
    ("grep -o '^a'", "aaa"),
    ("grep -o 'a$'", "aaa"),
    ("grep -c '^$'", "\n\na\n"),
    ("grep -o '[]a]*'", "]a]b"),
    ("grep -o '[^]a]*'", "]a]bc"),
    ("grep -o '[a-]*'", "a-b"),
    ("grep -o '[-a]*'", "a-b"),
    ("grep -o '[]-a]*'", "]^_a-"),
    ("grep -o '[[:alpha:]_]*'", "ab_1"),
    ("grep -o '[^[:space:]]*'", "ab c\td"),
    ("grep -o '[[.-.]a]*'", "a-b"),
    ("grep -o '[[=a=]b]*'", "abc"),
    ("grep -o '[\\n]*'", "\\n"),
    ("grep -o '[a\\]]'", "a] \\]"),
    ("grep -o '[[:upper:][:digit:]]*'", "AB12c"),
    ("grep -o '\\w*'", "ab_1-c"),
    ("grep -o '\\W'", "a-b"),
    ("grep -o '\\s\\S'", "a b"),
    ("grep -o '\\bb'", "ab b"),
    ("grep -o '\\Bb'", "ab b"),
    ("grep -o '\\<a\\|a\\>'", "aba aa"),
    ("grep -o '\\`a'", "aa"),
    ("grep -o \"a\\\\'\"", "aa"),
    ("grep -o '\\.'", "a.b"),
    ("grep -o '\\*'", "a*b"),
    ("grep -E -o '(a|ab)(c|bcd)'", "abcd"),
    ("grep -E -o 'a{2,3}'", "aaaaaaa"),
    ("grep -E -o 'a{,2}b'", "aaab"),
    ("grep -E -o 'a{x'", "a{x"),
    ("grep -E -o 'a{1'", "a{1"),
    ("grep -E -o 'a{1a}'", "a{1a}"),
    ("grep -E -o 'a\\{1\\}'", "a{1}"),
    ("grep -E -o 'a)'", "a)"),
    ("grep -E -o '()b'", "ab"),
    ("grep -E 'a||b'", "c"),
    ("grep -E -o 'a**'", "aaab"),
    ("grep -E -o 'a+?b'", "aab"),
    ("grep -E -o '*a'", "*a"),
    ("grep -E '?b'", "b"),
    ("grep -E 'x|*b'", "b"),
    ("grep -E '(+b)'", "b"),
    ("grep -E -o 'a^b|c'", "abc"),
    ("grep -E -o '(^|[^a])b'", "bab cb"),
    ("grep -E -o 'b($|c)'", "bcb"),
    ("grep -E -o '[0-9]{1,3}(\\.[0-9]{1,3}){3}'", "inet 192.168.1.17/24 10.0.0.1"),
    ("grep -oE '\\b[a-z]+\\b'", "ab 1c def"),
    ("grep -E -o '(((a)b)c)+'", "abcabcab"),
    ("grep -E -o '\\(a\\)'", "(a)"),
    ("grep -E -o 'a.c'", "abc axc"),
    ("egrep -o 'a|b+'", "abbb"),
    ("grep -i -o 'aB'", "ab AB aB"),
    ("grep -io '[a-c]*'", "aBCd"),
    ("grep -io '[^a]'", "Aab"),
    ("grep -w foo", "foo\nfoobar\nbar foo\n_foo"),
    ("grep -w 'f.*r'", "foo-bar\nfoobarx"),
    ("grep -ow 'foo\\|foobar'", "foo foobar"),
    ("grep -cw ''", "\n"),
    ("grep -cw ''", "ab"),
    ("grep -x 'a\\|ab'", "a\nab\nabc"),
    ("grep -xE 'a|ab'", "a\nab\nabc"),
    ("grep -F 'a.b*'", "a.b*\naxbb"),
    ("grep -oF 'aa'", "aaaaa"),
    ("grep -Fx ab", "ab\nabc"),
    ("grep -Fw ab", "ab\nabc\nx ab"),
    ("grep -iF aB", "xAbx"),
    ("grep -o -e a -e ab -e c", "abc"),
    ("grep -v -e a -e b", "a\nb\nc"),
    ("grep ''", "a\nb"),
    ("grep -n -o 'b'", "ab\nb"),
    ("grep -c 'a\\(b\\)*\\1'", "x"),
    ("grep -oP '\\d+'", "a1b22"),
    ("grep -oP 'a|ab'", "ab"),
    ("grep -oP 'a+?'", "aaa"),
    ("grep -oP '(?<=inet )[\\d.]+'", "inet 1.2.3.4/24"),
    ("grep -oP 'inet \\K[\\d.]+(?=/)'", "inet 1.2.3.4/24 inet 5.6.7.8"),
    ("grep -oP '\\bid=(?:\\w+)'", "id=a1 xid=b"),
    ("grep -P '(?i)AB'", "xab"),
    ("grep -P 'a(' ", "a"),
    ("grep -P '[a'", "a"),
    ("grep -P '*a'", "a"),
    ("grep 'a\\('", "a"),
    ("grep 'a\\)'", "a"),
    ("grep -E 'a('", "a"),
    ("grep '[a'", "a"),
    ("grep 'a\\'", "a"),
    ("grep '[z-a]'", "a"),
    ("grep '[a-c-e]'", "a"),
    ("grep '[[:foo:]]'", "a"),
    ("grep '[:space:]'", "a"),
    ("grep '[:b]'", "a:"),
    ("grep 'a\\{1'", "a"),
    ("grep 'a\\{x\\}'", "a"),
    ("grep -E 'a{2,1}'", "a"),
    ("grep -E 'a{1,40000}'", "a"),
    ("grep '\\(a\\)\\2'", "a"),
    ("grep -E '(a\\1)'", "a"),
];

const SED: &[Row] = &[
    ("sed 's/a*/x/g'", "baaac"),
    ("sed 's/x*/-/g'", "abc"),
    ("sed 's/b*/x/2'", "abbc"),
    ("sed 's/a/X/2'", "aaa"),
    ("sed 's/a/X/2g'", "aaaa"),
    ("sed 's/^a/b/g'", "aaa"),
    ("sed 's/a$/b/g'", "aaa"),
    ("sed 's/$/x/'", "ab"),
    ("sed 's/^/x/'", "ab"),
    ("sed -E 's/(a|ab)(c|bcd)(d*)/[\\1][\\2][\\3]/'", "abcd"),
    ("sed -E 's/(a*)*b/[\\1]/'", "aab"),
    ("sed -E 's/(a|ab)*/[\\1]/'", "abab"),
    ("sed -E 's/(a|ab|b)*c/[\\1]/'", "ababc"),
    ("sed -E 's/(a|b)*(b|)/[\\1][\\2]/'", "ab"),
    ("sed -E 's/((a)|(b))*/[\\1][\\2][\\3]/g'", "ab"),
    ("sed -E 's/((a)|b)*/[\\1][\\2]/g'", "xaaay"),
    ("sed -E 's/(a*)(a*)/[\\1][\\2]/'", "aaa"),
    ("sed -E 's/(.*)(=)(.*)/\\3\\2\\1/'", "a=b=c"),
    ("sed 's/\\([^:]*\\):\\([^:]*\\).*/\\2 \\1/'", "root:x:0"),
    ("sed -E 's/^([a-z]+) +([0-9]+)$/\\2-\\1/'", "ab   12"),
    ("sed 's/\\(a\\)\\(b\\)\\(c\\)\\(d\\)\\(e\\)\\(f\\)\\(g\\)\\(h\\)\\(i\\)/\\9\\8\\1/'", "abcdefghi"),
    ("sed 's/b/[&\\&&]/'", "abc"),
    ("sed 's/B/x/I'", "abc"),
    ("sed 's/b/x/i'", "aBc"),
    ("sed 's/[/]/x/'", "a/b"),
    ("sed 's/[]/]]/x/'", "a]]b"),
    ("sed 's/a\\/b/x/'", "a/b"),
    ("sed 's,a\\,b,x,'", "a,b"),
    ("sed 's|a\\|b|X|'", "a|b"),
    ("sed -E 's|a\\|b|X|'", "a|b"),
    ("sed 's/\\t/T/;s/[\\t]/U/'", "a\tb\tc"),
    ("sed 's/\\x62/[&]/'", "abc"),
    ("sed 's/b/\\n/;s/\\n/N/'", "abc"),
    ("sed 's/.*/\\t&\\x41/'", "abc"),
    ("sed 's/\\w\\+/<&>/g'", "ab cd"),
    ("sed 's/\\bc/X/g'", "cc c"),
    ("sed 's/\\</</g;s/\\>/>/g'", "ab cd"),
    ("sed -E 's/a{2}/x/g'", "aaaaa"),
    ("sed 's/a\\{2\\}/x/g'", "aaaaa"),
    ("sed -E 's/a|b|//g'", "abc"),
    ("sed -n '/b/p'", "a\nb\nc"),
    ("sed '/^#/d;/^$/d'", "#a\n\nb"),
    ("sed '\\,b,d'", "a\nb"),
    ("sed '/B/Id'", "a\nb"),
    ("sed '/a/,/c/d'", "x\na\nb\nc\ny"),
    ("sed '/b/!d'", "a\nb"),
    ("sed 's/b/X/;s//Y/'", "abcb"),
    ("sed '/b/s//Y/'", "abc"),
    ("sed 's/\\(a\\|b\\)*c/x/'", "ababc"),
    ("sed 's/*a/x/'", "b*a"),
    ("sed -E 's/^ +| +$//g'", "  ab  "),
    ("sed 's/\\(a/b/'", "a"),
    ("sed 's/a\\)/b/'", "a"),
    ("sed 's/[a/b/'", "a"),
    ("sed 's/a/\\1/'", "a"),
    ("sed -E 's/*a/b/'", "a"),
    ("sed -E 's/a/b/k'", "a"),
    ("sed 's/a\\{1/b/'", "a"),
    ("sed -E 's/(a)\\2/b/'", "a"),
    ("sed '/(a\\)/d'", "a"),
    ("sed 's/a/b'", "a"),
    ("sed 's/a/b/0'", "a"),
    ("sed 's//b/'", "a"),
    ("sed '/a'", "a"),
    ("sed '/a/'", "a"),
    ("sed -E 's/a)/b/'", "a)"),
    ("sed -E 's/a{x/b/'", "a{x"),
];

const AWK: &[Row] = &[
    ("awk '/a\\/b/'", "a/b\nab"),
    ("awk '/^[a-c]+$/'", "abc\nabd"),
    ("awk '/a|b/ {print $1}'", "a x\nc y\nb z"),
    ("awk '/[\\]]/'", "a]\nb"),
    ("awk '/(ab)+c/'", "ababc\nac"),
    ("awk '/a.c/'", "abc\nac"),
    ("awk '/\\./'", "a.b\nab"),
    ("awk '/\\$/'", "a$\na"),
    ("awk '/a?b$/'", "ab\nba"),
    ("awk '!/a/'", "a\nb"),
    ("awk '$2 ~ /^b/ {print $1}'", "1 bc\n2 cb"),
    ("awk '$2 !~ /^b/ {print $1}'", "1 bc\n2 cb"),
    ("awk '$0 ~ \"a+b\"'", "aab\nb"),
    ("awk '/a/ && /b/'", "ab\na"),
    ("awk -F: '{print $2}'", "a:b\n::\nc"),
    ("awk -F'[ ]' '{print $2}'", " a b"),
    ("awk -F'[ ]+' '{print $2}'", "  a b"),
    ("awk -F'[0-9]+' '{print $3, NF}'", "a1b22c"),
    ("awk -F', *' '{print $2}'", "a,  b"),
    ("awk -F'|' '{print $2}'", "a|b"),
    ("awk -F. '{print $2}'", "a.b"),
    ("awk -FXY '{print $2}'", "aXYb"),
    ("awk -F' +' '{print $2}'", "a   b"),
    ("awk -F'\\t' '{print $2}'", "a\tb c"),
    ("awk -F'a|b' '{print $2 $3, NF}'", "1a2b3"),
    ("awk -F'[][]' '{print $2}'", "x[y]z"),
];

fn differences(rows: &[Row]) -> Vec<String> {
    let compared = rows.iter().filter_map(|(command, text)| {
        let line = format!("cat <<'EOF' | {command}\n{text}\nEOF\n");
        let (real, played) = (real(&line), played(&line));
        (real != played).then(|| format!("{command}  <<< {text:?}\n  real: {real:?}\n  here: {played:?}"))
    });
    compared.collect()
}

#[test]
fn what_patterns_find_is_as_the_programs_of_a_debian_have_it() {
    let wrong: Vec<String> = [GREP, SED, AWK].into_iter().flat_map(differences).collect();
    assert!(wrong.is_empty(), "{} commands differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Numbers that look drawn and are the same every time.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A pattern as `grep -E` has it. What has no width stands outside of groups alone: where such a group is repeated, the C library of
    /// those programs is wrong, and sometimes crashes.
    fn pattern(&mut self, depth: usize) -> String {
        let ways = if self.below(4) == 0 { 2 } else { 1 };
        let ways: Vec<String> = (0..ways).map(|_| self.sequence(depth)).collect();
        ways.join("|")
    }

    fn sequence(&mut self, depth: usize) -> String {
        let mut all = String::new();
        if depth == DEPTH && self.below(8) == 0 {
            all += "^";
        }
        for _ in 0..=self.below(3) {
            if depth == DEPTH && self.below(12) == 0 {
                all += self.one(&["\\<", "\\>", "\\b", "\\B"]);
            }
            if depth > 0 && self.below(3) == 0 {
                all += &format!("({})", self.pattern(depth - 1));
            } else {
                all += self.one(&["a", "b", "a", "b", "c", ".", "[ab]", "[^a]", "[b-d]", "[[:alpha:]]", "\\w", "\\W", "\\s"]);
            }
            if self.below(3) == 0 {
                all += self.one(&["*", "+", "?", "{2}", "{1,2}", "{,2}", "{2,}", "{0,1}"]);
            }
        }
        if depth == DEPTH && self.below(8) == 0 {
            all += "$";
        }
        all
    }
}

/// The same as a basic pattern.
fn basic(pattern: &str) -> String {
    let mut all = String::new();
    for letter in pattern.chars() {
        if matches!(letter, '(' | ')' | '|' | '{' | '}' | '+' | '?') {
            all.push('\\');
        }
        all.push(letter);
    }
    all
}

/// Patterns that are drawn, and groups inside of groups in each.
const DRAWN: usize = 3_000;
const DEPTH: usize = 2;
/// Lines that they are held against.
const TEXTS: &str =
    "a b ab ba aa bb aab aba abb baa bab bba aaaa abab abba baab c abc cab bca acb a_b a-b aabb|a b|ab ab|b a  c| a|cc aa b";

fn commands() -> Vec<String> {
    let mut drawn = Drawn(7);
    let texts: Vec<String> = TEXTS.split(['|']).map(|part| part.replace(' ', "\\n")).collect();
    // A blank in the last parts is one.
    let texts = format!("{}\\n{}", texts[0], TEXTS.split('|').skip(1).collect::<Vec<_>>().join("\\n"));
    let one = |number: usize| {
        let pattern = drawn.pattern(DEPTH);
        let command = match number % 6 {
            0 => format!("grep -noE -e '{pattern}'"),
            1 => format!("grep -no -e '{}'", basic(&pattern)),
            2 => format!("sed -E 's/{pattern}/[&]/g'"),
            3 => {
                let first = drawn.pattern(1);
                let second = 2 + first.matches('(').count();
                format!("sed -E 's/({first})({})/[\\1][\\{second}]/'", drawn.pattern(1))
            }
            4 => format!("grep -nE{} -e '{pattern}'", drawn.one(&["w", "x", "i", "v", "ow", "oi"])),
            _ => format!("sed 's/{}/[&]/2'", basic(&pattern)),
        };
        format!("printf '{texts}\\n' | {command}")
    };
    (0..DRAWN).map(one).collect()
}

/// What the programs here make of the commands.
fn asked(commands: &[String]) -> Vec<String> {
    let script: String = commands.iter().map(|command| format!("{command}\necho \"= $?\"\n")).collect();
    let mut bash = Command::new("bash");
    bash.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut bash = bash.spawn().unwrap();
    let mut input = bash.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = bash.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let (mut all, mut own) = (Vec::new(), String::new());
    for line in said(&output.stdout).split_inclusive('\n') {
        own += line;
        if line.starts_with("= ") {
            all.push(core::mem::take(&mut own));
        }
    }
    all
}

#[test]
fn what_drawn_patterns_find_is_as_the_programs_of_a_debian_have_it() {
    let commands = commands();
    let real: Vec<String> = commands
        .chunks(DRAWN / 2)
        .map(|part| part.to_vec())
        .map(|part| std::thread::spawn(move || asked(&part)))
        .collect::<Vec<_>>()
        .into_iter()
        .flat_map(|part| part.join().unwrap())
        .collect();
    assert_eq!(real.len(), commands.len());
    let compared = commands.iter().zip(&real).filter_map(|(command, real)| {
        let played = played(&format!("{command}; echo \"= $?\"")).0;
        (*real != played).then(|| format!("{command}\n  real: {real:?}\n  here: {played:?}"))
    });
    let wrong: Vec<String> = compared.collect();
    assert!(wrong.is_empty(), "{} of {DRAWN} commands differ:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
