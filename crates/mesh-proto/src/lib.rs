//! Datagrams in and out: membership, spreading, repair, sealing, quotas.
