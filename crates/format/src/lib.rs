//! The words of the house in JSON, JSON lines and CSV, as the contract fixes them.
