//! What a scan says about itself, in words.

use bonded_model::ScanStatus;
use bonded_scan::{Finding, KERNEL_HEADERS, Problem, ScanResult};
use bonded_store::ImageScan;

/// How many problems a description names.
const NAMED: usize = 3;

/// What the description of a scan's status says, as ECR begins it.
#[must_use]
pub fn ecr_description(scan: &ImageScan) -> String {
    let said = scan.description.as_deref();
    match (scan.status, said) {
        (ScanStatus::InProgress, _) => "The scan was requested and has not ended.".to_owned(),
        (ScanStatus::Complete, None) => "The scan was completed successfully.".to_owned(),
        (ScanStatus::Complete, Some(said)) => {
            format!("The scan was completed successfully; {said}.")
        }
        (_, said) => said.unwrap_or_default().to_owned(),
    }
}

/// What there is to say of a scan: why it is not complete, then what its counts do not tell, of
/// attached documents too.
pub(super) fn describe(matched: &ScanResult, notes: &[String]) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(describe_problems(&matched.problems));
    if let (Some(end), Some(os)) = (&matched.end_of_life, &matched.os)
        && end.passed
    {
        parts.push(end.shown(os));
    }
    let is_apart = |of: &&Finding| of.suppressed_by.as_deref() == Some(KERNEL_HEADERS);
    let apart = matched.findings.iter().filter(is_apart).count();
    if apart > 0 {
        parts.push(format!(
            "{apart} findings do not count: they are in packages of kernel headers"
        ));
    }
    parts.extend(notes.iter().take(NAMED).cloned());
    if notes.len() > NAMED {
        parts.push(format!("and {} more notes", notes.len() - NAMED));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn describe_problems(problems: &[Problem]) -> Option<String> {
    let mut text = String::new();
    for (i, problem) in problems.iter().take(NAMED).enumerate() {
        text += if i == 0 { "" } else { "; " };
        text += &problem.message;
        if let Some(path) = &problem.path {
            text += &format!(" ('{}')", path.escape_debug());
        }
    }
    if problems.len() > NAMED {
        text += &format!("; and {} more", problems.len() - NAMED);
    }
    let cut = text.chars().take(1000).collect();
    (!problems.is_empty()).then_some(cut)
}
