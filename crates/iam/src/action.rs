//! `Action` and `NotAction`.

use serde_json::Value;

use crate::pattern::{Match, Pattern, Syntax};
use crate::request::{Context, Request};
use crate::ternary::Ternary;

const SYNTAX: Syntax = Syntax {
    wildcards: true,
    variables: false,
};

/// One value of `Action` or `NotAction`. Matched ignoring case.
#[derive(Debug, Clone)]
pub(crate) enum ActionPattern {
    /// `*`
    Everything,
    /// `service:Name*`, the service without wildcards.
    Named {
        /// The service as written.
        service: String,
        /// The pattern of the name.
        name: Pattern,
        /// All of it.
        whole: Pattern,
    },
    /// Not `service:Name`. Still compared as a whole in a Deny, if it is a text with a colon.
    NotUnderstood(Option<Pattern>),
}

impl ActionPattern {
    pub(crate) fn from_value(value: &Value) -> Self {
        let Some(text) = value.as_str() else {
            return Self::NotUnderstood(None);
        };
        if text == "*" {
            return Self::Everything;
        }
        let Some((service, name)) = text.split_once(':') else {
            return Self::NotUnderstood(None);
        };
        let valid = !service.is_empty() && !service.contains(['*', '?']) && !name.is_empty();
        match (Pattern::parse(name, SYNTAX), Pattern::parse(text, SYNTAX)) {
            (Some(name), Some(whole)) if valid => Self::Named {
                service: service.to_owned(),
                name,
                whole,
            },
            (_, whole) => Self::NotUnderstood(whole),
        }
    }

    /// Whether the request's action matches; `None` if the pattern is not understood.
    pub(crate) fn matches(&self, request: &Request) -> Option<bool> {
        match self {
            Self::Everything => Some(true),
            Self::Named { service, name, .. } => {
                let Some((_, action)) = request.action.split_once(':') else {
                    return Some(false);
                };
                Some(request.is_of_service(service) && matches(name, action))
            }
            Self::NotUnderstood(_) => None,
        }
    }

    /// Whether a Deny with a pattern that is not understood hits: as a whole text, or always.
    pub(crate) fn denies(&self, request: &Request) -> bool {
        match self {
            Self::NotUnderstood(Some(whole)) => matches(whole, &request.action),
            _ => true,
        }
    }
}

fn matches(pattern: &Pattern, text: &str) -> bool {
    pattern.matches(text, &Context::default(), true) == Match::Known(Ternary::True)
}
