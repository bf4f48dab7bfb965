//! A bounded set of samples that stays spread over the range of its features.
//!
//! A plain queue would soon hold only what engines do most of the time; here the oldest sample of the *fullest*
//! bucket makes room, so rare operating points outlive frequent ones.

use std::collections::VecDeque;

/// One observation: features (the second is 0 in models of one feature) and seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Features.
    pub x: [f64; 2],
    /// Pass time in seconds.
    pub y: f64,
}

/// Samples of one cell of the feature range.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// The cell's index on each axis.
    pub key: [u32; 2],
    /// Its samples, oldest first.
    pub samples: VecDeque<Sample>,
}

/// The range seen on one axis. It never shrinks.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
}

/// Samples by cell, in the order the cells were created.
#[derive(Clone, Debug)]
pub struct SampleStore {
    max_samples: usize,
    cells: u32,
    features: usize,
    axes: [Axis; 2],
    buckets: Vec<Bucket>,
    len: usize,
    /// Emptied buckets, kept for their allocation.
    spare: Vec<VecDeque<Sample>>,
}

impl SampleStore {
    /// An empty store of at most `max_samples`, with `bucket_count` cells over one or two `features`.
    #[must_use]
    pub fn new(features: usize, max_samples: usize, bucket_count: u64) -> Self {
        let cells = if features == 1 {
            bucket_count
        } else {
            bucket_count.isqrt()
        };
        Self {
            max_samples,
            cells: u32::try_from(cells).unwrap_or(u32::MAX).max(1),
            features,
            axes: [Axis {
                low: f64::INFINITY,
                high: f64::NEG_INFINITY,
            }; 2],
            buckets: Vec::new(),
            len: 0,
            spare: Vec::new(),
        }
    }

    /// How many samples are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The non-empty buckets in the order they were created.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Lowest and highest value seen on an axis, once something was stored.
    #[must_use]
    pub fn range(&self, axis: usize) -> Option<(f64, f64)> {
        let axis = self.axes.get(axis).filter(|axis| axis.low <= axis.high)?;
        Some((axis.low, axis.high))
    }

    /// All samples, bucket by bucket.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.buckets.iter().flat_map(|bucket| &bucket.samples)
    }

    /// Stores a sample, and drops the oldest of the fullest bucket if there are too many.
    pub fn insert(&mut self, sample: Sample) {
        if self.stretch(sample.x) && self.len > 0 {
            self.file_again();
        }
        self.file(sample);
        self.len += 1;
        if self.len > self.max_samples {
            self.drop_one();
        }
    }

    /// Widens the ranges to `x`; true if one changed.
    fn stretch(&mut self, x: [f64; 2]) -> bool {
        let mut changed = false;
        for (axis, &value) in self.axes.iter_mut().zip(&x).take(self.features) {
            if value < axis.low {
                axis.low = value;
                changed = true;
            }
            if value > axis.high {
                axis.high = value;
                changed = true;
            }
        }
        changed
    }

    fn cell(&self, axis: usize, value: f64) -> u32 {
        let Axis { low, high } = self.axes[axis];
        if axis >= self.features || high <= low {
            return 0;
        }
        let position = (value - low) / (high - low) * f64::from(self.cells);
        (position as u32).min(self.cells - 1)
    }

    fn file(&mut self, sample: Sample) {
        let key = [self.cell(0, sample.x[0]), self.cell(1, sample.x[1])];
        if let Some(bucket) = self.buckets.iter_mut().find(|bucket| bucket.key == key) {
            bucket.samples.push_back(sample);
            return;
        }
        let mut samples = self.spare.pop().unwrap_or_default();
        samples.push_back(sample);
        self.buckets.push(Bucket { key, samples });
    }

    /// New ranges move samples to other cells. Within a new bucket they stand in the order of the old buckets, not
    /// of time.
    fn file_again(&mut self) {
        for mut bucket in std::mem::take(&mut self.buckets) {
            for sample in bucket.samples.drain(..) {
                self.file(sample);
            }
            self.spare.push(bucket.samples);
        }
    }

    fn drop_one(&mut self) {
        let (mut fullest, mut most) = (0, 0);
        for (index, bucket) in self.buckets.iter().enumerate() {
            if bucket.samples.len() > most {
                (fullest, most) = (index, bucket.samples.len());
            }
        }
        self.buckets[fullest].samples.pop_front();
        self.len -= 1;
        if self.buckets[fullest].samples.is_empty() {
            let bucket = self.buckets.remove(fullest);
            self.spare.push(bucket.samples);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_points_outlive_frequent_ones() {
        let mut store = SampleStore::new(1, 4, 4);
        store.insert(Sample {
            x: [100.0, 0.0],
            y: 9.0,
        });
        for i in 0..50 {
            store.insert(Sample {
                x: [f64::from(i % 3), 0.0],
                y: f64::from(i),
            });
        }
        assert_eq!(store.len(), 4);
        assert!(store.iter().any(|sample| sample.y == 9.0));
        assert_eq!(store.range(0), Some((0.0, 100.0)));
    }

    #[test]
    fn a_store_of_nothing_stays_empty() {
        let mut store = SampleStore::new(2, 0, 16);
        store.insert(Sample {
            x: [1.0, 2.0],
            y: 3.0,
        });
        assert!(store.is_empty() && store.buckets().is_empty());
    }
}
