//! One self-contained page for a run: it works offline, without scripts too.

mod answer;
mod chart;
mod chart_json;
mod escape;
mod page;
mod planner_charts;
mod run_charts;
mod sections;

pub use page::{HtmlOptions, html_report};
