//! What is particular about Alpine's lists.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::import::KeptAffected;
use crate::{Ecosystem, VersionOrder};

/// Alpine's lists name a vulnerability again when a later version repairs it by other means, which
/// comes out as a second entry for the package. It was repaired by the first.
pub(super) fn repaired_first(affected: &mut Vec<KeptAffected>) {
    let mut first: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut dropped = BTreeSet::new();
    for (index, later) in affected.iter().enumerate() {
        let order = later.ecosystem.parse().map(Ecosystem::version_order);
        let (Ok(order @ VersionOrder::Apk), Some(fixed)) = (order, repaired(later)) else {
            continue;
        };
        let key = (later.ecosystem.clone(), later.name.clone());
        let Some(known) = first.insert(key, index) else {
            continue;
        };
        let earlier = affected.get(known).and_then(repaired);
        let is_earlier = |earlier| order.compare(earlier, fixed).is_ok_and(Ordering::is_le);
        if earlier.is_some_and(is_earlier) {
            first.insert((later.ecosystem.clone(), later.name.clone()), known);
            dropped.insert(index);
        } else {
            dropped.insert(known);
        }
    }
    let mut index = 0;
    affected.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
}

/// The version that repairs a package, if all that is said is that those before it are affected.
fn repaired(affected: &KeptAffected) -> Option<&str> {
    match affected.ranges.as_slice() {
        [range] if range.introduced.is_empty() && affected.versions.is_empty() => range.fixed(),
        _ => None,
    }
}
