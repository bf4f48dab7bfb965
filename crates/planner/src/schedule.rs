//! When the planner wants to be asked, and for what.

/// Decisions due within this many seconds of each other are made together.
const MERGE_S: f64 = 0.5;

/// A tick to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduledTick {
    /// When, in seconds on the caller's clock.
    pub at_s: f64,
    /// Whether load-based scaling runs.
    pub run_load: bool,
    /// Whether throughput-based scaling runs.
    pub run_throughput: bool,
    /// Whether the traffic window is wanted.
    pub need_traffic: bool,
    /// Nominal length of that window in seconds; 0 if it is not wanted.
    pub traffic_duration_s: f64,
    /// Whether worker counts are wanted; always.
    pub need_worker_states: bool,
    /// Whether pass metrics are wanted.
    pub need_passes: bool,
}

/// The two cadences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    load_interval_s: f64,
    /// None if throughput scaling is off.
    throughput_interval_s: Option<f64>,
    next_load_s: f64,
    next_throughput_s: f64,
}

impl Schedule {
    /// Load ticks come even where load scaling is off: they keep the models fresh.
    pub(crate) fn new(
        start_s: f64,
        load_interval_s: f64,
        throughput_interval_s: Option<f64>,
    ) -> Self {
        Self {
            load_interval_s,
            throughput_interval_s,
            next_load_s: start_s + load_interval_s,
            next_throughput_s: throughput_interval_s
                .map_or(f64::INFINITY, |interval| start_s + interval),
        }
    }

    /// A throughput decision was made (or was not possible) at `now_s`.
    pub(crate) fn throughput_done(&mut self, now_s: f64) {
        self.next_throughput_s = self
            .throughput_interval_s
            .map_or(f64::INFINITY, |interval| now_s + interval);
    }

    /// A load decision was made (or was not possible) at `now_s`.
    pub(crate) fn load_done(&mut self, now_s: f64) {
        self.next_load_s = now_s + self.load_interval_s;
    }

    /// The next tick.
    pub(crate) fn next(&self) -> ScheduledTick {
        let at_s = self.next_load_s.min(self.next_throughput_s);
        let run_load = self.next_load_s <= at_s + MERGE_S;
        let run_throughput = self.next_throughput_s <= at_s + MERGE_S;
        let traffic_duration_s = match self.throughput_interval_s {
            Some(interval) if run_throughput => Some(interval),
            None if run_load => Some(self.load_interval_s),
            _ => None,
        };
        ScheduledTick {
            at_s,
            run_load,
            run_throughput,
            need_traffic: traffic_duration_s.is_some(),
            traffic_duration_s: traffic_duration_s.unwrap_or(0.0),
            need_worker_states: true,
            need_passes: run_load,
        }
    }
}
