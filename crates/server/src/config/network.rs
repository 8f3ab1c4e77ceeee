//! Names and networks: under which names the server is known, and whom it believes and answers.

use ipnet::IpNet;

use super::setting::{About, Setting, each, each_of, optional, shown_lists, text, texts};
use crate::reach::{AccountDoor, NetworkName};

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 7] = [
    &DOMAIN.about,
    &HOSTS.about,
    &PLAIN_HTTP_FROM.about,
    &TRUSTED_PROXIES.about,
    &METRICS_FROM.about,
    &NETWORKS.about,
    &ACCOUNTS_FROM.about,
];

pub(super) static DOMAIN: Setting<Option<String>> = Setting {
    about: About::text("domain", "DOMAIN").doc(
        "The domain of names such as ACCOUNT.dkr.ecr.REGION.DOMAIN, which the server then shows",
    ),
    read: |value| optional(value, host),
    show: |domain| domain.as_ref().and_then(text),
};

pub(super) static HOSTS: Setting<Vec<String>> = Setting {
    about: About::list("hosts", "NAME,…")
        .unset("every name")
        .live()
        .doc(
            "The other host names that are ours; all others are refused. Needed when there are \
             several accounts",
        ),
    read: |value| each(value, host),
    show: |hosts| texts(hosts),
};

pub(super) static PLAIN_HTTP_FROM: Setting<Vec<IpNet>> = Setting {
    about: About::list("plain_http_from", "NET,…")
        .default("127.0.0.0/8,::1/128")
        .doc("The peers that may use plain HTTP, as networks"),
    read: |value| each(value, net),
    show: |nets| texts(nets),
};

pub(super) static TRUSTED_PROXIES: Setting<Vec<IpNet>> = Setting {
    about: About::list("trusted_proxies", "NET,…")
        .unset("none")
        .live()
        .doc("The proxies whose word on a client's address and scheme is taken, as networks"),
    read: |value| each(value, net),
    show: |nets| texts(nets),
};

pub(super) static METRICS_FROM: Setting<Vec<IpNet>> = Setting {
    about: About::list("metrics_from", "NET,…")
        .default("127.0.0.0/8,::1/128")
        .live()
        .doc("The clients that may read '/metrics', as networks"),
    read: |value| each(value, net),
    show: |nets| texts(nets),
};

pub(super) static NETWORKS: Setting<Vec<(NetworkName, Vec<IpNet>)>> = Setting {
    about: About::lists("networks", "NAME=NET,…;…")
        .unset("none")
        .live()
        .doc(
            "Names of networks, which policies know by the conditions 'aws:SourceVpce' and \
             'aws:SourceVpc'; of several that a client is in, the smallest counts",
        ),
    read: |value| each_of(value, NetworkName::parse, net),
    show: |networks| shown_lists(networks),
};

pub(super) static ACCOUNTS_FROM: Setting<Vec<(AccountDoor, Vec<IpNet>)>> = Setting {
    about: About::lists("accounts_from", "ACCOUNT[/DOOR]=NET,…;…")
        .unset("everywhere")
        .live()
        .doc(
            "From where accounts are reached, whatever their policies say: their registries and \
             their credentials. ACCOUNT is one, or '*' for those that are not named; DOOR is 'v2' \
             or 'aws' (ECR, IAM and STS), without it both",
        ),
    read: |value| each_of(value, AccountDoor::parse, net),
    show: |rules| shown_lists(rules),
};

/// A network, or one address.
fn net(text: &str) -> Result<IpNet, String> {
    let address = || {
        text.parse()
            .map(|address: std::net::IpAddr| address.to_canonical().into())
    };
    text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        let text = text.escape_debug();
        format!("'{text}' is not a network, such as '10.0.0.0/8' or '10.1.2.3'")
    })
}

/// `text` as a host name in lower case; `None` if it is none.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let label = |label: &str| {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(letter)
    };
    let is_one = text.len() <= 253 && text.split('.').all(label);
    is_one.then(|| text.to_ascii_lowercase())
}

/// A host name in lower case.
fn host(text: &str) -> Result<String, String> {
    host_name(text).ok_or_else(|| {
        let text = text.escape_debug();
        format!(
            "'{text}' is not a host name, such as 'registry.example.org'; leave out scheme and port"
        )
    })
}
