//! The autoscaler: regressions, predictors, load and throughput scaling, GPU budgets.
//!
//! [`Planner`] is a pure state machine: passes, traffic and worker counts in, a decision with its reasons and the
//! time of the next question out. [`PlannerPolicy`] puts it behind the seam of a simulation.
//!
//! ```
//! use planner::{Capabilities, EngineCapabilities, Pass, Planner, TickInput, WorkerCounts, WorkerPass, parse_config};
//! use sim_api::{Quirks, WorkerId};
//!
//! // Thresholds on the KV cache: add a replica when one is more than full.
//! let fields = serde_json::json!({"mode": "agg", "optimization_target": "throughput"});
//! let config = parse_config(&fields, Quirks::NONE)?.config;
//! let engine = EngineCapabilities { num_gpu: Some(1), max_kv_tokens: Some(100_000), ..Default::default() };
//! let capabilities = Capabilities { decode: engine, ..Default::default() };
//! let mut planner = Planner::new(&config, capabilities, Quirks::NONE, 0.0)?;
//!
//! let tick = planner.next_tick();
//! let pass = Pass { decode_kv_tokens: 90_000, queued_prefill_tokens: 20_000, ..Pass::default() };
//! let effects = planner.on_tick(&tick, &TickInput {
//!     now_s: tick.at_s,
//!     workers: Some(WorkerCounts { ready_decode: Some(1), ..Default::default() }),
//!     decode: &[WorkerPass { worker: WorkerId(0), rank: 0, pass }],
//!     ..Default::default()
//! });
//! assert_eq!(effects.scale_to.and_then(|targets| targets.decode), Some(2));
//! assert_eq!(effects.diagnostics.load.map(|reason| reason.name()), Some("scale_up"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept_length;
mod adapter;
mod bootstrap;
mod budget;
mod capabilities;
mod config;
mod diagnostics;
mod load;
mod parallelism;
mod pass;
mod predict;
mod reason;
mod regression;
mod rules;
mod schedule;
mod state;
mod throughput;
mod tick;

pub use accept_length::AcceptLength;
pub use adapter::{
    DecisionView, GpuHours, PassCache, PlannerPolicy, PlannerSetup, PolicyError, Prune, TickView,
    TrafficMeans, merge_traffic, replica_transitions,
};
pub use bootstrap::{
    Bootstrap, BootstrapLimits, DEFAULT_GRANULARITY, bootstrap_passes, concurrency_sweep,
};
pub use budget::{Budget, OutOfBudget, floor_tolerance};
pub use capabilities::{Capabilities, EngineCapabilities};
pub use config::{
    AicInterpolation, Backend, ConfigError, EngineParallelism, Environment, LoadThresholds,
    LoadedConfig, MetricsSource, Mode, OptimizationTarget, PlannerConfig, Scheduling, SweepingMode,
    parse_config, read_config,
};
pub use diagnostics::Diagnostics;
pub use pass::{Pass, WorkerPass};
pub use predict::{
    ArimaOrder, EmptyWindows, FitSummary, KalmanSettings, PredictError, Predictor, PredictorKind,
    PredictorSettings, Space, TraceRow, TrafficPredictors, TrafficWindow, WarmupError,
    build_predictor, traffic_windows,
};
pub use reason::{LoadReason, ThroughputReason};
pub use regression::{
    AggCapacity, AggModel, AggQuestion, BalanceTest, Bucket, DecodeCapacity, DecodeModel,
    DecodeQuestion, FitState, Line, LinearSettings, MovingAverage, PrefillCapacity, PrefillModel,
    Sample, SampleStore, clamp_hit_rate, least_squares,
};
pub use rules::PlannerError;
pub use schedule::ScheduledTick;
pub use state::Planner;
pub use throughput::SeriesState;
pub use tick::{Effects, ObservedTraffic, TickInput, WorkerCounts};
