//! What repairs a vulnerability, for people.

use serde::{Deserialize, Serialize};

use super::Finding;

/// A repaired version that is had with a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionFix {
    /// `Ubuntu Pro`, `SUSE LTSS` or `Red Hat ELS`.
    pub subscription: String,
    /// The version.
    pub version: String,
}

impl Finding {
    /// What repairs it, for people: `1.2-3`, or `1.2-3+esm1 with Ubuntu Pro`; `None` if nothing does
    /// that is known.
    #[must_use]
    pub fn repaired_by(&self) -> Option<String> {
        let with = self.fixed_with.as_ref();
        let with = with.map(|fix| format!("{} with {}", fix.version, fix.subscription));
        self.fixed.clone().or(with)
    }

    /// What is to be done about it, as a sentence.
    #[must_use]
    pub fn remedy(&self) -> String {
        match (&self.fixed, &self.fixed_with) {
            (Some(fixed), _) => format!("Update '{}' to '{fixed}'.", self.package),
            (
                None,
                Some(SubscriptionFix {
                    subscription,
                    version,
                }),
            ) => {
                let package = &self.package;
                format!("Update '{package}' to '{version}', which {subscription} has.")
            }
            (None, None) => "No version without it is known.".to_owned(),
        }
    }
}
