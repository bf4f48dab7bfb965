//! The page of a run.

use std::fmt::Write;

use serde_json::Value;

use super::answer::{headline, mood, sentences, span, tiles, tiles_html};
use super::chart::Chart;
use super::chart_json::SharedTimes;
use super::escape::html;
use super::planner_charts::{planner_charts, replica_transitions, tick_times};
use super::router_charts::router_charts;
use super::run_charts::{bin_times, run_charts};
use super::sections::{configuration, events, metrics_table, rejections};
use super::shell::{document, section};
use crate::{Summary, Timeline};

/// What a page says besides the metrics. Every text may be anything: it is
/// escaped.
#[derive(Clone, Debug, Default)]
pub struct HtmlOptions {
    /// What the run is called, such as the name of its trace.
    pub title: String,
    /// The command that repeats the run.
    pub command: Option<String>,
    /// The configuration: an object, shown key by key.
    pub configuration: Value,
    /// Price of a GPU for an hour; adds the cost.
    pub gpu_hour_price: Option<f64>,
    /// Sentences worth reading first: warnings, approximations.
    pub notes: Vec<String>,
}

/// The page of a run: one file that needs nothing else, about 2 MB.
///
/// ```
/// use report::{HtmlOptions, Summary, Timeline, html_report};
/// let page = html_report(&Summary::default(), &Timeline::default(), &HtmlOptions::default());
/// assert!(page.starts_with("<!DOCTYPE html>"));
/// assert!(page.contains("GPU hours: 0.0000"));
/// ```
pub fn html_report(summary: &Summary, timeline: &Timeline, options: &HtmlOptions) -> String {
    let run = run_charts(summary, timeline);
    let router = router_charts(summary, timeline);
    let planner = planner_charts(summary, timeline);
    let times = SharedTimes {
        bins: bin_times(timeline),
        ticks: tick_times(timeline),
        end: timeline.end.as_secs(),
    };
    let title = if options.title.is_empty() {
        "run"
    } else {
        &options.title
    };
    let mut content = header(summary, timeline, options, title);
    content.push_str("<main>\n");
    let mut first = 0;
    for (title, charts) in [
        ("The run over time", &run),
        ("How requests were routed", &router),
        ("What the planner saw and decided", &planner),
    ] {
        section(&mut content, title, charts, first);
        first += charts.len();
    }
    content.push_str("<h2>All figures</h2>\n");
    content.push_str(&metrics_table(summary));
    content.push_str(&rejections(summary));
    content.push_str(&events(summary.planner.as_ref()));
    content.push_str(&configuration(
        options.command.as_deref(),
        &options.configuration,
    ));
    content.push_str("</main>\n");
    let charts: Vec<Chart> = run.into_iter().chain(router).chain(planner).collect();
    document(
        &format!("{title} · dynosim report"),
        &content,
        &times,
        &charts,
    )
}

fn header(summary: &Summary, timeline: &Timeline, options: &HtmlOptions, title: &str) -> String {
    let mut out = format!(
        "<header class=\"{}\">\n<p class=\"name\">{}{}</p>\n<h1>{}</h1>\n",
        mood(summary),
        if summary.planner.is_some() {
            "Planner Diagnostics Report · "
        } else {
            "Simulation report · "
        },
        html(title),
        html(&headline(summary))
    );
    out.push_str("<ul class=\"sentences\">\n");
    for sentence in sentences(summary).iter().chain(&options.notes) {
        let _ = writeln!(out, "<li>{}</li>", html(sentence));
    }
    out.push_str("</ul>\n");
    let _ = writeln!(
        out,
        "<p class=\"facts\">{}</p>",
        html(&facts(summary, timeline))
    );
    let tiles = tiles(summary, options.gpu_hour_price);
    let _ = write!(
        out,
        "<dl class=\"tiles\">\n{}</dl>\n</header>\n",
        tiles_html(&tiles)
    );
    out
}

/// One line of facts; scripts look for `GPU hours: <number>` in it.
fn facts(summary: &Summary, timeline: &Timeline) -> String {
    let mut facts = format!("Time range: 0 s to {:.1} s", timeline.end.as_secs());
    if let Some(planner) = &summary.planner {
        let _ = write!(
            facts,
            " ({} ticks) | Replica transitions: {} | Scaling events: {}",
            planner.ticks,
            replica_transitions(timeline),
            planner.scaling_events.len()
        );
    }
    let _ = write!(facts, " | GPU hours: {:.4}", summary.gpu_hours);
    let _ = write!(facts, " | Last token after {}", span(summary.duration));
    if timeline.ticks.stride() > 1 {
        let _ = write!(facts, " | one in {} ticks drawn", timeline.ticks.stride());
    }
    facts
}
