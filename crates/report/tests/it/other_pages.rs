//! Pages of comparisons and workloads: harmless, and with marks in their charts.

use report::{ComparedRun, TracePage, TraceRow, compare_html, trace_html};
use serde_json::{Value, json};

use crate::html::{HOSTILE, chart_text, charts, drawn_in_a_browser, own_part};

fn report(name: &str, ttft: f64) -> ComparedRun {
    let size = |ready: u32| json!({"ready": ready, "starting": 1, "draining": 0});
    let text = json!({
        "num_requests": 10, "completed_requests": 10, "duration_ms": 60_000.0,
        "mean_ttft_ms": ttft, "p99_ttft_ms": 3.0 * ttft, "mean_itl_ms": 7.5,
        "gpu_hours": 1.5, "sla_attainment": 0.93, "preemptions": 0,
        "decode_gpus_per_worker": 1,
        "planner": {"scaling_events": [], "replicas": [
            {"at_s": 0.0, "decode": size(1), "prefill": null},
            {"at_s": 20.0, "decode": size(4), "prefill": null},
        ]},
    });
    ComparedRun::parse(name, &text.to_string()).unwrap()
}

fn comparison(name: &str) -> String {
    let plain = ComparedRun::parse("static.json", r#"{"num_requests": 3, "gpu_hours": 2}"#);
    compare_html(&[
        report("agg.json", 9000.0),
        report(name, 12.0),
        plain.unwrap(),
    ])
}

fn workload(name: &str) -> String {
    let row = |index: u64| TraceRow {
        at_ms: Some(index as f64 * 250.0),
        input_tokens: if index == 9 {
            5000
        } else {
            100 + index * 7 % 900
        },
        output_tokens: 1 + index % 40,
        blocks: 4,
        seen_blocks: index % 5,
        first: [Some(index % 3), Some(index % 20)],
    };
    trace_html(&TracePage {
        name: name.to_owned(),
        sessions: 7,
        rows: (0..400).map(row).collect(),
        text: format!("{name}\nrequests 400"),
    })
}

/// The names and values of a chart's series, by its title.
fn marks(page: &str, title: &str) -> Vec<(String, Vec<Value>)> {
    let own = own_part(page);
    let titles: Vec<&str> = own
        .split("<h3>")
        .skip(1)
        .map(|rest| rest.split_once("</h3>").unwrap().0)
        .collect();
    let index = titles.iter().position(|other| *other == title);
    let index = index.unwrap_or_else(|| panic!("{title} is not among {titles:?}"));
    let all = charts(page);
    let series = all["charts"][index]["series"].as_array().unwrap();
    series
        .iter()
        .map(|series| {
            let values = series["y"].as_array().unwrap().clone();
            (series["name"].as_str().unwrap().to_owned(), values)
        })
        .collect()
}

#[test]
fn hostile_names_stay_names() {
    for (hostile, harmless) in [
        (comparison(HOSTILE), comparison("x")),
        (workload(HOSTILE), workload("x")),
    ] {
        let own = own_part(&hostile);
        let scripts = own_part(&harmless).matches("<script").count();
        assert_eq!(own.matches("<script").count(), scripts);
        assert!(!own.contains("<img") && own.contains("&lt;img"));
        assert!(!chart_text(&hostile).contains(['<', '>', '\u{2028}']));
    }
}

#[test]
fn a_comparison_has_a_bar_a_run_and_lines_of_the_scaled_runs() {
    let page = comparison("disagg.json");
    assert_eq!(
        marks(&page, "GPU-hours"),
        [
            ("agg".to_owned(), vec![json!(1.5)]),
            ("disagg".to_owned(), vec![json!(1.5)]),
            ("static".to_owned(), vec![json!(2)]),
        ]
    );
    let ttft = marks(&page, "Time to first token");
    assert_eq!(ttft.len(), 2);
    assert_eq!(ttft[0].1, [json!(9), Value::Null, Value::Null, json!(27)]);
    let workers = marks(&page, "Decode or aggregated workers");
    assert_eq!(workers.len(), 2);
    assert_eq!(workers[1].1, [json!(1), json!(4), json!(4)]);
    assert_eq!(marks(&page, "Cumulative GPU hours").len(), 2);
    assert!(!chart_text(&page).contains("\"legend\":true"));
    let own = own_part(&page);
    assert!(own.contains("disagg.json against agg.json: better at"));
    for absent in [
        "<h3>Preemptions</h3>",
        "<h3>Prefill workers</h3>",
        "<h3>Cost</h3>",
    ] {
        assert!(!own.contains(absent), "{absent}");
    }
}

#[test]
fn a_workload_has_marks_for_every_request() {
    let page = workload("t.jsonl");
    let total = |title: &str| -> f64 {
        let marks = marks(&page, title);
        let values = marks.iter().flat_map(|(_, values)| values);
        values.filter_map(Value::as_f64).sum()
    };
    for title in ["Reuse of requests", "First blocks", "First two blocks"] {
        assert_eq!(total(title), 400.0, "{title}");
    }
    // The longest is named instead of drawn.
    assert_eq!(total("Prompt lengths"), 399.0);
    assert!(own_part(&page).contains("1 longer, up to 5,000, not drawn"));
    let seconds = 399.0 * 0.25;
    let arrivals = total("Arrivals") * seconds / 40.0;
    assert!((arrivals - 400.0).abs() < 0.01, "{arrivals}");
    assert!(total("Reuse over time") > 0.0);
}

#[test]
fn pages_of_next_to_nothing_are_pages() {
    let row = TraceRow::default();
    for rows in [vec![], vec![row], vec![row; 3]] {
        let page = trace_html(&TracePage {
            rows,
            ..TracePage::default()
        });
        assert!(page.ends_with("</html>\n"));
        assert!(!own_part(&page).contains("NaN"));
    }
    assert!(compare_html(&[]).ends_with("</html>\n"));
}

#[test]
fn a_browser_draws_them() {
    for (name, page) in [
        ("compare", comparison(HOSTILE)),
        ("workload", workload(HOSTILE)),
    ] {
        drawn_in_a_browser(name, &page);
    }
}
