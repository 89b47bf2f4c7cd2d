//! Refusals in JSON: RFC 9457, `application/problem+json`.

use serde::{Deserialize, Serialize};

/// Why a request was not carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemJson {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One line: what, where, how to mend it. Safe to show.
    pub detail: String,
}

impl ProblemJson {
    /// The media type of a problem.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem; line ends and control characters in `detail` are escaped.
    #[must_use]
    pub fn new(status: u16, title: &str, detail: &str) -> Self {
        Self { kind: "about:blank".into(), title: title.into(), status, detail: crate::printable(detail).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_rfc_9457() {
        let text = crate::json_text(&ProblemJson::new(404, "Not Found", "no\nsuch ban")).unwrap();
        assert_eq!(text, r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no\\nsuch ban"}"#);
    }
}
