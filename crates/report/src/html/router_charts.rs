//! Charts of what the routers did.

use std::borrow::Cow;

use super::chart::{Chart, Series, Shape, Times};
use crate::timeline::{Bin, Timeline};
use crate::{HitRate, PoolRouting, RouterSummary, SpreadPoint, Summary};

/// The charts of the routers, those without anything to see left out.
pub(crate) fn router_charts(summary: &Summary, timeline: &Timeline) -> Vec<Chart> {
    let Some(router) = &summary.router else {
        return Vec::new();
    };
    let charts = [
        hit_rate(router, timeline),
        queueing(router, timeline),
        imbalance(router),
    ];
    charts
        .into_iter()
        .filter(|chart| !chart.is_empty())
        .map(Chart::in_fitting_unit)
        .collect()
}

fn bins(
    timeline: &Timeline,
    name: &str,
    style: (Shape, &'static str),
    value: impl FnMut(&Bin) -> Option<f64>,
) -> Series {
    let values = timeline.bins.iter().map(value).collect();
    Series::new(name, Times::Bins, values, style)
}

fn hit_rate(router: &RouterSummary, timeline: &Timeline) -> Chart {
    let mut chart = Chart::new(
        "Prefix hits as the router saw them",
        "Prompt blocks (%)",
        "",
    );
    chart.most = Some(100.0);
    let Some(hits) = router.hit_rate else {
        return chart;
    };
    chart.caption = Cow::Owned(format!(
        "Mean share of a prompt\u{2019}s blocks that the router believed cached: {:.1}\u{a0}% on the \
         chosen workers, {:.1}\u{a0}% on the best ones.",
        hits.believed * 100.0,
        hits.best_available * 100.0
    ));
    let series = |name, style, share: fn(HitRate) -> f64| {
        bins(timeline, name, style, move |bin| {
            bin.routed.hits.rate().map(|hits| share(hits) * 100.0)
        })
    };
    // The best goes below, so that both show where they are equal.
    chart
        .with(series("Best worker", (Shape::Dotted, "orange"), |hits| {
            hits.best_available
        }))
        .with(series("Chosen worker", (Shape::Line, "teal"), |hits| {
            hits.believed
        }))
}

fn queueing(router: &RouterSummary, timeline: &Timeline) -> Chart {
    let chart = Chart::new(
        "Time in the router\u{2019}s queue",
        "Arrival to dispatch (ms)",
        "Of the requests that arrived at that time, those that did not wait included.",
    );
    if router.waited == 0 {
        return chart;
    }
    let ms = |bin: &Bin, ns: f64| (bin.routed.dispatched > 0).then_some(ns / 1e6);
    chart
        .with(bins(timeline, "Longest", (Shape::Line, "purple"), |bin| {
            ms(bin, bin.routed.longest_ns as f64)
        }))
        .with(bins(timeline, "Mean", (Shape::Line, "blue"), |bin| {
            let mean = bin.routed.queued_ns as f64 / bin.routed.dispatched as f64;
            ms(bin, mean)
        }))
}

fn imbalance(router: &RouterSummary) -> Chart {
    let mut chart = Chart::new(
        "Load imbalance",
        "Busiest worker / mean",
        "Requests in flight of the busiest worker over the mean of all ready ones: 1 is even. \
         Dotted: standard deviation over mean.",
    );
    let colors = |name| match name {
        "prefill" => ("Prefill", "blue"),
        _ if router.prefill.is_some() => ("Decode", "orange"),
        _ => ("Workers", "blue"),
    };
    for (name, pool) in router.pools() {
        let (name, color) = colors(name);
        chart = chart
            .with(over_windows(
                pool,
                name.to_owned(),
                (Shape::Line, color),
                |point| point.max_over_mean,
            ))
            .with(over_windows(
                pool,
                format!("{name}, variation"),
                (Shape::Dotted, color),
                |point| point.variation,
            ));
    }
    chart
}

fn over_windows(
    pool: &PoolRouting,
    name: String,
    style: (Shape, &'static str),
    value: impl Fn(&SpreadPoint) -> f64,
) -> Series {
    let times = pool.spread.iter().map(|point| point.at.as_secs()).collect();
    let values = pool.spread.iter().map(|point| Some(value(point))).collect();
    Series::new(name, Times::Own(times), values, style)
}
