//! How the servers that are played speak TLS.

/// How a session wants its carrier to speak TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsManner {
    /// TLS 1.2 and 1.3 with tickets; what protocol the stranger offers inside (ALPN) is not looked at. Postfix, xrdp.
    #[default]
    Usual,
    /// The same with HTTP/1.1 as the only protocol inside. nginx.
    Web,
    /// The same with IMAP as the only protocol inside. Dovecot.
    Imap,
    /// The same with POP3 as the only protocol inside. Dovecot.
    Pop3,
    /// With PostgreSQL's as the only protocol inside, and without tickets.
    Postgresql,
    /// TLS 1.2 alone, whose handshake is in packets of TDS ([`TdsEnvelope`](crate::TdsEnvelope)), without tickets. SQL Server.
    Tds,
    /// As usual, but it ends without a farewell (`close_notify`). MariaDB.
    Mariadb,
}

impl TlsManner {
    /// Each of them.
    pub const ALL: [Self; 7] = [Self::Usual, Self::Web, Self::Imap, Self::Pop3, Self::Postgresql, Self::Tds, Self::Mariadb];

    /// The only protocol inside that is agreed to, if it matters.
    #[must_use]
    pub const fn protocol(self) -> Option<&'static str> {
        match self {
            Self::Usual | Self::Tds | Self::Mariadb => None,
            Self::Web => Some("http/1.1"),
            Self::Imap => Some("imap"),
            Self::Pop3 => Some("pop3"),
            Self::Postgresql => Some("postgresql"),
        }
    }

    /// Whether it says that it ends.
    #[must_use]
    pub const fn says_farewell(self) -> bool {
        !matches!(self, Self::Mariadb)
    }

    /// Whether a session can be taken up again by a ticket.
    #[must_use]
    pub const fn has_tickets(self) -> bool {
        !matches!(self, Self::Postgresql | Self::Tds)
    }
}
