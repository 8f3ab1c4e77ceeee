//! What an operation is: its input, IAM action, checks, example and behaviour in one `impl`.
//!
//! The trait has no defaults, so an operation that names no action or no checks does not compile:
//!
//! ```compile_fail,E0046
//! use bonded_registry::{Allowed, Caller, Checks, Registry, Result, target::Everything};
//! #[derive(serde::Deserialize)]
//! struct Ping {}
//! impl bonded_server::aws::Operation for Ping {
//!     const NAME: &'static str = "Ping";
//!     const EXAMPLE: &'static str = "{}";
//!     type Target = Everything;
//!     type Output = ();
//!     fn checks(&self, _: &Caller) -> Result<Checks<Everything>> { loop {} }
//!     async fn run(self, _: &Registry, _: Allowed<Everything>) -> Result<()> { Ok(()) }
//! }
//! ```
//!
//! ```compile_fail,E0046
//! use bonded_registry::{Action, Allowed, Registry, Result, target::Everything};
//! #[derive(serde::Deserialize)]
//! struct Ping {}
//! impl bonded_server::aws::Operation for Ping {
//!     const NAME: &'static str = "Ping";
//!     const ACTION: Action = Action::new("ecr:Ping");
//!     const EXAMPLE: &'static str = "{}";
//!     type Target = Everything;
//!     type Output = ();
//!     async fn run(self, _: &Registry, _: Allowed<Everything>) -> Result<()> { Ok(()) }
//! }
//! ```

use std::future::Future;
use std::pin::Pin;

use bonded_registry::target::Target;
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One operation of an AWS service.
pub trait Operation: DeserializeOwned + Send + 'static {
    /// Its name on the wire.
    const NAME: &'static str;
    /// The IAM action of its first check.
    const ACTION: Action;
    /// The smallest valid input, as JSON; for a Query operation its parameters as a tree.
    const EXAMPLE: &'static str;
    /// What it acts on.
    type Target: Target;
    /// Its answer.
    type Output: Serialize + Send;

    /// What must be allowed for this input.
    ///
    /// # Errors
    /// A member of the input is malformed.
    fn checks(&self, caller: &Caller) -> Result<Checks<Self::Target>>;

    /// Does it.
    fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Self::Target>,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// How a service writes inputs and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.1.
    Json,
    /// AWS Query: a form in, XML out.
    Query,
}

/// An operation as the table holds it.
pub struct Endpoint {
    /// Its name on the wire.
    pub name: &'static str,
    /// The IAM action of its first check; the service is the part before the colon.
    pub action: Action,
    /// The smallest valid input.
    pub example: &'static str,
    serve: Serve,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;
type Serve = for<'a> fn(&'a Registry, &'a Caller, Value) -> Answer<'a>;

impl Endpoint {
    /// The table's entry for `O`.
    #[must_use]
    pub const fn of<O: Operation>() -> Self {
        Self {
            name: O::NAME,
            action: O::ACTION,
            example: O::EXAMPLE,
            serve: serve::<O>,
        }
    }

    /// The service whose operation this is: `ecr`, `sts` or `iam`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        service(self.action)
    }

    /// Parses `input`, has it authorized, runs it, and returns the answer's text: a JSON document,
    /// or the XML element `NAMEResult`.
    ///
    /// # Errors
    /// Whatever the operation can answer; [`Error::InvalidParameter`] if the input has not its
    /// shape.
    pub async fn serve(
        &self,
        registry: &Registry,
        caller: &Caller,
        input: Value,
    ) -> Result<String> {
        (self.serve)(registry, caller, input).await
    }
}

fn service(action: Action) -> &'static str {
    action.as_str().split(':').next().unwrap_or_default()
}

/// The one path that every operation takes.
fn serve<'a, O: Operation>(registry: &'a Registry, caller: &'a Caller, input: Value) -> Answer<'a> {
    Box::pin(async move {
        let operation: O = serde_json::from_value(input).map_err(|e| misshapen::<O>(&e))?;
        let checks = operation.checks(caller)?;
        let allowed = registry.authorize(caller, checks).await?;
        let output = operation.run(registry, allowed).await?;
        match protocol(service(O::ACTION)) {
            Protocol::Json => Ok(serde_json::to_string(&output).map_err(|e| unwritable(&e))?),
            Protocol::Query => {
                let root = format!("{}Result", O::NAME);
                let text = quick_xml::se::to_string_with_root(&root, &output)
                    .map_err(|e| unwritable(&e))?;
                // An operation whose answer is an empty type has no result element either.
                Ok(if size_of::<O::Output>() == 0 {
                    String::new()
                } else {
                    text
                })
            }
        }
    })
}

/// The protocol of a service.
#[must_use]
pub(crate) fn protocol(service: &str) -> Protocol {
    if service == "ecr" {
        Protocol::Json
    } else {
        Protocol::Query
    }
}

/// The input has not the operation's shape. Our own types say it in AWS's words already.
pub(super) fn misshapen<O: Operation>(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let text = match text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'))
    {
        Some(field) => format!(
            "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
        ),
        None => text,
    };
    match protocol(service(O::ACTION)) {
        Protocol::Json => Error::InvalidParameter(text),
        Protocol::Query => Error::Validation(text),
    }
}

fn unwritable(error: &dyn std::fmt::Display) -> Error {
    Error::Unwritable(error.to_string())
}
