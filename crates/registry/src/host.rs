//! Under which host name clients reach a registry.
//!
//! ECR's form is `ACCOUNT.dkr.ecr.REGION.DOMAIN`. Without a configured domain the default account
//! is reached by the name the client used, and every other account by that form under it.

use bonded_model::{AccountId, Region};

use crate::Registry;
use crate::caller::Caller;

impl Registry {
    /// Host name and port of the registry of `account` in `region`, for a client that reached us
    /// as `caller` did.
    #[must_use]
    pub fn authority(&self, account: &AccountId, region: &Region, caller: &Caller) -> String {
        let used = &caller.facts().authority;
        let (host, port) = split_port(used);
        match &self.0.domain {
            Some(domain) => format!("{account}.dkr.ecr.{region}.{domain}{port}"),
            None if account == self.default_account() && Some(region) == self.regions().first() => {
                used.clone()
            }
            None => {
                let domain = host.split_once(".dkr.ecr.").map_or(host, |(_, rest)| {
                    rest.split_once('.').map_or(host, |(_, domain)| domain)
                });
                format!("{account}.dkr.ecr.{region}.{domain}{port}")
            }
        }
    }

    /// The registry a caller logs in to that names none: its own where registries have host names,
    /// else the one it has reached.
    #[must_use]
    pub fn home<'a>(&'a self, caller: &'a Caller) -> &'a AccountId {
        if self.0.domain.is_some() {
            caller.account()
        } else {
            self.default_account()
        }
    }

    /// The registry a host name addresses: the account and region in a name of ECR's form, else
    /// the default registry. `None` for a name of ECR's form whose region is not served.
    #[must_use]
    pub fn addressed_by(&self, authority: &str) -> Option<(AccountId, Region)> {
        let (host, _) = split_port(authority);
        match parse(host) {
            Some((account, region)) => self.serves(region.as_str()).then_some((account, region)),
            None => Some((
                self.default_account().clone(),
                self.regions().first()?.clone(),
            )),
        }
    }

    /// The registry that a host name of ECR's form names, with or without a port.
    #[must_use]
    pub fn named_by(authority: &str) -> Option<(AccountId, Region)> {
        parse(split_port(authority).0)
    }

    /// Whether a host name, without a port, is of ECR's form and so names its registry itself.
    #[must_use]
    pub fn has_registry_form(host: &str) -> bool {
        parse(host).is_some()
    }
}

/// Account and region of `ACCOUNT.dkr.ecr.REGION.DOMAIN`, and of ECR's FIPS and dual-stack forms
/// `dkr.ecr-fips`, `dkr-ecr` and `dkr-ecr-fips`.
fn parse(host: &str) -> Option<(AccountId, Region)> {
    let (account, rest) = host.split_once('.')?;
    let forms = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."];
    let rest = forms.iter().find_map(|form| rest.strip_prefix(form))?;
    let (region, domain) = rest.split_once('.')?;
    if domain.is_empty() {
        return None;
    }
    Some((account.parse().ok()?, region.parse().ok()?))
}

/// A host name or address, and `:PORT` if it has one.
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => authority.split_at(at),
        _ => (authority, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, split_port};

    #[test]
    fn a_port_is_told_from_an_ipv6_address() {
        for (authority, host, port) in [
            ("localhost:5000", "localhost", ":5000"),
            ("localhost", "localhost", ""),
            ("[::1]:5000", "[::1]", ":5000"),
            ("[::1]", "[::1]", ""),
        ] {
            assert_eq!(split_port(authority), (host, port));
        }
    }

    #[test]
    fn names_of_ecrs_form_name_their_registry() {
        for (host, region) in [
            ("111122223333.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
            (
                "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com",
                "us-east-1",
            ),
            ("111122223333.dkr-ecr.on-prem.example", "on-prem"),
            ("111122223333.dkr.ecr.local.localhost", "local"),
        ] {
            let (account, parsed) = parse(host).unwrap();
            assert_eq!(
                (account.as_str(), parsed.as_str()),
                ("111122223333", region)
            );
        }
        for host in [
            "localhost",
            "1111.dkr.ecr.us-east-1.x",
            "111122223333.dkr.ecr.us-east-1",
            "x.dkr.ecr.a.b",
        ] {
            assert!(parse(host).is_none(), "{host}");
        }
    }
}
