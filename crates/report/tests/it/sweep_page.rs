//! The page of a sweep: harmless, and drawn in a browser.

use report::{SweepMetric, SweepPage, SweepPoint, sweep_html};
use serde_json::{Value, json};

use crate::html::{HOSTILE, charts, drawn_in_a_browser};

/// A sweep over `sets`, with every metric that has a chart.
fn sweep(name: &str, axes: &[&str], sets: Vec<Vec<Value>>) -> SweepPage {
    let keys = [
        "mean_ttft_ms",
        "p90_ttft_ms",
        "p99_ttft_ms",
        "mean_itl_ms",
        "p90_itl_ms",
        "gpu_hours",
        "scaling_events",
        "sla_attainment",
    ];
    let count = sets.len();
    let point = |(index, set): (usize, Vec<Value>)| SweepPoint {
        set,
        metrics: (0..keys.len())
            .map(|metric| {
                (index + 1 != count).then_some((metric + 1) as f64 * 1.5f64.powi(index as i32))
            })
            .collect(),
        spread: vec![Some(0.5); keys.len()],
        report: Some(format!("points/{name}.json")),
        page: Some(format!("pages/{name}.html")),
        error: (index + 1 == count).then(|| name.to_owned()),
    };
    SweepPage {
        title: name.to_owned(),
        command: Some(format!("dynosim sweep {name}")),
        axes: axes.iter().map(ToString::to_string).collect(),
        metrics: keys
            .iter()
            .map(|&key| SweepMetric {
                key: key.to_owned(),
                name: key.to_owned(),
            })
            .collect(),
        points: sets.into_iter().enumerate().map(point).collect(),
    }
}

fn one_axis(name: &str) -> SweepPage {
    let sets = (0..8).map(|index| vec![json!(index * 10)]).collect();
    sweep(name, &["extra-engine-args.startup_time"], sets)
}

fn two_axes(name: &str) -> SweepPage {
    let sets = (0..9)
        .map(|index| vec![json!(index / 3), json!([name, "other", ""][index % 3])])
        .collect();
    sweep(name, &["num-workers", name], sets)
}

#[test]
fn every_chart_has_its_place() {
    let one = charts(&sweep_html(&one_axis("x")));
    assert_eq!(one["charts"].as_array().unwrap().len(), 7);
    assert_eq!(one["charts"][0], "scatter", "cost against latency first");
    assert_eq!(one["goal"], "sla_attainment");
    assert!(one["cliff"].is_object());
    let two = charts(&sweep_html(&two_axes("x")));
    assert_eq!(two["charts"].as_array().unwrap().len(), 8);
    assert!(two["cliff"].is_null(), "two axes have no one cliff");
    let none = charts(&sweep_html(&SweepPage::default()));
    assert_eq!(none["lines"], json!([]));
}

#[test]
fn pages_are_drawn_and_names_stay_names() {
    for (kind, sweep) in [
        ("sweep-line", one_axis(HOSTILE)),
        ("sweep-grid", two_axes(HOSTILE)),
    ] {
        let page = sweep_html(&sweep);
        assert!(!page.contains(HOSTILE), "{kind}");
        drawn_in_a_browser(kind, &page);
    }
}
