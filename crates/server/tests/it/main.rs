//! One binary of integration tests: the registry behind the AWS operations, in this process, and
//! the rules the workspace keeps.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop the test that uses them"
)]
#![expect(clippy::disallowed_methods, reason = "tests ask cargo where it is")]

mod app;
mod architecture;
mod denials;
mod fuzz;
mod operations;
mod tickets;
mod tokens;
