//! The `bonded` binary: front doors, configuration, command line.
//!
//! `door` takes each request from `listen` to the door it is for: [`oci`] (`/v2/`), [`aws`]
//! (`POST /`), or `layers`, the URLs that the latter gives out. They authenticate by `authn`, parse
//! to types, have the registry authorize, and give the use case's answer or error its wire form. No
//! HTTP type goes beyond this crate. What the server fetches itself, it fetches by [`egress`].

mod administrator;
mod authn;
pub mod aws;
pub mod challenge;
mod cli;
mod client;
mod config;
mod door;
pub mod egress;
mod failed_attempts;
mod files;
pub mod forwarded;
mod layer_content;
mod layers;
mod listen;
mod metrics;
pub mod oci;
mod operator;
mod per_address;
mod proxy;
pub mod range;
mod reach;
#[cfg(test)]
mod reference;
mod tls;

pub use cli::run;
