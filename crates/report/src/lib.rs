//! Metrics of a run: summary, AIPerf table, JSON, per-request records and HTML.
//!
//! A [`Collector`] watches a run as a [`sim_api::Observer`] and never looks at
//! single tokens; its [`Summary`] is then written as the AIPerf [`table`], as
//! JSON ([`report_json`]) or as an HTML page ([`html_report`], whose charts
//! come from a [`Timeline`] beside the collector). A [`RequestLog`] writes a
//! line a request, a [`FanOut`] lets several of these watch one run, and
//! [`compare_table`] puts the JSON reports of several runs side by side,
//! [`compare_html`] on a page; [`trace_html`] makes the page of a workload.
//!
//! The crate sees no engine, router or planner, only what an observer is told,
//! and reads and writes no file.
//!
//! ```
//! use report::{Collector, CollectorOptions, JsonOptions, report_json, table};
//! use sim_api::{Arrival, Observer, Origin, Pool, Prompt, RequestId, SessionId, Stamp};
//! use sim_api::{WorkerId, WorkerRef};
//! use sim_core::SimTime;
//!
//! let worker = WorkerRef { pool: Pool::Decode, id: WorkerId(0) };
//! let at = |ms: u64| SimTime::from_ns(ms * 1_000_000);
//! let stamp = |ms| Stamp { at: at(ms), pass_start: at(0) };
//!
//! let mut collector = Collector::new(CollectorOptions::default());
//! collector.arrived(&Arrival {
//!     id: RequestId(0),
//!     at: at(5),
//!     prompt: Prompt::new(100, [].into()),
//!     output_tokens: 1,
//!     origin: Origin { session: SessionId(0), turn: 0 },
//!     priority: 0,
//! });
//! collector.first_token(worker, stamp(30), RequestId(0));
//! collector.completed(worker, stamp(30), RequestId(0));
//!
//! let summary = collector.summary();
//! assert_eq!(summary.ttft.mean, 25.0);
//! println!("{}", table(&summary, None));
//! println!("{}", report_json(&summary, &JsonOptions::default()));
//! ```

mod collect;
mod compare;
mod distribution;
mod fan_out;
mod html;
mod json;
mod jsonl;
mod planner;
mod router;
mod sla;
mod summary;
mod table;
mod timeline;

pub use collect::{Collector, CollectorOptions};
pub use compare::{
    CompareError, ComparedRun, FailOn, Miss, ParseFailOnError, compare_table, compare_value,
};
pub use distribution::Distribution;
pub use fan_out::FanOut;
pub use html::{
    HtmlOptions, SweepMetric, SweepPage, SweepPoint, TracePage, TraceRow, compare_html,
    html_report, sweep_html, trace_html,
};
pub use json::{JsonOptions, REPORT_SCHEMA, report_json, report_value};
pub use jsonl::RequestLog;
pub use planner::{PlannerSummary, PoolSize, ReplicaPoint};
pub use router::{HitRate, PoolRouting, RouterSummary, SpreadPoint};
pub use sla::{SlaReport, SlaTargets};
pub use summary::{PoolUse, Summary};
pub use table::{scaling_events, table};
pub use timeline::Timeline;
