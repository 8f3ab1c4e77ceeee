//! `bonded status`: what the server on this machine holds and does.

use clap::Args;

use super::{Failure, OfHost, ask_server};
use crate::operator::{AdvisoriesInUse, GetStatus, HostStatus, UpdatesInForce};

/// Say what the server on this machine holds and what waits to be done
#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    host: OfHost,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let OfHost { output, data } = self.host;
        let status = ask_server(&data.path()?, &GetStatus {})?;
        output.print(&status, lines, |_| Vec::new())
    }
}

fn lines(status: &HostStatus) -> Vec<String> {
    let HostStatus {
        version,
        region,
        account,
        accounts,
        repositories,
        images,
        objects,
        object_bytes,
        uploads,
        jobs,
        oldest_job_at,
        failed_jobs,
        advisories: _,
        updates: _,
    } = status;
    let row = |name: &str, value: &dyn std::fmt::Display| format!("{name:<20} {value}");
    let mut lines = vec![
        row("version", version),
        row("default registry", &format!("{account} in {region}")),
        row("accounts", accounts),
        row("repositories", repositories),
        row("images", images),
        row("blobs", &format!("{objects}, {object_bytes} bytes")),
        row("unfinished uploads", uploads),
    ];
    let since = oldest_job_at
        .as_ref()
        .map(|time| format!(", the oldest since {time}"));
    lines.push(row("jobs", &format!("{jobs}{}", since.unwrap_or_default())));
    lines.push(row("failed jobs", failed_jobs));
    let (_, advisories) = advisories(status.advisories.as_ref());
    lines.push(row("advisories", &advisories));
    if let Some((_, updates)) = status.updates.as_ref().map(updates) {
        lines.push(row("advisory updates", &updates));
    }
    lines
}

/// How old advisories may be, in days, before something is said: sources publish daily.
const ADVISORY_DAYS: u64 = 7;

/// Whether the advisories are good, and how they are; if they are not good, with what to do.
pub(super) fn advisories(in_use: Option<&AdvisoriesInUse>) -> (bool, String) {
    const NEXT: &str = "make a file of new ones with 'bonded advisories import' and load it with \
                        'bonded advisories load FILE', or set 'advisory_updates.sources'";
    let Some(in_use) = in_use else {
        return (
            false,
            format!("none are loaded, so no image can be judged; {NEXT}"),
        );
    };
    let AdvisoriesInUse {
        digest,
        as_of,
        age_seconds,
        advisories,
        ecosystems,
    } = in_use;
    let days = age_seconds / (24 * 60 * 60);
    let age = match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let mut text =
        format!("{advisories} for {ecosystems} ecosystems as of {as_of}, {age} old, {digest}");
    let good = days < ADVISORY_DAYS;
    if !good {
        text += &format!("; after {ADVISORY_DAYS} days they miss too much: {NEXT}");
    }
    (good, text)
}

/// Whether advisories are renewed as they should be, and how that goes.
pub(super) fn updates(updates: &UpdatesInForce) -> (bool, String) {
    let UpdatesInForce {
        sources,
        interval_seconds,
        attempted_at,
        succeeded_at,
        failures,
        error,
        running,
        due_at,
    } = updates;
    let sources = sources.join(", ");
    let mut text = format!("from {sources} every {interval_seconds} s");
    match succeeded_at {
        Some(at) => text += &format!("; last at {at}"),
        None => text += "; not yet",
    }
    if *failures > 0 {
        let at = attempted_at.as_deref().unwrap_or_default();
        let error = error.as_deref().unwrap_or_default();
        text += &format!("; failed {failures} times since, at {at} because: {error}");
    }
    match due_at {
        _ if *running => text += "; running now",
        Some(at) => text += &format!("; next at {at}"),
        None => {}
    }
    (*failures == 0, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_are_good_for_a_week() {
        let said = |age_seconds| {
            let in_use = AdvisoriesInUse {
                digest: "sha256:x".to_owned(),
                as_of: "2026-11-20T00:00:00Z".to_owned(),
                age_seconds,
                advisories: 5,
                ecosystems: 2,
            };
            advisories(Some(&in_use))
        };
        let day = 24 * 60 * 60;
        assert_eq!(
            said(day),
            (
                true,
                "5 for 2 ecosystems as of 2026-11-20T00:00:00Z, 1 day old, sha256:x".to_owned()
            )
        );
        assert!(said(7 * day - 1).0);
        for (good, text) in [said(7 * day), advisories(None)] {
            assert!(!good);
            assert!(text.contains("bonded advisories load FILE"), "{text}");
        }
    }
}
