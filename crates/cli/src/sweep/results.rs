//! The results of a sweep: a row a case, as JSON lines, CSV and a table.

use std::fmt::Write;

use report::{SweepMetric, SweepPage, SweepPoint};
use serde_json::{Map, Value, json};

use super::case::{Case, text_of};
use super::execute::{Outcome, Outcomes};
use super::store::Store;

/// Metrics of a row: name, what people call it, and where a report has it.
const METRICS: [(&str, &str, &str); 18] = [
    ("completed_requests", "Completed", "/completed_requests"),
    ("mean_ttft_ms", "TTFT mean (ms)", "/mean_ttft_ms"),
    ("p50_ttft_ms", "TTFT p50 (ms)", "/median_ttft_ms"),
    ("p90_ttft_ms", "TTFT p90 (ms)", "/p90_ttft_ms"),
    ("p99_ttft_ms", "TTFT p99 (ms)", "/p99_ttft_ms"),
    ("mean_itl_ms", "ITL mean (ms)", "/mean_itl_ms"),
    ("p90_itl_ms", "ITL p90 (ms)", "/p90_itl_ms"),
    ("p99_itl_ms", "ITL p99 (ms)", "/p99_itl_ms"),
    (
        "mean_e2e_latency_ms",
        "E2E mean (ms)",
        "/mean_e2e_latency_ms",
    ),
    (
        "request_throughput_rps",
        "Requests/s",
        "/request_throughput_rps",
    ),
    (
        "output_throughput_tok_s",
        "Output (tok/s)",
        "/output_throughput_tok_s",
    ),
    ("gpu_hours", "GPU-hours", "/gpu_hours"),
    (
        "scaling_events",
        "Scaling events",
        "/planner/scaling_events",
    ),
    ("ticks", "Ticks", "/planner/ticks"),
    ("sla_attainment", "SLA met", "/sla_attainment"),
    (
        "prefix_cache_reused_ratio",
        "Reuse",
        "/prefix_cache_reused_ratio",
    ),
    ("rejected_requests", "Rejected", "/rejected_requests"),
    ("preemptions", "Preemptions", "/preemptions"),
];

/// Metrics of the table on stdout.
const SHOWN: [&str; 9] = [
    "completed_requests",
    "mean_ttft_ms",
    "p90_ttft_ms",
    "p99_ttft_ms",
    "mean_itl_ms",
    "p90_itl_ms",
    "gpu_hours",
    "scaling_events",
    "sla_attainment",
];

/// Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom
/// (tabulated in any statistics text); 1.96 beyond.
const T95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// A metric over the runs of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    /// Half the width of the 95 % interval of the mean, where there are two
    /// runs or more.
    pub(crate) half_width: Option<f64>,
}

/// A case with its figures.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) set: Map<String, Value>,
    /// Its runs, the failed ones too.
    pub(crate) ids: Vec<String>,
    /// One a metric; absent where no run has it.
    pub(crate) metrics: Vec<Option<Estimate>>,
    /// Why runs failed, if any did.
    pub(crate) error: Option<String>,
}

impl Row {
    /// A metric's mean over the runs, if any has it.
    pub(crate) fn mean(&self, name: &str) -> Option<f64> {
        let index = METRICS.iter().position(|metric| metric.0 == name)?;
        Some(self.metrics.get(index)?.as_ref()?.mean)
    }
}

/// All rows, in case order.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    pub(crate) axes: Vec<String>,
    pub(crate) rows: Vec<Row>,
    repeated: bool,
    pages: bool,
}

impl Results {
    pub(crate) fn new(axes: Vec<String>, cases: &[Case], outcomes: &Outcomes, pages: bool) -> Self {
        let rows = cases.iter().map(|case| {
            let outcomes: Vec<&Outcome> = outcomes.of(case).collect();
            Row {
                set: case.set.clone(),
                ids: case.runs.iter().map(|run| run.id.clone()).collect(),
                metrics: METRICS
                    .iter()
                    .map(|metric| estimate(metric.2, &outcomes))
                    .collect(),
                error: outcomes
                    .iter()
                    .find_map(|outcome| outcome.as_ref().err().map(ToString::to_string)),
            }
        });
        Self {
            rows: rows.collect(),
            axes,
            repeated: cases.iter().any(|case| case.runs.len() > 1),
            pages,
        }
    }

    /// Rows with a failed run.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (usize, &Row, &str)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(index, row)| Some((index, row, row.error.as_deref()?)))
    }

    /// One JSON object a line.
    pub(crate) fn jsonl(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let mut metrics = Map::new();
            for (metric, estimate) in METRICS.iter().zip(&row.metrics) {
                let Some(estimate) = estimate else { continue };
                metrics.insert(metric.0.to_owned(), estimate.mean.into());
                if let Some(half) = estimate.half_width {
                    metrics.insert(format!("{}_ci95", metric.0), half.into());
                }
            }
            let reports: Vec<String> = row.ids.iter().map(|id| Store::report_name(id)).collect();
            let mut line = json!({
                "point": index, "set": row.set, "metrics": metrics, "reports": reports,
                "error": row.error,
            });
            line.sort_all_objects();
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Comma-separated values with a line of names.
    pub(crate) fn csv(&self) -> String {
        let mut head = vec!["point".to_owned()];
        head.extend(self.axes.iter().map(|axis| cell(axis)));
        for metric in METRICS {
            head.push(metric.0.to_owned());
            if self.repeated {
                head.push(format!("{}_ci95", metric.0));
            }
        }
        head.extend(["report", "page", "error"].map(str::to_owned));
        let mut text = head.join(",") + "\n";
        for (index, row) in self.rows.iter().enumerate() {
            let mut cells = vec![index.to_string()];
            cells.extend(self.values(row).map(|value| cell(&value)));
            for estimate in &row.metrics {
                let number =
                    |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
                cells.push(number(estimate.map(|estimate| estimate.mean)));
                if self.repeated {
                    cells.push(number(estimate.and_then(|estimate| estimate.half_width)));
                }
            }
            let (report, page) = self.files(row);
            cells.push(report.unwrap_or_default());
            cells.push(page.unwrap_or_default());
            cells.push(cell(row.error.as_deref().unwrap_or("")));
            text += &cells.join(",");
            text.push('\n');
        }
        text
    }

    /// What the page of the sweep shows.
    pub(crate) fn page(&self, title: String, command: String) -> SweepPage {
        // A metric that no case has is no column.
        let kept: Vec<usize> = (0..METRICS.len())
            .filter(|&index| self.rows.iter().any(|row| row.metrics[index].is_some()))
            .collect();
        let point = |row: &Row| {
            let (report, page) = self.files(row);
            let estimates = || kept.iter().map(|&index| row.metrics[index]);
            SweepPoint {
                set: self
                    .axes
                    .iter()
                    .map(|axis| row.set.get(axis).cloned().unwrap_or_default())
                    .collect(),
                metrics: estimates().map(|metric| Some(metric?.mean)).collect(),
                spread: estimates().map(|metric| metric?.half_width).collect(),
                report,
                page,
                error: row.error.clone(),
            }
        };
        SweepPage {
            title,
            command: Some(command),
            axes: self.axes.clone(),
            metrics: kept
                .iter()
                .map(|&index| SweepMetric {
                    key: METRICS[index].0.to_owned(),
                    name: METRICS[index].1.to_owned(),
                })
                .collect(),
            points: self.rows.iter().map(point).collect(),
        }
    }

    /// The main figures as aligned columns.
    pub(crate) fn table(&self) -> String {
        let shown: Vec<usize> = (0..METRICS.len())
            .filter(|&index| SHOWN.contains(&METRICS[index].0))
            .filter(|&index| self.rows.iter().any(|row| row.metrics[index].is_some()))
            .collect();
        let mut lines = vec![
            self.axes
                .iter()
                .map(|axis| axis.rsplit('.').next().unwrap_or(axis).to_owned())
                .chain(shown.iter().map(|&index| METRICS[index].1.to_owned()))
                .collect::<Vec<String>>(),
        ];
        for row in &self.rows {
            let figures = shown.iter().map(|&index| {
                row.metrics[index]
                    .map_or_else(|| "-".to_owned(), |value| figure(METRICS[index].0, value))
            });
            let mut line: Vec<String> = self.values(row).chain(figures).collect();
            if row.error.is_some() {
                line.push("failed".to_owned());
            }
            lines.push(line);
        }
        aligned(&lines)
    }

    /// The value on each axis, as text.
    fn values(&self, row: &Row) -> impl Iterator<Item = String> {
        self.axes
            .iter()
            .map(|axis| row.set.get(axis).map_or_else(String::new, text_of))
    }

    /// Report and page of a row's first run, where it has them.
    fn files(&self, row: &Row) -> (Option<String>, Option<String>) {
        let done = row.metrics.iter().any(Option::is_some);
        let id = row.ids.first().filter(|_| done);
        (
            id.map(|id| Store::report_name(id)),
            id.filter(|_| self.pages).map(|id| Store::page_name(id)),
        )
    }
}

fn figure(name: &str, value: Estimate) -> String {
    let digits = match name {
        "completed_requests" | "scaling_events" if value.half_width.is_none() => 0,
        "sla_attainment" => 4,
        _ => 2,
    };
    match value.half_width {
        Some(half) => format!("{:.digits$}±{half:.digits$}", value.mean),
        None => format!("{:.digits$}", value.mean),
    }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:>width$}"))
            .collect();
        let _ = writeln!(text, "{}", cells.join("  "));
    }
    text
}

/// A CSV field, quoted where it must be.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The mean over the runs that have the metric, in run order.
fn estimate(pointer: &str, outcomes: &[&Outcome]) -> Option<Estimate> {
    let values: Vec<f64> = outcomes
        .iter()
        .filter_map(|outcome| {
            let value = outcome.as_ref().ok()?.report.pointer(pointer)?;
            // A list counts by its length.
            value
                .as_array()
                .map(|list| list.len() as f64)
                .or_else(|| value.as_f64())
        })
        .collect();
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let half_width = (values.len() >= 2).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let t = T95.get(values.len() - 2).copied().unwrap_or(1.96);
        t * (squares / (count - 1.0) / count).sqrt()
    });
    Some(Estimate { mean, half_width })
}
