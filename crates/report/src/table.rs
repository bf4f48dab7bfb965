//! The summary as the AIPerf table, to the character.

use std::fmt::Write;
use std::time::Duration;

use sim_api::ScalingEvent;

use crate::{Distribution, Summary};

const COLUMNS: [&str; 8] = ["Metric", "avg", "min", "max", "p99", "p90", "p75", "std"];

type Row = [String; COLUMNS.len()];

/// The table with its title, the wall time (if given) and the reuse ratio, one
/// line each, with a newline at the end.
///
/// ```
/// let text = report::table(&report::Summary::default(), None);
/// assert!(text.starts_with("NVIDIA AIPerf | LLM Metrics\n┏━"));
/// assert!(text.ends_with("Prefix Cache Reused Ratio: 0.00\n"));
/// ```
pub fn table(summary: &Summary, wall_time: Option<Duration>) -> String {
    let mut text = String::from("NVIDIA AIPerf | LLM Metrics\n");
    draw(&mut text, &rows(summary));
    if let Some(wall_time) = wall_time {
        let ms = number(wall_time.as_secs_f64() * 1e3);
        line(&mut text, &format!("Wall Time (ms): {ms}"));
    }
    let ratio = number(summary.reused_ratio());
    line(&mut text, &format!("Prefix Cache Reused Ratio: {ratio}"));
    text
}

/// The lines that a planner run prints before its table; empty without events.
pub fn scaling_events(events: &[ScalingEvent]) -> String {
    let mut text = String::new();
    if !events.is_empty() {
        text.push_str("\nScaling events:\n");
    }
    for event in events {
        let at = event.at.as_secs();
        let ScalingEvent {
            component,
            from,
            to,
            reason,
            ..
        } = event;
        line(
            &mut text,
            &format!("  t={at:.1}s [{component}]: {from} -> {to} workers ({reason})"),
        );
    }
    text
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push('\n');
}

fn rows(summary: &Summary) -> Vec<Row> {
    vec![
        distribution("Time to First Token (ms)", &summary.ttft),
        distribution("Time to Second Token (ms)", &summary.ttst),
        distribution("Request Latency (ms)", &summary.e2e_latency),
        distribution("Inter Token Latency (ms)", &summary.itl),
        distribution(
            "Output Token Throughput Per User (tokens/sec/user)",
            &summary.output_token_throughput_per_user,
        ),
        single(
            "Output Token Throughput (tokens/sec)",
            summary.per_second(summary.output_tokens),
        ),
        single(
            "Request Throughput (requests/sec)",
            summary.per_second(summary.completed),
        ),
        single("Request Count (requests)", summary.completed as f64),
    ]
}

fn distribution(name: &str, of: &Distribution) -> Row {
    let [avg, min, max, p99, p90, p75, std] =
        [of.mean, of.min, of.max, of.p99, of.p90, of.p75, of.std].map(number);
    [name.to_owned(), avg, min, max, p99, p90, p75, std]
}

fn single(name: &str, value: f64) -> Row {
    let mut row: Row = std::array::from_fn(|_| "N/A".to_owned());
    row[0] = name.to_owned();
    row[1] = number(value);
    row
}

/// Two decimals, and commas between thousands.
pub(crate) fn number(value: f64) -> String {
    let plain = format!("{:.2}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let _ = write!(text, ".{fraction}");
    text
}

fn draw(text: &mut String, rows: &[Row]) {
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .max()
            .unwrap_or(0)
            .max(COLUMNS[column].chars().count())
    });
    let rule = |[left, middle, right]: [char; 3]| {
        let segments = widths.map(|width| "━".repeat(width + 2));
        format!("{left}{}{right}", segments.join(&middle.to_string()))
    };
    let cells = |cells: [&str; COLUMNS.len()]| {
        let mut content = String::new();
        for (column, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
            content.push_str(if column == 0 { "┃ " } else { " ┃ " });
            let _ = if column == 0 {
                write!(content, "{cell:<width$}")
            } else {
                write!(content, "{cell:>width$}")
            };
        }
        content.push_str(" ┃");
        content
    };
    line(text, &rule(['┏', '┳', '┓']));
    line(text, &cells(COLUMNS));
    line(text, &rule(['┡', '╇', '┩']));
    for row in rows {
        line(
            text,
            &cells(std::array::from_fn(|column| row[column].as_str())),
        );
    }
    line(text, &rule(['└', '┴', '┘']));
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::SimTime;

    #[test]
    fn thousands_have_commas() {
        for (value, text) in [
            (0.0, "0.00"),
            (999.994, "999.99"),
            (1234.5, "1,234.50"),
            (1_234_567.891, "1,234,567.89"),
            (-1000.0, "-1,000.00"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn scaling_events_follow_the_references_wording() {
        assert_eq!(scaling_events(&[]), "");
        let event = ScalingEvent {
            at: SimTime::from_ns(30_049_999_999),
            component: "agg",
            from: 2,
            to: 3,
            reason: "scale_up".to_owned(),
        };
        assert_eq!(
            scaling_events(&[event]),
            "\nScaling events:\n  t=30.0s [agg]: 2 -> 3 workers (scale_up)\n"
        );
    }
}
