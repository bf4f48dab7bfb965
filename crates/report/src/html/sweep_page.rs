//! One page for many runs: how the metrics move along what was varied.

use std::fmt::Write;

use serde_json::{Value, json};

use super::escape::html;
use super::shell::{PLOTLY, STYLE};

const SCRIPT: &str = include_str!("sweep_page.js");
/// A jump of TTFT from one point to the next that is worth a mark.
const CLIFF: f64 = 1.5;
/// Shares of requests within their targets that people ask for, greatest first.
const LEVELS: [f64; 5] = [0.99, 0.95, 0.9, 0.8, 0.5];
/// Axes that move the targets themselves, so that attainment compares nothing.
const TARGETS: [&str; 5] = [
    "ttft_ms",
    "itl_ms",
    "sla-ttft-ms",
    "sla-itl-ms",
    "sla-e2e-ms",
];
/// Metrics of which more is better; of all others less is.
const MORE_IS_BETTER: [&str; 5] = [
    "completed_requests",
    "request_throughput_rps",
    "output_throughput_tok_s",
    "sla_attainment",
    "prefix_cache_reused_ratio",
];

/// A metric of a sweep.
#[derive(Clone, Debug)]
pub struct SweepMetric {
    /// Its key, as in results: `p99_ttft_ms`.
    pub key: String,
    /// What people call it, with its unit.
    pub name: String,
}

/// A point of a sweep. Every text may be anything: it is escaped.
#[derive(Clone, Debug, Default)]
pub struct SweepPoint {
    /// Its value on each axis; `null` where it has none.
    pub set: Vec<Value>,
    /// Its value of each metric, where it has one.
    pub metrics: Vec<Option<f64>>,
    /// Half the 95 % interval of each metric, where there were repeats.
    pub spread: Vec<Option<f64>>,
    /// File of its report, relative to the page.
    pub report: Option<String>,
    /// Its own page, relative to this one.
    pub page: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What the page of a sweep shows.
#[derive(Clone, Debug, Default)]
pub struct SweepPage {
    /// What the sweep is called, such as the name of its trace.
    pub title: String,
    /// The command that repeats it.
    pub command: Option<String>,
    /// Names of what was varied, first axis first.
    pub axes: Vec<String>,
    /// The metrics, in the order of the table.
    pub metrics: Vec<SweepMetric>,
    /// The points, in the order of the sweep.
    pub points: Vec<SweepPoint>,
}

/// Where a metric jumps from one value of the first axis to the next.
struct Cliff<'a> {
    metric: &'a SweepMetric,
    from: &'a Value,
    to: &'a Value,
    values: (f64, f64),
}

/// The page of a sweep: one file that needs nothing else, about 2 MB.
///
/// ```
/// use report::{SweepPage, sweep_html};
/// let page = sweep_html(&SweepPage { title: "fleet <1>".to_owned(), ..SweepPage::default() });
/// assert!(page.starts_with("<!DOCTYPE html>"));
/// assert!(page.contains("fleet &lt;1&gt;"));
/// ```
pub fn sweep_html(sweep: &SweepPage) -> String {
    let cliff = sweep.cliff();
    let title = html(&sweep.title);
    let mut page = String::with_capacity(PLOTLY.len() + (1 << 18));
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · dynosim sweep</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<p class=\"name\">Sweep · {title}</p>\n<h1>{}</h1>\n<ul class=\"sentences\">\n",
        html(&sweep.headline(cliff.as_ref()))
    );
    for sentence in sweep.sentences() {
        let _ = writeln!(page, "<li>{}</li>", html(&sentence));
    }
    page.push_str("</ul>\n</header>\n<main>\n");
    sweep.charts(&mut page);
    page.push_str("<h2>All points</h2>\n");
    sweep.table(&mut page);
    if let Some(command) = &sweep.command {
        let _ = write!(
            page,
            "<h2>Repeat it</h2>\n<pre class=\"command\">{}</pre>\n",
            html(command)
        );
    }
    let _ = write!(
        page,
        "</main>\n<footer>Charts are drawn by plotly.js (MIT license), which this page carries.</footer>\n\
         <script type=\"application/json\" id=\"charts\">{}</script>\n\
         <script type=\"text/plain\" id=\"plotly\">{PLOTLY}</script>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        sweep.data(cliff.as_ref())
    );
    page
}

type LineChart = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    bool,
);

/// The charts over the first axis: id, title, metrics, value axis, and whether
/// the cliff is marked.
const LINES: [LineChart; 5] = [
    (
        "line-sla",
        "Requests within the targets",
        &["sla_attainment"],
        "share",
        false,
    ),
    (
        "line-ttft",
        "Time to first token",
        &["p99_ttft_ms", "p90_ttft_ms", "mean_ttft_ms"],
        "ms",
        true,
    ),
    (
        "line-itl",
        "Inter-token latency",
        &["p90_itl_ms", "mean_itl_ms"],
        "ms",
        true,
    ),
    ("line-gpu", "GPU-hours", &["gpu_hours"], "GPU-hours", false),
    (
        "line-events",
        "Scaling events",
        &["scaling_events"],
        "events",
        false,
    ),
];

impl SweepPage {
    fn index(&self, key: &str) -> Option<usize> {
        self.metrics.iter().position(|metric| metric.key == key)
    }

    /// Whether any point has the metric.
    fn has(&self, key: &str) -> bool {
        self.index(key).is_some_and(|index| {
            self.points
                .iter()
                .any(|point| value(&point.metrics, index).is_some())
        })
    }

    /// The largest relative rise of TTFT p99 (or else mean) between neighbours,
    /// where one number is varied.
    fn cliff(&self) -> Option<Cliff<'_>> {
        if self.axes.len() != 1 {
            return None;
        }
        let index = self
            .index("p99_ttft_ms")
            .or_else(|| self.index("mean_ttft_ms"))?;
        let known: Vec<(&Value, f64)> = self
            .points
            .iter()
            .filter_map(|point| {
                let at = point.set.first().filter(|at| at.is_number())?;
                Some((
                    at,
                    value(&point.metrics, index).filter(|&value| value > 0.0)?,
                ))
            })
            .collect();
        let ratio = |pair: &[(&Value, f64)]| pair[1].1 / pair[0].1;
        let pair = known
            .windows(2)
            .max_by(|one, two| ratio(one).total_cmp(&ratio(two)))
            .filter(|pair| ratio(pair) >= CLIFF)?;
        Some(Cliff {
            metric: &self.metrics[index],
            from: pair[0].0,
            to: pair[1].0,
            values: (pair[0].1, pair[1].1),
        })
    }

    /// What a point is judged by first.
    fn goal(&self) -> &'static str {
        let moved = self.axes.iter().any(|axis| TARGETS.contains(&short(axis)));
        if self.has("sla_attainment") && !moved {
            "sla_attainment"
        } else {
            "p99_ttft_ms"
        }
    }

    /// The cheapest point at the highest level of attainment that any reaches.
    fn cheapest(&self) -> Option<String> {
        if self.goal() != "sla_attainment" {
            return None;
        }
        let (met, cost) = (self.index("sla_attainment")?, self.index("gpu_hours")?);
        let known = self.points.iter().filter_map(|point| {
            Some((
                point,
                value(&point.metrics, met)?,
                value(&point.metrics, cost)?,
            ))
        });
        let known: Vec<(&SweepPoint, f64, f64)> = known.collect();
        let level = LEVELS
            .into_iter()
            .find(|level| known.iter().any(|(_, share, _)| share >= level))?;
        let (point, _, hours) = known
            .into_iter()
            .filter(|(_, share, _)| *share >= level)
            .min_by(|one, two| one.2.total_cmp(&two.2))?;
        Some(format!(
            "{:.0} % of requests within the targets take {} GPU-hours: {}",
            100.0 * level,
            figure(hours),
            self.at(point)
        ))
    }

    /// The place of a point, in words.
    fn at(&self, point: &SweepPoint) -> String {
        let parts: Vec<String> = self
            .axes
            .iter()
            .zip(&point.set)
            .map(|(axis, value)| format!("{} {}", short(axis), text(value)))
            .collect();
        parts.join(", ")
    }

    fn headline(&self, cliff: Option<&Cliff<'_>>) -> String {
        let cheapest = || self.cheapest().filter(|_| self.points.len() > 1);
        match cliff {
            Some(cliff) => format!(
                "{} jumps from {:.0} to {:.0} between {} {} and {}",
                cliff.metric.name,
                cliff.values.0,
                cliff.values.1,
                short(&self.axes[0]),
                cliff.from,
                cliff.to
            ),
            None if self.axes.is_empty() => "Nothing varied".to_owned(),
            None => cheapest().unwrap_or_else(|| {
                let axes: Vec<&str> = self.axes.iter().map(|axis| short(axis)).collect();
                format!("{} points over {}", self.points.len(), axes.join(" and "))
            }),
        }
    }

    fn sentences(&self) -> Vec<String> {
        let failed = self
            .points
            .iter()
            .filter(|point| point.error.is_some())
            .count();
        let mut sentences = vec![format!("{} points, {failed} failed.", self.points.len())];
        for (key, least) in [
            ("p99_ttft_ms", true),
            ("gpu_hours", true),
            ("sla_attainment", false),
        ] {
            if key == "sla_attainment" && self.goal() != key {
                continue;
            }
            sentences.extend(self.best(key, least));
        }
        sentences
    }

    /// The best point by a metric, in words.
    fn best(&self, key: &str, least: bool) -> Option<String> {
        let index = self.index(key)?;
        let sign = if least { 1.0 } else { -1.0 };
        let (point, best) = self
            .points
            .iter()
            .filter_map(|point| Some((point, value(&point.metrics, index)?)))
            .min_by(|one, two| (sign * one.1).total_cmp(&(sign * two.1)))?;
        Some(format!(
            "Best {}: {} at {}.",
            self.metrics[index].name,
            figure(best),
            self.at(point)
        ))
    }

    /// The charts there are: id, title, and controls above them.
    fn places(&self) -> Vec<(&'static str, &'static str, String)> {
        let select = |id: &str, label: &str| {
            format!("<label>{label} <select id=\"{id}\"></select></label> ")
        };
        let both = select("scatter-x", "Across") + &select("scatter-y", "Up");
        let mut places = vec![("scatter", "What is worth its cost", both)];
        if self.axes.len() >= 2 {
            places.push((
                "heat",
                "Heat map of the first two axes",
                select("heat-metric", "Metric"),
            ));
        }
        places.extend(
            self.lines()
                .map(|&(id, title, ..)| (id, title, String::new())),
        );
        places.push(("parallel", "Parallel coordinates", String::new()));
        places
    }

    /// The line charts that have something to show.
    fn lines(&self) -> impl Iterator<Item = &'static LineChart> {
        let lines = LINES.iter();
        lines.filter(|line| !self.axes.is_empty() && line.2.iter().any(|key| self.has(key)))
    }

    /// Places for the charts.
    fn charts(&self, page: &mut String) {
        page.push_str(
            "<h2>What moves with it</h2>\n<p class=\"note\" id=\"hint\">Charts need a browser that runs scripts; all figures stand below without.</p>\n<div class=\"grid\">\n",
        );
        for (id, title, controls) in self.places() {
            // Many axes want the whole width.
            let width = if id == "parallel" {
                " style=\"grid-column: 1 / -1\""
            } else {
                ""
            };
            let _ = writeln!(
                page,
                "<figure{width}><h3>{title}</h3><figcaption>{controls}</figcaption><div class=\"chart\" id=\"{id}\" role=\"img\" aria-label=\"{title}\"></div></figure>"
            );
        }
        page.push_str("</div>\n");
    }

    fn table(&self, page: &mut String) {
        page.push_str("<div class=\"scroll\"><table class=\"numbers\">\n<thead><tr><th>#</th>");
        for axis in &self.axes {
            let _ = write!(page, "<th>{}</th>", html(axis));
        }
        page.push_str("<th>Files</th>");
        for metric in &self.metrics {
            let _ = write!(page, "<th>{}</th>", html(&metric.name));
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        for (index, point) in self.points.iter().enumerate() {
            let _ = write!(page, "<tr><th>{index}</th>");
            for value in &point.set {
                let _ = write!(page, "<td>{}</td>", html(&text(value)));
            }
            page.push_str("<td>");
            for (file, name) in [(&point.page, "page"), (&point.report, "report")] {
                if let Some(file) = file {
                    let _ = write!(page, "<a href=\"{}\">{name}</a> ", html(file));
                }
            }
            if let Some(error) = &point.error {
                page.push_str(&html(error));
            }
            page.push_str("</td>");
            for (at, metric) in point.metrics.iter().enumerate() {
                let shown = metric.map_or_else(|| "–".to_owned(), figure);
                let _ = match value(&point.spread, at) {
                    Some(half) => write!(page, "<td>{shown} ± {}</td>", figure(half)),
                    None => write!(page, "<td>{shown}</td>"),
                };
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table></div>\n");
    }

    /// The data of the charts, safe inside a script element: markup is escaped
    /// as in HTML, which chart labels understand.
    fn data(&self, cliff: Option<&Cliff<'_>>) -> String {
        let points: Vec<Value> = self
            .points
            .iter()
            .map(|point| {
                let set: Vec<Value> = point.set.iter().map(label).collect();
                json!({"set": set, "metrics": point.metrics, "spread": point.spread})
            })
            .collect();
        let axes = self
            .axes
            .iter()
            .map(|axis| json!({"name": html(axis), "short": html(short(axis))}));
        let metrics = self.metrics.iter().map(|metric| {
            let more = MORE_IS_BETTER.contains(&metric.key.as_str());
            json!({"key": metric.key, "name": html(&metric.name), "plain": metric.name, "more": more})
        });
        let lines = self.lines().map(|(id, _, metrics, axis, cliff)| {
            json!({"id": id, "metrics": metrics, "axis": axis, "cliff": cliff})
        });
        let places = self.places().into_iter().map(|(id, ..)| id);
        let cliff = cliff.map(|cliff| {
            let factor = cliff.values.1 / cliff.values.0;
            json!({"from": cliff.from, "to": cliff.to, "label": format!("cliff, × {factor:.1}")})
        });
        let data = json!({
            "axes": axes.collect::<Vec<_>>(),
            "metrics": metrics.collect::<Vec<_>>(),
            "points": points,
            "lines": lines.collect::<Vec<_>>(),
            "charts": places.collect::<Vec<_>>(),
            "cliff": cliff,
            "goal": self.goal(),
        });
        data.to_string().replace('<', "\\u003c")
    }
}

fn value(values: &[Option<f64>], index: usize) -> Option<f64> {
    values.get(index).copied().flatten()
}

/// The last part of a dotted path.
fn short(axis: &str) -> &str {
    axis.rsplit('.').next().unwrap_or(axis)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "default".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as a chart label: numbers stay numbers.
fn label(value: &Value) -> Value {
    match value {
        Value::Number(_) => value.clone(),
        other => Value::String(html(&text(other))),
    }
}

fn figure(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else if value.abs() < 1.0 {
        format!("{value:.4}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(values: &[f64]) -> SweepPage {
        let point = |(index, &value): (usize, &f64)| SweepPoint {
            set: vec![json!(index * 10)],
            metrics: vec![Some(value)],
            report: Some(format!("points/{index}.json")),
            ..SweepPoint::default()
        };
        SweepPage {
            title: "start-up".to_owned(),
            axes: vec!["extra-engine-args.startup_time".to_owned()],
            metrics: vec![SweepMetric {
                key: "p99_ttft_ms".to_owned(),
                name: "TTFT p99 (ms)".to_owned(),
            }],
            points: values.iter().enumerate().map(point).collect(),
            ..SweepPage::default()
        }
    }

    #[test]
    fn the_cliff_is_the_largest_relative_rise() {
        let text = sweep_html(&page(&[100.0, 130.0, 900.0, 2000.0]));
        assert!(
            text.contains("TTFT p99 (ms) jumps from 130 to 900 between startup_time 10 and 20"),
            "{}",
            &text[text.find("<h1>").unwrap()..][..200]
        );
        assert!(text.contains("\"cliff\":{\"from\":10"));
        assert!(text.contains("<a href=\"points/2.json\">report</a>"));
    }

    #[test]
    fn a_gentle_slope_is_none() {
        let text = sweep_html(&page(&[100.0, 110.0, 125.0]));
        assert!(text.contains("\"cliff\":null"));
        assert!(text.contains("<h1>3 points over startup_time</h1>"));
    }

    #[test]
    fn the_headline_is_the_cheapest_point_within_the_targets() {
        let mut sweep = page(&[4.0, 3.0, 2.0]);
        for (key, name) in [("sla_attainment", "SLA met"), ("gpu_hours", "GPU-hours")] {
            sweep.metrics.push(SweepMetric {
                key: key.to_owned(),
                name: name.to_owned(),
            });
        }
        for (point, figures) in sweep.points.iter_mut().zip([
            [Some(0.8), Some(1.0)],
            [Some(0.96), Some(2.5)],
            [Some(0.98), Some(4.0)],
        ]) {
            point.metrics.extend(figures);
        }
        let said =
            "<h1>95 % of requests within the targets take 2.50 GPU-hours: startup_time 10</h1>";
        assert!(sweep_html(&sweep).contains(said));
        // With other targets at every point, attainment tells nothing.
        sweep.axes[0] = "planner-config.ttft_ms".to_owned();
        assert!(sweep_html(&sweep).contains("<h1>3 points over ttft_ms</h1>"));
    }

    #[test]
    fn texts_from_outside_are_harmless() {
        let mut sweep = page(&[1.0]);
        sweep.axes[0] = "</script><b>".to_owned();
        sweep.points[0].set[0] = json!("<i>&");
        sweep.points[0].error = Some("<script>x".to_owned());
        let text = sweep_html(&sweep);
        assert!(!text.contains("</script><b>"));
        assert!(!text.contains("<i>&"));
        assert!(!text.contains("<script>x"));
    }
}
