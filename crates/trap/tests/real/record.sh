#!/bin/bash
# Asks real servers of Debian 13 what the files beside this one ask, and keeps what they answer in them.
#
#   sudo crates/trap/tests/real/record.sh FOLDER TEST [FILE]
#
# FOLDER is where Debian 13 is, or where debootstrap puts it (some 2 GB; take it away afterwards with `rm -rf --one-file-system`).
# TEST is the program of the traps' tests: the last line of `cargo test -p honeymesh-trap --test traps --no-run`.
# FILE is the name of the one file to record (`nginx`), or several with commas between them, else all are.
# With RECORD_ONLY=datagrams no others are installed and run than those of datagrams.sh and memcached, for which FILE must be given then.
#
# The servers run in namespaces of their own and end with them: nothing of them reaches the network or outlives this.
set -eu
root=$(realpath -m "$1") test=$(realpath "$2") only=${3-}
packages='openssh-server nginx apache2 libapache2-mod-php php-mysql php-xml vsftpd postfix dovecot-imapd dovecot-pop3d redis-server memcached
    inetutils-telnetd mariadb-server postgresql wordpress wordpress-theme-twentytwentyfive docker.io samba mosquitto iproute2
    ssl-cert'
. "$(dirname "$0")/datagrams.sh"
if [ "${RECORD_ONLY-}" = datagrams ]; then packages="$datagram_packages iproute2"; else packages="$packages $datagram_packages"; fi

if [ "${RECORD_INSIDE-}" != yes ]; then
    if [ ! -e "$root/usr/bin/dpkg" ]; then
        debootstrap --variant=minbase trixie "$root" http://deb.debian.org/debian
        echo 'deb http://deb.debian.org/debian trixie-updates main
deb http://deb.debian.org/debian-security trixie-security main' >>"$root/etc/apt/sources.list"
    fi
    # Nothing is started by its installation.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C
    if [ -z "${RECORD_INSTALLED-}" ]; then
        chroot "$root" apt-get update
        before_datagrams
        # shellcheck disable=SC2086
        chroot "$root" apt-get -y --no-install-recommends install $packages
    fi
    RECORD_INSIDE=yes exec unshare --mount --uts --pid --net --ipc --cgroup --fork --kill-child "$0" "$@"
fi

# The name of the machine that the tests' traps play.
host=${REAL_HOST:-$("$test" --nocapture the_host_has_a_name_that_a_real_machine_can_have | sed -n 's/^host //p')}
mount --make-rprivate /
mount -t proc proc /proc
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ip link set lo up
hostname "$host"
printf '127.0.0.1 localhost\n127.0.1.1 %s.localdomain %s\n' "$host" "$host" >"$root/etc/hosts"
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
behind() { inside "$@" >/dev/null 2>&1 </dev/null & }

mkdir -p "$root"/run/{sshd,mysqld,postgresql,redis,vsftpd/empty,dovecot,php} "$root/tmp/x"
chmod 1777 "$root/tmp"
ask() {
    [ -n "${RECORD_SHELL-}" ] && exec "$RECORD_SHELL"
    inside dpkg-query -W >"$root/tmp/packages"
    export REAL_HOST=$host REAL_PACKAGES=$root/tmp/packages
    [ -z "$only" ] || export ONLY=$only
    "$test" --ignored --nocapture record_the_real_servers
}
behind /usr/bin/memcached -u memcache -l 127.0.0.1
# And one whose values nobody else asks for.
behind /usr/bin/memcached -u memcache -l 127.0.0.4
start_datagrams
if [ "${RECORD_ONLY-}" = datagrams ]; then sleep "${RECORD_WAIT-15}"; ask; exit; fi
inside chown mysql: /run/mysqld; inside chown postgres: /run/postgresql; inside chown redis: /run/redis
# The hundredth odd question is answered like the first.
behind /usr/sbin/sshd -D -o PerSourcePenalties=no -o MaxStartups=200 -o KbdInteractiveAuthentication=yes
# And one that lets `root` in.
echo root:recorded | inside chpasswd
behind /usr/sbin/sshd -D -o PerSourcePenalties=no -o MaxStartups=200 -o PermitRootLogin=yes -o Port=2222 -o PidFile=none
rm -f "$root/var/www/html/index.html"
sed -i '/^\s*listen /d; s/^server {/server {\n\tlisten 127.0.0.1:80 default_server;\n\tlisten 127.0.0.1:443 ssl;\n\tinclude snippets\/snakeoil.conf;/' "$root/etc/nginx/sites-available/default"
behind /usr/sbin/nginx -g 'daemon off;'
printf 'Listen 127.0.0.2:80\nListen 127.0.0.2:443\n' >"$root/etc/apache2/ports.conf"
inside a2enmod -q ssl >/dev/null
inside a2ensite -q default-ssl >/dev/null
cat >"$root/etc/apache2/sites-available/000-default.conf" <<'END'
<VirtualHost *:80>
	DocumentRoot /usr/share/wordpress
	Alias /wp-content /var/lib/wordpress/wp-content
	<Directory /usr/share/wordpress>
		Options FollowSymLinks
		AllowOverride All
		Require all granted
	</Directory>
	<Directory /var/lib/wordpress/wp-content>
		Options FollowSymLinks
		Require all granted
	</Directory>
</VirtualHost>
END
cat >"$root/etc/wordpress/htaccess" <<'END'
RewriteEngine On
RewriteBase /
RewriteRule ^index\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /index.php [L]
END
cat >"$root/etc/wordpress/config-default.php" <<'END'
<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'wordpress'); define('DB_PASSWORD', 'recorded'); define('DB_HOST', 'localhost:/run/mysqld/blog.sock');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', 'http://' . ($_SERVER['HTTP_HOST'] ?? gethostname())); define('WP_SITEURL', WP_HOME);
define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true); define('WP_DEBUG', false);
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $key) define($key, 'recorded');
$table_prefix = 'wp_';
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
END
inside a2enmod -q rewrite >/dev/null
mkdir -p "$root/run/apache2" "$root/run/lock/apache2"
inside chown www-data: /run/lock/apache2
behind /usr/bin/env APACHE_RUN_USER=www-data APACHE_RUN_GROUP=www-data APACHE_PID_FILE=/run/apache2/apache2.pid APACHE_RUN_DIR=/run/apache2 \
    APACHE_LOCK_DIR=/run/lock/apache2 APACHE_LOG_DIR=/var/log/apache2 LANG=C /usr/sbin/apache2 -DFOREGROUND
sed -i 's/^listen=.*/listen=YES/; s/^listen_ipv6=.*/listen_ipv6=NO/; /^listen_address=/d' "$root/etc/vsftpd.conf"
sed '/^anonymous_enable=/d' "$root/etc/vsftpd.conf" >"$root/etc/vsftpd-upload.conf"
echo listen_address=127.0.0.1 >>"$root/etc/vsftpd.conf"
behind /usr/sbin/vsftpd
# And one with a folder that everybody may write to.
printf '%s\n' listen_address=127.0.0.2 anonymous_enable=YES write_enable=YES anon_upload_enable=YES anon_mkdir_write_enable=YES \
    anon_other_write_enable=YES port_enable=NO cmds_denied=STAT >>"$root/etc/vsftpd-upload.conf"
inside mkdir -p /srv/ftp/pub /srv/ftp/incoming
inside chown ftp:ftp /srv/ftp/incoming; inside chmod 777 /srv/ftp/incoming
inside chown root:root /srv/ftp; inside chmod 755 /srv/ftp
behind /usr/sbin/vsftpd /etc/vsftpd-upload.conf
inside postconf -e "myhostname=$host.localdomain" 'inet_interfaces=all' 'inet_protocols=ipv4' 'smtpd_banner=$myhostname ESMTP $mail_name (Debian)' \
    smtpd_sasl_auth_enable=yes smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth
inside postconf -M 'submissions/inet=submissions inet n - y - - smtpd'
inside postconf -P submissions/inet/smtpd_tls_wrappermode=yes
inside postfix start >/dev/null 2>&1 </dev/null || true
cat >"$root/etc/dovecot/local.conf" <<'END'
auth_allow_cleartext = yes
auth_mechanisms = plain login
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
END
behind /usr/sbin/dovecot -F
behind /usr/bin/redis-server --port 6379 --bind 127.0.0.1 --dir /var/lib/redis --protected-mode no
# And one in which something is stored, which it finds empty each time.
mkdir -p "$root/var/lib/redis-data"
rm -f "$root/var/lib/redis-data/dump.rdb"
behind /usr/bin/redis-server --port 6379 --bind 127.0.0.2 --dir /var/lib/redis-data --protected-mode no
# And one that is told to follow others, whose words to them get no answer.
mkdir -p "$root/var/lib/redis-replica"
rm -f "$root/var/lib/redis-replica/dump.rdb"
ip route add 198.51.100.9 dev lo
behind /usr/bin/redis-server --port 6379 --bind 127.0.0.3 --dir /var/lib/redis-replica --protected-mode no
behind /usr/sbin/mariadbd --user=mysql --bind-address=127.0.0.1
# The blog has one of its own: the first knows those accounts alone that Debian makes.
[ -d "$root/var/lib/mysql-blog" ] || inside mariadb-install-db --user=mysql --datadir=/var/lib/mysql-blog >/dev/null
behind /usr/sbin/mariadbd --user=mysql --datadir=/var/lib/mysql-blog --skip-networking --socket=/run/mysqld/blog.sock --pid-file=/run/mysqld/blog.pid
# One database asks for passwords in the clear, as the trap does.
sed -i '/^host clear /d; 1i host clear all 127.0.0.1/32 password' "$root/etc/postgresql/17/main/pg_hba.conf"
behind su postgres -s /bin/sh -c '/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql/17/main -c config_file=/etc/postgresql/17/main/postgresql.conf'
behind /usr/sbin/smbd -F --no-process-group
behind /usr/sbin/dockerd -H tcp://127.0.0.1:2375 --tls=false --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs
behind /usr/sbin/mosquitto -p 1883
sleep "${RECORD_WAIT-15}"
inside mariadb --socket=/run/mysqld/blog.sock -e "CREATE DATABASE IF NOT EXISTS wordpress; GRANT ALL ON wordpress.* TO wordpress@localhost IDENTIFIED BY 'recorded'"
inside php -r '$_SERVER["HTTP_HOST"] = "blog.example"; $_SERVER["REQUEST_METHOD"] = "GET"; $_SERVER["SERVER_PROTOCOL"] = "HTTP/1.1";
    define("WP_INSTALLING", true); require "/usr/share/wordpress/wp-load.php"; require ABSPATH . "wp-admin/includes/upgrade.php";
    if (!is_blog_installed()) { wp_install($argv[1], "admin", "admin@blog.example", true, "", "recorded"); }
    update_option("permalink_structure", "/%postname%/"); global $wp_rewrite; $wp_rewrite->init(); flush_rewrite_rules(false);' "$host"
ask
