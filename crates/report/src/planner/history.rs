//! Ticks and scaling events as a run goes.

use sim_api::{ScalingEvent, TickRecord};

/// The name under which a tick record carries the planner's own GPU-hours.
const GPU_HOURS: &str = "gpu_hours";

/// What the planner of a run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannerSummary {
    /// How often it was asked.
    pub ticks: u64,
    /// GPU-hours by the run's rule of charging.
    pub gpu_hours: f64,
    /// Whether those are charged at ticks ([`sim_api::Quirk::GpuHoursAtTicks`]).
    pub charged_at_ticks: bool,
    /// The changes it made, in order.
    pub scaling_events: Vec<ScalingEvent>,
}

/// Collects what a [`PlannerSummary`] is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlannerHistory {
    ticks: u64,
    gpu_hours: Option<f64>,
    events: Vec<ScalingEvent>,
}

impl PlannerHistory {
    pub(crate) fn tick(&mut self, record: &TickRecord) {
        self.ticks += 1;
        let hours = record.values.get(GPU_HOURS).copied();
        self.gpu_hours = hours.filter(|hours| hours.is_finite()).or(self.gpu_hours);
    }

    pub(crate) fn scaled(&mut self, event: &ScalingEvent) {
        self.events.push(event.clone());
    }

    /// The planner's own GPU-hours as of its last tick, if there was a tick.
    pub(crate) fn charged_at_ticks(&self) -> Option<f64> {
        (self.ticks > 0).then(|| self.gpu_hours.unwrap_or(0.0))
    }

    /// `None` if no planner was ever asked.
    pub(crate) fn summary(&self, gpu_hours: f64, charged_at_ticks: bool) -> Option<PlannerSummary> {
        (self.ticks > 0).then(|| PlannerSummary {
            ticks: self.ticks,
            gpu_hours,
            scaling_events: self.events.clone(),
            charged_at_ticks,
        })
    }
}
