//! Statements in the form in which they are tested.

use crate::action::ActionPattern;
use crate::pattern::{Match, PARTITION_AND_REGION, Pattern};
use crate::policy::{Effect, Element, Statement};
use crate::principal::Entry;
use crate::resource::ResourcePattern;
use crate::statement::{Layer, Place};
use crate::ternary::Ternary;

use super::Asked;
use super::clause::{ClauseTest, KeyPlaces, KeyValues, segments_match};
use super::glob::Glob;

/// A statement that can apply.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) effect: Effect,
    action: Actions,
    resource: Resources,
    pub(super) principal: Element<Entry>,
    conditions: Box<[ClauseTest]>,
}

/// `Action` or `NotAction`, for actions in lower case.
#[derive(Debug, Clone)]
enum Actions {
    Listed(Box<[Glob]>),
    Excluded(Box<[Glob]>),
}

/// `Resource` or `NotResource`.
#[derive(Debug, Clone)]
enum Resources {
    /// What the policy is attached to.
    Implied,
    Listed(Box<[ResourceTest]>),
    Excluded(Box<[ResourceTest]>),
}

#[derive(Debug, Clone)]
enum ResourceTest {
    /// The whole resource.
    Text(Glob),
    /// Segment by segment, with what the whole pattern begins with.
    Segments(Box<[Glob]>, Box<str>),
}

impl Rule {
    /// Compiles a statement; `None` if it never applies.
    pub(super) fn new(statement: &Statement, keys: &mut KeyPlaces) -> Option<Self> {
        let deny = statement.effect == Effect::Deny;
        if !statement.understood && !deny {
            return None;
        }
        let mut conditions = Vec::new();
        for clause in &statement.conditions {
            match ClauseTest::new(clause, keys) {
                Some(test) => conditions.push(test),
                // Undefined: true in a Deny.
                None if deny => {}
                None => return None,
            }
        }
        Some(Self {
            effect: statement.effect,
            action: Actions::new(&statement.action, deny)?,
            resource: Resources::new(&statement.resource, deny)?,
            principal: statement.principal.clone(),
            conditions: conditions.into(),
        })
    }

    /// Whether it applies.
    pub(super) fn applies(
        &self,
        asked: &Asked<'_>,
        keys: &mut KeyValues<'_>,
        place: Place,
    ) -> bool {
        let counts = |value| self.effect.counts(value, place.unknowns);
        self.action.matches(asked)
            && counts(self.resource.matches(self.effect, asked, place.layer))
            && self
                .principal
                .names(self.effect, &asked.request.principal, place)
            && self.conditions.iter().all(|clause| {
                let undefined = || Ternary::from(self.effect == Effect::Deny);
                counts(clause.holds(keys).unwrap_or_else(undefined))
            })
    }

    /// What an action it matches begins with: one of these.
    pub(super) fn action_prefixes(&self) -> Vec<String> {
        match &self.action {
            Actions::Listed(globs) => globs
                .iter()
                .map(|glob| glob.literal_prefix().to_owned())
                .collect(),
            Actions::Excluded(_) => vec![String::new()],
        }
    }

    /// What a resource it matches begins with: one of these.
    pub(super) fn resource_prefixes(&self) -> Vec<String> {
        match &self.resource {
            Resources::Listed(tests) => tests
                .iter()
                .map(|test| match test {
                    ResourceTest::Text(glob) => glob.literal_prefix().to_owned(),
                    ResourceTest::Segments(_, prefix) => prefix.to_string(),
                })
                .collect(),
            Resources::Implied | Resources::Excluded(_) => vec![String::new()],
        }
    }
}

impl Actions {
    fn new(element: &Element<ActionPattern>, deny: bool) -> Option<Self> {
        let glob = |pattern: &ActionPattern| match pattern {
            ActionPattern::Everything => Some(Glob::Anything),
            ActionPattern::Named { whole, .. } => Some(Glob::lower(whole)),
            ActionPattern::NotUnderstood(_) => None,
        };
        match element {
            Element::Listed(patterns) | Element::Excluded(patterns) if patterns.is_empty() => {
                deny.then(|| Self::Excluded(Box::default()))
            }
            Element::Listed(patterns) => {
                let wide = |pattern: &ActionPattern| match pattern {
                    ActionPattern::NotUnderstood(Some(whole)) if deny => Some(Glob::lower(whole)),
                    ActionPattern::NotUnderstood(None) if deny => Some(Glob::Anything),
                    other => glob(other),
                };
                Some(Self::Listed(patterns.iter().filter_map(wide).collect()))
            }
            // What is not understood spares nothing from a Deny and everything from an Allow.
            Element::Excluded(patterns) => {
                let globs: Vec<Glob> = patterns.iter().filter_map(glob).collect();
                let understood = globs.len() == patterns.len();
                (deny || understood).then(|| Self::Excluded(globs.into()))
            }
            Element::Absent | Element::NotUnderstood => {
                deny.then(|| Self::Excluded(Box::default()))
            }
        }
    }

    fn matches(&self, asked: &Asked<'_>) -> bool {
        let context = &asked.request.context;
        let hit = |globs: &[Glob]| {
            globs.iter().any(|glob| {
                glob.matches(asked.action, context, false) == Match::Known(Ternary::True)
            })
        };
        match self {
            Self::Listed(globs) => hit(globs),
            Self::Excluded(globs) => !hit(globs),
        }
    }
}

impl Resources {
    fn new(element: &Element<ResourcePattern>, deny: bool) -> Option<Self> {
        match element {
            Element::Absent => Some(Self::Implied),
            Element::NotUnderstood => deny.then(|| Self::Excluded(Box::default())),
            Element::Listed(patterns) | Element::Excluded(patterns) if patterns.is_empty() => {
                deny.then(|| Self::Excluded(Box::default()))
            }
            Element::Listed(patterns) => {
                let tests = patterns.iter().flat_map(|pattern| match pattern {
                    ResourcePattern::NotUnderstood(Some(whole)) if deny => {
                        vec![ResourceTest::Text(Glob::from(whole))]
                    }
                    ResourcePattern::NotUnderstood(None) if deny => {
                        vec![ResourceTest::Text(Glob::Anything)]
                    }
                    other => ResourceTest::new(other, deny),
                });
                Some(Self::Listed(tests.collect()))
            }
            // What is not understood spares nothing from a Deny and everything from an Allow.
            Element::Excluded(patterns) => {
                let tests = patterns.iter().map(|p| ResourceTest::new(p, !deny));
                let tests: Vec<Vec<ResourceTest>> = tests.collect();
                let understood = tests.iter().all(|tests| !tests.is_empty());
                let tests = || Self::Excluded(tests.into_iter().flatten().collect());
                (deny || understood).then(tests)
            }
        }
    }

    fn matches(&self, effect: Effect, asked: &Asked<'_>, layer: Layer) -> Ternary {
        let deny = effect == Effect::Deny;
        match self {
            Self::Implied if layer == Layer::Resource => (asked.request.resource != "*").into(),
            Self::Implied => deny.into(),
            Self::Listed(tests) => {
                Ternary::any(tests.iter().map(|test| test.matches(asked).or_nothing()))
            }
            Self::Excluded(tests) => {
                let spared = |test: &ResourceTest| match test.matches(asked) {
                    Match::Known(value) => value,
                    Match::Unresolved => Ternary::from(!deny),
                };
                !Ternary::any(tests.iter().map(spared))
            }
        }
    }
}

impl ResourceTest {
    /// Compiles a pattern, by its wide readings or by its narrow one; nothing if it is not
    /// understood.
    fn new(pattern: &ResourcePattern, widely: bool) -> Vec<Self> {
        let (segments, whole) = match pattern {
            ResourcePattern::Everything => return vec![Self::Text(Glob::Anything)],
            ResourcePattern::NotUnderstood(_) => return Vec::new(),
            ResourcePattern::Arn { segments, whole } => (segments, whole),
        };
        let (glob, short) = (Glob::from(whole), segments.len() < 6);
        let upper = |place: &usize| segments.get(*place).is_some_and(Pattern::has_upper_case);
        if widely && PARTITION_AND_REGION.iter().any(upper) {
            // The segments that are asked about are in lower case.
            let lower = |(place, segment)| match PARTITION_AND_REGION.contains(&place) {
                true => Glob::lower(segment),
                false => Glob::from(segment),
            };
            let globs = segments.iter().enumerate().map(lower).collect();
            let folded = Self::Segments(globs, Box::default());
            return match short {
                true => vec![folded, Self::Text(glob)],
                false => vec![folded],
            };
        }
        let before = segments.split_last().map_or(&[][..], |(_, before)| before);
        let literal = !before.iter().any(Pattern::has_wildcards);
        // Only one reading, and nothing that could be unresolved: the text is compared at once.
        // A wildcard before the last segment could run over a colon there.
        let last_only = literal && (!short || matches!(glob, Glob::Beginning(_)));
        if !whole.has_variables() && (last_only || (widely && short)) {
            return vec![Self::Text(glob)];
        }
        let prefix = glob.literal_prefix().into();
        vec![Self::Segments(
            segments.iter().map(Glob::from).collect(),
            prefix,
        )]
    }

    fn matches(&self, asked: &Asked<'_>) -> Match {
        let context = &asked.request.context;
        match (self, &asked.arn) {
            (Self::Text(glob), _) => glob.matches(&asked.request.resource, context, false),
            (Self::Segments(globs, _), Some(arn)) => segments_match(globs, arn, context),
            // "*": the resource of an action that has none.
            (Self::Segments(..), None) => Match::Known(Ternary::False),
        }
    }
}
