//! What the kernel decides about a packet.
