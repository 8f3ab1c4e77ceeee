//! Who may do what: AWS IAM policies and a request in, a decision with its reasons out.
//!
//! Pure: no clock, no I/O, no randomness, no environment. The caller gathers the policies that
//! apply and the complete context of the request; nothing is derived here.
//!
//! # How a decision comes about
//!
//! [`evaluate`] follows these steps; the first that answers ends it. [`mod@reference`] follows them in
//! the plainest way, and both must always agree.
//!
//! 1. What every signed caller may always do, and what a kind of credential can never do
//!    ([`HardLimit`]).
//! 2. A Deny statement that applies, in any layer: explicit deny.
//! 3. Service control policies: each level of the caller's organization must allow.
//! 4. Callers without an account (services, web identities): the resource's policies alone decide.
//!    Anonymous callers get nothing.
//! 5. Same account: either the resource's policies name the caller ([`GrantLevel`]), or the
//!    identity side allows (identity policies, within boundary and session policies).
//! 6. Other account, or assuming a role: both sides must allow.
//!
//! A statement applies if its action, resource, principal and every condition match. Conditions
//! are three-valued: a key may be *unknown*, and then an Allow does not apply and a Deny does.
//! Anything not understood acts the same way, so a mistake never opens anything.
//!
//! [`validate`] is stricter than [`Policy::parse`]: it judges what may be *saved*.

mod action;
pub mod case;
mod change;
mod condition;
mod context_entry;
mod decide;
mod decision;
mod engine;
mod explain;
#[cfg(test)]
mod fixtures;
mod image_key;
pub mod jwt;
mod lint;
mod malformed;
mod pattern;
mod policies;
mod policy;
mod position;
mod principal;
pub mod reference;
mod request;
mod resource;
mod resource_type;
mod sentence;
pub mod sigv4;
mod simulate;
mod statement;
mod ternary;
mod validate;
mod variable;

pub use change::{Addition, Removal};
pub use context_entry::ContextKeyType;
pub use decision::{Blocked, Decision, HardLimit, Outcome};
pub use engine::{evaluate, evaluate_free};
pub use explain::{
    ConditionExplanation, Explanation, Got, Missed, PolicyExplanation, StatementExplanation,
    explain, explain_free,
};
pub use lint::{Warning, lint};
pub use malformed::MalformedPolicy;
pub use policies::{Level, Policies};
pub use policy::{Effect, NamedPolicy, Policy, PolicyKind, rewrite_principals};
pub use position::{Position, Span};
pub use principal::GrantLevel;
pub use request::{Context, ContextValue, Principal, Request};
pub use resource_type::{ResourceType, resource_type};
pub use sentence::sentence;
pub use simulate::{MatchedStatement, Simulation, context_keys, simulate};
pub use statement::{Layer, Side};
pub use validate::{document_size, validate, validate_any_size};
