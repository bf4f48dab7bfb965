//! Matrix multiplications: curves over tokens at scattered shapes (n, k).

use sim_api::Coverage;

use super::{Line, Timed};
use crate::table::{Curve, SiteTable};

/// How many sites count for a shape that was not measured.
const NEIGHBOURS: usize = 4;
/// A site farther than this (in doublings) says nothing.
const REACH: f64 = 2.0;
/// Points at an end of a curve whose utilisation is carried beyond it.
const END_POINTS: usize = 3;

/// The speed-of-light time of a multiplication, a function of (m, n, k).
pub(crate) trait GemmSol {
    fn at(&self, m: f64, n: f64, k: f64) -> f64;
}

/// What is measured for one shape (n, k).
#[derive(Debug, Clone)]
pub(crate) enum BoundSites {
    /// The shape itself.
    Known(Site),
    /// Others near to it, which ones depends on m.
    Near {
        /// From this m on these count, ascending; the first is 0.
        ranges: Vec<(f64, Near)>,
        n: f64,
        k: f64,
    },
}

/// A measured shape with its curve over m.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    n: f64,
    k: f64,
    line: Line,
    /// Utilisation below and above the curve; none where the points there have no usable latency.
    ends: [Option<f64>; 2],
}

/// The sites that count for a shape and their shares, which sum to 1; none if all are too far.
#[derive(Debug, Clone)]
pub(crate) struct Near {
    sites: Vec<(f64, Site)>,
    /// All of them were measured at the same m.
    same_keys: bool,
    coverage: Coverage,
}

impl BoundSites {
    /// Binds a table to a shape.
    pub(crate) fn new(table: &SiteTable, n: u64, k: u64, sol: &impl GemmSol) -> Self {
        let known = u32::try_from(n)
            .ok()
            .zip(u32::try_from(k).ok())
            .and_then(|(n, k)| table.get(n, k));
        let (n, k) = (n as f64, k as f64);
        if let Some(curve) = known {
            return Self::Known(Site::new(n, k, curve, sol));
        }
        // Which sites cover m changes only where a curve begins or has ended.
        let mut bounds: Vec<u64> = table
            .curves()
            .iter()
            .flat_map(|curve| {
                let keys = curve.keys();
                [u64::from(keys[0]), u64::from(keys[keys.len() - 1]) + 1]
            })
            .chain([0])
            .collect();
        bounds.sort_unstable();
        bounds.dedup();
        let ranges = bounds
            .into_iter()
            .map(|m| (m as f64, Near::find(table, m, n, k, sol)))
            .collect();
        Self::Near { ranges, n, k }
    }

    /// The latency for `m` tokens; none where no measured shape is near enough.
    #[inline]
    pub(crate) fn at(&self, m: f64, sol: &impl GemmSol) -> Option<Timed> {
        match self {
            Self::Known(site) => site.at(m, sol),
            Self::Near { ranges, n, k } => {
                let index = ranges.partition_point(|(from, _)| *from <= m);
                let near = &ranges[index.checked_sub(1)?].1;
                near.at(m, *n, *k, sol)
            }
        }
    }
}

impl Site {
    fn new(n: f64, k: f64, curve: &Curve, sol: &impl GemmSol) -> Self {
        let line = Line::new(curve);
        let utilisation = |(m, latency): (f64, f64)| {
            let light = sol.at(m, n, k);
            (latency > 0.0 && light > 0.0).then_some(light / latency)
        };
        let low = median(line.points().take(END_POINTS).filter_map(utilisation));
        let high = median(line.points().rev().take(END_POINTS).filter_map(utilisation));
        Self {
            n,
            k,
            line,
            ends: [low, high],
        }
    }

    #[inline]
    fn at(&self, m: f64, sol: &impl GemmSol) -> Option<Timed> {
        self.line.inside(m).or_else(|| {
            let end = usize::from(m >= self.line.first_key());
            let ms = sol.at(m, self.n, self.k) / self.ends[end]?;
            Some(Timed::new(ms, Coverage::Extrapolated))
        })
    }
}

impl Near {
    fn find(table: &SiteTable, m: u64, n: f64, k: f64, sol: &impl GemmSol) -> Self {
        let none = Self {
            sites: Vec::new(),
            same_keys: false,
            coverage: Coverage::Extrapolated,
        };
        if n < 1.0 || k < 1.0 {
            return none;
        }
        let covers = |curve: &Curve| {
            let keys = curve.keys();
            (u64::from(keys[0])..=u64::from(keys[keys.len() - 1])).contains(&m)
        };
        let any = table.curves().iter().any(covers);
        let candidates: Vec<Candidate<'_>> = table
            .iter()
            .filter(|(_, curve)| !any || covers(curve))
            .map(|((site_n, site_k), curve)| Candidate::new(site_n, site_k, curve, n, k))
            .collect();
        let extent = Extent::new(&candidates);
        // A shape within reach of measured ones counts as lying between them.
        let mut coverage = if any {
            Coverage::Interpolated
        } else {
            Coverage::Extrapolated
        };
        let mut kept: Vec<&Candidate<'_>> = candidates
            .iter()
            .filter(|site| site.distance() <= REACH)
            .collect();
        if kept.is_empty() {
            kept = extent.frontier(&candidates, n, k);
            coverage = Coverage::Extrapolated;
        }
        kept.sort_by(|a, b| a.distance().total_cmp(&b.distance()));
        kept.truncate(NEIGHBOURS);
        let weight = |site: &Candidate<'_>| 1.0 / (site.distance().powi(2) + 1e-12);
        let sum: f64 = kept.iter().map(|site| weight(site)).sum();
        let same_keys = kept
            .windows(2)
            .all(|pair| pair[0].curve.keys() == pair[1].curve.keys());
        let sites = kept
            .iter()
            .map(|site| {
                (
                    weight(site) / sum,
                    Site::new(site.n, site.k, site.curve, sol),
                )
            })
            .collect();
        Self {
            sites,
            same_keys,
            coverage,
        }
    }

    #[inline]
    fn at(&self, m: f64, n: f64, k: f64, sol: &impl GemmSol) -> Option<Timed> {
        let mut utilisation = 0.0;
        let interval = match self.sites.first() {
            Some((_, site)) if self.same_keys => site.line.interval(m),
            _ => None,
        };
        for (share, site) in &self.sites {
            let latency = match interval {
                Some(interval) => site.line.in_interval(interval, m),
                None => site.at(m, sol)?.ms,
            };
            utilisation += share * sol.at(m, site.n, site.k) / latency;
        }
        (utilisation > 0.0).then(|| Timed::new(sol.at(m, n, k) / utilisation, self.coverage))
    }
}

/// A site and how far it is from a shape, in doublings along n and k.
struct Candidate<'a> {
    n: f64,
    k: f64,
    curve: &'a Curve,
    away_n: f64,
    away_k: f64,
}

impl<'a> Candidate<'a> {
    fn new(site_n: u32, site_k: u32, curve: &'a Curve, n: f64, k: f64) -> Self {
        let (site_n, site_k) = (f64::from(site_n), f64::from(site_k));
        Self {
            n: site_n,
            k: site_k,
            curve,
            away_n: (site_n.log2() - n.log2()).abs(),
            away_k: (site_k.log2() - k.log2()).abs(),
        }
    }

    fn distance(&self) -> f64 {
        (self.away_n.powi(2) + self.away_k.powi(2)).sqrt()
    }
}

/// The rectangle that sites fill.
struct Extent {
    n: (f64, f64),
    k: (f64, f64),
}

impl Extent {
    fn new(candidates: &[Candidate<'_>]) -> Self {
        let range = |value: fn(&Candidate<'_>) -> f64| {
            let values = || candidates.iter().map(value);
            (
                values().fold(f64::INFINITY, f64::min),
                values().fold(0.0, f64::max),
            )
        };
        Self {
            n: range(|site| site.n),
            k: range(|site| site.k),
        }
    }

    /// The sites that count for a shape too large on exactly one axis: those near on the other.
    fn frontier<'a, 'b>(
        &self,
        candidates: &'b [Candidate<'a>],
        n: f64,
        k: f64,
    ) -> Vec<&'b Candidate<'a>> {
        let near: fn(&Candidate<'_>) -> f64 = match (n > self.n.1, k > self.k.1) {
            (true, false) if k >= self.k.0 => |site| site.away_k,
            (false, true) if n >= self.n.0 => |site| site.away_n,
            _ => return Vec::new(),
        };
        candidates
            .iter()
            .filter(|site| near(site) <= REACH)
            .collect()
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Volume;

    impl GemmSol for Volume {
        fn at(&self, m: f64, n: f64, k: f64) -> f64 {
            m * n * k
        }
    }

    /// Sites 64 x 64 to 1024 x 1024 with utilisation 1/2, but m = 1 with 1/4.
    fn table() -> SiteTable {
        let sizes = [64, 256, 1024];
        let entries = sizes
            .iter()
            .flat_map(|n| sizes.iter().map(move |k| (*n, *k)));
        SiteTable::new(entries.map(|(n, k)| {
            let light = |m: u32| f64::from(m) * f64::from(n) * f64::from(k);
            let curve = Curve::new([
                (1, 4.0 * light(1)),
                (2, 2.0 * light(2)),
                (8, 2.0 * light(8)),
            ]);
            ((n, k), curve.unwrap())
        }))
        .unwrap()
    }

    fn at(n: u64, k: u64, m: f64) -> Option<Timed> {
        BoundSites::new(&table(), n, k, &Volume).at(m, &Volume)
    }

    #[test]
    fn a_known_shape_is_read_off() {
        assert_eq!(
            at(64, 64, 2.0),
            Some(Timed::new(16_384.0, Coverage::Measured))
        );
        let between = at(64, 64, 4.0).unwrap();
        assert_eq!(between.coverage, Coverage::Interpolated);
        // Beyond the last point the median utilisation of the last three counts.
        let beyond = at(64, 64, 16.0).unwrap();
        assert!((beyond.ms - 2.0 * 16.0 * 4096.0).abs() < 1e-6);
        assert_eq!(beyond.coverage, Coverage::Extrapolated);
    }

    #[test]
    fn an_unknown_shape_borrows_utilisation() {
        let value = at(100, 300, 8.0).unwrap();
        assert!((value.ms - 2.0 * 8.0 * 30_000.0).abs() < 1e-6);
        assert_eq!(value.coverage, Coverage::Interpolated);
    }

    #[test]
    fn far_shapes_are_missing_but_for_one_long_side() {
        let long = at(1 << 20, 300, 8.0).unwrap();
        assert_eq!(long.coverage, Coverage::Extrapolated);
        assert_eq!(at(1 << 20, 1 << 20, 8.0), None);
        assert_eq!(at(1 << 20, 4, 8.0), None);
        assert_eq!(at(1, 64, 8.0), None);
        assert_eq!(at(0, 64, 8.0), None);
    }
}
