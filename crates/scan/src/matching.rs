//! What is wrong with the packages of an image.

mod extras;
mod hearing;
mod merged;
mod vex;

use std::collections::{BTreeSet, HashSet};

use bonded_model::Timestamp;

use crate::advisories::{Advisories, Affected};
use crate::attached::Attached;
use crate::distribution::{AMAZON_EXTRAS, Stream};
use crate::image::{ImageInventory, ImagePackage};
use crate::package_version::{Judgement, PackageVersion, judgements};
use crate::result::{
    AdvisoriesUsed, Finding, ScanResult, ScannedPackage, SubscriptionFix, Undetermined,
};
use crate::rpm_line::is_of_other_stream;
use crate::{INVENTORY_VERSION, Problem, ProblemCode, UnparsableVersion};
use hearing::Hearing;

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
    let mut packages = Vec::new();
    for found in &image.packages {
        let package = ScannedPackage::new(found, image.os.as_ref());
        if found.owner.is_none() || options.comprehensive {
            matching.package(found);
        }
        packages.push(package);
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
    fn package(&mut self, found: &ImagePackage) {
        let advisories = self.advisories;
        let streams = found.package.streams(self.image.os.as_ref());
        // The image has said so, or there are none for packages of this kind.
        let Some(Stream { ecosystem, .. }) = streams.first() else {
            return;
        };
        let is_known = |stream: &&Stream| advisories.knows(&stream.ecosystem);
        let is_free = |of: &&Stream| of.subscription.is_none() && of.ecosystem != AMAZON_EXTRAS;
        let mut free = streams.iter().filter(is_free);
        if !free.any(|of| is_known(&of)) {
            self.unknown.insert(ecosystem.clone());
            return;
        }
        if streams.iter().any(|of| of.ecosystem == AMAZON_EXTRAS) {
            return self.amazon(found, ecosystem, &streams);
        }
        let has_subscription = found.package.is_of_subscription();
        let is_own = |of: &&Stream| of.subscription.is_some() == has_subscription;
        let of_stream = |of: &Stream| PackageVersion::all_of(&found.package, &of.ecosystem);
        let own = streams.iter().filter(is_own).flat_map(of_stream);
        let own: Vec<PackageVersion> = own.collect();
        let mut affected = HashSet::new();
        for key in &own {
            for (of, judgement) in self.judged(found, key) {
                if streams.len() > 1 {
                    affected.insert(of.advisory().id);
                }
                self.judgement(found, ecosystem, key, of, judgement.map(Fix::of_everybody));
            }
        }
        for other in streams.iter().filter(|of| !is_own(of)) {
            for key in of_stream(other) {
                for (of, judgement) in self.judged(found, &key) {
                    // Of what its own stream speaks of, only the fix of another can be new.
                    let id = of.advisory().id;
                    let says = |own| says(advisories, own, id);
                    let fix = match judgement {
                        _ if !affected.contains(id) && own.iter().any(says) => continue,
                        Ok(Some(version)) => Ok(match other.subscription {
                            Some(name) => Fix::with(name, version),
                            None => Fix::of_everybody(Some(version)),
                        }),
                        Ok(None) if affected.contains(id) => continue,
                        judgement => judgement.map(Fix::of_everybody),
                    };
                    self.judgement(found, ecosystem, &key, of, fix);
                }
            }
        }
    }

    /// What is said of a package of Amazon Linux 2.
    fn amazon(&mut self, found: &ImagePackage, ecosystem: &str, streams: &[Stream]) {
        let keys = streams.iter();
        let keys = keys.flat_map(|of| PackageVersion::all_of(&found.package, &of.ecosystem));
        let keys: Vec<PackageVersion> = keys.collect();
        let judged = keys
            .iter()
            .flat_map(|key| self.judged(found, key))
            .collect();
        let lines = extras::lines(self.advisories, &keys, judged);
        for (of, judgement) in lines.judged {
            let judgement = judgement.map(Fix::of_everybody);
            self.judgement(found, ecosystem, &keys[0], of, judgement);
        }
        for of in lines.undetermined {
            self.undetermined(found, ecosystem, of, lines.reason.clone());
        }
    }

    /// What advisories say of a package under one of its names.
    fn judged(&self, found: &ImagePackage, key: &PackageVersion) -> Vec<(Affected<'a>, Judgement)> {
        let mut judged = judgements(self.advisories, key).unwrap_or_default();
        judged.retain(|(of, _)| !is_of_other_stream(&found.package, *of));
        judged
    }

    fn judgement(
        &mut self,
        found: &ImagePackage,
        ecosystem: &str,
        key: &PackageVersion,
        affected: Affected<'_>,
        judgement: Result<Fix, UnparsableVersion>,
    ) {
        match judgement {
            Ok(fix) => self.found(found, ecosystem, key, affected, fix),
            Err(error) => self.undetermined(found, &key.ecosystem, affected, error.to_string()),
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
        known_as: &PackageVersion,
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
        let others = names.iter().filter(|name| **name != id);
        let aliases: Vec<String> = others.map(|name| (*name).to_owned()).collect();
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
                false => known_as.name.clone(),
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
            exploited: facts.exploited,
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

/// Whether an advisory speaks of a package at all, be it to say that a version is not affected.
fn says(advisories: &Advisories, key: &PackageVersion, id: &str) -> bool {
    let mut about = advisories.about(&key.ecosystem, &key.name);
    about.any(|affected| affected.advisory().id == id)
}

/// What repairs a package.
struct Fix {
    fixed: Option<String>,
    with: Option<SubscriptionFix>,
}

impl Fix {
    fn of_everybody(fixed: Option<String>) -> Self {
        Self { fixed, with: None }
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
