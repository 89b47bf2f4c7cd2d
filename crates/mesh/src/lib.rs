//! Mesh datagrams over UDP.
