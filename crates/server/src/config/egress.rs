//! The table `egress`: what the server fetches from other machines.

use std::path::PathBuf;

use super::process::canonical;
use super::setting::{About, Setting, Value, each, path, texts};
use crate::egress::Reachable;

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 2] = [&ALLOW.about, &AUTHORITIES.about];

pub(super) static ALLOW: Setting<Vec<Reachable>> = Setting {
    about: About::list("egress.allow", "NET|HOST,…").unset("none").doc(
        "From where the server may fetch beyond the public internet, such as the keys of an \
             identity provider: networks, host names, and with 'http://' origins that have no TLS",
    ),
    read: |value| each(value, reachable),
    show: |allow| texts(allow),
};

pub(super) static AUTHORITIES: Setting<Option<PathBuf>> = Setting {
    about: About::path("egress.authorities", "FILE").doc(
        "A PEM file of authorities that the server trusts when it fetches, beside the system's",
    ),
    read: |value| path(value).map(canonical).transpose(),
    show: |file| file.clone().map(Value::Path),
};

/// What may be fetched beyond the public internet.
fn reachable(text: &str) -> Result<Reachable, String> {
    Reachable::parse(text).ok_or_else(|| {
        let text = text.escape_debug();
        format!(
            "'{text}' is neither a network ('10.0.0.0/8'), nor a host name ('gitlab.example.org'), nor an origin without TLS ('http://mirror.example.org:8080')"
        )
    })
}
