//! `bonded events`: what scans have found out, one event a line.

use clap::Args;

use serde_json::Value;

use super::{Failure, OfHost, ask_server};
use crate::operator::ListEvents;

/// How many events are asked for at once.
const PAGE: u32 = 500;

/// Print the events of scans, the oldest first; as JSON, one object a line
///
/// Events have the shape of Amazon EventBridge's: 'ECR Image Scan' for a scan, 'Inspector2 Finding'
/// for a finding that is new, gone or another, with the reasons in detail.bonded. They are kept for
/// 90 days.
#[derive(Args)]
#[command(mut_arg("form", |form| form.default_value("json")))]
pub(super) struct Events {
    /// Begin behind the event with this id, such as the last one that was read
    #[arg(long, value_name = "ID")]
    after: Option<String>,

    /// Print at most this many
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<u32>,

    #[command(flatten)]
    host: OfHost,
}

impl Events {
    pub(super) fn run(self) -> Result<(), Failure> {
        let OfHost { output, data } = self.host;
        let data = data.path()?;
        let mut left = self.limit.unwrap_or(u32::MAX);
        let mut after = self.after;
        while left > 0 {
            let limit = left.min(PAGE);
            let page = ListEvents {
                after: after.clone(),
                limit,
            };
            let events = ask_server(&data, &page)?;
            output.print_each(&events, line, |event| text(&event["id"]))?;
            let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
            left = left.saturating_sub(count);
            let last = events.last().and_then(|event| event["id"].as_str());
            match last {
                Some(last) if count == limit => after = Some(last.to_owned()),
                _ => break,
            }
        }
        Ok(())
    }
}

/// An event for people: when, what, and about which image.
fn line(event: &Value) -> String {
    let detail = &event["detail"];
    let (what, image) = match detail["title"].as_str() {
        Some(title) => (
            format!("{} {title}", text(&detail["status"])),
            text(&detail["resources"][0]["id"]),
        ),
        None => {
            let (name, digest) = (&detail["repository-name"], &detail["image-digest"]);
            let image = format!("{}@{}", text(name), text(digest));
            (text(&detail["scan-status"]), image)
        }
    };
    let (time, kind) = (text(&event["time"]), text(&event["detail-type"]));
    format!("{time}  {kind}  {what}  {image}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}
