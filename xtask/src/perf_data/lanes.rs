//! Which kernel's measurements serve an attention shape: the first, in a fixed order, that has any of the shape.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aic_perf::table::SliceKey;

use super::cells::{Cell, Grouped};
use super::version::Version;

/// The measurements of an attention table, by kernel.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// By kernel name.
    lanes: BTreeMap<String, Lane>,
    /// Kernel names as they first came.
    first_seen: Vec<String>,
}

#[derive(Debug, Default)]
struct Lane {
    grouped: Grouped,
    /// Slices and rows in the file of the release asked for.
    requested_slices: BTreeSet<SliceKey>,
    requested_rows: usize,
}

/// How a framework picks its attention kernel on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Nothing is known: kernels in the order of the file.
    Unmapped,
    /// The framework has no single kernel: the most thoroughly measured first.
    Mapped,
    /// This kernel first, then as `Mapped`.
    Pinned(&'static str),
}

fn choice(backend: &str, version: &Version, sm: Option<u32>) -> Choice {
    let since = |first: &str| Version::parse(first).is_ok_and(|first| *version >= first);
    match (backend, sm) {
        ("sglang", Some(90)) if since("0.5.14") => Choice::Pinned("fa3"),
        ("sglang", Some(100 | 103)) if since("0.5.14") => Choice::Pinned("triton"),
        ("sglang", Some(120)) if since("0.5.14") => Choice::Pinned("flashinfer"),
        ("vllm", Some(90 | 100 | 103)) if since("0.24.0") => Choice::Mapped,
        _ => Choice::Unmapped,
    }
}

impl Lanes {
    /// Adds a measurement. `requested`: it is of the release asked for.
    pub(super) fn add(
        &mut self,
        kernel: &str,
        slice: SliceKey,
        (key, cell): ([u32; 3], Cell),
        requested: bool,
    ) {
        if !self.lanes.contains_key(kernel) {
            self.first_seen.push(kernel.to_owned());
        }
        let lane = self.lanes.entry(kernel.to_owned()).or_default();
        if requested {
            lane.requested_rows += 1;
            lane.requested_slices.insert(slice.clone());
        }
        lane.grouped.add(slice, key, cell);
    }

    /// Kernel names in the order in which they serve.
    fn order(&self, choice: Choice) -> Vec<String> {
        let first = match choice {
            Choice::Pinned(kernel) => Some(kernel),
            Choice::Unmapped => Some("default"),
            Choice::Mapped => None,
        };
        let mut rest = self.first_seen.clone();
        if choice != Choice::Unmapped {
            rest.sort_unstable();
            rest.sort_by_key(|kernel| {
                let lane = &self.lanes[kernel];
                Reverse((lane.requested_slices.len(), lane.requested_rows))
            });
        }
        let first: Vec<String> = rest
            .iter()
            .filter(|kernel| first == Some(kernel))
            .cloned()
            .collect();
        rest.retain(|kernel| !first.contains(kernel));
        [first, rest].concat()
    }

    /// One set of cells for each slice, with the kernels in the order they were asked.
    pub(super) fn resolve(
        mut self,
        backend: &str,
        version: &Version,
        sm: Option<u32>,
    ) -> (Grouped, Vec<String>) {
        let order = self.order(choice(backend, version, sm));
        let mut resolved = Grouped::default();
        for kernel in &order {
            let slices = self.lanes.remove(kernel).unwrap_or_default().grouped.slices;
            for (slice, cells) in slices {
                resolved.slices.entry(slice).or_insert(cells);
            }
        }
        (resolved, order)
    }
}

#[cfg(test)]
mod tests {
    use aic_perf::table::SliceKey;

    use super::super::version::Version;
    use super::{Cell, Lanes};

    fn served_by(backend: &str, version: &str, sm: u32) -> (f64, f64) {
        let mut lanes = Lanes::default();
        let both = SliceKey::new(&["bfloat16"], &[1]);
        let only_small = SliceKey::new(&["bfloat16"], &[2]);
        let cell = |latency_ms| {
            (
                [1, 1, 1],
                Cell {
                    latency_ms,
                    source: 0,
                },
            )
        };
        lanes.add("small", both.clone(), cell(1.0), true);
        lanes.add("small", only_small.clone(), cell(2.0), true);
        lanes.add("fa3", both.clone(), cell(3.0), true);
        let version = Version::parse(version).unwrap();
        let (resolved, _) = lanes.resolve(backend, &version, Some(sm));
        let latency = |slice| resolved.slices[slice][&[1, 1, 1]].latency_ms;
        (latency(&both), latency(&only_small))
    }

    #[test]
    fn a_pinned_kernel_comes_first_and_others_fill_its_gaps() {
        assert_eq!(served_by("sglang", "0.5.14", 90), (3.0, 2.0));
    }

    #[test]
    fn without_a_pin_the_kernel_with_more_slices_comes_first() {
        assert_eq!(served_by("vllm", "0.24.0", 90), (1.0, 2.0));
    }

    #[test]
    fn a_release_before_the_first_known_choice_takes_the_order_of_the_file() {
        assert_eq!(served_by("sglang", "0.5.10", 90), (1.0, 2.0));
    }
}
