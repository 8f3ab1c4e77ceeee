//! What is wrong with the packages of an image.

mod extras;
mod hearing;
mod known_as;
mod merged;
mod sources;
mod vex;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use bonded_model::Timestamp;

use crate::advisories::{Advisories, Affected};
use crate::attached::Attached;
use crate::image::{ImageInventory, ImagePackage};
use crate::package_version::Key;
use crate::result::{
    AdvisoriesUsed, Finding, ScanResult, ScannedPackage, SubscriptionFix, Undetermined,
};
use crate::{INVENTORY_VERSION, Problem, ProblemCode, UnparsableVersion};
use hearing::Hearing;
use known_as::{KnownAs, known_as};
use sources::{Source, Sources};

/// The most findings of one image.
const FINDING_LIMIT: usize = 1_000_000;

/// What a match includes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchOptions {
    /// Match packages of languages too that belong to a package of the operating system. Its
    /// distribution repairs those without changing the version that the language sees, so by
    /// default its advisories are the ones that count.
    pub comprehensive: bool,
    /// When the image is judged, which decides whether its system still gets updates; the time of
    /// the advisories if `None`.
    pub now: Option<Timestamp>,
}

/// What suppresses the findings of packages with a kernel's headers:
/// [`Package::is_kernel_headers`](crate::Package::is_kernel_headers).
pub const KERNEL_HEADERS: &str = "kernel headers";

/// Compares the packages of an image with advisories. A pure function: the same inventory and the
/// same advisories give the same result.
///
/// A package of which nothing can be known makes the result incomplete ([`ScanResult::problems`]):
/// because there are no advisories for its ecosystem, or because its version, or that of an
/// advisory about it, has no order.
#[must_use]
pub fn match_image(
    image: &ImageInventory,
    advisories: &Advisories,
    options: MatchOptions,
) -> ScanResult {
    match_attached(image, advisories, &Attached::default(), options)
}

/// As [`match_image`], with what documents attached to the image state about vulnerabilities. Their
/// packages are in `image` already: [`Attached::lay_on`].
#[must_use]
pub fn match_attached(
    image: &ImageInventory,
    advisories: &Advisories,
    attached: &Attached,
    options: MatchOptions,
) -> ScanResult {
    let mut matching = Matching {
        advisories,
        image,
        hearing: Hearing::new(image, attached),
        findings: Vec::new(),
        undetermined: Vec::new(),
        unknown: BTreeSet::new(),
        truncated: false,
    };
    let os = image.os.as_ref();
    let mut sources = Sources::new(advisories, os);
    let mut packages = Vec::with_capacity(image.packages.len());
    for found in &image.packages {
        let sources = sources.of(&found.package);
        let ecosystem = sources.first().map(|of| of.stream.ecosystem.clone());
        packages.push(ScannedPackage::of_ecosystem(found, os, ecosystem));
        if found.owner.is_none() || options.comprehensive {
            matching.package(found, &sources);
        }
    }
    let mut problems = image.problems.clone();
    problems.extend(matching.problems());
    let now = options.now.unwrap_or(advisories.as_of());
    ScanResult {
        base: None,
        end_of_life: image.os.as_ref().and_then(|os| os.end_of_life(now)),
        os: image.os.clone(),
        layers: image.layers.clone(),
        packages,
        findings: merged::in_order(matching.findings),
        undetermined: matching.undetermined,
        problems,
        advisories: AdvisoriesUsed {
            digest: advisories.digest().clone(),
            as_of: advisories.as_of(),
        },
        inventory_version: INVENTORY_VERSION,
    }
}

/// The work of [`match_image`].
struct Matching<'a> {
    advisories: &'a Advisories,
    image: &'a ImageInventory,
    hearing: Hearing<'a>,
    /// In any order, and several about the same.
    findings: Vec<Finding>,
    undetermined: Vec<Undetermined>,
    /// Ecosystems without advisories.
    unknown: BTreeSet<String>,
    truncated: bool,
}

impl<'a> Matching<'a> {
    fn package(&mut self, found: &'a ImagePackage, sources: &[Source<'a>]) {
        // The image has said so, or there are none for packages of this kind.
        let Some(first) = sources.first() else {
            return;
        };
        let mut free = sources.iter().filter(|of| of.is_free());
        if !free.any(|of| of.known.is_some()) {
            self.unknown.insert(first.stream.ecosystem.clone());
            return;
        }
        if sources.iter().any(Source::is_extras) {
            return self.amazon(found, sources);
        }
        let has_subscription = sources.len() > 1 && found.package.is_of_subscription();
        let is_own = |of: &Source<'_>| of.stream.subscription.is_some() == has_subscription;
        let own: Vec<KnownAs<'_, 'a>> = known_as(found, sources, is_own).collect();
        let mut affected = HashSet::new();
        for key in &own {
            for (of, judgement) in key.judged() {
                if sources.len() > 1 {
                    affected.insert(of.advisory().id);
                }
                let fix = judgement.map(Fix::of_everybody);
                self.judgement(found, &first.stream.ecosystem, key, of, fix);
            }
        }
        for key in known_as(found, sources, |of| !is_own(of)) {
            for (of, judgement) in key.judged() {
                // Of what its own stream speaks of, only the fix of another can be new.
                let id = of.advisory().id;
                let fix = match judgement {
                    _ if !affected.contains(id) && own.iter().any(|own| own.says(id)) => continue,
                    Ok(Some(version)) => Ok(match key.source.stream.subscription {
                        Some(name) => Fix::with(name, version.into_owned()),
                        None => Fix::of_everybody(Some(version)),
                    }),
                    Ok(None) if affected.contains(id) => continue,
                    judgement => judgement.map(Fix::of_everybody),
                };
                self.judgement(found, &first.stream.ecosystem, &key, of, fix);
            }
        }
    }

    /// What is said of a package of Amazon Linux 2.
    fn amazon(&mut self, found: &'a ImagePackage, sources: &[Source<'a>]) {
        let keys: Vec<KnownAs<'_, 'a>> = known_as(found, sources, |_| true).collect();
        let judged = keys.iter().flat_map(KnownAs::judged).collect();
        let lines = extras::lines(&keys, judged);
        let ecosystem = &sources[0].stream.ecosystem;
        for (of, judgement) in lines.judged {
            let judgement = judgement.map(Fix::of_everybody);
            self.judgement(found, ecosystem, &keys[0], of, judgement);
        }
        for of in lines.undetermined {
            self.undetermined(found, ecosystem, of, lines.reason.clone());
        }
    }

    fn judgement(
        &mut self,
        found: &ImagePackage,
        ecosystem: &str,
        key: &KnownAs<'_, '_>,
        affected: Affected<'_>,
        judgement: Result<Fix, UnparsableVersion>,
    ) {
        match judgement {
            Ok(fix) => self.found(found, ecosystem, &key.key, affected, fix),
            Err(error) => {
                let ecosystem = &key.source.stream.ecosystem;
                self.undetermined(found, ecosystem, affected, error.to_string());
            }
        }
    }

    fn undetermined(
        &mut self,
        found: &ImagePackage,
        ecosystem: &str,
        affected: Affected<'_>,
        reason: String,
    ) {
        self.undetermined.push(Undetermined {
            advisory: affected.advisory().id.to_owned(),
            ecosystem: ecosystem.to_owned(),
            package: found.package.name.clone(),
            version: found.package.version.clone(),
            path: found.path.clone(),
            layer: found.layer,
            reason,
        });
    }

    fn found(
        &mut self,
        found: &ImagePackage,
        ecosystem: &str,
        known_as: &Key<'_>,
        affected: Affected<'_>,
        fix: Fix,
    ) {
        if self.findings.len() >= FINDING_LIMIT {
            self.truncated = true;
            return;
        }
        let advisory = affected.advisory();
        let rating = affected.rating();
        let id = match advisory.cve {
            "" => advisory.id,
            cve => cve,
        };
        let names = self.advisories.names_of(advisory);
        let mut aliases = Vec::with_capacity(names.len());
        let others = names.iter().filter(|name| **name != id);
        aliases.extend(others.map(|name| (*name).to_owned()));
        let facts = self.advisories.facts(names.iter().copied());
        let heard = self.hearing.about(found, &names);
        let suppressed_by = match found.package.is_kernel_headers() {
            true => Some(KERNEL_HEADERS.to_owned()),
            false => heard
                .suppressed_by
                .unwrap_or_else(|| vex::suppressed_by(self.advisories, self.image, found, &names)),
        };
        self.findings.push(Finding {
            id: id.to_owned(),
            advisory: advisory.id.to_owned(),
            aliases,
            ecosystem: ecosystem.to_owned(),
            package: found.package.name.clone(),
            version: found.package.version.clone(),
            architecture: found.package.architecture.clone(),
            source_name: match found.package.groups.is_empty() {
                true => found.package.source_name.clone(),
                false => known_as.name.clone().into_owned(),
            },
            fixed: fix.fixed,
            fixed_with: fix.with,
            severity: rating.map(|rating| rating.severity),
            score: rating.and_then(|rating| rating.score),
            vector: some(affected.vector()),
            rated_by: some(affected.rated_by()),
            title: advisory.title.to_owned(),
            url: some(advisory.url),
            path: found.path.clone(),
            layer: found.layer,
            suppressed_by,
            disregarded: heard.disregarded,
            attached: found.attached.clone(),
            exploited: facts.exploited.map(str::to_owned),
            epss: facts.epss,
        });
    }

    /// What makes the result less than whole.
    fn problems(&self) -> Vec<Problem> {
        let unknown = self.unknown.iter().map(|ecosystem| {
            Problem::new(
                ProblemCode::NoAdvisories,
                format!(
                    "there are no advisories for '{ecosystem}': nothing is known of its packages"
                ),
            )
        });
        let mut problems: Vec<Problem> = unknown.collect();
        if let Some(first) = self.undetermined.first() {
            let count = self.undetermined.len();
            problems.push(Problem {
                layer: Some(first.layer),
                ..Problem::at(
                    ProblemCode::Undetermined,
                    format!(
                        "{count} advisories can be neither applied nor ruled out: {}",
                        first.reason
                    ),
                    &first.path,
                )
            });
        }
        if self.truncated {
            problems.push(Problem::new(
                ProblemCode::TooLarge,
                format!("there are more than {FINDING_LIMIT} findings"),
            ));
        }
        problems
    }
}

/// What repairs a package.
struct Fix {
    fixed: Option<String>,
    with: Option<SubscriptionFix>,
}

impl Fix {
    fn of_everybody(fixed: Option<Cow<'_, str>>) -> Self {
        Self {
            fixed: fixed.map(Cow::into_owned),
            with: None,
        }
    }

    fn with(subscription: &str, version: String) -> Self {
        let subscription = subscription.to_owned();
        Self {
            fixed: None,
            with: Some(SubscriptionFix {
                subscription,
                version,
            }),
        }
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
