//! Requests in flight per worker over time, in fixed memory.

use sim_api::WorkerId;
use sim_core::{SimDuration, SimTime};

use super::SpreadPoint;

/// The most windows there are; when a run outgrows them, neighbours are joined.
const MOST_WINDOWS: usize = 256;
/// Width of a window of a short run: 1/16 s. Doubled until the run fits.
const FIRST_WIDTH_NS: u64 = 62_500_000;

/// Where in the windows an instant is.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    /// Time to the end of the window.
    left_ns: u64,
}

/// What a step function does in a window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Rise from its start to its end.
    rise: i64,
    /// Integral over the window of what it rose above its value at the start,
    /// in ns.
    area: i128,
}

/// A step function as sums per window, so that steps may come in any order.
/// Windows before the first step and after the last are not kept.
#[derive(Clone, Debug, Default)]
struct Steps {
    /// Number of the first window that is kept.
    first: usize,
    windows: Vec<Window>,
}

impl Steps {
    fn add(&mut self, place: Place, rise: i64) {
        if self.windows.is_empty() {
            self.first = place.index;
        }
        if place.index < self.first {
            let missing = self.first - place.index;
            let front = std::iter::repeat_n(Window::default(), missing);
            self.windows.splice(..0, front);
            self.first = place.index;
        }
        let index = place.index - self.first;
        if index >= self.windows.len() {
            self.windows.resize(index + 1, Window::default());
        }
        let window = &mut self.windows[index];
        window.rise += rise;
        window.area += i128::from(rise) * i128::from(place.left_ns);
    }

    /// The number of the window after the last that is kept.
    fn end(&self) -> usize {
        self.first + self.windows.len()
    }

    fn window(&self, index: usize) -> Window {
        let kept = index.checked_sub(self.first);
        let window = kept.and_then(|index| self.windows.get(index));
        window.copied().unwrap_or_default()
    }

    /// Joins pairs of windows that are `width_ns` wide.
    fn widen(&mut self, width_ns: u64) {
        let pairs = self.first / 2..self.end().div_ceil(2);
        let join = |pair: usize| {
            let (one, two) = (self.window(2 * pair), self.window(2 * pair + 1));
            Window {
                rise: one.rise + two.rise,
                area: one.area + i128::from(one.rise) * i128::from(width_ns) + two.area,
            }
        };
        self.windows = pairs.map(join).collect();
        self.first /= 2;
    }

    /// The integral over each of `count` windows.
    fn areas(&self, count: usize, width_ns: u64) -> impl Iterator<Item = i128> {
        let mut height = 0_i64;
        (0..count).map(move |index| {
            let window = self.window(index);
            let area = i128::from(height) * i128::from(width_ns) + window.area;
            height += window.rise;
            area
        })
    }
}

#[derive(Clone, Debug, Default)]
struct Worker {
    is_ready: bool,
    ready: Steps,
    in_flight: Steps,
}

/// The load of every worker of a pool in at most [`MOST_WINDOWS`] windows:
/// 32 bytes a window of a worker's life, and no search for a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    /// How often the windows' width was doubled.
    doublings: u32,
    /// By worker id.
    workers: Vec<Worker>,
    /// Workers that ever were ready.
    pub(super) ever_ready: u32,
}

impl Spread {
    /// A worker takes requests from now on, or no more.
    pub(super) fn ready(&mut self, at: SimTime, id: WorkerId, is_ready: bool) {
        let place = self.place(at);
        let worker = self.worker(id);
        if std::mem::replace(&mut worker.is_ready, is_ready) != is_ready {
            let rise = if is_ready { 1 } else { -1 };
            worker.ready.add(place, rise);
            self.ever_ready += u32::from(is_ready);
        }
    }

    /// A worker has one request more in flight, or one less (`rise` -1).
    pub(super) fn in_flight(&mut self, at: SimTime, id: WorkerId, rise: i64) {
        let place = self.place(at);
        self.worker(id).in_flight.add(place, rise);
    }

    /// Widens the windows until `at` falls into one, and says where.
    fn place(&mut self, at: SimTime) -> Place {
        let first = at.as_ns() / FIRST_WIDTH_NS;
        while first >> self.doublings >= MOST_WINDOWS as u64 {
            let width_ns = self.width_ns();
            for worker in &mut self.workers {
                worker.ready.widen(width_ns);
                worker.in_flight.widen(width_ns);
            }
            self.doublings += 1;
        }
        let index = first >> self.doublings;
        Place {
            index: index as usize,
            left_ns: self.width_ns() - (at.as_ns() - index * self.width_ns()),
        }
    }

    fn width_ns(&self) -> u64 {
        FIRST_WIDTH_NS << self.doublings
    }

    fn worker(&mut self, id: WorkerId) -> &mut Worker {
        let index = id.0 as usize;
        if index >= self.workers.len() {
            self.workers.resize_with(index + 1, Worker::default);
        }
        &mut self.workers[index]
    }

    pub(super) fn window(&self) -> SimDuration {
        SimDuration::from_ns(self.width_ns())
    }

    /// One point a window in which two workers or more were ready throughout
    /// and had requests.
    pub(super) fn points(&self) -> Vec<SpreadPoint> {
        let width_ns = self.width_ns();
        let lengths = self.workers.iter().map(|worker| worker.in_flight.end());
        let count = lengths.max().unwrap_or(0);
        let mut loads: Vec<Vec<f64>> = vec![Vec::new(); count];
        for worker in &self.workers {
            let ready = worker.ready.areas(count, width_ns);
            let in_flight = worker.in_flight.areas(count, width_ns);
            for ((ready, area), loads) in ready.zip(in_flight).zip(&mut loads) {
                if ready == i128::from(width_ns) {
                    loads.push(area as f64 / width_ns as f64);
                }
            }
        }
        let middle = |index: u64| (width_ns * index).saturating_add(width_ns / 2);
        let points = loads.iter().zip(0..);
        points
            .filter_map(|(loads, index)| point(SimTime::from_ns(middle(index)), loads))
            .collect()
    }
}

fn point(at: SimTime, loads: &[f64]) -> Option<SpreadPoint> {
    let count = loads.len() as f64;
    let mean = loads.iter().sum::<f64>() / count;
    if loads.len() < 2 || mean <= 0.0 {
        return None;
    }
    let squares: f64 = loads.iter().map(|load| (load - mean) * (load - mean)).sum();
    let max = loads.iter().copied().fold(0.0, f64::max);
    Some(SpreadPoint {
        at,
        max_over_mean: (max / mean).max(1.0),
        variation: (squares / count).sqrt() / mean,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(ns: u64) -> SimTime {
        SimTime::from_ns(ns)
    }

    #[test]
    fn loads_are_compared_over_workers_that_were_ready_throughout() {
        let mut spread = Spread::default();
        for id in 0..2 {
            spread.ready(at(0), WorkerId(id), true);
        }
        // Windows of 4 s; a third worker comes in the middle of the second.
        spread.ready(at(6 * SECOND), WorkerId(2), true);
        spread.in_flight(at(0), WorkerId(0), 1);
        spread.in_flight(at(2 * SECOND), WorkerId(0), -1);
        spread.in_flight(at(0), WorkerId(1), 3);
        spread.in_flight(at(12 * SECOND), WorkerId(1), -3);
        spread.in_flight(at(8 * SECOND), WorkerId(2), 3);
        spread.in_flight(at(1000 * SECOND), WorkerId(2), -3);
        assert_eq!(spread.window(), SimDuration::from_ns(4 * SECOND));
        assert_eq!(spread.ever_ready, 3);
        let points = spread.points();
        // 0.5 and 3; 0 and 3; 0, 3 and 3; from 12 s on 0, 0 and 3.
        let close = |one: f64, two: f64| (one - two).abs() < 1e-12;
        assert!(close(points[0].max_over_mean, 3.0 / 1.75));
        assert!(close(points[0].variation, 1.25 / 1.75));
        assert!(close(points[1].max_over_mean, 2.0) && close(points[1].variation, 1.0));
        assert!(close(points[2].max_over_mean, 1.5));
        assert!(close(points[3].max_over_mean, 3.0));
        assert_eq!(points[3].at, at(14 * SECOND));
        assert_eq!(points.len(), 250);
    }

    #[test]
    fn a_worker_that_drains_is_not_compared() {
        let mut spread = Spread::default();
        for id in 0..2 {
            spread.ready(at(0), WorkerId(id), true);
            spread.in_flight(at(0), WorkerId(id), 1);
        }
        spread.ready(at(1), WorkerId(1), false);
        spread.ready(at(2), WorkerId(1), false);
        spread.in_flight(at(SECOND), WorkerId(1), -1);
        assert!(spread.points().is_empty());
    }

    #[test]
    fn the_end_of_time_has_a_window_too() {
        let mut spread = Spread::default();
        for id in 0..2 {
            spread.ready(at(0), WorkerId(id), true);
        }
        spread.in_flight(at(0), WorkerId(1), 1);
        spread.in_flight(at(u64::MAX), WorkerId(1), -1);
        let points = spread.points();
        assert!(points.len() > 100 && points.iter().all(|point| point.max_over_mean == 2.0));
    }

    proptest! {
        #[test]
        fn the_order_of_workers_does_not_matter(
            stays in prop::collection::vec((0_u32..4, 0_u64..900 * SECOND, 0_u64..90 * SECOND), 1..40)
        ) {
            let points = |order: &[(u32, u64, i64)]| {
                let mut spread = Spread::default();
                for id in 0..4 {
                    spread.ready(at(0), WorkerId(id), true);
                }
                for &(worker, ns, rise) in order {
                    spread.in_flight(at(ns), WorkerId(worker), rise);
                }
                spread.points()
            };
            let ends = |&(worker, start, length): &(u32, u64, u64)| {
                [(worker, start, 1), (worker, start + length, -1)]
            };
            let mut steps: Vec<(u32, u64, i64)> = stays.iter().flat_map(ends).collect();
            let as_told = points(&steps);
            steps.sort_by_key(|&(_, ns, _)| ns);
            prop_assert_eq!(&as_told, &points(&steps));
            steps.reverse();
            prop_assert_eq!(&as_told, &points(&steps));
        }

        #[test]
        fn windows_hold_the_exact_integral(
            stays in prop::collection::vec((0_u64..40 * SECOND, 0_u64..9 * SECOND), 1..20)
        ) {
            let mut spread = Spread::default();
            for &(start, length) in &stays {
                spread.in_flight(at(start), WorkerId(0), 1);
                spread.in_flight(at(start + length), WorkerId(0), -1);
            }
            let width = spread.width_ns();
            let areas: Vec<i128> = spread.workers[0].in_flight.areas(256, width).collect();
            for (index, area) in (0_u64..).zip(areas) {
                let (from, to) = (index * width, (index + 1) * width);
                let inside = |&(start, length): &(u64, u64)| {
                    i128::from((start + length).clamp(from, to) - start.clamp(from, to))
                };
                prop_assert_eq!(area, stays.iter().map(inside).sum::<i128>());
            }
        }
    }
}
