//! A progress bar on stderr, off where stderr is no terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use sim_api::{Observer, Rejection, RequestId, RunEnd, Stamp, WorkerRef};
use sim_core::SimTime;

/// Redraws at most this often, so that drawing costs nothing.
const EVERY: u64 = 256;

/// Counts finished requests.
pub(crate) struct Progress {
    bar: ProgressBar,
    finished: u64,
}

impl Progress {
    /// A bar over `total` requests (a spinner if unknown), or nothing if `quiet`
    /// or nobody would see it.
    pub(crate) fn new(total: Option<u64>, quiet: bool) -> Option<Self> {
        if quiet || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} requests  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Some(Self { bar, finished: 0 })
    }

    fn step(&mut self, at: SimTime) {
        self.finished += 1;
        if self.finished.is_multiple_of(EVERY) {
            self.bar
                .set_message(format!("simulated {:.0} s", at.as_secs()));
            self.bar.set_position(self.finished);
        }
    }
}

impl Observer for Progress {
    fn completed(&mut self, _worker: WorkerRef, stamp: Stamp, _request: RequestId) {
        self.step(stamp.at);
    }

    fn rejected(&mut self, at: SimTime, _request: RequestId, _why: Rejection) {
        self.step(at);
    }

    fn finished(&mut self, _end: &RunEnd) {
        self.bar.finish_and_clear();
    }
}
