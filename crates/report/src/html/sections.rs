//! The parts of the page that need no script: tables, events, configuration.

use std::fmt::Write;

use serde_json::Value;
use sim_api::Rejection;
use sim_api::RequestId;

use super::answer::count;
use super::escape::html;
use crate::table::number;
use crate::{Distribution, PlannerSummary, Summary};

/// Scaling events with a row of their own.
const MOST_EVENTS: usize = 500;

/// All distributions, a row each.
pub(crate) fn metrics_table(summary: &Summary) -> String {
    let rows = [
        ("Time to first token (ms)", &summary.ttft),
        ("Time to second token (ms)", &summary.ttst),
        ("Inter-token latency (ms)", &summary.itl),
        ("Mean inter-token latency of a request (ms)", &summary.tpot),
        ("End-to-end latency (ms)", &summary.e2e_latency),
        (
            "Output per user (tokens/s)",
            &summary.output_token_throughput_per_user,
        ),
    ];
    let queued = summary.router.as_ref().filter(|router| router.waited > 0);
    let queueing = queued.map(|router| ("Time in the router’s queue (ms)", &router.queueing));
    let mut out =
        String::from("<div class=\"scroll\"><table class=\"numbers\">\n<thead><tr><th>Metric</th>");
    for name in Distribution::NAMES {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("<th>samples</th></tr></thead>\n<tbody>\n");
    for (name, distribution) in rows.into_iter().chain(queueing) {
        let _ = write!(out, "<tr><th>{name}</th>");
        for value in distribution.values() {
            let _ = write!(out, "<td>{}</td>", number(value));
        }
        let _ = writeln!(out, "<td>{}</td></tr>", count(distribution.count));
    }
    out.push_str("</tbody></table></div>\n");
    if summary.approximate {
        out.push_str("<p class=\"note\">Too many samples to keep each: percentiles are within 0.02 % of the exact ones.</p>\n");
    }
    out
}

/// What the planner did; empty without a planner.
pub(crate) fn events(planner: Option<&PlannerSummary>) -> String {
    let Some(planner) = planner else {
        return String::new();
    };
    let total = planner.scaling_events.len();
    let mut out = format!(
        "<details{}><summary>Scaling events ({})</summary>\n",
        if total <= 40 { " open" } else { "" },
        count(total as u64)
    );
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr><th>Time (s)</th><th>Pool</th><th>Workers</th><th>Reason</th></tr></thead>\n<tbody>\n");
    for event in planner.scaling_events.iter().take(MOST_EVENTS) {
        let _ = writeln!(
            out,
            "<tr><td>{:.1}</td><td>{}</td><td>{} → {}</td><td>{}</td></tr>",
            event.at.as_secs(),
            html(event.component),
            event.from,
            event.to,
            html(&event.reason)
        );
    }
    out.push_str("</tbody></table></div>\n");
    if total > MOST_EVENTS {
        let more = count((total - MOST_EVENTS) as u64);
        let _ = writeln!(
            out,
            "<p class=\"note\">And {more} more, all in the JSON report.</p>"
        );
    }
    out.push_str("</details>\n");
    out
}

/// The requests that could never run; empty if there are none.
pub(crate) fn rejections(summary: &Summary) -> String {
    if summary.rejected == 0 {
        return String::new();
    }
    let mut out = format!(
        "<details open><summary>Rejected requests ({})</summary>\n<ul>\n",
        count(summary.rejected)
    );
    for (request, why) in &summary.first_rejections {
        let (RequestId(id), why): (_, &Rejection) = (*request, why);
        let _ = writeln!(out, "<li>Request {id}: {}</li>", html(&why.to_string()));
    }
    out.push_str("</ul>\n");
    if summary.rejected > summary.first_rejections.len() as u64 {
        out.push_str("<p class=\"note\">Only the first are shown.</p>\n");
    }
    out.push_str("</details>\n");
    out
}

/// The command that repeats the run, and the configuration key by key.
pub(crate) fn configuration(command: Option<&str>, configuration: &Value) -> String {
    let mut out = String::new();
    if let Some(command) = command {
        let _ = writeln!(
            out,
            "<h2>Repeat this run</h2>\n<pre class=\"command\"><code>{}</code></pre>",
            html(command)
        );
    }
    let entries = configuration.as_object();
    if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
        out.push_str(
            "<details><summary>Configuration</summary>\n<div class=\"scroll\"><table>\n<tbody>\n",
        );
        for (key, value) in entries {
            setting(&mut out, key, value);
        }
        out.push_str("</tbody></table></div>\n</details>\n");
    }
    out
}

/// A row a value; what is inside an object is named after it.
fn setting(out: &mut String, name: &str, value: &Value) {
    let text = match value {
        Value::Object(inner) if !inner.is_empty() => {
            for (key, value) in inner {
                setting(out, &format!("{name}.{key}"), value);
            }
            return;
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let _ = writeln!(
        out,
        "<tr><th>{}</th><td><pre>{}</pre></td></tr>",
        html(name),
        html(&text)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_inside_settings_have_rows_of_their_own() {
        let value = json!({"engine": {"name": "<vllm>", "sizes": [1, 2]}, "seed": 7, "none": {}});
        let text = configuration(None, &value);
        for row in [
            "<th>engine.name</th><td><pre>&lt;vllm&gt;</pre></td>",
            "<th>engine.sizes</th><td><pre>[1,2]</pre></td>",
            "<th>seed</th><td><pre>7</pre></td>",
            "<th>none</th><td><pre>{}</pre></td>",
        ] {
            assert!(text.contains(row), "{text}");
        }
    }
}
