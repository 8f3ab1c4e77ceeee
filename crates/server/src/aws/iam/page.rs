//! Pages of IAM's lists: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_registry::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::aws::query::number;

/// IAM's default page.
const PAGE: u32 = 100;

fn invalid_marker() -> Error {
    Error::Validation("Invalid Marker.".to_owned())
}

/// Which page a request asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PageRequest {
    marker: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_items: Option<u32>,
}

/// The end of a page in an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PageEnd {
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl PageEnd {
    /// The end of a page of `list`; `last` names its last item if there are more.
    pub(super) fn after(list: &str, last: Option<String>) -> Self {
        Self {
            is_truncated: last.is_some(),
            marker: last.map(|last| URL_SAFE_NO_PAD.encode(format!("{list}\n{last}"))),
        }
    }
}

/// A page of one list: behind which item it begins, and how many it shows at most.
#[derive(Debug)]
pub(super) struct Page {
    list: &'static str,
    after: Option<String>,
    limit: u32,
}

impl PageRequest {
    /// The page of `list` that the request asks for.
    ///
    /// # Errors
    /// The marker is not one of `list`, or the length is out of range.
    pub(super) fn read(&self, list: &'static str) -> Result<Page> {
        let limit = self.max_items.unwrap_or(PAGE);
        if !(1..=1000).contains(&limit) {
            return Err(Error::Validation(format!(
                "1 validation error detected: Value '{limit}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000"
            )));
        }
        let read = |marker: &String| {
            let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let after = text.as_deref().and_then(|text| {
                text.strip_prefix(list)
                    .and_then(|rest| rest.strip_prefix('\n'))
            });
            after.map(str::to_owned).ok_or_else(invalid_marker)
        };
        Ok(Page {
            list,
            after: self.marker.as_ref().map(read).transpose()?,
            limit,
        })
    }
}

impl Page {
    /// The position of the item behind which the page begins; `None` is the list's beginning.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// [`Page::after`], as `parse` reads it.
    ///
    /// # Errors
    /// `parse` cannot: the marker is not one of ours.
    pub(super) fn position<'a, T>(
        &'a self,
        parse: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Option<T>> {
        let read = |text| parse(text).ok_or_else(invalid_marker);
        self.after().map(read).transpose()
    }

    /// How many items it shows at most.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// How many items are read for it: the one more tells whether another page follows.
    pub(super) fn to_read(&self) -> u32 {
        self.limit + 1
    }

    /// Cuts `items`, of which [`Page::to_read`] were read, to the page; `position` says where the
    /// next one begins.
    pub(super) fn cut<T>(&self, items: &mut Vec<T>, position: impl Fn(&T) -> String) -> PageEnd {
        let is_truncated = items.len() > self.limit as usize;
        items.truncate(self.limit as usize);
        let last = items.last().filter(|_| is_truncated);
        PageEnd::after(self.list, last.map(position))
    }

    /// The page of a list that was read as a whole, because it is short, and is in the order of
    /// `position`.
    pub(super) fn cut_whole<T>(
        &self,
        items: &mut Vec<T>,
        position: impl Fn(&T) -> String,
    ) -> PageEnd {
        if let Some(after) = self.after() {
            let seen = items.iter().position(|item| position(item) == after);
            items.drain(..seen.map_or(items.len(), |index| index + 1));
        }
        self.cut(items, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_of_its_own_list() {
        let page = |marker: Option<String>| PageRequest {
            marker,
            max_items: Some(2),
        };
        let cut = |marker: Option<String>| {
            let mut items = vec!["a", "b", "c"];
            let of_x = page(marker).read("x").unwrap();
            let end = of_x.cut_whole(&mut items, |item| (*item).to_owned());
            (items, end)
        };
        let (items, end) = cut(None);
        assert_eq!((items, end.is_truncated), (vec!["a", "b"], true));
        assert!(page(end.marker.clone()).read("y").is_err());
        let (items, end) = cut(end.marker);
        assert_eq!((items, end.is_truncated), (vec!["c"], false));
        assert!(page(Some("?".to_owned())).read("x").is_err());
        let none = PageRequest {
            marker: None,
            max_items: Some(0),
        };
        assert!(none.read("x").is_err());
    }
}
