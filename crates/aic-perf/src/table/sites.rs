//! Latency curves scattered over a plane: matrix multiplications of shape (n, k) over m.

use super::{Curve, TableError};

/// Measured (n, k) shapes in the order the measurement met them, each with a curve over m (tokens).
///
/// The order is part of the data: of two shapes equally near to an unmeasured one, the earlier counts.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteTable {
    sites: Box<[(u32, u32)]>,
    curves: Box<[Curve]>,
}

impl SiteTable {
    /// A table from sites `((n, k), curve)` in first-seen order.
    ///
    /// # Errors
    /// [`TableError::Unsorted`] if there is none or one comes twice.
    pub fn new(entries: impl IntoIterator<Item = ((u32, u32), Curve)>) -> Result<Self, TableError> {
        let (sites, curves): (Vec<(u32, u32)>, Vec<Curve>) = entries.into_iter().unzip();
        let mut sorted = sites.clone();
        sorted.sort_unstable();
        if sites.is_empty() || !sorted.is_sorted_by(|a, b| a < b) {
            return Err(TableError::Unsorted { what: "site table" });
        }
        Ok(Self {
            sites: sites.into(),
            curves: curves.into(),
        })
    }

    /// The (n, k) shapes in first-seen order.
    #[must_use]
    pub fn sites(&self) -> &[(u32, u32)] {
        &self.sites
    }

    /// The curves over m, one for each site.
    #[must_use]
    pub fn curves(&self) -> &[Curve] {
        &self.curves
    }

    /// The curve measured exactly at (n, k). Scans the sites: for binding a model, not for each step.
    #[must_use]
    pub fn get(&self, n: u32, k: u32) -> Option<&Curve> {
        let at = self.sites.iter().position(|site| *site == (n, k))?;
        Some(&self.curves[at])
    }

    /// Sites with their curves in first-seen order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ((u32, u32), &Curve)> {
        self.sites.iter().copied().zip(&self.curves)
    }
}
