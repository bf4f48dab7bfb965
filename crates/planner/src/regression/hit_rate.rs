//! The prefix-cache hit rate as a discount on prefill work.

/// Nothing is ever free: even a cache that always hits leaves this share of a prompt to compute.
const MAX_DISCOUNT: f64 = 0.95;

/// A hit rate as the models use it, in `[0, 0.95]`; unknown (none or NaN) means no discount.
///
/// ```
/// assert_eq!(planner::clamp_hit_rate(Some(1.7)), 0.95);
/// assert_eq!(planner::clamp_hit_rate(None), 0.0);
/// ```
#[must_use]
pub fn clamp_hit_rate(rate: Option<f64>) -> f64 {
    match rate {
        Some(rate) if !rate.is_nan() => rate.clamp(0.0, MAX_DISCOUNT),
        _ => 0.0,
    }
}
