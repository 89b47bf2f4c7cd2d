//! What does not depend on the machine is held against the bash and the coreutils of whoever runs the tests.

extern crate std;

use super::*;
use alloc::{string::String, vec::Vec};
use std::process::{Command, Stdio};

/// Lines whose answers are the same on every Debian.
const LINES: &str = r##"
echo a "b c" 'd e' f\ g
echo "a\"b; id"
echo 'it'\''s' "\$x" \$x "\\" '\\'
echo $'\x41\102\t|\e[0m' "$HOME" ~
echo -e '\x41\x42\0103\n\tq' ; echo -n x; echo -en 'a\cb'
echo -e "\x4" "\0" | tr -d '\0'
x=5; echo $x ${x} "${x}y" $xy. ${x:-7} ${y:-7} ${y-8} ${x:+set} ${#x}
x=/a/b/c.tar.gz; echo ${x##*/} ${x#*/} ${x%.*} ${x%%.*} ${x/b/Z} ${x//a/Z} ${x:1:3}
x='a  b   c'; echo $x; echo "$x"; set -- $x; echo $# $1 $3
echo $((6*7)) $((1+2*3)) $((7%4)) $((9/2)) $((-3--4)); x=4; echo $((x*2)) $(($x+1))
echo $(echo a; echo b) "$(echo a; echo b)" `echo c` $(echo $(echo d))
echo {a,b}c {1..4} x{1,2}y
false; echo $?; true; echo $?; (exit 3); echo $?; ! true; echo $?
false || echo yes; true && echo yes; false && echo no; true || echo no; echo end
true && false || echo c
if true; then echo t; else echo f; fi; if false; then echo t; elif true; then echo e; fi
for i in 1 2 3; do echo $i; done; for i in a b; do for j in c d; do echo $i$j; done; done
for i in 1 2 3 4; do if [ $i = 2 ]; then continue; fi; if [ $i = 4 ]; then break; fi; echo $i; done
i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; until [ $i -ge 5 ]; do i=$((i+1)); done; echo $i
case abc in a) echo 1;; a*) echo 2;; *) echo 3;; esac; case x in a|x) echo ax;; esac
f() { echo "f $1 $#"; return 4; }; f a b; echo $?
(x=1; cd /; pwd); echo "[$x]"; { echo a; echo b; } | wc -l
echo a | { read x; echo "got $x"; }; printf 'a b c\nd e f\n' | while read x y; do echo "$y-$x"; done
cat <<EOF | tr a-z A-Z
hello $((1+1)) `echo x`
EOF
cat <<'EOF'
raw $x `y`
EOF
cat <<< "here $((2))"
echo a >/dev/null; echo b 2>/dev/null; echo c >&2; nosuch 2>/dev/null; echo $?
ls /nosuch 2>&1 | head -1; ls /nosuch 2>/dev/null; echo $?; ls /nosuch >/dev/null 2>&1 || echo none
nosuch; /nosuch/x; ./nosuch; echo $?
nosuch 2>&1 | cat; (nosuch) 2>&1; { nosuch; } 2>/dev/null
cat /nosuch; cat < /nosuch; echo $?; echo a > /nosuch/x; echo $?; cd /nosuch; echo $?
test 1 -eq 1; echo $?; [ a = b ]; echo $?; [ -z "" ]; echo $?; [ -n "" ]; echo $?; [ 3 -gt 2 ] && echo gt; [ ! -f /nosuch ] && echo nf
[ -d /tmp ] && echo d; [ -f /etc/passwd -a -r /etc/passwd ] && echo fr; [[ abc == a* && x != y ]] && echo glob; [ 1 = 1 -o 2 = 3 ] && echo or
test 1 -eq x; echo $?; [ a; echo $?; [ a b; echo $?
printf '%s %d %x|%5s|%-5s|%05d %c %%\n' a 10 255 b c 42 xyz; printf '%s\n' a b c; printf 'a\tb\n\x41\101\n'; printf '%d\n' x
printf 'b\na\nc\n' | sort; printf '10\n9\n2\n' | sort -n; printf '10\n9\n2\n' | sort -rn; printf 'b 2\na 1\n' | sort -k2; printf 'a\na\nb\n' | sort -u
printf 'a\na\nb\na\n' | uniq; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d
seq 3; seq 2 4; seq 1 2 7; seq 5 | head -n 2; seq 5 | tail -n 2; seq 5 | tail -n +4; seq 5 | head -n -3; seq 12 | head | wc -l; seq 3 | head -2; seq 3 | tail -1; seq 3 | head -c 3
echo abc | wc; echo abc | wc -c; printf 'a b\nc' | wc -l; printf 'a b\nc' | wc -w; echo abc | wc -lc
printf 'a:b:c\nxyz\n' | cut -d: -f1,3; echo abcdef | cut -c2-4; echo a:b | cut -d: -f2-; echo a b | cut -d' ' -f2; printf 'x\na:b\n' | cut -d: -s -f2; echo x | cut
echo abc | tr a-c A-C; echo aabb | tr -s a; echo abc | tr -d b; echo 'a b' | tr ' ' '\n'; echo abc | tr -cd 'ab\n'; echo aBc | tr '[:lower:]' '[:upper:]'; tr
printf 'root:x\nbin:y\nroots:z\n' | grep root; printf 'root:x\nbin:y\n' | grep -c ^root; printf 'a\nb\n' | grep -v a; printf 'a\nb\n' | grep c; echo $?
printf 'aXb\nc\n' | grep -i x; printf 'a1\nb\n' | grep -E '[0-9]|c'; printf 'a.b\naxb\n' | grep -F a.b; printf 'a.b\naxb\n' | grep 'a\.b'; printf 'one two\n' | grep -o '[a-z]*'; echo abc | grep -q b; echo $?
printf 'a\nb\nc\nd\n' | grep -n b; printf 'a\nb\nc\nd\n' | grep -A1 b; printf 'a\nb\nc\nd\n' | grep -m1 -E 'b|c'; printf 'foo\nfoobar\n' | grep -w foo; printf 'a b\n' | grep --color=auto a; grep x /nosuch; echo $?; grep; echo $?
printf 'a|b\nc\n' | grep 'a|b'; printf 'ab\nc\n' | grep 'ab\|c'; printf 'aab\n' | grep -E 'a{2}b'; printf 'x=1\n' | grep -oE '[0-9]+'; printf 'a\tb\n' | grep -P '\t' | wc -l
echo abc | sed s/b/X/; echo aaa | sed s/a/b/g; seq 3 | sed -n 2p; seq 3 | sed 2d; seq 5 | sed -n 2,3p; echo 'a b' | sed 's/ .*//'; echo abc | sed -e s/a/1/ -e s/b/2/; echo ab | sed -E 's/(a)(b)/\2\1/'; seq 3 | sed '$d'; seq 3 | sed /2/d; echo abc | sed 's/b/[&]/'; echo a/b | sed 's|/|-|'
echo 'a b c' | awk '{print $2}'; echo 'a b c' | awk '{print $1,$3}'; echo 'a b c' | awk '{print $NF, NF}'; echo a:b | awk -F: '{print $2}'; seq 3 | awk 'END{print NR}'; seq 3 | awk '{s+=$1} END{print s}'; seq 3 | awk 'NR==2'; seq 3 | awk '/2/{print "x" $1}'; seq 3 | awk '$1>1 {print $1*2}'; echo 'a b' | awk '{printf "%s-%s\n", $2, $1}'
echo a b | xargs; echo a b | xargs -n1 echo x; printf 'a\nb\n' | xargs -I{} echo z{}z; echo 1 2 | xargs nosuch; echo $?
echo -n hi | base64; echo aGk= | base64 -d; echo; echo hi | md5sum; echo hi | sha256sum; echo hi | sha1sum; md5sum /nosuch; echo 'aGk' | base64 -d; echo
printf 'b\na\n' | cat -n; echo abc | rev; printf '1\n2\n' | tac; printf 'a\nb' | nl; yes | head -2; printf 'a\n' | tee /dev/null
expr 1 + 2; expr 3 \* 4; basename /a/b.c .c; basename /a/b; dirname /a/b; dirname x; realpath /tmp/..
type cd if nosuch; command -v cd if nosuch; echo $?; type echo; command -v nosuch || echo none
sh -c 'echo $0 $1' a b; bash -c 'echo "$@"' x 1 2; sh nosuch.sh; echo $?; bash nosuch.sh; echo $?; sh -c nosuch; echo $?; sh -c 'cat < /nosuch'; sh -c 'cd /nosuch'; sh -c 'echo "a\tb"'; sh -c 'exit 5'; echo $?
eval 'x=1; echo $x'; eval echo '$((1+1))'; let x=1+2; x=$(false); echo $?; unset x; echo "[$x]"; export y=3; echo $y; read z < /dev/null; echo $?
exit 3; echo no
false; exit
exit x
rm /nosuch; rm -f /nosuch; echo $?; rm; rm -r /nosuch; rmdir /nosuch; rmdir; mkdir; mkdir /nosuch/x; mkdir /etc/passwd; mkdir -p; touch /nosuch/x; touch; mv; cp; mv /nosuch /tmp/; cp /nosuch /tmp/; cp a; chmod 777 /nosuch; chmod; ln; cat -X; head -X; grep -y 2>/dev/null; ls --nosuch; wc /nosuch; head /nosuch; tail /nosuch; sort /nosuch; cut -f1 /nosuch; sed p /nosuch; stat /nosuch; find /nosuch; du /nosuch; dd if=/nosuch; tee /nosuch/x < /dev/null; base64 /nosuch
cat /nosuch | wc -l; cat /etc/hostname /nosuch 2>&1 | tail -1; ls /nosuch /nosuch2; kill 99999999; kill; export 1a=b; source; . /nosuch; shift 3; echo $?; break; umask; set -- a b; shift; echo $1; nohup nosuch; env nosuch; timeout 1 nosuch
/etc/passwd; /tmp; echo $?
ls ;;
echo "a
if true
fi
a && || b
echo $(
(echo a
)
echo a; echo b &
echo ${x:?no}
true | false; echo $?; false | true; echo $?; echo a | cat | cat | wc -c
x="a b"; for i in $x; do echo "<$i>"; done; for i in "$x"; do echo "<$i>"; done; a=1 b=2; echo $a$b; a=3 env | grep ^a=
echo {a..e} {01..03} {1..10..3} x{1,2}{3,4} {a,b{c,d}} {a} {} a{b {a,b}"c {d,e}" {3..1}
echo $((2**10)) $((0x1f)) $((1<<4)) $((5&3)) $((5|3)) $((5^3)) $((!0)) $((~0)) $((1?2:3)) $((1&&0)) $((1||0)) $((010)) $((16#ff)) $((1,2)) $((7>6)) $((-2**2))
x=5; ((x++)); echo $x; ((x+=2)); echo $x; echo $((x++)) $x; y=$((x=3)); echo $x $y; x=y; y=4; echo $((x+1)); let z=x*2 z++; echo $z; ((0)); echo $?
((echo a); echo b); for ((i=0;i<5;i++)); do if [ $i = 1 ]; then continue; fi; if [ $i = 3 ]; then break; fi; echo $i; done; for ((;;)); do echo once; break; done
x=abcdef; echo ${x:2} ${x: -2} ${x:1:-1} ${x:1:2} ${x:9} ${x^} ${x^^} ${x,,} ${x/#a/Z} ${x/%f/Z} ${#x} ${x:0:1}; y=x; echo ${!y} ${x:$((1+1)):1}
echo ${x!y}
printf 'a:b:c\n' | while IFS=: read x y; do echo "$x|$y"; done; echo '  a b ' | while IFS= read -r l; do echo "[$l]"; done; echo 'a\tb' | { read x; echo "$x"; }; echo 'a\tb' | { read -r x; echo "$x"; }; IFS=: read u p < /etc/passwd; echo $u [$IFS]; read -p x -t 3 z <<< ' a  b '; echo "[$z]"; read a b <<< '1 2 3'; echo $b; read <<< ' q '; echo "[$REPLY]"; IFS=, read a b <<< 'x,,'; echo "[$b]"
set -- a b c d; shift 2; echo $1 $#; shift 5; echo $? $#; echo "$*" "$@"; for i; do echo $i; done; for i in "$@"; do echo $i; done; f() { for i; do echo "<$i>"; done; }; f 'a b' c
f() { local x=1; x=3; echo $x; }; x=2; f; echo $x; g() { echo $#; }; g "a b" c; function h { echo h; }; h; unset -f h; h
bash <(echo echo hi); cat <(echo a) <(echo b); echo x > >(cat >&2); wc -l < <(seq 3); bash -s a b <<< 'echo $1 $2'; echo 'echo $1' | bash -s x
x=$(cat <<EOF¶it's a $((1+1))¶EOF¶); echo "$x"
b=(1 2 'c d'); echo ${b[1]} ${#b[@]} ${b[@]} $b; b+=(4); echo ${b[*]} ${b[-1]}; for i in "${b[@]}"; do echo $i; done; b[1]=x; echo "${b[@]}"; x=1; x+=5; echo $x; a=(); echo ${#a[@]}
a=b c=d env | grep -E '^(a|c)=' | sort; a=1; export a; sh -c 'echo $a'; b=2; sh -c 'echo [$b]'; env x=2 sh -c 'echo $x'; unset a; sh -c 'echo [$a]'; declare -i n=5+1; echo $n
readonly r=1; r=2; echo $r
trap 'echo bye' EXIT; echo hi; exit 3
sh -c 'trap "echo in" EXIT; echo a'; echo b; trap 'echo no' EXIT; trap - EXIT
kill abc; kill -9 abc; kill -l | head -2; kill -l 9; kill %1; kill -x 1; fg; bg; help nosuch; popd; type -t ls cd if nosuch; type -p ls; type nosuch; command -v ls; command -V cd ls; dirs; bind
cd a b; echo $?; sh -c 'cd /nosuch'; times | wc -l
echo hi | xxd; echo hi | xxd -p; echo 6869 | xxd -r -p; echo; printf 'hello world, this is long enough\n' | xxd; echo hi | xxd -i; echo hi | xxd -ps; echo 00000000: 6869 | xxd -r; echo hi | xxd -u -c 4; echo hi | xxd -b
echo hi | od -c; echo hi | od; echo hi | od -An -tx1; echo hi | od -x; echo hi | od -A x -t x1z; echo hi | od -t d1; printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' | od -c; echo hi | od -tu4; echo hi | od -b; echo abc | od -N2 -c; echo abc | od -j1 -c; echo a | od -j9
echo hi | hexdump; echo hi | hexdump -C; echo hi | hexdump -e '1/1 "%02x"'; printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | hexdump -C; echo hi | hexdump -c
chmod 999 /tmp; chmod abc /tmp; chmod u+q /tmp; mkdir -v /tmp/hm_x; rmdir /tmp/hm_x
find /etc/passwd; find /etc/passwd -name 'pass*' -type f; find /nosuch; find /tmp/ -type x; find -name; find /etc/hostname -nosuch; find /etc/hostname -exec; find . -maxdepth x; find /etc/passwd /etc/hostname -exec echo {} \; ; find /etc/passwd /etc/hostname -exec echo {} + ; find /etc/passwd -exec nosuch {} \; ; find /etc/passwd -printf '%f %u %m %y\n'; find /etc/passwd -print0 | xargs -0 echo; find /etc -maxdepth 0; find /etc -maxdepth 1 -name passwd; find /etc/passwd -perm 644 -user root ! -name x; find /etc/passwd \( -name a -o -name passwd \) -print; find /etc/passwd -size 0; find /etc/passwd -newer /etc/nosuch
echo $((1+))
echo $((a b))
echo $((1/0))
echo $((1/(2-2)))
echo $((09))
echo $((1?2))
echo $((1=2))
let 1+; echo $?; ((1/0)); echo $?
printf '%.2f|%5.1f|%e|%g|%G\n' 3.14159 2.5 1234.5 0.0001 1e10; printf '%q\n' 'a b'; printf '%b|%5b\n' 'a\tb\101' x; printf '%*d|%-*d\n' 5 42 4 1; printf '%+d % d %05d %.3d\n' 5 5 -5 7; printf '%#x %#o\n' 255 8; printf '%i\n' 0x10; printf "%d\n" "'a"; printf '%x\n' -1; printf '%u\n' -1; printf '%d\n' 12a; printf '%y\n' a; echo
echo -e '\u0041\U00000042'; echo $'\u00e9'; printf '\u0041\n'; echo -e '\101'
sh -c "echo 'a\nb'"; sh -c "echo -e 'a\nb'"; sh -c "echo '\x41'"; sh -c "printf '\x41\101\n'"; sh -c 'echo -n a; echo "\0101"'
echo a b c | xargs -n 2; echo "a 'b c'" | xargs -n1; printf 'a\0b\0' | xargs -0 -n1; echo a | xargs -I% echo x%y; echo | xargs; echo | xargs -r echo x; echo a | xargs -t echo; xargs -n x; echo a:b | xargs -d: -n1; echo 'a"b' | xargs; printf 'a\\ b\n' | xargs -n1; echo a | xargs false; echo $?; echo x | xargs -n0; echo x | xargs -k
tr a; echo abc | tr -d; echo abc | tr a-z; tr a b c; echo abc | tr -d a b; echo abc | tr -t abc xy; echo 'a\b' | tr '\\' '/'; echo abc | tr -c 'a' 'x'; echo; echo aabb | tr -s ab; echo aabb | tr -s ab xy
cut -f; echo a:b:c | cut -d: -f3-1; echo a:b:c | cut -d: --complement -f2; echo a:b:c | cut -d: -f1,3 --output-delimiter=-; echo abc | cut -c0; echo abc | cut -f0; echo abc | cut -dxy -f1; echo abc | cut -c3,1; echo abc | cut -c x; echo abc | cut -f x; echo abc | cut -d: -c1; echo abcdef | cut -c1-2,5-; echo abc | cut -c-
dd nosuch; dd bs=0 if=/dev/null; dd if=/dev/null 2>&1 | head -2; echo abcdef | dd bs=2 skip=1 count=1 status=none; echo; echo abc | dd bs=1 count=2 status=noxfer
echo a;echo b&&echo c||echo d;  echo   e   #comment
uname -s; uname -o; arch; tty; echo $?; whoami nosuch 2>/dev/null; pwd; cd /; pwd; cd -; cd; cd /usr/bin/..; pwd
"##;

/// The lines, with what belongs to a here-document behind its first.
fn lines() -> Vec<String> {
    let (mut all, mut rest): (Vec<String>, _) = (Vec::new(), LINES.trim().lines());
    while let Some(line) = rest.next() {
        let mut whole = line.replace('\u{b6}', "\n");
        if line.contains("<<EOF") && !line.contains('\u{b6}') || line.contains("<<'EOF'") {
            for more in rest.by_ref() {
                whole += "\n";
                whole += more;
                if more == "EOF" {
                    break;
                }
            }
        }
        all.push(whole);
    }
    all
}

pub(super) fn real(line: &str) -> (String, String, Option<i32>) {
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).env_clear().current_dir("/tmp").stdin(Stdio::null());
    bash.envs([
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
    ]);
    let output = bash.output().unwrap();
    (said(&output.stdout), said(&output.stderr), output.status.code())
}

pub(super) fn played(line: &str) -> (String, String, Option<i32>) {
    let persona = Persona::of([7; 32]).named("web-01").unwrap();
    let (mut place, mut output) = (Place::default(), Output::default());
    place.go("/tmp".into(), "/root");
    place.bring(Vec::new(), 0);
    let shell = Shell::new(&persona, b"root", NOON, false);
    let _ = shell.run(line.as_bytes(), &mut place, &mut output);
    (said(&output.out), said(&output.err), i32::try_from(output.status).ok())
}

#[test]
fn what_is_the_same_everywhere_is_as_bash_has_it() {
    let wrong: Vec<String> = lines()
        .iter()
        .filter_map(|line| {
            let (real, played) = (real(line), played(line));
            (real != played).then(|| format!("{line}\n  bash: {real:?}\n  here: {played:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} lines differ:\n{}", wrong.len(), wrong.join("\n"));
}
