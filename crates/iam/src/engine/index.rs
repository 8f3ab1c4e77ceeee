//! Which rules can match a text, by the literal with which their patterns begin.

/// Literal prefixes, sorted, with the rules that have them. A text's candidates are the rules of
/// all its prefixes: the longest one is found by bisection, the others are its ancestors.
#[derive(Debug, Clone, Default)]
pub(super) struct PrefixIndex {
    nodes: Box<[Node]>,
    /// The rules of all nodes, one node after the other.
    rules: Box<[u32]>,
}

#[derive(Debug, Clone)]
struct Node {
    prefix: Box<str>,
    /// The longest other prefix that this one begins with.
    parent: Option<u32>,
    /// Its own rules, a range of [`PrefixIndex::rules`].
    start: u32,
    end: u32,
    /// How many rules it and its ancestors have.
    total: u32,
}

impl PrefixIndex {
    /// An index of rules `0..`, given the prefixes of each: the rule can match only texts that
    /// begin with one of them.
    pub(super) fn new(rules: &[Vec<String>]) -> Self {
        let mut entries: Vec<(&str, u32)> = Vec::new();
        for (rule, prefixes) in (0..).zip(rules) {
            entries.extend(shortest(prefixes).into_iter().map(|prefix| (prefix, rule)));
        }
        entries.sort_unstable();
        let mut nodes: Vec<Node> = Vec::new();
        let mut ancestors: Vec<u32> = Vec::new();
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        for group in entries.chunk_by(|a, b| a.0 == b.0) {
            let Some((prefix, _)) = group.first() else {
                continue;
            };
            let is_ancestor = |node: &u32| {
                let node = nodes.get(*node as usize);
                node.is_some_and(|node| prefix.starts_with(&*node.prefix))
            };
            while ancestors.pop_if(|node| !is_ancestor(node)).is_some() {}
            let parent = ancestors.last().copied();
            let above = parent.and_then(|parent| nodes.get(parent as usize));
            let start = nodes.last().map_or(0, |node| node.end);
            let own = place(group.len());
            let node = Node {
                prefix: (*prefix).into(),
                parent,
                start,
                end: start + own,
                total: above.map_or(0, |node| node.total) + own,
            };
            ancestors.push(place(nodes.len()));
            nodes.push(node);
        }
        Self {
            nodes: nodes.into(),
            rules: entries.iter().map(|(_, rule)| *rule).collect(),
        }
    }

    /// The rules that can match `text`, each once.
    pub(super) fn candidates(&self, text: &str) -> Candidates<'_> {
        let after = self.nodes.partition_point(|node| *node.prefix <= *text);
        let mut node = after.checked_sub(1).and_then(|at| self.nodes.get(at));
        while let Some(found) = node
            && !text.starts_with(&*found.prefix)
        {
            node = self.parent(found);
        }
        Candidates {
            index: self,
            node,
            own: &[],
        }
    }

    fn parent(&self, node: &Node) -> Option<&Node> {
        self.nodes.get(node.parent? as usize)
    }
}

/// Without those that begin with another one: a rule then has one prefix at most of any text.
fn shortest(prefixes: &[String]) -> Vec<&str> {
    let mut sorted: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut kept: Vec<&str> = Vec::new();
    for prefix in sorted {
        if kept.last().is_none_or(|last| !prefix.starts_with(last)) {
            kept.push(prefix);
        }
    }
    kept
}

/// The rules of a node and its ancestors.
pub(super) struct Candidates<'i> {
    index: &'i PrefixIndex,
    node: Option<&'i Node>,
    own: &'i [u32],
}

impl Candidates<'_> {
    /// How many there are, before the first is taken.
    pub(super) fn total(&self) -> u32 {
        self.node.map_or(0, |node| node.total)
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some((rule, rest)) = self.own.split_first() {
                self.own = rest;
                return Some(*rule as usize);
            }
            let node = self.node?;
            let own = node.start as usize..node.end as usize;
            self.own = self.index.rules.get(own).unwrap_or_default();
            self.node = self.index.parent(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_candidates_are_the_rules_with_a_prefix_of_the_text(
            rules in proptest::collection::vec(proptest::collection::vec("[ab]{0,4}", 1..4), 0..12),
            text in "[ab]{0,6}"
        ) {
            let index = PrefixIndex::new(&rules);
            let candidates = index.candidates(&text);
            let total = candidates.total();
            let mut found: Vec<usize> = candidates.collect();
            prop_assert_eq!(found.len(), total as usize);
            found.sort_unstable();
            let begins = |prefixes: &Vec<String>| prefixes.iter().any(|p| text.starts_with(p.as_str()));
            let expected: Vec<usize> = (0..rules.len()).filter(|at| begins(&rules[*at])).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
