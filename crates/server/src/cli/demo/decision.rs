//! A decision of the story, as it is expected and as it came out.

use super::person::Outcome;
use crate::cli::print::{self, clean};

/// A decision of the story.
pub(super) struct Decision {
    pub(super) number: u8,
    pub(super) who: &'static str,
    pub(super) what: String,
    pub(super) allowed: bool,
    /// What a denial must say.
    pub(super) because: &'static str,
}

impl Decision {
    /// Whether this is what came out.
    pub(super) fn is_met(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Allowed => self.allowed,
            Outcome::Denied(reason) => !self.allowed && reason.contains(self.because),
        }
    }

    /// Shows what came out.
    pub(super) fn show(&self, outcome: &Outcome) {
        let word = match outcome {
            Outcome::Allowed => "allowed",
            Outcome::Denied(_) => "denied ",
        };
        let Self {
            number, who, what, ..
        } = self;
        print::line(clean(&format!("  {number}. {word}  {who} {what}")));
        if let Outcome::Denied(reason) = outcome {
            print::line(clean(&format!("             {reason}")));
        }
        if !self.is_met(outcome) {
            print::line("             THIS IS NOT THE EXPECTED DECISION");
        }
    }
}
