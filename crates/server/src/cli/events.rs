//! `bonded events`: what scans have found out, one event a line.

use clap::Args;

use super::print::{self, clean};
use super::{DataDirectory, Failure, ask_server};
use crate::operator::ListEvents;

/// How many events are asked for at once.
const PAGE: u32 = 500;

/// Print the events of scans, one JSON object a line, the oldest first
///
/// Events have the shape of Amazon EventBridge's: 'ECR Image Scan' for a scan, 'Inspector2 Finding'
/// for a finding that is new, gone or another, with the reasons in detail.bonded. They are kept for
/// 90 days.
#[derive(Args)]
pub(super) struct Events {
    /// Begin behind the event with this id, such as the last one that was read
    #[arg(long, value_name = "ID")]
    after: Option<String>,

    /// Print at most this many
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<u32>,

    #[command(flatten)]
    data: DataDirectory,
}

impl Events {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let mut left = self.limit.unwrap_or(u32::MAX);
        let mut after = self.after;
        while left > 0 {
            let limit = left.min(PAGE);
            let page = ListEvents {
                after: after.clone(),
                limit,
            };
            let events = ask_server(&data, &page)?;
            for event in &events {
                print::line(clean(&event.to_string()));
            }
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
