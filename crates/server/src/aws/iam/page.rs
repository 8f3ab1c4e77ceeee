//! Pages of IAM's lists: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_registry::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::aws::query::number;

/// IAM's default page.
const PAGE: u32 = 100;

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

impl PageRequest {
    /// Where the page begins and how long it may be: behind the item that the marker of `list`
    /// names.
    ///
    /// # Errors
    /// The marker is not one of `list`, or the length is out of range.
    pub(super) fn read(&self, list: &str) -> Result<(Option<String>, u32)> {
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
            after
                .map(str::to_owned)
                .ok_or_else(|| Error::Validation("Invalid Marker.".to_owned()))
        };
        Ok((self.marker.as_ref().map(read).transpose()?, limit))
    }

    /// Cuts `items`, read with one more than the page may have, to the page; `position` says where
    /// the next one begins.
    ///
    /// # Errors
    /// As [`PageRequest::read`].
    pub(super) fn cut<T>(
        &self,
        list: &str,
        items: &mut Vec<T>,
        position: impl Fn(&T) -> String,
    ) -> Result<PageEnd> {
        let (_, limit) = self.read(list)?;
        let is_truncated = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| is_truncated);
        Ok(PageEnd::after(list, last.map(position)))
    }

    /// The page of a list that is read as a whole, because it is short, and is in the order of
    /// `position`.
    ///
    /// # Errors
    /// As [`PageRequest::read`].
    pub(super) fn of_whole<T>(
        &self,
        list: &str,
        items: &mut Vec<T>,
        position: impl Fn(&T) -> String,
    ) -> Result<PageEnd> {
        let (after, _) = self.read(list)?;
        if let Some(after) = after {
            let seen = items.iter().position(|item| position(item) == after);
            items.drain(..seen.map_or(items.len(), |index| index + 1));
        }
        self.cut(list, items, position)
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
        let mut items = vec!["a", "b", "c"];
        let end = page(None)
            .of_whole("x", &mut items, |i| (*i).to_owned())
            .unwrap();
        assert_eq!((items, end.is_truncated), (vec!["a", "b"], true));
        assert!(page(end.marker.clone()).read("y").is_err());
        let mut items = vec!["a", "b", "c"];
        let end = page(end.marker)
            .of_whole("x", &mut items, |i| (*i).to_owned())
            .unwrap();
        assert_eq!((items, end.is_truncated), (vec!["c"], false));
        assert!(page(Some("?".to_owned())).read("x").is_err());
        let none = PageRequest {
            marker: None,
            max_items: Some(0),
        };
        assert!(none.read("x").is_err());
    }
}
