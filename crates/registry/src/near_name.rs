//! The repository that a misspelt name may have meant.

use bonded_model::{RepositoryArn, RepositoryName};

use crate::Registry;
use crate::access::Action;
use crate::caller::Caller;
use crate::error::Result;

/// Whoever may learn of a name must be allowed to list it.
const LIST: Action = Action::new("ecr:DescribeRepositories");

/// How many names are looked at: all of a small registry, else those that begin like the name.
const LOOKED_AT: u32 = 500;

/// How many characters a misspelt name may differ in; two that changed places are two.
const MISTAKES: usize = 2;

/// How many names are judged, the likest first.
const JUDGED: usize = 3;

impl Registry {
    /// The name most like that of `missing`, which is not there, among those of its registry that
    /// `caller` may list. In a registry of more than 500 names, among those that begin with the
    /// same path, or without a path with the same letter.
    ///
    /// # Errors
    /// As every read.
    pub async fn near_name(
        &self,
        caller: &Caller,
        missing: &RepositoryArn,
    ) -> Result<Option<RepositoryName>> {
        let mut names = self.names_after(missing, "").await?;
        if names.len() > LOOKED_AT as usize {
            let name = missing.name.as_str();
            let path = name.rfind('/').map_or(1, |at| at + 1);
            names = self
                .names_after(missing, name.get(..path).unwrap_or_default())
                .await?;
        }
        let mut near: Vec<(usize, RepositoryName)> = names
            .into_iter()
            .filter_map(|name| {
                let mistakes = mistakes(missing.name.as_str(), name.as_str())?;
                Some((mistakes, name))
            })
            .collect();
        near.sort();
        for (_, name) in near.into_iter().take(JUDGED) {
            let arn = RepositoryArn {
                name: name.clone(),
                ..missing.clone()
            };
            if self.permits(caller, LIST, arn).await? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    async fn names_after(&self, of: &RepositoryArn, after: &str) -> Result<Vec<RepositoryName>> {
        let store = self.store();
        Ok(store
            .list_repository_names(&of.account, &of.region, after, LOOKED_AT + 1)
            .await?)
    }
}

/// How many characters to insert, delete or replace to make `b` of `a`, if it is no more than
/// [`MISTAKES`] and less than a third of what was written. Both are ASCII.
fn mistakes(a: &str, b: &str) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let most = MISTAKES.min(a.len() / 3);
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut least = left;
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *above;
            left = replaced.min(left + 1).min(*above + 1);
            *above = left;
            least = least.min(left);
        }
        // It can only grow from row to row.
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|mistakes| *mistakes <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_mistakes_are_near() {
        let cases = [
            ("ml/frud", "ml/fraud", Some(1)),
            ("ml/fruad", "ml/fraud", Some(2)),
            ("ml/fraudd", "ml/fraud", Some(1)),
            ("ml/freud", "ml/fraud", Some(1)),
            ("ml/fraud", "ml/fraud", Some(0)),
            ("xml/fraud", "ml/fraud", Some(1)),
            ("ml/abcde", "ml/fraud", None),
            ("ml/fraud-detection", "ml/fraud", None),
            ("app", "api", Some(1)),
            ("app", "web", None),
            ("ab", "ac", None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(mistakes(a, b), expected, "{a} {b}");
        }
    }
}
