//! From where accounts are reached: what the operator allows of the network, apart from policies.

use std::net::IpAddr;

use bonded_model::AccountId;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::target::Resource;

/// Which accounts a request may be about, by where it came from and by which door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    others: bool,
    named: Vec<(AccountId, bool)>,
}

impl Default for Reach {
    /// Every account.
    fn default() -> Self {
        Self::new(true, Vec::new())
    }
}

impl Reach {
    /// The accounts in `named` as it says there, all others as `others` says.
    #[must_use]
    pub const fn new(others: bool, named: Vec<(AccountId, bool)>) -> Self {
        Self { others, named }
    }

    /// Whether a request may be about `account`, or come with a credential of it.
    #[must_use]
    pub fn includes(&self, account: &AccountId) -> bool {
        let mut named = self.named.iter();
        let found = named.find(|(named, _)| named == account);
        found.map_or(self.others, |(_, reached)| *reached)
    }

    /// The same as a result, for a request from `client`.
    ///
    /// # Errors
    /// [`Error::OutOfReach`].
    pub fn require(&self, account: &AccountId, client: IpAddr) -> Result<()> {
        if self.includes(account) {
            return Ok(());
        }
        Err(Error::OutOfReach {
            account: account.clone(),
            client,
        })
    }
}

impl Caller {
    /// Whether the caller's account and those of the resources may be reached from where it is.
    ///
    /// # Errors
    /// [`Error::OutOfReach`].
    pub(crate) fn require_reach(&self, resources: &[Resource]) -> Result<()> {
        let facts = self.facts();
        let accounts = resources.iter().map(|resource| &resource.account);
        [self.account()]
            .into_iter()
            .chain(accounts)
            .try_for_each(|account| facts.reach.require(account, facts.source_ip))
    }
}
