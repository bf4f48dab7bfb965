//! The page of a workload: when requests come, how long they are, what they
//! share.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::answer::{Tile, count, figure, per_cent, span, tiles_html};
use super::chart::{Across, Chart, Series, Shape, Times};
use super::chart_json::SharedTimes;
use super::escape::html;
use super::shell::{document, section};
use sim_core::SimDuration;

/// The most stretches of time in the charts over time.
const MOST_BINS: usize = 240;
/// Requests a stretch has on average, if there are enough.
const REQUESTS_PER_BIN: usize = 10;
/// Bars of a distribution of lengths.
const LENGTH_BINS: usize = 80;
/// Prefixes with a bar of their own.
const MOST_PREFIXES: usize = 12;

/// A request of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TraceRow {
    /// When it arrives, in milliseconds, if the trace says so.
    pub at_ms: Option<f64>,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Blocks of the prompt.
    pub blocks: u64,
    /// Leading blocks that earlier requests had.
    pub seen_blocks: u64,
    /// Its first two blocks.
    pub first: [Option<u64>; 2],
}

/// What the page of a workload shows. Texts may be anything: they are escaped.
#[derive(Clone, Debug, Default)]
pub struct TracePage {
    /// What the workload is called.
    pub name: String,
    /// Sessions.
    pub sessions: u64,
    /// The requests, in order.
    pub rows: Vec<TraceRow>,
    /// All statistics in words, shown as they are.
    pub text: String,
}

/// The page of a workload, in one file.
///
/// ```
/// use report::{TracePage, TraceRow, trace_html};
/// let row = TraceRow { at_ms: Some(0.0), input_tokens: 100, output_tokens: 8, ..TraceRow::default() };
/// let page = trace_html(&TracePage { name: "t.jsonl".into(), rows: vec![row], ..TracePage::default() });
/// assert!(page.contains("<h3>Prompt lengths</h3>"));
/// ```
pub fn trace_html(page: &TracePage) -> String {
    let view = View::of(&page.rows);
    let charts: Vec<Chart> = [
        view.arrivals(),
        view.tokens(),
        view.lengths("Prompt lengths", "Prompt tokens (ISL)", |row| {
            row.input_tokens
        }),
        view.lengths("Output lengths", "Output tokens (OSL)", |row| {
            row.output_tokens
        }),
        view.reuse(),
        view.reuse_of_requests(),
        view.prefixes(
            "First blocks",
            "Requests that start with the same block.",
            1,
        ),
        view.prefixes(
            "First two blocks",
            "Requests that start with the same two blocks.",
            2,
        ),
    ]
    .into_iter()
    .filter(|chart| !chart.is_empty())
    .collect();
    let mut content = format!(
        "<header class=\"plain\">\n<p class=\"name\">Workload · {}</p>\n<h1>{}</h1>\n<dl class=\"tiles\">\n{}</dl>\n</header>\n<main>\n",
        html(&page.name),
        html(&view.headline()),
        tiles_html(&view.tiles(page.sessions))
    );
    section(&mut content, "The workload", &charts, 0);
    content.push_str("<h2>All figures</h2>\n<pre class=\"command\">");
    content.push_str(&html(&page.text));
    content.push_str("</pre>\n</main>\n");
    let times = SharedTimes {
        end: view.span_s,
        ..SharedTimes::default()
    };
    let title = format!("{} · dynosim workload", page.name);
    document(&title, &content, &times, &charts)
}

struct View<'a> {
    rows: &'a [TraceRow],
    first_ms: f64,
    span_s: f64,
    /// Requests of which the trace says when they come.
    timed: usize,
}

/// Sums over a stretch of time.
#[derive(Clone, Copy, Default)]
struct Stretch {
    requests: f64,
    input: f64,
    output: f64,
    blocks: f64,
    seen: f64,
}

impl<'a> View<'a> {
    fn of(rows: &'a [TraceRow]) -> Self {
        let times = || rows.iter().filter_map(|row| row.at_ms);
        let first_ms = times().fold(f64::INFINITY, f64::min);
        let last_ms = times().fold(f64::NEG_INFINITY, f64::max);
        let span_s = (last_ms - first_ms) / 1000.0;
        Self {
            rows,
            first_ms,
            timed: times().count(),
            span_s: if span_s.is_finite() {
                span_s.max(0.0)
            } else {
                0.0
            },
        }
    }

    fn headline(&self) -> String {
        let requests = count(self.rows.len() as u64);
        if self.span_s <= 0.0 {
            return format!("{requests} requests");
        }
        let span = span(SimDuration::from_ns((self.span_s * 1e9) as u64));
        let rate = figure(self.timed as f64 / self.span_s);
        if self.timed < self.rows.len() {
            let timed = count(self.timed as u64);
            return format!(
                "{requests} requests: {timed} start in {span}, {rate} a second, the others follow"
            );
        }
        format!("{requests} requests in {span}, {rate} a second")
    }

    fn bins(&self) -> usize {
        (self.timed / REQUESTS_PER_BIN).clamp(REQUESTS_PER_BIN, MOST_BINS)
    }

    /// Seconds of a stretch of time.
    fn width(&self) -> f64 {
        self.span_s / self.bins() as f64
    }

    fn tiles(&self, sessions: u64) -> Vec<Tile> {
        let sum = |of: fn(&TraceRow) -> u64| self.rows.iter().map(of).sum::<u64>();
        let (blocks, seen) = (sum(|row| row.blocks), sum(|row| row.seen_blocks));
        let mut tiles = vec![
            Tile {
                name: "Sessions",
                figure: count(sessions),
                detail: format!("{} requests", count(self.rows.len() as u64)),
            },
            self.length_tile("Prompt tokens (ISL)", |row| row.input_tokens),
            self.length_tile("Output tokens (OSL)", |row| row.output_tokens),
        ];
        if blocks > 0 {
            tiles.push(Tile {
                name: "Prompt blocks seen before",
                figure: per_cent(seen as f64 / blocks as f64),
                detail: format!(
                    "{} of {} blocks: the hits of one cache without limit",
                    count(seen),
                    count(blocks)
                ),
            });
        }
        tiles
    }

    fn length_tile(&self, name: &'static str, of: fn(&TraceRow) -> u64) -> Tile {
        let sorted = self.sorted(of);
        let mean = sorted.iter().sum::<u64>() as f64 / sorted.len().max(1) as f64;
        Tile {
            name,
            figure: format!("mean {}", figure(mean)),
            detail: format!(
                "p50 {}, p90 {}, p99 {}, max {}",
                count(rank(&sorted, 0.5)),
                count(rank(&sorted, 0.9)),
                count(rank(&sorted, 0.99)),
                count(rank(&sorted, 1.0))
            ),
        }
    }

    fn sorted(&self, of: fn(&TraceRow) -> u64) -> Vec<u64> {
        let mut values: Vec<u64> = self.rows.iter().map(of).collect();
        values.sort_unstable();
        values
    }

    fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = vec![Stretch::default(); self.bins()];
        let last = stretches.len() - 1;
        if self.span_s <= 0.0 {
            return Vec::new();
        }
        for row in self.rows {
            let Some(at_ms) = row.at_ms else { continue };
            let part = (at_ms - self.first_ms) / 1000.0 / self.span_s;
            let index = ((part * self.bins() as f64) as usize).min(last);
            let stretch = &mut stretches[index];
            stretch.requests += 1.0;
            stretch.input += row.input_tokens as f64;
            stretch.output += row.output_tokens as f64;
            stretch.blocks += row.blocks as f64;
            stretch.seen += row.seen_blocks as f64;
        }
        stretches
    }

    fn over_time(
        &self,
        name: &str,
        color: &'static str,
        value: impl Fn(&Stretch) -> Option<f64>,
    ) -> Series {
        let width = self.width();
        let values: Vec<Option<f64>> = self.stretches().iter().map(value).collect();
        let times = (0..values.len()).map(|index| (index as f64 + 0.5) * width);
        Series::new(
            name,
            Times::Own(times.collect()),
            values,
            (Shape::Line, color),
        )
    }

    fn rate(&self, name: &str, color: &'static str, of: fn(&Stretch) -> f64) -> Series {
        let width = self.width();
        self.over_time(name, color, move |stretch| Some(of(stretch) / width))
    }

    fn arrivals(&self) -> Chart {
        let mean = (self.span_s > 0.0).then(|| self.timed as f64 / self.span_s);
        let caption = if self.timed < self.rows.len() {
            "Of the requests with a time; the others follow one of their session."
        } else {
            ""
        };
        Chart::new("Arrivals", "Requests per second", caption)
            .with(self.rate("Arrivals", "blue", |stretch| stretch.requests))
            .level(mean, |mean| format!("mean {}", figure(mean)))
    }

    fn tokens(&self) -> Chart {
        Chart::new(
            "Tokens asked for",
            "Tokens per second",
            "Of the requests that arrive at that time.",
        )
        .with(self.rate("Prompt", "blue", |stretch| stretch.input))
        .with(self.rate("Output", "green", |stretch| stretch.output))
    }

    fn reuse(&self) -> Chart {
        let mut chart = Chart::new(
            "Reuse over time",
            "Prompt blocks (%)",
            "Leading blocks that an earlier request had, of the requests that arrive at that time.",
        );
        chart.most = Some(100.0);
        chart.with(self.over_time("Seen before", "teal", |stretch| {
            (stretch.blocks > 0.0).then(|| stretch.seen / stretch.blocks * 100.0)
        }))
    }

    fn lengths(
        &self,
        title: &'static str,
        across: &'static str,
        of: fn(&TraceRow) -> u64,
    ) -> Chart {
        let sorted = self.sorted(of);
        let shown = rank(&sorted, 0.995).max(1);
        let width = shown.div_ceil(LENGTH_BINS as u64);
        let bins = (shown / width + 1) as usize;
        let mut counts = vec![0_u64; bins];
        let mut beyond = 0_u64;
        for &length in &sorted {
            match counts.get_mut((length / width) as usize) {
                Some(count) => *count += 1,
                None => beyond += 1,
            }
        }
        let mut chart = Chart::new(title, "Requests", "");
        chart.across = Across::Quantity(across);
        chart.caption = Cow::Owned(format!(
            "Requests in steps of {} tokens{}.",
            count(width),
            if beyond > 0 {
                format!(
                    "; {} longer, up to {}, not drawn",
                    count(beyond),
                    count(rank(&sorted, 1.0))
                )
            } else {
                String::new()
            }
        ));
        let mut times: Vec<f64> = (0..bins as u64).map(|bin| (bin * width) as f64).collect();
        let mut values: Vec<Option<f64>> = counts.iter().map(|&count| Some(count as f64)).collect();
        times.push((bins as u64 * width) as f64);
        values.push(Some(0.0));
        if sorted.is_empty() {
            values.clear();
        }
        let style = (Shape::StepArea, "blue");
        chart.with(Series::new("Requests", Times::Own(times), values, style))
    }

    fn reuse_of_requests(&self) -> Chart {
        const STEPS: usize = 10;
        let mut chart = Chart::new(
            "Reuse of requests",
            "Requests",
            "By the share of a request's leading blocks that earlier requests had.",
        );
        chart.across = Across::Names;
        let mut counts = [0_u64; STEPS + 1];
        for row in self.rows.iter().filter(|row| row.blocks > 0) {
            // Nothing has a bar of its own: it is what cannot be reused at all.
            let tenth = (row.seen_blocks * STEPS as u64).div_ceil(row.blocks) as usize;
            counts[tenth.min(STEPS)] += 1;
        }
        let name = |step: usize| match step {
            0 => "none".to_owned(),
            step => format!("≤ {} %", step * 100 / STEPS),
        };
        let names = (0..=STEPS).map(name).collect();
        let values = counts
            .iter()
            .map(|&count| (count > 0).then_some(count as f64));
        let style = (Shape::Bars, "teal");
        chart.with(Series::new(
            "Requests",
            Times::Names(names),
            values.collect(),
            style,
        ))
    }

    fn prefixes(&self, title: &'static str, caption: &'static str, depth: usize) -> Chart {
        let mut chart = Chart::new(title, "Requests", caption);
        chart.across = Across::Names;
        let mut counts: BTreeMap<&[Option<u64>], u64> = BTreeMap::new();
        for row in self.rows {
            let prefix = &row.first[..depth];
            if prefix.iter().all(Option::is_some) {
                *counts.entry(prefix).or_insert(0) += 1;
            }
        }
        // What all requests share does not tell them apart.
        if counts.len() < 2 {
            return chart;
        }
        let mut most: Vec<(&[Option<u64>], u64)> = counts.into_iter().collect();
        most.sort_by_key(|&(_, requests)| std::cmp::Reverse(requests));
        let others = most.split_off(most.len().min(MOST_PREFIXES));
        let name = |prefix: &[Option<u64>]| {
            let ids: Vec<String> = prefix.iter().flatten().map(u64::to_string).collect();
            // A name, where a lone number would be taken for a quantity.
            format!("#{}", ids.join(", "))
        };
        let mut names: Vec<String> = most.iter().map(|(prefix, _)| name(prefix)).collect();
        let mut values: Vec<Option<f64>> = most.iter().map(|&(_, n)| Some(n as f64)).collect();
        if !others.is_empty() {
            chart.caption = Cow::Owned(format!(
                "{caption} The others are {} more prefixes.",
                count(others.len() as u64)
            ));
            names.push("others".to_owned());
            values.push(Some(others.iter().map(|&(_, n)| n).sum::<u64>() as f64));
        }
        let style = (Shape::Bars, "purple");
        chart.with(Series::new("Requests", Times::Names(names), values, style))
    }
}

/// Percentile by nearest rank; 0 of nothing.
fn rank(sorted: &[u64], share: f64) -> u64 {
    let index = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(index.saturating_sub(1)).copied().unwrap_or(0)
}
