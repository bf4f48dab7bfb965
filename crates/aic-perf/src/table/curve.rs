//! Latency over one integer axis.

use std::sync::Arc;

use super::TableError;

/// Measured points over one axis: keys strictly ascending, at least one, latencies in ms, finite, not negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Shared: most curves of a table have the same keys.
    keys: Arc<[u32]>,
    values: Box<[f64]>,
}

impl Curve {
    /// A curve from points in ascending order of their key.
    ///
    /// # Errors
    /// [`TableError::Unsorted`] if there is no point or keys do not ascend, [`TableError::BadLatency`] on a latency
    /// that is negative or not finite.
    pub fn new(points: impl IntoIterator<Item = (u32, f64)>) -> Result<Self, TableError> {
        let (keys, values): (Vec<u32>, Vec<f64>) = points.into_iter().unzip();
        Self::from_columns(keys.into(), values)
    }

    /// A curve from keys and as many latencies.
    pub(super) fn from_columns(keys: Arc<[u32]>, values: Vec<f64>) -> Result<Self, TableError> {
        if keys.is_empty() || keys.len() != values.len() || !keys.is_sorted_by(|a, b| a < b) {
            return Err(TableError::Unsorted { what: "curve" });
        }
        if !values.iter().all(|v| v.is_finite() && *v >= 0.0) {
            return Err(TableError::BadLatency { what: "curve" });
        }
        Ok(Self {
            keys,
            values: values.into(),
        })
    }

    /// The measured keys, ascending.
    #[must_use]
    pub fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// Latencies in ms, one for each key.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The latency measured exactly at `key`.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<f64> {
        let at = self.keys.binary_search(&key).ok()?;
        Some(self.values[at])
    }

    /// The points in ascending order.
    pub fn points(&self) -> impl ExactSizeIterator<Item = (u32, f64)> {
        self.keys.iter().copied().zip(self.values.iter().copied())
    }
}
