//! The pages of `docs/reference/` that follow from the code: settings, commands, operations, routes.
//!
//! A page that has fallen behind fails its test and is written anew: look at it and commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, Command};
use http::Method;

use crate::aws;
use crate::cli;
use crate::config;
use crate::oci::Route;

const SETTINGS: &str = "Settings";

/// Holds `docs/reference/NAME.md` to `text`.
fn assert_page(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(format!("{name}.md"));
    let kept = fs::read_to_string(&file).unwrap_or_default();
    if kept != text {
        fs::write(&file, text).unwrap();
        panic!("docs/reference/{name}.md had fallen behind; it is written anew, commit it");
    }
}

/// A cell of a table: one line, its bars escaped.
fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{}`", cell(text))
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    about.map(ToString::to_string).unwrap_or_default()
}

fn help(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    help.map(ToString::to_string).unwrap_or_default()
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_setting(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(SETTINGS)
}

#[test]
fn settings() {
    let mut page = "\
# Settings

A server reads its settings from a TOML file (`--config FILE`), then from the environment, then from its flags; the later \
wins. `bonded config check` reads them and says what is wrong, `bonded config show` prints what is in force. A setting with \
a dot is a key of a table: `log.level` is `level` under `[log]`. *Live* ones are taken up by a running server on SIGHUP.

<!-- Written by the test `reference::settings` of bonded-server. -->

| setting | flag | environment | value | default | live | meaning |
|---|---|---|---|---|---|---|
"
    .to_owned();
    for about in config::settings() {
        let live = if about.live { "yes" } else { "" };
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {live} | {} |",
            code(about.key),
            code(&format!("--{}", about.flag())),
            code(&about.variable()),
            code(about.value),
            cell(about.default_text().unwrap_or_default()),
            cell(about.doc),
        )
        .unwrap();
    }
    assert_page("settings", &page);
}

#[test]
fn commands() {
    let mut page = "\
# Commands

`bonded COMMAND --help` says the same. Commands that talk to a server take its address and the caller's credentials from \
where AWS's tools take them; those of the host's operator ask the server through a socket in its data directory.

A command ends with 0 if it succeeded, 1 if it failed, 2 if it cannot be done as it was asked for, 3 if it was denied, 4 if \
what it is about does not exist, 5 if a gate is closed, 6 if what was asked is not known (yet).

<!-- Written by the test `reference::commands` of bonded-server. -->
"
    .to_owned();
    let mut command = cli::command();
    command.build();
    for command in command.get_subcommands() {
        describe(command, "bonded", &mut page);
    }
    assert_page("commands", &page);
}

/// A section about a command, and one for each below it.
fn describe(command: &Command, parent: &str, page: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let commands: Vec<&Command> = command.get_subcommands().collect();
    write!(page, "\n## {name}\n\n{}\n", about(command)).unwrap();
    if commands.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        write!(page, "\n```text\n{usage}\n```\n").unwrap();
    }
    let own = |arg: &&Arg| !is_setting(arg) && !arg.is_hide_set() && arg.get_id() != "help";
    let rows: Vec<String> = command.get_arguments().filter(own).map(argument).collect();
    if !rows.is_empty() {
        write!(
            page,
            "\n| argument | meaning |\n|---|---|\n{}\n",
            rows.join("\n")
        )
        .unwrap();
    }
    if command.get_arguments().any(is_setting) {
        page.push_str("\nIt takes the [settings](settings.md), too.\n");
    }
    for command in commands {
        describe(command, &name, page);
    }
}

fn argument(arg: &Arg) -> String {
    let value = value_name(arg);
    let takes_value = arg.get_action().takes_values();
    let shown = match (arg.get_short(), arg.get_long()) {
        (_, None) => value,
        (None, Some(long)) if takes_value => format!("--{long} {value}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), Some(long)) if takes_value => format!("-{short}, --{long} {value}"),
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
    };
    let mut text = cell(&help(arg));
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|value| code(value.get_name()))
        .collect();
    if takes_value && !values.is_empty() {
        write!(text, "; one of {}", values.join(", ")).unwrap();
    }
    if let Some(variable) = arg.get_env() {
        write!(
            text,
            "; {} in the environment",
            code(&variable.to_string_lossy())
        )
        .unwrap();
    }
    format!("| {} | {text} |", code(&shown))
}

#[test]
fn operations() {
    let mut page = "\
# Operations

What `POST /` serves: Amazon ECR in AWS JSON 1.1, IAM and STS in AWS Query. Each is decided by its IAM action on what the \
input names; some ask for more, such as `iam:PassRole`. An operation of AWS that is not here is refused with 400 by name.

<!-- Written by the test `reference::operations` of bonded-server. -->
"
    .to_owned();
    for (service, title) in [
        ("ecr", "Amazon ECR"),
        ("sts", "STS"),
        ("iam", "IAM"),
        ("bonded", "Bonded's own, `Version=2026-11-27`"),
    ] {
        write!(page, "\n## {title}\n\n").unwrap();
        page.push_str("| operation | action | smallest input |\n|---|---|---|\n");
        let mut operations: Vec<_> = aws::operations()
            .filter(|endpoint| endpoint.service() == service)
            .collect();
        operations.sort_by_key(|endpoint| endpoint.name);
        for endpoint in operations {
            let (name, action) = (code(endpoint.name), code(endpoint.action.as_str()));
            writeln!(page, "| {name} | {action} | {} |", code(endpoint.example)).unwrap();
        }
    }
    assert_page("operations", &page);
}

#[test]
fn routes() {
    let mut page = "\
# Routes

What `/v2/` serves, of the OCI distribution specification 1.1, and the IAM action that decides on the repository. The name \
is that of the metric's label `route`. A push with a tag, a mount and the keys of an image ask for more: see \
[condition keys](condition-keys.md).

<!-- Written by the test `reference::routes` of bonded-server. -->

| request | name | action |
|---|---|---|
"
    .to_owned();
    for path in [
        "/v2/",
        "/v2/NAME/tags/list",
        "/v2/NAME/manifests/REFERENCE",
        "/v2/NAME/referrers/DIGEST",
        "/v2/NAME/blobs/DIGEST",
        "/v2/NAME/blobs/uploads/",
        "/v2/NAME/blobs/uploads/ID",
    ] {
        for method in [
            Method::HEAD,
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ] {
            let Ok(route) = Route::parse(&method, path) else {
                continue;
            };
            let action = route.action();
            let action = action.as_ref().map_or("", |action| action.as_str());
            let request = code(&format!("{method} {path}"));
            writeln!(page, "| {request} | {} | {} |", route.name(), code(action)).unwrap();
        }
    }
    page.push_str(
        "
Beside it: `POST /` ([operations](operations.md); `GetCallerIdentity` may be a presigned `GET /?…`), `GET /health`, \
`GET /metrics` (for the networks of `metrics_from`), and the URLs that `GetDownloadUrlForLayer` gives.
",
    );
    assert_page("routes", &page);
}

#[test]
fn request_keys() {
    let mut page = "\
# Condition keys of requests

The keys of AWS that a policy can read, and when a request has them. A key that a request does not have is absent, as IAM \
documents it. Keys of images and of what their scans found are in [condition keys](condition-keys.md). The trust policy of \
a role for web identities reads `ISSUER:CLAIM` for every claim of the token that is text, a number, a truth value or a list \
of them (`gitlab.example.org:project_path`); `ISSUER:sub` and `ISSUER:aud` stay in all requests of its sessions.

<!-- Written by the test `reference::request_keys` of bonded-server. -->

| key | requests that have it | value |
|---|---|---|
"
    .to_owned();
    for key in bonded_registry::REQUEST_KEYS {
        let many = if key.many { "several: " } else { "" };
        let (name, present) = (code(key.name), cell(key.present));
        writeln!(page, "| {name} | {present} | {many}{} |", cell(key.meaning)).unwrap();
    }
    assert_page("request-keys", &page);
}
