//! Control of the network apart from policies: names of networks, and from where accounts are
//! reached.

use std::fmt;
use std::net::IpAddr;

use bonded_model::AccountId;
use bonded_registry::Reach;
use ipnet::IpNet;

/// The name of a network: 1 to 128 letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkName(String);

impl NetworkName {
    /// The name in `text`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if (1..=128).contains(&text.len()) && text.bytes().all(letter) {
            return Ok(Self(text.to_owned()));
        }
        let text = text.escape_debug();
        Err(format!(
            "'{text}' is not the name of a network: 1 to 128 letters, digits, '-', '_' and '.', such as 'office'"
        ))
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A way into the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `/v2`.
    V2,
    /// ECR, IAM and STS, and the URLs of layers that ECR gives.
    Aws,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Aws => "aws",
        }
    }
}

/// What a rule is about: an account or all that no other rule names, by one way or by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountDoor {
    account: Option<AccountId>,
    way: Option<Way>,
}

impl AccountDoor {
    /// What `ACCOUNT`, `ACCOUNT/v2`, `*` or `*/aws` means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let text = text.escape_debug();
            format!(
                "'{text}' is not an account of 12 digits or '*', with '/v2' or '/aws' or without, such as '111122223333/v2'"
            )
        };
        let (account, way) = match text.split_once('/') {
            None => (text, None),
            Some((account, "v2")) => (account, Some(Way::V2)),
            Some((account, "aws")) => (account, Some(Way::Aws)),
            Some(_) => return Err(wrong()),
        };
        let account = match account {
            "*" => None,
            account => Some(account.parse().map_err(|_| wrong())?),
        };
        Ok(Self { account, way })
    }
}

impl fmt::Display for AccountDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.account.as_ref().map_or("*", AccountId::as_str))?;
        self.way
            .map_or(Ok(()), |way| write!(f, "/{}", way.as_str()))
    }
}

/// The name of the smallest of `networks` that `client` is in.
pub(crate) fn network_of(networks: &[(NetworkName, Vec<IpNet>)], client: IpAddr) -> Option<String> {
    let nets = networks
        .iter()
        .flat_map(|(name, nets)| nets.iter().map(move |net| (name, net)));
    let around = nets.filter(|(_, net)| net.contains(&client));
    // Of equal ones the first by name, whatever order they were written in.
    let smallest = around.min_by_key(|(name, net)| (u8::MAX - net.prefix_len(), &name.0));
    smallest.map(|(name, _)| name.0.clone())
}

/// Which accounts `client` reaches by `way`. The rule that says most decides: one that names the
/// account before one for all, and of these one that names the way before one for both.
pub(crate) fn reach(rules: &[(AccountDoor, Vec<IpNet>)], way: Way, client: IpAddr) -> Reach {
    let reached = |account: Option<&AccountId>| {
        let of = |named: Option<Way>| {
            let mut found = rules.iter();
            let rule =
                found.find(|(rule, _)| rule.account.as_ref() == account && rule.way == named);
            rule.map(|(_, nets)| nets.iter().any(|net| net.contains(&client)))
        };
        of(Some(way)).or_else(|| of(None))
    };
    let named = rules.iter().filter_map(|(rule, _)| rule.account.as_ref());
    let named = named.filter_map(|account| Some((account.clone(), reached(Some(account))?)));
    Reach::new(reached(None).unwrap_or(true), named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_smallest_network_around_a_client_gives_its_name() {
        let named = |name: &str, texts: &[&str]| (NetworkName::parse(name).unwrap(), nets(texts));
        let networks = [
            named("site", &["10.0.0.0/8", "fd00::/8"]),
            named("lab", &["10.1.0.0/16", "192.0.2.0/24"]),
            named("bench", &["10.1.0.0/16"]),
        ];
        for (client, name) in [
            ("10.2.0.1", Some("site")),
            ("10.1.0.1", Some("bench")),
            ("192.0.2.1", Some("lab")),
            ("fd00::1", Some("site")),
            ("198.51.100.1", None),
        ] {
            let found = network_of(&networks, address(client));
            assert_eq!(found.as_deref(), name, "{client}");
        }
    }

    #[test]
    fn the_rule_that_says_most_decides() {
        let rule = |text: &str, texts: &[&str]| (AccountDoor::parse(text).unwrap(), nets(texts));
        let rules = [
            rule("*", &["10.0.0.0/8"]),
            rule("*/v2", &["10.0.0.0/8", "192.0.2.0/24"]),
            rule("111122223333", &["192.0.2.1/32"]),
            rule("222222222222/aws", &[]),
        ];
        let one: AccountId = "111122223333".parse().unwrap();
        let two: AccountId = "222222222222".parse().unwrap();
        let three: AccountId = "333333333333".parse().unwrap();
        for (way, client, want) in [
            (Way::V2, "10.0.0.1", [false, true, true]),
            (Way::Aws, "10.0.0.1", [false, false, true]),
            (Way::V2, "192.0.2.1", [true, true, true]),
            (Way::Aws, "192.0.2.1", [true, false, false]),
            (Way::V2, "198.51.100.1", [false, false, false]),
        ] {
            let reach = reach(&rules, way, address(client));
            let found = [&one, &two, &three].map(|account| reach.includes(account));
            assert_eq!(found, want, "{way:?} {client}");
        }
        let everything = reach(&[], Way::Aws, address("198.51.100.1"));
        assert!(everything.includes(&one));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", "12", "111122223333/", "111122223333/ui", "*/*", "/v2"] {
            assert!(AccountDoor::parse(text).is_err(), "{text}");
        }
        for text in ["*", "*/aws", "111122223333", "111122223333/v2"] {
            assert_eq!(AccountDoor::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a b", "ü", "a/b"] {
            assert!(NetworkName::parse(text).is_err(), "{text}");
        }
    }
}
