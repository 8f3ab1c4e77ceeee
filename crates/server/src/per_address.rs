//! Bounds that hold for the clients of each address by themselves, so that no address can take all
//! of what is bounded for everybody together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

/// How many addresses are remembered before those that use nothing are first forgotten.
const FORGET_FROM: usize = 256;

/// The same bound for each address.
pub(crate) struct PerAddress {
    limit: usize,
    used: Mutex<Used>,
}

/// The addresses that use something; what none holds any more is forgotten in time.
struct Used {
    semaphores: HashMap<IpAddr, Weak<Semaphore>>,
    forget_from: usize,
}

impl PerAddress {
    /// A bound of `limit` for each address.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: Mutex::new(Used {
                semaphores: HashMap::new(),
                forget_from: FORGET_FROM,
            }),
        }
    }

    /// What the clients at `address` share.
    pub(crate) fn of(&self, address: IpAddr) -> Arc<Semaphore> {
        let address = subscriber(address);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = used.semaphores.get(&address).and_then(Weak::upgrade) {
            return known;
        }
        if used.semaphores.len() >= used.forget_from {
            used.semaphores.retain(|_, held| held.strong_count() > 0);
            used.forget_from = FORGET_FROM.max(2 * used.semaphores.len());
        }
        let new = Arc::new(Semaphore::new(self.limit));
        used.semaphores.insert(address, Arc::downgrade(&new));
        new
    }
}

/// The address of a subscriber; of IPv6 the network of 64 bits, which is what one has.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_bound_as_long_as_it_uses_something() {
        let bound = PerAddress::new(1);
        let of = |text: &str| bound.of(text.parse().unwrap());
        let held = of("192.0.2.1").try_acquire_owned().unwrap();
        assert!(of("192.0.2.1").try_acquire_owned().is_err());
        assert!(of("192.0.2.2").try_acquire_owned().is_ok());
        drop(held);
        assert!(of("192.0.2.1").try_acquire_owned().is_ok());
        let network = of("2001:db8::1").try_acquire_owned().unwrap();
        assert!(of("2001:db8::ffff:2").try_acquire_owned().is_err());
        assert!(of("2001:db8:0:1::1").try_acquire_owned().is_ok());
        drop(network);
    }

    #[test]
    fn addresses_that_use_nothing_are_forgotten() {
        let bound = PerAddress::new(1);
        for n in 0..100_000_u32 {
            drop(bound.of(IpAddr::V4(n.into())));
        }
        assert!(bound.used.lock().unwrap().semaphores.len() <= FORGET_FROM);
    }
}
