//! What was, kept: bans, evidence, queries, export.
