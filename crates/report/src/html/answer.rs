//! The answer of a run in words and numbers.

use sim_core::SimDuration;

use super::escape::html;
use crate::json::shares;
use crate::table::number;
use crate::{Distribution, RouterSummary, SlaReport, Summary};

/// Attainment from which on a run is shown as good.
const GOOD: f64 = 0.99;
/// Attainment below which a run is shown as bad.
const BAD: f64 = 0.95;

/// A figure with its name and what else there is to say.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    pub(crate) name: &'static str,
    pub(crate) figure: String,
    pub(crate) detail: String,
}

/// How a run did, as one word for colours.
pub(crate) fn mood(summary: &Summary) -> &'static str {
    match summary.sla.map(|sla| sla.attainment()) {
        Some(share) if share >= GOOD => "good",
        Some(share) if share < BAD => "bad",
        Some(_) => "fair",
        None if summary.completed < summary.requests => "bad",
        None => "plain",
    }
}

/// The first sentence.
pub(crate) fn headline(summary: &Summary) -> String {
    match &summary.sla {
        Some(sla) => format!(
            "{} of {} requests met the SLA.",
            per_cent(sla.attainment()),
            count(sla.arrived)
        ),
        None => format!(
            "{} of {} requests completed in {} of simulated time.",
            count(summary.completed),
            count(summary.requests),
            span(summary.duration)
        ),
    }
}

/// One sentence a target: who met it, and how far the 99th percentile is off.
pub(crate) fn sentences(summary: &Summary) -> Vec<String> {
    let Some(sla) = &summary.sla else {
        return vec!["No SLA targets were given, so there is no attainment to tell.".to_owned()];
    };
    let targets = &sla.targets;
    [
        ("TTFT", targets.ttft, sla.met_ttft, &summary.ttft),
        (
            "Mean ITL of a request",
            targets.itl,
            sla.met_itl,
            &summary.tpot,
        ),
        (
            "E2E latency",
            targets.e2e,
            sla.met_e2e,
            &summary.e2e_latency,
        ),
    ]
    .into_iter()
    .filter_map(|(name, target, met, of)| Some(sentence(name, target?, sla.share(met), of)))
    .collect()
}

fn sentence(name: &str, target: SimDuration, share: f64, of: &Distribution) -> String {
    let target_ms = target.as_ms();
    format!(
        "{name} ≤ {} ms: met by {}; the 99th percentile is {}, {}.",
        figure(target_ms),
        per_cent(share),
        latency_text(of.p99),
        against(of.p99, target_ms)
    )
}

fn against(value: f64, target: f64) -> String {
    if value <= target {
        let below = if target > 0.0 {
            1.0 - value / target
        } else {
            0.0
        };
        return format!("{} below the target", per_cent(below));
    }
    if target > 0.0 && value < 2.0 * target {
        return format!("{} above the target", per_cent(value / target - 1.0));
    }
    if target > 0.0 {
        return format!("{} times the target", times(value / target));
    }
    "above the target".to_owned()
}

/// The figures at the top.
pub(crate) fn tiles(summary: &Summary, gpu_hour_price: Option<f64>) -> Vec<Tile> {
    let mut tiles = vec![
        latency("TTFT p99", &summary.ttft),
        latency("ITL p99", &summary.itl),
        latency("E2E latency p99", &summary.e2e_latency),
        Tile {
            name: "GPU-hours",
            figure: number(summary.gpu_hours),
            detail: match gpu_hour_price {
                Some(price) => format!(
                    "cost {} at {} a GPU-hour; {}",
                    number(summary.gpu_hours * price),
                    number(price),
                    workers(summary)
                ),
                None => workers(summary),
            },
        },
        requests(summary),
        Tile {
            name: "Output",
            figure: format!(
                "{} tok/s",
                figure(summary.per_second(summary.output_tokens))
            ),
            detail: format!(
                "{} output tokens, {} prompt tokens, {} of them reused",
                count(summary.output_tokens),
                count(summary.input_tokens),
                per_cent(summary.reused_ratio())
            ),
        },
    ];
    tiles.extend(summary.sla.as_ref().map(|sla| goodput(summary, sla)));
    tiles.extend(summary.router.as_ref().and_then(routing));
    tiles.extend(coverage(summary));
    tiles
}

fn latency(name: &'static str, of: &Distribution) -> Tile {
    Tile {
        name,
        figure: latency_text(of.p99),
        detail: format!(
            "mean {}, p50 {}, p90 {}",
            latency_text(of.mean),
            latency_text(of.median),
            latency_text(of.p90)
        ),
    }
}

fn workers(summary: &Summary) -> String {
    let pool = |seconds: f64, name| format!("{} worker-hours{name}", number(seconds / 3600.0));
    let decode = summary.decode.worker_seconds;
    match summary.prefill {
        Some(prefill) => format!(
            "{}, {}",
            pool(prefill.worker_seconds, " prefill"),
            pool(decode, " decode")
        ),
        None => pool(decode, ""),
    }
}

fn requests(summary: &Summary) -> Tile {
    let mut detail = format!(
        "of {}, {} rejected",
        count(summary.requests),
        count(summary.rejected)
    );
    if summary.unfinished > 0 {
        detail.push_str(&format!(", {} unfinished", count(summary.unfinished)));
    }
    detail.push_str(&format!(", {} preemptions", count(summary.preemptions)));
    Tile {
        name: "Requests completed",
        figure: count(summary.completed),
        detail,
    }
}

fn goodput(summary: &Summary, sla: &SlaReport) -> Tile {
    Tile {
        name: "Goodput",
        figure: format!("{} req/s", number(summary.per_second(sla.met))),
        detail: format!(
            "within all targets, of {} req/s completed",
            number(summary.per_second(summary.completed))
        ),
    }
}

/// What the router knew and evened out; nothing if there is no such figure.
fn routing(router: &RouterSummary) -> Option<Tile> {
    let spread = busiest(router);
    let (name, figure, detail) = match router.hit_rate {
        Some(hits) => {
            let best = per_cent(hits.best_available);
            let mut detail = format!("of prompt blocks, {best} on the best worker");
            if let Some(spread) = spread {
                detail.push_str(&format!("; busiest worker {spread} the mean load"));
            }
            ("Hits the router saw", per_cent(hits.believed), detail)
        }
        None => {
            let detail = "the mean load of a pool\u{2019}s workers, over time".to_owned();
            ("Busiest worker", spread?, detail)
        }
    };
    Some(Tile {
        name,
        figure,
        detail,
    })
}

/// Greatest load over mean load, of both pools where there are two.
fn busiest(router: &RouterSummary) -> Option<String> {
    let pools = router.pools().filter_map(|(name, pool)| {
        let (max_over_mean, _) = pool.mean_spread()?;
        let factor = format!("{} ×", figure(max_over_mean));
        Some(match router.prefill {
            Some(_) => format!("{factor} ({name})"),
            None => factor,
        })
    });
    let pools: Vec<String> = pools.collect();
    (!pools.is_empty()).then(|| pools.join(", "))
}

/// What step times rest on; nothing for an idle run.
fn coverage(summary: &Summary) -> Option<Tile> {
    let [formula, measured, interpolated, extrapolated] = shares(&summary.coverage);
    let known = formula + measured + interpolated;
    (known + extrapolated > 0.0).then(|| Tile {
        name: "Step times within data",
        figure: per_cent(known),
        detail: format!(
            "of busy time: {} formula, {} measured, {} interpolated, {} extrapolated",
            per_cent(formula),
            per_cent(measured),
            per_cent(interpolated),
            per_cent(extrapolated)
        ),
    })
}

/// The tiles as markup.
pub(crate) fn tiles_html(tiles: &[Tile]) -> String {
    let tile = |tile: &Tile| {
        format!(
            "<div class=\"tile\"><dt>{}</dt><dd>{}<small>{}</small></dd></div>\n",
            html(tile.name),
            html(&unbroken(&tile.figure)),
            html(&unbroken(&tile.detail))
        )
    };
    tiles.iter().map(tile).collect()
}

/// Keeps units on the line of their number.
fn unbroken(text: &str) -> String {
    [" %", " ms", " tok/s", " req/s", " ×"]
        .into_iter()
        .fold(text.to_owned(), |text, unit| {
            text.replace(unit, &unit.replace(' ', "\u{a0}"))
        })
}

/// Per cent, never rounded up to 100 or down to 0.
pub(crate) fn per_cent(share: f64) -> String {
    let value = share * 100.0;
    let shown = match value {
        v if v > 99.9 && v < 100.0 => 99.9,
        v if v > 0.0 && v < 0.1 => 0.1,
        v => v,
    };
    if shown == 100.0 || shown == 0.0 {
        return format!("{shown:.0} %");
    }
    format!("{shown:.1} %")
}

/// A whole number with commas between thousands.
pub(crate) fn count(value: u64) -> String {
    number(value as f64).trim_end_matches(".00").to_owned()
}

/// Three significant digits or whole numbers, whichever is more.
pub(crate) fn figure(value: f64) -> String {
    if value >= 100.0 {
        return count(value.round() as u64);
    }
    if value >= 10.0 {
        return format!("{value:.1}");
    }
    format!("{value:.2}")
}

/// A latency in milliseconds, or in seconds from ten of them on.
fn latency_text(ms: f64) -> String {
    if ms >= 10_000.0 {
        return format!("{} s", figure(ms / 1000.0));
    }
    format!("{} ms", figure(ms))
}

fn times(factor: f64) -> String {
    if factor >= 100.0 {
        return figure(factor);
    }
    format!("{factor:.1}")
}

/// A duration as people say it.
pub(crate) fn span(duration: SimDuration) -> String {
    let secs = duration.as_secs();
    if secs < 120.0 {
        return format!("{} s", figure(secs));
    }
    if secs < 7200.0 {
        return format!("{:.1} min", secs / 60.0);
    }
    format!("{:.1} h", secs / 3600.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HitRate, PoolRouting, SlaTargets, SpreadPoint};
    use sim_core::SimTime;

    #[test]
    fn shares_are_not_rounded_to_all_or_nothing() {
        for (share, text) in [
            (1.0, "100 %"),
            (0.9999, "99.9 %"),
            (0.5, "50.0 %"),
            (0.00001, "0.1 %"),
            (0.0, "0 %"),
        ] {
            assert_eq!(per_cent(share), text);
        }
    }

    #[test]
    fn a_run_says_by_how_much_it_met_or_missed_each_target() {
        let ms = |ms: u64| Some(SimDuration::from_ns(ms * 1_000_000));
        let summary = Summary {
            ttft: Distribution {
                p99: 6000.0,
                ..Distribution::default()
            },
            tpot: Distribution {
                p99: 40.0,
                ..Distribution::default()
            },
            sla: Some(SlaReport {
                targets: SlaTargets {
                    ttft: ms(1500),
                    itl: ms(50),
                    e2e: None,
                },
                arrived: 1000,
                met: 934,
                met_ttft: 940,
                met_itl: 990,
                ..SlaReport::default()
            }),
            ..Summary::default()
        };
        assert_eq!(headline(&summary), "93.4 % of 1,000 requests met the SLA.");
        assert_eq!(
            sentences(&summary),
            [
                "TTFT ≤ 1,500 ms: met by 94.0 %; the 99th percentile is 6,000 ms, 4.0 times the target.",
                "Mean ITL of a request ≤ 50.0 ms: met by 99.0 %; the 99th percentile is 40.0 ms, 20.0 % below the target.",
            ]
        );
        assert_eq!(mood(&summary), "bad");
        assert_eq!(mood(&Summary::default()), "plain");
    }

    #[test]
    fn a_router_without_an_index_is_told_by_its_busiest_worker() {
        let point = |max_over_mean| SpreadPoint {
            at: SimTime::ZERO,
            max_over_mean,
            variation: 0.5,
        };
        let pool = PoolRouting {
            spread: vec![point(1.0), point(1.5)],
            ..PoolRouting::default()
        };
        let mut router = RouterSummary {
            decode: pool.clone(),
            ..RouterSummary::default()
        };
        assert_eq!(routing(&router).unwrap().figure, "1.25 ×");
        router.prefill = Some(pool);
        assert_eq!(
            routing(&router).unwrap().figure,
            "1.25 × (prefill), 1.25 × (decode)"
        );
        router.hit_rate = Some(HitRate {
            requests: 9,
            believed: 0.25,
            best_available: 0.5,
        });
        let tile = routing(&router).unwrap();
        assert_eq!(tile.figure, "25.0 %");
        assert_eq!(
            tile.detail,
            "of prompt blocks, 50.0 % on the best worker; busiest worker 1.25 × (prefill), \
             1.25 × (decode) the mean load"
        );
        assert!(routing(&RouterSummary::default()).is_none());
    }

    #[test]
    fn durations_have_a_unit_that_fits() {
        for (secs, text) in [
            (3, "3.00 s"),
            (90, "90.0 s"),
            (3600, "60.0 min"),
            (7200, "2.0 h"),
        ] {
            assert_eq!(span(SimDuration::from_ns(secs * 1_000_000_000)), text);
        }
    }
}
