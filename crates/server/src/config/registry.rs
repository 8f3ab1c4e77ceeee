//! What the registries are: their account and regions, and how they treat pushes and scans.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bonded_model::{AccountId, Region, RepositoryPattern};
use bonded_registry::{AttachedLists, SbomFormat, Unrated};

use super::process::canonical;
use super::setting::{About, Setting, Value, each, path, required, text, texts};

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 12] = [
    &ACCOUNT.about,
    &REGIONS.about,
    &CREATE_ON_PUSH.about,
    &ADVISORIES.about,
    &SPARSE_MANIFESTS.about,
    &BASE_IMAGES.about,
    &ATTACH_SBOMS.about,
    &ATTACH_SBOMS_TO.about,
    &ATTACHED_LISTS.about,
    &UNRATED.about,
    &PULL_WAIT.about,
    &WORKERS.about,
];

pub(crate) static ACCOUNT: Setting<AccountId> = Setting {
    about: About::text("account", "ACCOUNT")
        .default("111122223333")
        .doc("The default account, 12 digits: host names that name no account belong to it"),
    read: |value| required(value, parsed),
    show: |account| text(account),
};

pub(super) static REGIONS: Setting<Vec<Region>> = Setting {
    about: About::list("regions", "REGION,…")
        .default("us-east-1")
        .doc("The regions that are served, the default region first"),
    read: regions,
    show: |regions| texts(regions),
};

pub(super) static CREATE_ON_PUSH: Setting<Vec<RepositoryPattern>> = Setting {
    about: About::list("create_on_push", "PATTERN,…")
        .unset("none")
        .doc(
            "The repositories that a push makes if they are missing, as patterns of names such as \
             'ci/*'; only for who may create them",
        ),
    read: |value| each(value, parsed),
    show: |patterns| texts(patterns),
};

pub(crate) static ADVISORIES: Setting<Option<PathBuf>> = Setting {
    about: About::path("advisories", "FILE")
        .unset("the last one used")
        .doc(
            "The file of advisories that images are judged by, made by 'bonded advisories import'; \
             another one is loaded while the server runs by 'bonded advisories load'",
        ),
    read: |value| path(value).map(canonical).transpose(),
    show: |file| file.clone().map(Value::Path),
};

pub(super) static SPARSE_MANIFESTS: Setting<Vec<RepositoryPattern>> = Setting {
    about: About::list("oci.sparse_manifests", "PATTERN,…")
        .unset("none")
        .doc(
            "The repositories that take manifests although layers or images they refer to are \
             missing, as patterns of names",
        ),
    read: |value| each(value, parsed),
    show: |patterns| texts(patterns),
};

pub(super) static BASE_IMAGES: Setting<Vec<RepositoryPattern>> = Setting {
    about: About::list("scan.base_images", "PATTERN,…")
        .unset("none")
        .doc(
            "The repositories whose images others are built upon, as patterns of names such as \
             'base/*': findings say whether they are from a base, to whoever sees findings",
        ),
    read: |value| each(value, parsed),
    show: |patterns| texts(patterns),
};

pub(super) static ATTACH_SBOMS: Setting<Vec<SbomFormat>> = Setting {
    about: About::list("scan.attach_sboms", "FORMAT,…")
        .unset("none")
        .doc(
            "The bills of materials that an image gets as referrers when it has been scanned: \
             'cyclonedx' (1.6), 'spdx' (2.3) or both; those that are there stay if it is taken back",
        ),
    read: |value| each(value, parsed),
    show: |formats| texts(formats),
};

pub(super) static ATTACH_SBOMS_TO: Setting<Vec<RepositoryPattern>> = Setting {
    about: About::list("scan.attach_sboms_to", "PATTERN,…")
        .default("*")
        .doc("The repositories whose images get them, as patterns of names"),
    read: |value| each(value, parsed),
    show: |patterns| texts(patterns),
};

pub(super) static ATTACHED_LISTS: Setting<AttachedLists> = Setting {
    about: About::text("scan.attached_lists", "WHOSE").default("all").doc(
        "Whose bills of materials, attached to an image as referrers, add packages to its scan: 'all' \
         who may push, who could keep a gate shut by one; 'trusted' for whoever may \
         'bonded:PutVulnerabilityStatement' when they push it; or 'none'. Taken up by images as they are \
         judged again",
    ),
    read: |value| {
        required(value, |text| match text {
            "all" => Ok(AttachedLists::All),
            "trusted" => Ok(AttachedLists::Trusted),
            "none" => Ok(AttachedLists::None),
            other => {
                let other = other.escape_debug();
                Err(format!("'{other}' is neither 'all' nor 'trusted' nor 'none'"))
            }
        })
    },
    show: |whose| match whose {
        AttachedLists::All => text(&"all"),
        AttachedLists::Trusted => text(&"trusted"),
        AttachedLists::None => text(&"none"),
    },
};

pub(super) static UNRATED: Setting<Unrated> = Setting {
    about: About::text("scan.unrated", "SEVERITY")
        .default("unknown")
        .doc(
            "What findings without a severity count as in conditions: 'unknown', so that counts of \
             zero beside them satisfy nobody, or a severity such as 'HIGH'",
        ),
    read: |value| required(value, unrated),
    show: |unrated| match unrated {
        Unrated::Unknown => text(&"unknown"),
        Unrated::As(severity) => text(severity),
    },
};

pub(super) static PULL_WAIT: Setting<Duration> = Setting {
    about: About::text("scan.pull_wait", "DURATION").default("5s").doc(
        "How long a pull waits for a scan that is under way and would decide, at most a minute",
    ),
    read: |value| required(value, pull_wait),
    show: |wait| text(&format!("{}ms", wait.as_millis())),
};

pub(super) static WORKERS: Setting<usize> = Setting {
    about: About::number("scan.workers", "N").default("2").doc(
        "How many layers and images this node scans at once, each with a processor of its own, at \
         most 64; 0 for a node that only serves and leaves scans to other nodes",
    ),
    read: workers,
    show: |workers| Some(Value::Number(*workers as u64)),
};

/// All regions, each once.
fn regions(value: Option<&Value>) -> Result<Vec<Region>, String> {
    let regions: Vec<Region> = each(value, parsed)?;
    let mut repeated = regions
        .iter()
        .enumerate()
        .filter(|(i, r)| regions[..*i].contains(r));
    if let Some((_, region)) = repeated.next() {
        return Err(format!("'{region}' stands twice"));
    }
    if regions.is_empty() {
        return Err("at least one region is needed, such as 'us-east-1'".to_owned());
    }
    Ok(regions)
}

/// What findings without a severity count as.
fn unrated(text: &str) -> Result<Unrated, String> {
    if text.eq_ignore_ascii_case("unknown") {
        return Ok(Unrated::Unknown);
    }
    let severity = text.to_ascii_uppercase().parse().map_err(|_| {
        let text = text.escape_debug();
        format!(
            "'{text}' is neither 'unknown' nor a severity: NONE, INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL"
        )
    })?;
    Ok(Unrated::As(severity))
}

/// How many jobs a node works on at once.
fn workers(value: Option<&Value>) -> Result<usize, String> {
    const LIMIT: usize = 64;
    let Some(Value::Number(number)) = value else {
        return Err("it must be set".to_owned());
    };
    usize::try_from(*number)
        .ok()
        .filter(|workers| *workers <= LIMIT)
        .ok_or_else(|| format!("'{number}' is too many; at most {LIMIT} are expected"))
}

/// How long a pull waits for a scan.
fn pull_wait(text: &str) -> Result<Duration, String> {
    const LIMIT: Duration = Duration::from_mins(1);
    let duration = match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text
            .strip_suffix('s')
            .and_then(|seconds| seconds.parse().ok().map(Duration::from_secs)),
    };
    duration
        .filter(|duration| *duration <= LIMIT)
        .ok_or_else(|| {
            let text = text.escape_debug();
            format!(
                "'{text}' is not a duration up to a minute in seconds or milliseconds, such as '5s' or '500ms'"
            )
        })
}

/// What `T` reads.
fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
