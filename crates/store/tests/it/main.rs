//! One suite for the store, run on SQLite and, where `BONDED_TEST_POSTGRES` says so, on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking, in their helping functions too"
)]

mod account;
mod advisory_update;
mod attached_document;
mod audit;
mod bucket;
mod caller_policies;
mod collect;
mod collect_random;
mod credential;
mod image;
mod image_delete;
mod image_facts;
mod image_generated;
mod image_list;
mod image_referrers;
mod image_scan;
mod job;
mod keyring;
mod layer;
mod layer_part;
mod layer_read;
mod managed_policy;
mod oidc_provider;
mod open;
mod principal;
mod repository;
mod secrecy;
mod service_token;
mod site;
mod sql;
mod upload;
