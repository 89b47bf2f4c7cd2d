//! A stranger's bytes in, an answer and a transcript out, one module a service.
