//! `Resource` and `NotResource`.
//!
//! ARNs are compared segment by segment. A pattern with fewer than six segments is understood only
//! if its last character is `*`, which then runs over the colons: `arn:aws:ecr:*`. Not documented
//! is whether another `*` of such a pattern runs over colons too, and whether case counts in
//! partition and region; so a pattern has two readings, and the one that denies is taken.

use serde_json::Value;

use crate::pattern::{Match, Pattern, Syntax, arn_segments, segments_match};
use crate::request::{Context, Request};
use crate::ternary::Ternary;

/// One value of `Resource` or `NotResource`.
#[derive(Debug, Clone)]
pub(crate) enum ResourcePattern {
    /// `*`
    Everything,
    /// An ARN.
    Arn {
        /// Three to six segments; fewer than six end with `*`.
        segments: Vec<Pattern>,
        /// All of it.
        whole: Pattern,
    },
    /// Anything else. Still compared as a whole in a Deny, if it has no misplaced variable.
    NotUnderstood(Option<Pattern>),
}

impl ResourcePattern {
    /// Reads a value. `variables`: the policy's version has variables.
    pub(crate) fn from_value(value: &Value, variables: bool) -> Self {
        let syntax = Syntax {
            wildcards: true,
            variables,
        };
        let Some(text) = value.as_str() else {
            return Self::NotUnderstood(None);
        };
        if text == "*" {
            return Self::Everything;
        }
        let Some(whole) = Pattern::parse(text, syntax) else {
            return Self::NotUnderstood(None);
        };
        let segments = whole.segments();
        let before_last = segments.split_last().map_or(&[][..], |(_, before)| before);
        let misplaced = segments.iter().take(5).any(Pattern::has_variables);
        if misplaced {
            return Self::NotUnderstood(None);
        }
        let literal_service = segments.get(2).is_some_and(|s| !s.has_wildcards());
        let complete = before_last.len() == 5 || whole.ends_with_any();
        let is_arn = segments
            .first()
            .is_some_and(|first| first.is_literally("arn"));
        if is_arn && literal_service && complete {
            Self::Arn { segments, whole }
        } else {
            Self::NotUnderstood(Some(whole))
        }
    }

    /// Whether the request's resource matches; `None` if the pattern is not understood. `widely`:
    /// by any reading, else by every one.
    pub(crate) fn matches(&self, request: &Request, widely: bool) -> Option<Match> {
        match self {
            Self::Everything => Some(Match::Known(Ternary::True)),
            Self::NotUnderstood(_) => None,
            // An action that has no resource is matched by "*" only.
            Self::Arn { .. } if request.resource == "*" => Some(Match::Known(Ternary::False)),
            Self::Arn { segments, whole } => {
                let arn = arn_segments(&request.resource)?;
                let context = &request.context;
                let matched = segments_match(segments, &arn, context, widely);
                let short = segments.len() < arn.len();
                Some(
                    if widely && short && matched != Match::Known(Ternary::True) {
                        whole.matches(&request.resource, context, false)
                    } else {
                        matched
                    },
                )
            }
        }
    }

    /// The patterns it is made of.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Everything | Self::NotUnderstood(None) => &[],
            Self::Arn { whole, .. } | Self::NotUnderstood(Some(whole)) => {
                std::slice::from_ref(whole)
            }
        }
    }

    /// Whether a Deny hits where [`Self::matches`] cannot say: as a whole text, or always.
    pub(crate) fn denies(&self, request: &Request) -> Ternary {
        match self {
            Self::NotUnderstood(Some(whole)) => glob(whole, &request.resource, &request.context),
            Self::NotUnderstood(None) | Self::Everything | Self::Arn { .. } => Ternary::True,
        }
    }
}

fn glob(pattern: &Pattern, text: &str, context: &Context) -> Ternary {
    pattern.matches(text, context, false).or_nothing()
}
