//! What all pages have in common: one file with its style and its script.

use std::fmt::Write;

use super::chart::Chart;
use super::chart_json::{SharedTimes, charts_json};
use super::escape::html;

/// plotly.js, gzipped and base64-encoded by the build script.
pub(super) const PLOTLY: &str = include_str!(concat!(env!("OUT_DIR"), "/plotly.js.gz.base64"));
pub(super) const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A whole page. `content` is markup with the places of the charts, which
/// [`section`] makes; `title` is any text.
pub(crate) fn document(
    title: &str,
    content: &str,
    times: &SharedTimes,
    charts: &[Chart],
) -> String {
    let data = charts_json(times, charts);
    let length = PLOTLY.len() + SCRIPT.len() + STYLE.len() + content.len() + data.len() + 2048;
    let mut page = String::with_capacity(length);
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{content}\
         <footer>Time is simulated time since the start of the run or trace. Charts are drawn by plotly.js (MIT license), which this page carries.</footer>\n\
         <script type=\"application/json\" id=\"charts\">{data}</script>\n\
         <script type=\"text/plain\" id=\"plotly\">{PLOTLY}</script>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        html(title)
    );
    page
}

/// A heading with a place for each chart, numbered from `first`.
pub(crate) fn section(page: &mut String, title: &str, charts: &[Chart], first: usize) {
    if charts.is_empty() {
        return;
    }
    let _ = writeln!(page, "<h2>{title}</h2>");
    if first == 0 {
        page.push_str(
            "<p class=\"note\" id=\"hint\">Charts need a browser that runs scripts; all figures stand below without.</p>\n",
        );
    }
    page.push_str("<div class=\"grid\">\n");
    for (index, chart) in charts.iter().enumerate() {
        let _ = writeln!(
            page,
            "<figure><h3>{}</h3><figcaption>{}</figcaption><div class=\"chart\" id=\"chart-{}\" role=\"img\" aria-label=\"{}\"></div></figure>",
            html(chart.title),
            html(&chart.caption),
            first + index,
            html(chart.title)
        );
    }
    page.push_str("</div>\n");
}
