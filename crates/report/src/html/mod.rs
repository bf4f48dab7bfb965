//! Self-contained pages: they work offline, without scripts too.

mod answer;
mod chart;
mod chart_json;
mod compare_page;
mod engine_load;
mod escape;
mod page;
mod planner_charts;
mod router_charts;
mod run_charts;
mod sections;
mod shell;
mod sweep_page;
mod trace_page;

pub use compare_page::compare_html;
pub use page::{HtmlOptions, html_report};
pub use sweep_page::{SweepMetric, SweepPage, SweepPoint, sweep_html};
pub use trace_page::{TracePage, TraceRow, trace_html};
