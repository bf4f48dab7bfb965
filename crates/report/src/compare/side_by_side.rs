//! The comparison as a table and as JSON.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::{Map, Value, json};

use super::ComparedRun;
use super::metric::{Better, Kind, METRICS, Metric};
use crate::table::number;

/// The runs side by side: a column a run, with the change against the first,
/// and below what each run is better at than the first. Metrics that no run
/// has are left out.
pub fn compare_table(runs: &[ComparedRun]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let names = runs.iter().map(|run| right(plain(run.name())));
    table.set_header(std::iter::once(Cell::new("Metric")).chain(names));
    for (metric, values) in rows(runs) {
        let first = values.first().copied().flatten();
        let cells = values
            .iter()
            .enumerate()
            .map(|(index, &value)| right(cell(metric, value, first.filter(|_| index > 0))));
        table.add_row(std::iter::once(Cell::new(metric.label)).chain(cells));
    }
    let mut text = format!("{table}\n");
    for verdict in verdicts(runs) {
        text.push_str(&verdict);
        text.push('\n');
    }
    text
}

/// The comparison as JSON: the names of the runs, and for each metric its
/// values and which run has the best one (`null` if they tie or none is
/// better).
pub fn compare_value(runs: &[ComparedRun]) -> Value {
    let names: Vec<&str> = runs.iter().map(ComparedRun::name).collect();
    let mut metrics = Map::new();
    for (metric, values) in rows(runs) {
        let best = best(metric, &values).map(|index| names[index]);
        metrics.insert(
            metric.key.to_owned(),
            json!({"values": values, "best": best}),
        );
    }
    json!({"runs": names, "metrics": metrics})
}

/// A value a run.
type Values = Vec<Option<f64>>;

/// The metrics that some run has, with their values.
pub(crate) fn rows(runs: &[ComparedRun]) -> Vec<(&'static Metric, Values)> {
    METRICS
        .iter()
        .map(|metric| (metric, runs.iter().map(|run| run.metric(metric)).collect()))
        .filter(|(_, values): &(_, Values)| values.iter().any(Option::is_some))
        .collect()
}

/// The run with the best value, if it is the only one.
pub(crate) fn best(metric: &Metric, values: &[Option<f64>]) -> Option<usize> {
    let known = values
        .iter()
        .enumerate()
        .filter_map(|(i, v)| Some((i, (*v)?)));
    let mut ranked: Vec<(usize, f64)> = known.collect();
    match metric.better {
        Better::Lower => ranked.sort_by(|one, two| one.1.total_cmp(&two.1)),
        Better::Higher => ranked.sort_by(|one, two| two.1.total_cmp(&one.1)),
        Better::Neither => return None,
    }
    match ranked[..] {
        [first, second, ..] if first.1.total_cmp(&second.1).is_ne() => Some(first.0),
        _ => None,
    }
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// Names come from file names: what would move a terminal's cursor is shown.
pub(crate) fn plain(name: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    name.chars().map(visible).collect()
}

/// A value with its change from the first run's.
pub(crate) fn cell(metric: &Metric, value: Option<f64>, first: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    let mut text = match metric.kind {
        Kind::Share => format!("{:.2} %", value * 100.0),
        Kind::Amount => number(value),
        Kind::Count => number(value).trim_end_matches(".00").to_owned(),
    };
    if let Some(change) = first.and_then(|first| change(metric, first, value)) {
        let _ = write!(text, " ({change})");
    }
    text
}

/// Shares change by percentage points, everything else by per cent.
fn change(metric: &Metric, first: f64, value: f64) -> Option<String> {
    if metric.kind == Kind::Share {
        return Some(format!("{:+.2} pp", (value - first) * 100.0));
    }
    (first != 0.0).then(|| format!("{:+.1} %", (value - first) / first.abs() * 100.0))
}

/// What each run but the first is better and worse at than the first.
pub(crate) fn verdicts(runs: &[ComparedRun]) -> Vec<String> {
    let Some((first, others)) = runs.split_first() else {
        return Vec::new();
    };
    others.iter().map(|other| verdict(first, other)).collect()
}

fn verdict(first: &ComparedRun, other: &ComparedRun) -> String {
    let (mut better, mut worse) = (Vec::new(), Vec::new());
    for metric in METRICS.iter().filter(|metric| metric.headline) {
        let (Some(before), Some(after)) = (first.metric(metric), other.metric(metric)) else {
            continue;
        };
        let Some(best) = best(metric, &[Some(before), Some(after)]) else {
            continue;
        };
        let name = metric.label.split(" (").next().unwrap_or(metric.label);
        let change = change(metric, before, after).map_or(String::new(), |by| format!(" ({by})"));
        let list = if best == 1 { &mut better } else { &mut worse };
        list.push(format!("{name}{change}"));
    }
    let or_nothing = |list: Vec<String>| match list[..] {
        [] => "nothing".to_owned(),
        _ => list.join(", "),
    };
    format!(
        "{} against {}: better at {}; worse at {}",
        plain(other.name()),
        plain(first.name()),
        or_nothing(better),
        or_nothing(worse)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> Vec<ComparedRun> {
        let report = |name, ttft: f64, hours: f64, sla: f64| {
            let text = json!({
                "num_requests": 10, "completed_requests": 10, "p99_ttft_ms": ttft,
                "gpu_hours": hours, "sla_attainment": sla,
                "planner": {"scaling_events": [{}, {}]},
            });
            ComparedRun::parse(name, &text.to_string()).unwrap()
        };
        vec![
            report("agg", 2000.0, 1.0, 0.9),
            report("disagg\u{1b}[2J", 1500.0, 1.25, 0.9),
        ]
    }

    #[test]
    fn runs_stand_side_by_side_with_what_is_better_at_what() {
        let text = compare_table(&runs());
        assert!(text.contains("1,500.00 (-25.0 %)"), "{text}");
        assert!(text.contains("90.00 % (+0.00 pp)"), "{text}");
        assert!(!text.contains("ITL"), "{text}");
        assert!(text.contains("10 (+0.0 %)"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(
            text.ends_with(
                "against agg: better at TTFT p99 (-25.0 %); worse at GPU-hours (+25.0 %)\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_best_run_is_named_unless_they_tie() {
        let value = compare_value(&runs());
        assert_eq!(value["metrics"]["gpu_hours"]["best"], "agg");
        assert_eq!(value["metrics"]["sla_attainment"]["best"], Value::Null);
        assert_eq!(
            value["metrics"]["scaling_events"]["values"],
            json!([2.0, 2.0])
        );
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let error = ComparedRun::parse("a.json", "[]").unwrap_err();
        assert!(
            error.to_string().contains("a.json: not a report"),
            "{error}"
        );
        assert!(ComparedRun::parse("a.json", "{").is_err());
    }
}
