//! Evidence in, verdict out: entropy, scores, grades.
