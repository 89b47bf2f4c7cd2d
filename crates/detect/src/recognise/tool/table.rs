//! The tools that are known, the gravest and most specific first, each group with its source.

/// What is said in words, in a greeting, a header or a request. Letters match in either case.
pub(in crate::recognise) const BY_WORDS: &[(&str, &str)] = &[
    // Attack tools. Sources: their own default headers, in the file named.
    ("sqlmap/", "sqlmap"),                           // sqlmap: lib/core/settings.py, DEFAULT_USER_AGENT
    ("(hydra)", "hydra"),                            // thc-hydra: hydra-http.c, hydra-http-form.c
    ("nikto/", "nikto"),                             // nikto: program/nikto.conf.default, USERAGENT
    ("wpscan v", "wpscan"),                          // wpscan: lib/wpscan/browser.rb
    ("fuzz faster u fool", "ffuf"),                  // ffuf: pkg/ffuf/config.go
    ("feroxbuster/", "feroxbuster"),                 // feroxbuster: src/config/utils.rs
    ("gobuster/", "gobuster"),                       // gobuster: libgobuster/useragents.go
    ("dirbuster-", "dirbuster"),                     // OWASP DirBuster: its default header
    ("nuclei - open-source", "nuclei"),              // nuclei: pkg/protocols/http, default header
    ("projectdiscovery/nuclei", "nuclei"),           // the same
    ("projectdiscovery/httpx", "httpx"),             // httpx: common/httpx/option.go
    ("interact.sh", "interactsh"),                   // interactsh: the call-back server's default domains
    (".oast.", "interactsh"),                        // the same: oast.pro, oast.live, oast.site, oast.online, oast.fun, oast.me
    ("burpcollaborator", "burp"),                    // PortSwigger: Burp Collaborator's public domain
    ("acunetix", "acunetix"),                        // Acunetix: its request headers
    ("nessus", "nessus"),                            // Tenable: Nessus' headers and probes
    ("openvas", "openvas"),                          // Greenbone: OpenVAS VT headers
    ("w3af.org", "w3af"),                            // w3af: core/data/url, default header
    ("arachni/", "arachni"),                         // Arachni: its default header
    ("whatweb/", "whatweb"),                         // WhatWeb: lib/whatweb.rb
    ("commix/", "commix"),                           // commix: src/utils/settings.py
    ("friendly-scanner", "sipvicious"),              // SIPVicious: svmap's default agent
    ("sipvicious", "sipvicious"),                    // the same
    ("nmap scripting engine", "nmap"),               // nmap: nselib/http.lua, USER_AGENT
    ("nice%20ports%2c/tri%6eity.txt%2ebak", "nmap"), // nmap: nmap-service-probes, FourOhFourRequest
    ("random1random2random3random4", "nmap"),        // nmap: nmap-service-probes, SSLSessionReq
    ("sip:nm@nm", "nmap"),                           // nmap: nmap-service-probes, SIPOptions
    ("mstshash=nmap", "nmap"),                       // nmap: nmap-service-probes, TerminalServerCookie
    ("ssh-2.0-zgrab", "zgrab"),                      // zgrab: zlib/ssh
    ("zgrab/", "zgrab"),                             // zgrab2: modules/http/scanner.go
    ("masscan/", "masscan"),                         // masscan: src/proto-http.c
    ("masscan-ng/", "masscan"),                      // masscan-ng: the same place
    ("user-agent: hello, world", "Mirai-like"),      // GPON and Realtek worms: their only header (CVE-2018-10561 campaigns)
    ("r00ts3c-owned-you", "Mirai-like"),             // the same
    ("hakai/", "Mirai-like"),                        // Hakai: its header
    // Those who measure the whole network and say so, each on its web page.
    ("censysinspect", "Censys"),
    ("expanse, a palo alto", "Palo Alto Expanse"),
    ("internetmeasurement/", "internet-measurement.com"),
    ("l9explore/", "LeakIX"),
    ("l9tcpid/", "LeakIX"),
    ("leakix.net", "LeakIX"),
    ("shadowserver", "Shadowserver"),
    ("netsystemsresearch", "NetSystemsResearch"),
    ("onyphe", "ONYPHE"),
    ("odin; https://docs.getodin", "ODIN"),
    ("modatscanner", "Modat"),
    ("visionheight.com/scan", "VisionHeight"),
    ("cyberresilience.io", "NYU cyberresilience"),
    ("genomecrawler", "NokiaDeepfield"),
    // Libraries and ordinary programs: honest people use them, too.
    ("ssh-2.0-go", "Go x/crypto/ssh"),   // golang.org/x/crypto/ssh: transport.go, packageVersion
    ("ssh-2.0-libssh2", "libssh2"),      // libssh2: include/libssh2.h
    ("ssh-2.0-libssh", "libssh"),        // libssh: src/client.c
    ("ssh-2.0-paramiko", "paramiko"),    // paramiko: transport.py, _CLIENT_ID
    ("ssh-2.0-asyncssh", "asyncssh"),    // asyncssh: connection.py
    ("ssh-2.0-jsch", "JSch"),            // JSch: Session.java
    ("ssh-2.0-putty", "PuTTY"),          // PuTTY: ssh/verstring.c
    ("ssh-2.0-winscp", "WinSCP"),        // the same in WinSCP
    ("ssh-2.0-russh", "russh"),          // russh: lib.rs
    ("ssh-2.0-renci.sshnet", "SSH.NET"), // SSH.NET: Session.cs
    ("ssh-2.0-phpseclib", "phpseclib"),  // phpseclib: Net/SSH2.php
    ("ssh-2.0-dropbear", "Dropbear"),    // dropbear: src/sysoptions.h
    ("ssh-2.0-openssh", "OpenSSH"),      // OpenSSH: version.h
    ("python-requests/", "python-requests"), // requests: utils.py, default_user_agent
    ("python-urllib/", "python-urllib"), // CPython: urllib/request.py
    ("python-httpx/", "python-httpx"),   // httpx (Python): _client.py
    ("aiohttp/", "aiohttp"),             // aiohttp: http.py
    ("go-http-client/", "Go net/http"),  // Go: net/http/request.go, defaultUserAgent
    ("fasthttp", "fasthttp"),            // fasthttp: strings.go
    ("okhttp/", "okhttp"),               // okhttp: internal/Util
    ("apache-httpclient/", "Apache HttpClient"), // HttpClient: VersionInfo
    ("libwww-perl/", "libwww-perl"),     // LWP::UserAgent
    ("axios/", "axios"),                 // axios: lib/adapters/http.js
    ("node-fetch", "node-fetch"),        // node-fetch: src/request.js
    ("wget/", "wget"),                   // wget: src/http.c
    ("curl/", "curl"),                   // curl: lib/version.c
    ("git/", "git"),                     // git: version.c, git_user_agent
    ("debian apt-http/", "apt"),         // apt: methods/http.cc
];

/// Fingerprints in the fields of an event. JA4: FoxIO's `ja4plus-mapping.csv` (JA4 itself is BSD-licensed); a print that
/// several programs share names the library.
pub(super) const BY_FINGERPRINT: &[(&str, &str, &str)] = &[
    ("ja4", "t12i190700_d83cc789557e_16bbda4055b2", "Cobalt Strike"),
    ("ja4", "t12d190700_d83cc789557e_16bbda4055b2", "Cobalt Strike"),
    ("ja4", "t12i210700_76e208dd3e22_16bbda4055b2", "Cobalt Strike"),
    ("ja4", "t12d210700_76e208dd3e22_16bbda4055b2", "Cobalt Strike"),
    ("ja4", "t13d201100_2b729b4bf6f3_9e7b989ebec8", "IcedID"),
    ("ja4", "t13d190900_9dc949149365_97f8aa674fd9", "Go crypto/tls"),
    ("ja4", "t13i190900_9dc949149365_97f8aa674fd9", "Go crypto/tls"),
    ("ja4", "t13i181000_85036bcba153_d41ae481755e", "Python ssl"),
    ("ja4", "t13d181000_85036bcba153_d41ae481755e", "Python ssl"),
    ("ja4", "t13d880900_fcb5b95cb75a_b0d3b4ac2a14", "SoftEther"),
    ("ja4", "t13i880900_fcb5b95cb75a_b0d3b4ac2a14", "SoftEther"),
    ("ja4", "t13d1516h2_8daaf6152771_02713d6af862", "Chromium"),
    ("ja4", "t13i1516h2_8daaf6152771_02713d6af862", "Chromium"),
    ("ja4", "t13d1517h2_8daaf6152771_b0da82dd1658", "Chromium"),
    ("ja4", "t13i1517h2_8daaf6152771_b0da82dd1658", "Chromium"),
    ("ja4", "t13d1517h2_8daaf6152771_b1ff8ab2d16f", "Chromium"),
    ("ja4", "t13i1517h2_8daaf6152771_b1ff8ab2d16f", "Chromium"),
];
