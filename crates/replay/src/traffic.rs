//! The window of traffic that a scaling policy drains.

use sim_api::{PassRow, Traffic};
use sim_core::SimTime;

use crate::in_flight::Record;

/// Sums over completed requests since the last drain.
#[derive(Debug, Default)]
pub(crate) struct TrafficWindow {
    since: SimTime,
    sums: Traffic,
}

impl TrafficWindow {
    /// A request's last token was at `at`.
    pub(crate) fn completed(&mut self, at: SimTime, record: &Record) {
        let sums = &mut self.sums;
        sums.requests += 1;
        sums.input_tokens += u64::from(record.prompt.tokens());
        sums.output_tokens += u64::from(record.output_tokens);
        let Some(first) = record.first_token else {
            return;
        };
        let ttft = first.saturating_since(record.arrived);
        if !ttft.is_zero() {
            sums.ttft.0 += 1;
            sums.ttft.1 += ttft;
        }
        if record.output_tokens > 1 {
            let gaps = f64::from(record.output_tokens - 1);
            let mean_ms = at.saturating_since(first).as_ms() / gaps;
            if mean_ms > 0.0 {
                sums.itl_ms.0 += 1;
                sums.itl_ms.1 += mean_ms;
            }
        }
    }

    /// A router with an index sent a request to a worker.
    pub(crate) fn routed(&mut self, overlap_blocks: u32, isl_blocks: u32) {
        if isl_blocks > 0 {
            self.sums.hit_rate.0 += 1;
            self.sums.hit_rate.1 += f64::from(overlap_blocks) / f64::from(isl_blocks);
        }
    }

    /// Passes of the decode pool started.
    pub(crate) fn passes(&mut self, rows: &[PassRow]) {
        for row in rows {
            self.sums.decode_forwards.0 += row.record.decode_forwards;
            self.sums.decode_forwards.1 += row.record.decode_tokens;
        }
    }

    /// Hands the window over and opens the next one at `now`.
    pub(crate) fn drain(&mut self, now: SimTime) -> Traffic {
        let mut drained = std::mem::take(&mut self.sums);
        drained.duration = now.saturating_since(self.since);
        self.since = now;
        drained
    }
}
