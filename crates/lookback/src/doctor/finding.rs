//! What a check has found, and how it is shown.

use std::fmt::Write as _;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) title: String,
    pub(crate) verdict: Verdict,
    /// What there is.
    pub(crate) detail: String,
    /// What to do about it, where something is to be done.
    pub(crate) advice: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Good,
    /// It works, but less well than it could, or not yet.
    Warning,
    /// It does not work.
    Bad,
}

impl Verdict {
    fn mark(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Warning => '!',
            Self::Bad => '✗',
        }
    }
}

impl Finding {
    pub(super) fn good(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            verdict: Verdict::Good,
            detail: detail.into(),
            advice: None,
        }
    }

    pub(super) fn warning(
        title: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.into()),
            ..Self::good(title, detail)
        }
    }

    pub(super) fn bad(
        title: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Bad,
            ..Self::warning(title, detail, advice)
        }
    }
}

/// Whether nothing is in the way of a replay.
pub(super) fn is_healthy(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Bad)
}

/// For people: a line for each finding, and below it what to do.
pub(super) fn list(findings: &[Finding]) -> String {
    let widths = findings.iter().map(|it| it.title.chars().count());
    let width = widths.max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let mark = finding.verdict.mark();
        let _ = writeln!(text, "{mark} {:width$}  {}", finding.title, finding.detail);
        if let Some(advice) = &finding.advice {
            let _ = writeln!(text, "  {:width$}  -> {advice}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_with_what_to_do_below() {
        let findings = [
            Finding::good("clock", "right"),
            Finding::warning("memory", "short", "buy more"),
        ];
        let shown = "✓ clock   right\n! memory  short\n          -> buy more\n";
        assert_eq!(list(&findings), shown);
    }

    #[test]
    fn only_what_does_not_work_is_unhealthy() {
        let warning = Finding::warning("memory", "short", "buy more");
        assert!(is_healthy(std::slice::from_ref(&warning)));
        assert!(!is_healthy(&[
            warning,
            Finding::bad("ffmpeg", "broken", "mend it")
        ]));
    }

    #[test]
    fn programs_read_the_same() {
        let finding = Finding::bad("ffmpeg", "broken", "mend it");
        assert_eq!(
            serde_json::to_value(finding).expect("plain values"),
            serde_json::json!({"title": "ffmpeg", "verdict": "bad", "detail": "broken", "advice": "mend it"})
        );
    }
}
