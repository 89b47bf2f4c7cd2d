# The servers that are spoken to by datagrams, and OpenLDAP: record.sh reads this.

datagram_packages='bind9 ntpsec snmpd tftpd-hpa memcached miniupnpd slapd libsasl2-modules'

# What OpenLDAP's installation asks; Debian takes the domain's name from the machine's.
before_datagrams() {
    printf 'slapd slapd/domain string localdomain\nslapd shared/organization string localdomain\nslapd slapd/password1 password recorded\nslapd slapd/password2 password recorded\n' |
        chroot "$root" debconf-set-selections
}

start_datagrams() {
    # An address that is not the loopback's: some look up no names without one. Nothing is at the other end.
    ip link add wan type veth peer name lan && ip address add 198.51.100.2/24 dev wan && ip link set wan up && ip link set lan up
    mkdir -p "$root"/run/{named,slapd,ntpsec} "$root"/srv/tftp
    inside chown bind: /run/named; inside chown openldap: /run/slapd; inside chown ntpsec: /run/ntpsec; inside chown tftp: /srv/tftp
    rm -f "$root"/srv/tftp/*
    # Whoever asks from here is a stranger.
    printf 'options {\n\tdirectory "/var/cache/bind";\n\tlisten-on-v6 { any; };\n\tallow-recursion { none; };\n\tallow-query-cache { none; };\n};\n' \
        >"$root/etc/bind/named.conf.options"
    behind /usr/sbin/named -f -u bind
    # Who has nobody to ask for the time goes by its own clock; who asks from here is a stranger.
    sed '/^pool/d; /^restrict 127/d; /^restrict ::1/d; s/^tos minclock.*/tos orphan 3 orphanwait 1/' "$root/etc/ntpsec/ntp.conf" >"$root/tmp/ntp.conf"
    behind /usr/sbin/ntpd -n -g -c /tmp/ntp.conf -u ntpsec:ntpsec
    # `public` and `private` may see what an administrator would put there, where nothing is yet: what the trap lets itself be asked with.
    { grep -v '^rocommunity\|^view' "$root/etc/snmp/snmpd.conf"; echo 'view own included .1.3.6.1.4.1.8072.9999'
        printf 'rocommunity %s default -V own\n' public private; } >"$root/tmp/snmpd.conf"
    behind /usr/sbin/snmpd -LOw -u Debian-snmp -g Debian-snmp -I -smux,mteTrigger,mteTriggerConf -f -C -c /tmp/snmpd.conf
    # The trap takes what is brought; Debian's own does with `--create`.
    behind /usr/sbin/in.tftpd --foreground --listen --user tftp --address 127.0.0.1:69 --secure --create --umask 0 --blocksize 1468 /srv/tftp
    # Port 11211 over TCP is asked elsewhere.
    behind /usr/bin/memcached -u memcache -l 127.0.0.3 -U 11211
    printf 'ext_ifname=wan\next_ip=9.9.9.9\nlistening_ip=127.0.0.1/8\nsystem_uptime=yes\nnotify_interval=900\nuuid=2e9a2128-8741-42e9-9e31-e6bb812296a2\nhttp_port=5000\n' \
        >"$root/tmp/miniupnpd.conf"
    behind /usr/sbin/miniupnpd -d -f /tmp/miniupnpd.conf
    behind /usr/sbin/slapd -d 0 -h ldap://127.0.0.1/ -g openldap -u openldap -F /etc/ldap/slapd.d
}
