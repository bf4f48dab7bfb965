//! The HTML page: complete, offline, harmless, and drawn by a real browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use report::{HtmlOptions, Summary, Timeline, html_report};
use serde_json::{Value, json};

use crate::busy_run::{Words, busy_run};

pub(crate) const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'&\u{2028}";

fn options(text: &str) -> HtmlOptions {
    HtmlOptions {
        title: text.to_owned(),
        command: Some(format!(
            "dynosim replay {text} --num-workers 2 --router-mode round_robin"
        )),
        configuration: json!({"trace": text, "engine": {"block_size": 64, "aic_backend": "vllm"}, "seed": 42}),
        gpu_hour_price: Some(2.5),
        notes: vec![format!("The trace {text} was cut after one hour.")],
    }
}

fn page(disaggregated: bool, seconds: u64, text: &str) -> String {
    let words = Words {
        reason: format!("scale_up: {text}"),
    };
    let (summary, timeline) = busy_run(disaggregated, seconds, &words);
    html_report(&summary, &timeline, &options(text))
}

/// The page without the packed script, which is not ours.
pub(crate) fn own_part(page: &str) -> String {
    let (before, rest) = page.split_once("id=\"plotly\">").unwrap();
    let (_, after) = rest.split_once("</script>").unwrap();
    format!("{before}{after}")
}

/// The data of the charts as it stands in the page.
pub(crate) fn chart_text(page: &str) -> &str {
    let (_, rest) = page.split_once("id=\"charts\">").unwrap();
    rest.split_once("</script>").unwrap().0
}

pub(crate) fn charts(page: &str) -> Value {
    serde_json::from_str(chart_text(page)).unwrap()
}

#[test]
fn hostile_text_stays_text() {
    let hostile = page(true, 1200, HOSTILE);
    let (own, harmless) = (own_part(&hostile), own_part(&page(true, 1200, "x")));
    assert_eq!(
        own.matches("<script").count(),
        harmless.matches("<script").count()
    );
    assert!(!own.contains("<img") && !own.contains("alert(1)</script>"));
    assert!(own.contains("scale_up: &lt;/script&gt;"));
    let data = chart_text(&hostile);
    assert!(data.contains("scale_up: &lt;/script&gt;"));
    assert!(!data.contains(['<', '>', '\u{2028}']));
}

#[test]
fn a_page_needs_nothing_from_elsewhere_and_stays_small() {
    let page = page(true, 3600, "conversation_trace.jsonl");
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let own = own_part(&page);
    for reference in ["http://", "https://", "src=", "<link", "@import", "url("] {
        assert!(!own.contains(reference), "{reference}");
    }
    assert!(!page.contains("MathJax"));
}

#[test]
fn the_answer_stands_in_the_text() {
    let words = Words {
        reason: "scale_up".to_owned(),
    };
    let (summary, timeline) = busy_run(false, 3600, &words);
    let page = own_part(&html_report(&summary, &timeline, &options("trace")));
    let hours = page.split_once("GPU hours: ").unwrap().1;
    let hours: String = hours
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    assert!((hours.parse::<f64>().unwrap() - summary.gpu_hours).abs() < 1e-4);
    for text in [
        "requests met the SLA",
        "TTFT ≤ 1,500 ms",
        "dynosim replay trace",
        "was cut after one hour",
        "Rejected requests (",
        "interpolated",
        "2 unfinished",
        "<td>agg</td><td>2 → 3</td><td>scale_up</td>",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn every_chart_of_a_planner_run_is_there() {
    let page = page(true, 1200, "x");
    let own = own_part(&page);
    for title in [
        "Time to first token",
        "Inter-token latency",
        "SLA attainment",
        "Replicas",
        "Request rate",
        "Output throughput",
        "Queue depth",
        "Batch size",
        "KV cache use",
        "Prefix hits as the router saw them",
        "Time in the router’s queue",
        "Load imbalance",
        "Replica counts",
        "Request rate, observed and predicted",
        "Observed TTFT",
        "Observed ITL",
        "Estimated TTFT",
        "Estimated ITL",
        "Prefill engine load",
        "Decode engine load",
        "Engine capacity",
        "Sequence lengths, observed and predicted",
        "Load scaling decisions",
        "Throughput scaling decisions",
        "Cumulative GPU hours",
    ] {
        assert!(own.contains(&format!("<h3>{title}</h3>")), "{title}");
    }
    let charts = charts(&page);
    let drawn = charts["charts"].as_array().unwrap();
    assert_eq!(drawn.len(), own.matches("class=\"chart\"").count());
    let lengths = |series: &Value| {
        let x = match &series["x"] {
            Value::String(shared) => charts[shared.as_str()].as_array().unwrap().len(),
            own => own.as_array().unwrap().len(),
        };
        (x, series["y"].as_array().unwrap().len())
    };
    for series in drawn
        .iter()
        .flat_map(|chart| chart["series"].as_array().unwrap())
    {
        let (x, y) = lengths(series);
        assert_eq!(x, y, "{}", series["name"]);
    }
}

#[test]
fn a_page_of_an_empty_run_is_a_page() {
    let page = html_report(
        &Summary::default(),
        &Timeline::default(),
        &HtmlOptions::default(),
    );
    assert!(page.ends_with("</html>\n"));
    assert!(!own_part(&page).contains("NaN"));
}

#[test]
fn making_a_page_takes_no_time() {
    let (summary, timeline) = busy_run(
        true,
        3600,
        &Words {
            reason: "x".to_owned(),
        },
    );
    let start = now();
    let page = html_report(&summary, &timeline, &options("x"));
    let spent = start.elapsed();
    assert!(page.len() > 1000 && spent.as_millis() < 1000, "{spent:?}");
}

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .find(|candidate| candidate.is_file())
}

/// The page as the browser has it after its scripts have run; `None` if the
/// browser cannot run here: a sandbox that forbids it, no shared memory, no
/// access to the file, no end within a minute.
fn rendered(browser: &Path, page: &Path) -> Option<String> {
    let profile = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dumped = profile.path().join("dom.html");
    let mut running = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--window-size=1280,2000", "--virtual-time-budget=60000"])
        .args(["--no-first-run", "--disable-extensions", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .stdout(std::fs::File::create(&dumped).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let ended = (0..1200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        running.try_wait().transpose()
    });
    let Some(status) = ended else {
        let _ = running.kill();
        let _ = running.wait();
        return None;
    };
    let dom = String::from_utf8_lossy(&std::fs::read(&dumped).unwrap()).into_owned();
    // A page of the browser's own says that it could not read ours.
    let ours = dom.contains("id=\"charts\"") && dom.contains("</html>");
    (status.ok()?.success() && ours).then_some(dom)
}

/// Fails if Chromium is there and does not draw every chart of `page`, or if
/// text of it became markup. Skips without Chromium.
pub(crate) fn drawn_in_a_browser(name: &str, page: &str) -> Option<String> {
    let Some(browser) = chromium() else {
        eprintln!("skipped: no Chromium in PATH");
        return None;
    };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}.html"));
    std::fs::write(&file, page).unwrap();
    let Some(dom) = rendered(&browser, &file) else {
        eprintln!("skipped: {} does not start here", browser.display());
        return None;
    };
    let charts = charts(page)["charts"].as_array().unwrap().len();
    assert!(
        dom.contains(&format!("data-drawn=\"{charts}\"")),
        "{name}: not all of {charts} charts were drawn"
    );
    assert!(
        dom.matches("class=\"main-svg\"").count() >= charts,
        "{name}"
    );
    assert!(!dom.contains("<img"), "{name}");
    Some(dom)
}

/// Zooms the first chart and notes what the fourth then shows.
const ZOOM: &str = "<script>(async () => {
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  while (!document.body.dataset.drawn) await wait(50);
  const [one, four] = ['chart-0', 'chart-3'].map((id) => document.getElementById(id));
  await Plotly.relayout(one, { 'xaxis.range[0]': 100, 'xaxis.range[1]': 200 });
  await wait(500);
  document.body.dataset.zoomed = four.layout.xaxis.range.join('-');
})();</script>";

#[test]
fn a_browser_draws_every_chart_and_runs_no_hostile_script() {
    let page = page(true, 3600, HOSTILE).replace("</body>", &format!("{ZOOM}</body>"));
    if let Some(dom) = drawn_in_a_browser("disagg", &page) {
        assert!(
            dom.contains("data-zoomed=\"100-200\""),
            "the charts do not zoom together"
        );
    }
}
