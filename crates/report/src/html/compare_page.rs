//! The page that puts runs side by side.

use std::fmt::Write;

use super::chart::{Across, Chart, Series, Shape, Times};
use super::chart_json::SharedTimes;
use super::escape::html;
use super::shell::{document, section};
use crate::compare::{ComparedRun, PoolHistory, best, cell, plain, rows, verdicts};

const COLORS: [&str; 8] = [
    "blue", "orange", "green", "purple", "red", "teal", "pink", "yellow",
];

/// Runs whose names still fit below bars.
const MOST_NAMED: usize = 5;
/// Characters of a name that still fit there.
const LONGEST_LABEL: usize = 24;

/// A name of a bar with the key of its value.
type Bar = (&'static str, &'static str);

/// Latencies of one kind in a chart.
const LATENCIES: [(&str, &str, &str, [Bar; 4]); 3] = [
    (
        "Time to first token",
        "TTFT (ms)",
        "All requests of a run.",
        [
            ("mean", "mean_ttft_ms"),
            ("p50", "median_ttft_ms"),
            ("p90", "p90_ttft_ms"),
            ("p99", "p99_ttft_ms"),
        ],
    ),
    (
        "Inter-token latency",
        "ITL (ms)",
        "All gaps between tokens of a run.",
        [
            ("mean", "mean_itl_ms"),
            ("p50", "median_itl_ms"),
            ("p90", "p90_itl_ms"),
            ("p99", "p99_itl_ms"),
        ],
    ),
    (
        "End-to-end latency",
        "E2E latency (ms)",
        "All requests of a run.",
        [
            ("mean", "mean_e2e_latency_ms"),
            ("p50", "median_e2e_latency_ms"),
            ("p90", "p90_e2e_latency_ms"),
            ("p99", "p99_e2e_latency_ms"),
        ],
    ),
];

/// Metrics with a chart of their own; shares are drawn in per cent.
const SINGLE: [(&str, &str, &str, f64); 10] = [
    ("SLA met", "Requests (%)", "sla_attainment", 100.0),
    ("GPU-hours", "GPU-hours", "gpu_hours", 1.0),
    ("Cost", "Cost", "cost", 1.0),
    (
        "Goodput",
        "Requests per second within all targets",
        "goodput_rps",
        1.0,
    ),
    (
        "Output throughput",
        "Output tokens per second",
        "output_throughput_tok_s",
        1.0,
    ),
    (
        "Prefix cache reuse",
        "Prompt tokens (%)",
        "prefix_cache_reused_ratio",
        100.0,
    ),
    ("Requests completed", "Requests", "completed_requests", 1.0),
    ("Requests rejected", "Requests", "rejected_requests", 1.0),
    ("Preemptions", "Preemptions", "preemptions", 1.0),
    ("Duration", "Duration (ms)", "duration_ms", 1.0),
];

/// The page of a comparison, in one file: what each run is better at than the
/// first, all metrics as a table and as bars, and the workers over time of the
/// runs that a planner scaled. Names may be anything: they are escaped.
///
/// ```
/// use report::{ComparedRun, compare_html};
/// let run = |name| ComparedRun::parse(name, r#"{"num_requests": 1, "gpu_hours": 2.0}"#);
/// let page = compare_html(&[run("agg.json")?, run("disagg.json")?]);
/// assert!(page.contains("<h3>GPU-hours</h3>"));
/// # Ok::<(), report::CompareError>(())
/// ```
pub fn compare_html(runs: &[ComparedRun]) -> String {
    let labels = labels(runs);
    let bars = bars(runs, &labels);
    let over_time = over_time(runs, &labels);
    let mut content = header(runs);
    content.push_str("<main>\n<h2>All figures</h2>\n");
    content.push_str(&table(runs));
    content.push_str(&key(runs, &labels));
    section(&mut content, "Metric by metric", &bars, 0);
    section(&mut content, "Over time", &over_time, bars.len());
    content.push_str("</main>\n");
    let times = SharedTimes {
        end: runs.iter().map(ComparedRun::end_s).fold(0.0, f64::max),
        ..SharedTimes::default()
    };
    let charts: Vec<Chart> = bars.into_iter().chain(over_time).collect();
    document("Comparison · dynosim", &content, &times, &charts)
}

fn header(runs: &[ComparedRun]) -> String {
    let mut out = format!(
        "<header class=\"plain\">\n<p class=\"name\">Comparison</p>\n<h1>{} runs side by side</h1>\n<ul class=\"sentences\">\n",
        runs.len()
    );
    for verdict in verdicts(runs) {
        let _ = writeln!(out, "<li>{}</li>", html(&verdict));
    }
    out.push_str("</ul>\n</header>\n");
    out
}

fn table(runs: &[ComparedRun]) -> String {
    let mut out =
        String::from("<div class=\"scroll\"><table class=\"numbers\">\n<thead><tr><th>Metric</th>");
    for run in runs {
        let _ = write!(out, "<th>{}</th>", html(&plain(run.name())));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (metric, values) in rows(runs) {
        let _ = write!(out, "<tr><th>{}</th>", html(metric.label));
        let best = best(metric, &values);
        let first = values.first().copied().flatten();
        for (index, &value) in values.iter().enumerate() {
            let text = html(&cell(metric, value, first.filter(|_| index > 0)));
            if best == Some(index) {
                let _ = write!(out, "<td class=\"best\">{text}</td>");
            } else {
                let _ = write!(out, "<td>{text}</td>");
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n<p class=\"note\">In brackets the change against the first run; the best value of a row is bold.</p>\n");
    out
}

/// Which colour is which run, for all charts.
fn key(runs: &[ComparedRun], labels: &[String]) -> String {
    let mut out = String::from("<ul class=\"key\">\n");
    for (index, (run, label)) in runs.iter().zip(labels).enumerate() {
        let name = html(&plain(run.name()));
        let number = if label.starts_with('#') {
            format!("{} ", html(label))
        } else {
            String::new()
        };
        let color = color(index);
        let _ = writeln!(
            out,
            "<li><i style=\"background: var(--{color})\"></i>{number}{name}</li>"
        );
    }
    out.push_str("</ul>\n");
    out
}

/// Names for charts that differ: file names without folder and ending where
/// few runs have short ones, numbers otherwise.
fn labels(runs: &[ComparedRun]) -> Vec<String> {
    let short = |name: &str| {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
        file.strip_suffix(".json").unwrap_or(file).to_owned()
    };
    let names: Vec<String> = runs.iter().map(|run| short(run.name())).collect();
    let usable = |index: usize| {
        let name = &names[index];
        let length = name.chars().count();
        (1..=LONGEST_LABEL).contains(&length) && !names[..index].contains(name)
    };
    if runs.len() <= MOST_NAMED && (0..runs.len()).all(usable) {
        return names;
    }
    (1..=runs.len())
        .map(|number| format!("#{number}"))
        .collect()
}

fn color(index: usize) -> &'static str {
    COLORS[index % COLORS.len()]
}

/// The key of the page stands for the legends of its charts.
fn without_legend(series: Series) -> Series {
    Series {
        legend: false,
        ..series
    }
}

fn bars(runs: &[ComparedRun], labels: &[String]) -> Vec<Chart> {
    let single = |&(title, axis, key, factor): &(&'static str, &'static str, &str, f64)| {
        let mut chart = Chart::new(title, axis, "");
        chart.across = Across::Names;
        let values: Vec<Option<f64>> = runs.iter().map(|run| run.number(key)).collect();
        // Bars of nothing but zeros say nothing.
        if values.iter().flatten().all(|&value| value == 0.0) && key != "sla_attainment" {
            return chart;
        }
        for (index, (label, value)) in labels.iter().zip(values).enumerate() {
            let names = Times::Names(vec![label.clone()]);
            let value = vec![value.map(|value| value * factor)];
            let bar = Series::new(label, names, value, (Shape::Bars, color(index)));
            chart = chart.with(without_legend(bar));
        }
        chart
    };
    let latency = |(title, axis, caption, statistics): (_, _, _, [Bar; 4])| {
        let mut chart = Chart::new(title, axis, caption);
        chart.across = Across::Names;
        for (index, (run, label)) in runs.iter().zip(labels).enumerate() {
            let names = statistics.map(|(name, _)| name.to_owned()).to_vec();
            let values = statistics.map(|(_, key)| run.number(key)).to_vec();
            let style = (Shape::Bars, color(index));
            let series = Series::new(label, Times::Names(names), values, style);
            chart = chart.with(without_legend(series));
        }
        chart
    };
    let (answer, rest) = SINGLE.split_at(3);
    let answer = answer.iter().map(single);
    let latencies = LATENCIES.into_iter().map(latency);
    let rest = rest.iter().map(single);
    answer
        .chain(latencies)
        .chain(rest)
        .filter(|chart| !chart.is_empty())
        .map(Chart::in_fitting_unit)
        .collect()
}

fn over_time(runs: &[ComparedRun], labels: &[String]) -> Vec<Chart> {
    let histories = |pool: &str| -> Vec<Option<PoolHistory>> {
        runs.iter().map(|run| run.history(pool)).collect()
    };
    let (prefill, decode) = (histories("prefill"), histories("decode"));
    let caption = "Ready workers, of the runs that a planner scaled.";
    let replicas = |chart: Chart, histories: &[Option<PoolHistory>]| {
        let mut chart = chart;
        for (index, history) in histories.iter().enumerate() {
            let Some(history) = history else { continue };
            let (times, ready) = history
                .points
                .iter()
                .map(|held| (held.at_s, Some(held.ready)))
                .unzip();
            let style = (Shape::Step, color(index));
            let series = Series::new(&labels[index], Times::Own(times), ready, style);
            chart = chart.with(without_legend(series));
        }
        chart
    };
    let mut hours = Chart::new(
        "Cumulative GPU hours",
        "GPU-hours",
        "Starting and draining workers hold their GPUs and are charged.",
    );
    for (index, pools) in prefill.iter().zip(&decode).enumerate() {
        if let Some((times, values)) = gpu_hours(pools.0.iter().chain(pools.1)) {
            let style = (Shape::Line, color(index));
            let series = Series::new(&labels[index], Times::Own(times), values, style);
            hours = hours.with(without_legend(series));
        }
    }
    [
        replicas(Chart::new("Prefill workers", "Workers", caption), &prefill),
        replicas(
            Chart::new("Decode or aggregated workers", "Workers", caption),
            &decode,
        ),
        hours,
    ]
    .into_iter()
    .filter(|chart| !chart.is_empty())
    .collect()
}

/// The integral of the GPUs that pools hold; `None` if the GPUs of a worker
/// are unknown.
fn gpu_hours<'a>(
    pools: impl Iterator<Item = &'a PoolHistory>,
) -> Option<(Vec<f64>, Vec<Option<f64>>)> {
    let mut changes: Vec<(f64, f64)> = Vec::new();
    for pool in pools {
        let gpus = pool.gpus?;
        let mut before = 0.0;
        for held in &pool.points {
            changes.push((held.at_s, (held.all - before) * gpus));
            before = held.all;
        }
    }
    changes.sort_by(|one, two| one.0.total_cmp(&two.0));
    let (mut held, mut hours, mut since) = (0.0, 0.0, changes.first()?.0);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for (at, change) in changes {
        hours += held * (at - since) / 3600.0;
        since = at;
        held += change;
        times.push(at);
        values.push(Some(hours));
    }
    Some((times, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Held;

    fn run(name: &str) -> ComparedRun {
        ComparedRun::parse(name, r#"{"num_requests": 1}"#).unwrap()
    }

    #[test]
    fn runs_have_short_names_or_numbers_in_charts() {
        let two = |one: &str, two: &str| labels(&[run(one), run(two)]);
        assert_eq!(two("out/agg.json", "b/run.json"), ["agg", "run"]);
        assert_eq!(two("a/run.json", "b/run.json"), ["#1", "#2"]);
        assert_eq!(two("a.json", &"x".repeat(25)), ["#1", "#2"]);
        let many: Vec<ComparedRun> = (0..6).map(|n| run(&format!("{n}.json"))).collect();
        assert_eq!(labels(&many)[5], "#6");
    }

    #[test]
    fn gpu_hours_are_the_integral_over_all_pools() {
        let pool = |points: [(f64, f64); 3], gpus| PoolHistory {
            points: points
                .map(|(at_s, all)| Held {
                    at_s,
                    ready: all,
                    all,
                })
                .to_vec(),
            gpus: Some(gpus),
        };
        let pools = [
            pool([(0.0, 1.0), (1800.0, 3.0), (3600.0, 3.0)], 2.0),
            pool([(0.0, 1.0), (900.0, 0.0), (3600.0, 0.0)], 4.0),
        ];
        let (times, values) = gpu_hours(pools.iter()).unwrap();
        assert_eq!(times.last(), Some(&3600.0));
        assert_eq!(values.last(), Some(&Some(1.0 + 3.0 + 1.0)));
    }
}
