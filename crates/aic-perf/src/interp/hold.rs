//! Beyond a grid: how well the hardware was used at the nearest measured points.

use super::Sol;
use crate::table::Grid;

/// How many neighbours count. One more sets the distance at which a neighbour stops counting.
const NEIGHBOURS: usize = 4;
/// Below this no coordinate goes before its logarithm is taken.
const COORDINATE_FLOOR: f64 = 1e-12;

/// The points of a grid in logarithmic coordinates, each with its utilisation (speed-of-light time over latency).
#[derive(Debug, Clone)]
pub(crate) struct HoldIndex {
    branches: Box<[HoldBranch]>,
    inner: Box<[f64]>,
    utilisation: Box<[f64]>,
}

/// Points that share all axes but the innermost.
#[derive(Debug, Clone, Copy)]
struct HoldBranch {
    heads: f64,
    outer: f64,
    /// The smallest and largest inner coordinate.
    low: f64,
    high: f64,
    start: u32,
    end: u32,
}

/// Branches with their squared distance to a query on all axes but the innermost, nearest first.
#[derive(Debug, Clone)]
pub(crate) struct Approach(Box<[(f64, HoldBranch)]>);

/// The nearest points so far: squared distance and utilisation, nearest first.
struct Nearest {
    found: usize,
    distance: [f64; NEIGHBOURS + 1],
    utilisation: [f64; NEIGHBOURS + 1],
}

pub(crate) fn log2(coordinate: f64) -> f64 {
    coordinate.max(COORDINATE_FLOOR).log2()
}

impl HoldIndex {
    /// Indexes the usable points of a grid of two axes (heads 1) or three; none if there is no usable point.
    pub(crate) fn new(grid: &Grid, sol: &impl Sol) -> Option<Self> {
        let mut branches: Vec<HoldBranch> = Vec::new();
        let mut inner = Vec::new();
        let mut utilisation = Vec::new();
        let mut last = None;
        for (key, latency) in grid.leaves() {
            let [heads, outer, at] = match grid.axes() {
                3 => key.map(f64::from),
                _ => [1.0, f64::from(key[0]), f64::from(key[1])],
            };
            let light = sol.at(heads, outer, at);
            if !(latency > 0.0 && light > 0.0) {
                continue;
            }
            let end = u32::try_from(inner.len() + 1).ok()?;
            let place = log2(at);
            if last == Some([heads, outer]) {
                let branch = branches.last_mut()?;
                branch.end = end;
                branch.high = place;
            } else {
                branches.push(HoldBranch {
                    heads: log2(heads),
                    outer: log2(outer),
                    low: place,
                    high: place,
                    start: end - 1,
                    end,
                });
                last = Some([heads, outer]);
            }
            inner.push(place);
            utilisation.push(light / latency);
        }
        (!branches.is_empty()).then(|| Self {
            branches: branches.into(),
            inner: inner.into(),
            utilisation: utilisation.into(),
        })
    }

    /// Utilisation near a point given by the logarithms of its coordinates.
    pub(crate) fn utilisation(&self, heads: f64, outer: f64, inner: f64) -> f64 {
        let base = |branch: &HoldBranch| base_distance(branch, heads, outer);
        let mut first = 0;
        let mut least = f64::INFINITY;
        for (index, branch) in self.branches.iter().enumerate() {
            let distance = base(branch);
            if distance < least {
                least = distance;
                first = index;
            }
        }
        let mut nearest = Nearest::new();
        self.visit(&self.branches[first], least, inner, &mut nearest);
        for (index, branch) in self.branches.iter().enumerate() {
            let distance = base(branch);
            if index != first && distance + branch.gap(inner) < nearest.limit() {
                self.visit(branch, distance, inner, &mut nearest);
            }
        }
        nearest.utilisation()
    }

    /// The branches in the order in which a query with these outer coordinates (logarithms) meets them.
    pub(crate) fn approach(&self, heads: f64, outer: f64) -> Approach {
        let mut order: Vec<(f64, HoldBranch)> = self
            .branches
            .iter()
            .map(|branch| (base_distance(branch, heads, outer), *branch))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        Approach(order.into())
    }

    /// As [`HoldIndex::utilisation`] for a query whose outer coordinates an approach was made for.
    pub(crate) fn utilisation_along(&self, approach: &Approach, inner: f64) -> f64 {
        let mut nearest = Nearest::new();
        for (distance, branch) in &approach.0 {
            if *distance >= nearest.limit() {
                break;
            }
            if distance + branch.gap(inner) < nearest.limit() {
                self.visit(branch, *distance, inner, &mut nearest);
            }
        }
        nearest.utilisation()
    }

    /// Offers the points of a branch, outwards from the query, until they are too far.
    #[inline]
    fn visit(&self, branch: &HoldBranch, base: f64, at: f64, nearest: &mut Nearest) {
        let range = branch.start as usize..branch.end as usize;
        let (keys, values) = (&self.inner[range.clone()], &self.utilisation[range]);
        let split = keys.partition_point(|key| *key < at);
        for index in (0..split).rev() {
            if !nearest.offer(base + (at - keys[index]).powi(2), values[index]) {
                break;
            }
        }
        for index in split..keys.len() {
            if !nearest.offer(base + (keys[index] - at).powi(2), values[index]) {
                break;
            }
        }
    }
}

impl HoldBranch {
    /// The squared distance of every point at least, on the inner axis.
    #[inline]
    fn gap(&self, inner: f64) -> f64 {
        (self.low - inner).max(inner - self.high).max(0.0).powi(2)
    }
}

#[inline]
fn base_distance(branch: &HoldBranch, heads: f64, outer: f64) -> f64 {
    (branch.heads - heads).powi(2) + (branch.outer - outer).powi(2)
}

impl Nearest {
    fn new() -> Self {
        Self {
            found: 0,
            distance: [f64::INFINITY; NEIGHBOURS + 1],
            utilisation: [0.0; NEIGHBOURS + 1],
        }
    }

    /// From this squared distance on a point is of no interest.
    #[inline]
    fn limit(&self) -> f64 {
        self.distance[NEIGHBOURS]
    }

    /// Takes a point if it is near enough; says whether it was.
    #[inline]
    fn offer(&mut self, distance: f64, utilisation: f64) -> bool {
        if distance >= self.limit() {
            return false;
        }
        let mut slot = self.found.min(NEIGHBOURS);
        while slot > 0 && self.distance[slot - 1] > distance {
            self.distance[slot] = self.distance[slot - 1];
            self.utilisation[slot] = self.utilisation[slot - 1];
            slot -= 1;
        }
        self.distance[slot] = distance;
        self.utilisation[slot] = utilisation;
        self.found = (self.found + 1).min(NEIGHBOURS + 1);
        true
    }

    /// The mean utilisation of the neighbours: each counts by how much nearer it is than the one that does not count.
    fn utilisation(&self) -> f64 {
        let count = self.found.min(NEIGHBOURS);
        let radius = self.distance[NEIGHBOURS].sqrt();
        let weight = |squared: f64| {
            if radius.is_infinite() {
                1.0 / (squared + 1e-12)
            } else {
                let distance = squared.sqrt();
                ((radius - distance).max(0.0) / (radius * distance + 1e-12)).powi(2)
            }
        };
        let mut sum = 0.0;
        let mut weighted = 0.0;
        for index in 0..count {
            let weight = weight(self.distance[index]);
            sum += weight;
            weighted += weight * self.utilisation[index];
        }
        if sum > 0.0 {
            weighted / sum
        } else {
            self.utilisation[..count].iter().sum::<f64>() / count as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Area;

    impl Sol for Area {
        fn at(&self, heads: f64, outer: f64, inner: f64) -> f64 {
            heads * outer * inner
        }
    }

    /// The rule as written: every point, sorted by distance.
    fn by_the_book(grid: &Grid, query: [f64; 3]) -> f64 {
        let mut points: Vec<(f64, f64)> = grid
            .leaves()
            .map(|(key, latency)| {
                let key = key.map(f64::from);
                let distance: f64 = (0..3).map(|i| (key[i].log2() - query[i]).powi(2)).sum();
                (distance.sqrt(), key[0] * key[1] * key[2] / latency)
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let radius = points.get(4).map(|point| point.0);
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (distance, utilisation) in points.iter().take(4) {
            let weight = match radius {
                Some(r) => ((r - distance).max(0.0) / (r * distance + 1e-12)).powi(2),
                None => 1.0 / (distance * distance + 1e-12),
            };
            sum += weight;
            weighted += weight * utilisation;
        }
        weighted / sum
    }

    proptest! {
        #[test]
        fn the_search_finds_what_a_full_scan_finds(
            cells in prop::collection::btree_map((1_u32..9, 1_u32..40, 1_u32..5000), 0.1_f64..9.0, 1..60),
            query in [0.0_f64..4.0, 0.0_f64..8.0, 0.0_f64..16.0],
        ) {
            let cells = cells.into_iter().map(|((a, b, c), latency)| ([a, b, c], latency));
            let grid = Grid::new(3, cells).unwrap();
            let index = HoldIndex::new(&grid, &Area).unwrap();
            let expected = by_the_book(&grid, query);
            prop_assume!(expected.is_finite());
            let [heads, outer, inner] = query;
            let scanned = index.utilisation(heads, outer, inner);
            let approach = index.approach(heads, outer);
            prop_assert!((scanned / expected - 1.0).abs() < 1e-9);
            let along = index.utilisation_along(&approach, inner);
            prop_assert!((along / expected - 1.0).abs() < 1e-9);
        }
    }
}
