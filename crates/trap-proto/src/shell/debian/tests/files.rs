//! What is done with files is held against the coreutils of whoever runs the tests.

extern crate std;

use super::*;
use alloc::{string::String, vec::Vec};
use std::process::{Command, Stdio};

/// Lines that are run in a folder with nothing in it.
const LINES: &str = r##"
echo a>a; mv a b; cat b a; cat < b
echo a>a; mv -v a b; mkdir d; mv -v b d; mv -v d e; ls -R e
mv nosuch b; mv; mv a; echo 1 >a; mv a a; mv a nosuch/b; mv a b nosuch; mv a/x b; mv a x/; mv a b c
mkdir d; mv d d; mv d d/e; echo > f; mv d f; mkdir d/f; mv f d; mv d/f .
echo 1 >a; echo 2 >b; mv -n a b; cat a b; cp -n a b; cat b; mv -f a b; cat b; ls
mkdir -p d/s; echo 1 >d/s/f; mkdir e; mv d e; ls -R; cat e/d/s/f; mv -T e x; ls; mv -t x x/d/s/f; ls x
echo 1 >a; cp a b; cp -v a c; cp a a; cp nosuch x; cp a nosuch/x; mkdir d; cp d e; cp -r d e; cp -rv d e; cp a b d; ls d; cp a b c; cp a d/; cp a x/; cp; cp a; cp a d nosuch
mkdir -p d/s; echo 1 >d/s/f; chmod 700 d/s/f; cp -r d e; ls -R e; stat -c "%a %n" e/s/f; cp -r d e; ls e; cp -a d g; ls g; cp -r d a; cat a/s/f; echo > f; cp -r d f; cp f d/s; cp d/s/f d
echo 1 >a; touch -d @5000 a; chmod 640 a; cp a b; cp -p a c; stat -c "%a %Y" c; stat -c %a b; cp -t d a; mkdir d; cp -t d a b; ls d
echo 1 >a; ln -s a l; cat l; readlink l; ln -s a l; ln -sf b l; readlink l; ln a h; cat h; ln -s nosuch dang; cat dang; ln nosuch x; ln; ln -sv a v; mkdir d; ln d e; ln -s ../a d; ls d; cat d/a; ln a h; ln -v a i; ln -s a nosuch/l; ln -s d ld; ls ld; ln -sfn a ld; readlink ld; ln -s /etc/passwd; ls
echo 1 >a; ln -s a l; echo 2 >>a; cat l; cp l c; stat -c %F c; cp -P l p; stat -c %N p; mv l m; stat -c %N m; rm m; cat a
echo 1 >a; unlink a; ls; unlink a; unlink; unlink a b; mkdir d; unlink d; unlink --nosuch
truncate -s 10 a; stat -c %s a; truncate -s +5 a; truncate -s -3 a; stat -c %s a; truncate -s 1K a; stat -c %s a; truncate -s 3KB a; stat -c %s a; truncate -s '<5' a; stat -c %s a; truncate -s %8 a; stat -c %s a; truncate; truncate -s x a; truncate -s 5 nosuch/a; truncate -c -s 5 no; ls; truncate a; truncate -s 1; truncate -r a b; stat -c %s b; truncate -r nosuch b; truncate -s 0 a; cat a; wc -c a b
echo hi >a; shred a; stat -c %s a; shred -v a; shred -x -n 1 a; stat -c %s a; shred -u a; ls; shred nosuch; shred -v a; shred; echo hi >abc; shred -uvz abc; ls; echo hi >a; shred -n 2 -v -z a; mkdir d; echo x >d/a; shred -uv d/a
touch -d "2024-01-02 03:04:05" a; stat -c %Y a; touch -t 202401020304.05 a; stat -c %Y a; touch -r a b; stat -c %Y b; touch -c n; ls; touch -d @100 a; stat -c %Y a; touch -d nonsense a; touch nosuch/a; touch -t 99 a; touch; touch -d '2 Jan 2024 12:00' a; stat -c %Y a; touch -d 'Feb 29 2024' a; stat -c %Y a; touch -d 2023-02-29 a; touch -d 2024-02-29T23:59:59 a; stat -c %Y a; touch -d '2024-01-01 + 1 day' a 2>/dev/null; touch -t 7001010000 a; stat -c %Y a; touch -r nosuch a; touch -d 20:61 a
touch a; chmod u+s a; stat -c %a a; chmod a-rwx,u=rw,g+x a; stat -c "%a %A" a; chmod go=u a; stat -c %a a; chmod +t a; stat -c %a a; chmod -v 600 a; chmod -c 600 a; chmod -v 600 a; chmod -x a; chmod +X a; chmod --reference=a a; mkdir d; touch d/x; chmod -R 700 d; stat -c "%a %n" d d/x; chmod -Rv 755 d; chmod u+X d d/x; stat -c %a d/x; chmod 7777 a; ls -l a | cut -c1-10; chmod u-s,o-t a; stat -c %A a
chmod; chmod 755; chmod 999 x; chmod 755 nosuch; chmod -f 755 nosuch; echo $?; chmod --reference=nosuch x; chmod a+q x; chmod 755 nosuch/a; chmod -R +x nosuch; chown nosuch x; chown; chown root; chgrp; touch a; chown 0:0 a; chown root:root a; chown root nosuch; chown -v root 2>/dev/null; echo $?
echo abc >a; stat -c "%n %s %F %A %a %h %u %U %g %G %b %B %f %N %t %T" a; mkdir d; stat -c "%F %a %f" d; ln -s a l; stat -c "%F %N %s" l; stat -L -c %F l; stat --printf "%n\n%s\t" a; stat nosuch; stat; stat -c %n a nosuch; stat -t nosuch; :>e; stat -c %F e; stat -c "%5s|%-5s|%05s|%.2n|%%" a; stat -c '%n\n' a; stat -f nosuch; stat -f -c %l .; touch -d @86399 a; stat -c '%y %Y' a | sed 's/[.]0*//'; stat -c "%X" nosuch/a
readlink; readlink nosuch; touch a; readlink a; ln -s a l; readlink -f l; readlink -f x/y; readlink -f x; readlink -e x; readlink -m x/y; readlink -n l; realpath a l; realpath x/y; realpath -e x; realpath -s l; realpath; readlink -v a; readlink /bin; readlink -f /bin/sh | tr a-z A-Z; readlink -v nosuch; realpath -q x/y; echo $?; realpath . ..; realpath -m a/../b/./c; readlink -f /etc/../etc/passwd
echo a >a; du a; du -h a; du -b a; du nosuch; du -c a; du -k a; du -a a; du -m a; du -bc a a; truncate -s 5000 b; du -b b; du -bh b 2>/dev/null; du -s --nosuch
echo a >a; install -m 755 a b; stat -c %a b; install a c; stat -c %a c; install -d x/y; ls x; install nosuch z; install a; install; install -v a d; install a x; ls x; install x z; install -m u=rw a e; stat -c %a e; install -dv q
mkdir d; touch d/a; rm d; rm -v d/a; touch d/a; rm -rv d; rm nosuch; rm -f nosuch; rm; rm -f; mkdir e; rm -d e; mkdir e; touch e/x; rm -d e; rmdir e; rmdir -p nosuch/x; mkdir -p p/q; rmdir -pv p/q; mkdir -p -m 700 z; stat -c %a z; mkdir z; mkdir -p z; mkdir; mkdir a/b; mkdir -pv m/n/o; mkdir -m 1777 t; stat -c %A t; rmdir; rmdir -v z; mkdir -p a/b/c; touch a/b/x; rmdir -p a/b/c; mkdir -m xyz y
date -u -d @0; date -d '2024-02-29 12:34:56' '+%Y-%j %A %B %e %k %I %p %u %w %U %W %y %C %D %R %r %c %x %X %h %s %q'; date -d '1 Jan 2024' +%F; date -d 'Jan 5 2024 10:00' +%FT%T; date +%Q; date -d nonsense; date a; date +a b; date -R -d @1000000000; date -Iseconds -d @1; date -I -d @86400; date -d '2024-01-31 1 day ago' +%F; date -d '2024-01-31 2 weeks' +%F; date -d '2024-01-31 yesterday' +%F; date -d @1700000000 '+%-d %-m %_d %^a'; date -r nosuch; touch -d @1000 a; date -r a +%s; date -d '' +%T; date -d noon +%T; ls -l /bin/sh | cut -c1-10; file /bin/sh; [ -L /bin/sh ] && echo link; cp /bin/sh s; stat -c %F s; head -c 4 /bin/sh | xxd
"##;

/// What a line says in an empty folder, which is called `/tmp/w` in it.
fn real(line: &str, folder: &std::path::Path) -> (String, String, Option<i32>) {
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).env_clear().current_dir(folder).stdin(Stdio::null());
    bash.envs([
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("TZ", "UTC"),
        ("LC_ALL", "C.UTF-8"),
    ]);
    let output = bash.output().unwrap();
    let told = |bytes: &[u8]| said(bytes).replace(folder.to_str().unwrap(), "/tmp/w");
    (told(&output.stdout), told(&output.stderr), output.status.code())
}

fn played(line: &str) -> (String, String, Option<i32>) {
    let persona = Persona::of([7; 32]).named("web-01").unwrap();
    let (mut place, mut output) = (Place::default(), Output::default());
    place.enter(NOON);
    place.disk.make("/tmp/w".into());
    place.go("/tmp/w".into(), "/root");
    place.bring(Vec::new(), 0);
    let shell = Shell::new(&persona, b"root", NOON, false);
    let _ = shell.run(line.as_bytes(), &mut place, &mut output);
    (said(&output.out), said(&output.err), i32::try_from(output.status).ok())
}

#[test]
fn what_is_done_with_files_is_as_coreutils_has_it() {
    let folder = std::env::temp_dir().join(format!("honeymesh-files-{}", std::process::id()));
    let wrong: Vec<String> = LINES
        .trim()
        .lines()
        .filter_map(|line| {
            let (real, played) = (real(line, &folder), played(line));
            (real != played).then(|| format!("{line}\n  bash: {real:?}\n  here: {played:?}"))
        })
        .collect();
    drop(std::fs::remove_dir_all(&folder));
    assert!(wrong.is_empty(), "{} lines differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What somebody may do who is not root, and what he may not: nothing of the machine's is gone then.
#[test]
fn what_is_not_a_strangers_own_stays() {
    let persona = Persona::of([7; 32]).named("web-01").unwrap();
    let (mut place, mut output) = (Place::default(), Output::default());
    place.enter(NOON);
    let shell = Shell::new(&persona, b"bob", NOON, false);
    let line = "echo 1 >/tmp/a; mv /tmp/a /etc/passwd; mv /etc/passwd /tmp/p; cp /tmp/a /etc/x; cp /etc/shadow /tmp/s; ln -sf /tmp/a \
                /etc/motd; chmod 777 /etc/passwd; chown bob /tmp/a; truncate -s 0 /etc/passwd; shred -u /etc/passwd; touch /etc/passwd; \
                unlink /etc/passwd; install /tmp/a /etc/cron.d";
    let _ = shell.run(line.as_bytes(), &mut place, &mut output);
    assert_eq!(
        said(&output.err),
        "mv: cannot move '/tmp/a' to '/etc/passwd': Permission denied\nmv: cannot move '/etc/passwd' to '/tmp/p': Permission \
         denied\ncp: cannot create regular file '/etc/x': Permission denied\ncp: cannot open '/etc/shadow' for reading: Permission \
         denied\nln: failed to create symbolic link '/etc/motd': Permission denied\nchmod: changing permissions of '/etc/passwd': Operation \
         not permitted\nchown: changing ownership of '/tmp/a': Operation not permitted\ntruncate: cannot open '/etc/passwd' for \
         writing: Permission denied\nshred: /etc/passwd: failed to open for writing: Permission denied\ntouch: cannot touch \
         '/etc/passwd': Permission denied\nunlink: cannot unlink '/etc/passwd': Permission denied\ninstall: cannot create regular \
         file '/etc/cron.d/a': Permission denied\n"
    );
    assert_eq!(shell.rename(b"/tmp/a", b"/etc/passwd", true, &mut place), Err(Fault::Denied));
    let mut shown = Output::default();
    let _ = shell.run(b"cat /tmp/a; head -n 1 /etc/passwd; ls -l /etc/passwd | cut -c1-10", &mut place, &mut shown);
    assert_eq!(said(&shown.out), "1\nroot:x:0:0:root:/root:/bin/bash\n-rw-r--r--\n");
}

/// What root changed of the machine's own is seen by whoever looks, whatever he asks.
#[test]
fn rights_and_times_of_the_machines_own_files_can_be_changed() {
    let (text, _) = run_all(
        &Persona::of([7; 32]),
        "root",
        &[
            "chmod 4755 /bin/bash; touch -r /bin/bash /etc/motd; chmod 600 /etc/hosts; touch -d 2020-01-02 /etc/hostname",
            "stat -c '%a %n' /bin/bash /etc/hosts; ls -l /bin/bash | cut -c1-10",
            "[ $(stat -c %Y /bin/bash) = $(stat -c %Y /etc/motd) ] && echo same; date -r /etc/hostname +%F; wc -l < /etc/motd",
            "head -c 4 /bin/bash | xxd -p; ln -s /etc l; cd l && ls -d passwd; cd; cat l/passwd | head -c 4; [ -d l ] && echo d",
        ],
        false,
    );
    let expected = "4755 /bin/bash\n600 /etc/hosts\n-rwsr-xr-x\nsame\n2020-01-02\n7\n7f454c46\npasswd\nrootd\n";
    assert_eq!(text, expected);
}
