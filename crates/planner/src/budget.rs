//! GPU budgets: how many replicas a floor and a ceiling in GPUs leave.

/// Bounds on the GPUs of a deployment. A negative bound is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Fewest GPUs wanted.
    pub min_gpus: i64,
    /// Most GPUs allowed.
    pub max_gpus: i64,
    /// Fewest replicas of each pool.
    pub min_endpoint: u32,
}

/// A number of GPUs outside the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBudget {
    /// Above the ceiling.
    #[error("total {total} exceeds ceiling ({max})")]
    Above {
        /// GPUs.
        total: i64,
        /// The ceiling.
        max: i64,
    },
    /// Below the floor by more than the tolerance.
    #[error("total {total} below floor ({min}{})", tolerance_text(*tolerance))]
    Below {
        /// GPUs.
        total: i64,
        /// The floor.
        min: i64,
        /// How far below the floor is still accepted.
        tolerance: i64,
    },
}

fn tolerance_text(tolerance: i64) -> String {
    if tolerance > 0 {
        format!(" - tol {tolerance}")
    } else {
        String::new()
    }
}

/// How far below the floor a deployment may end up because replicas are whole: the largest engine's GPUs.
///
/// ```
/// assert_eq!(planner::floor_tolerance(&[1, 4]), 4);
/// assert_eq!(planner::floor_tolerance(&[]), 0);
/// ```
#[must_use]
pub fn floor_tolerance(engine_gpus: &[i64]) -> i64 {
    engine_gpus.iter().copied().max().unwrap_or(0).max(0)
}

fn ceil_div(a: i64, b: i64) -> i64 {
    a.div_euclid(b) + i64::from(a.rem_euclid(b) > 0)
}

fn to_i64(replicas: u32) -> i64 {
    i64::from(replicas)
}

fn to_u32(replicas: i64) -> u32 {
    u32::try_from(replicas.max(0)).unwrap_or(u32::MAX)
}

impl Budget {
    /// Whether `total` GPUs are within the bounds, the floor loosened by `tolerance`.
    ///
    /// # Errors
    /// Which bound is missed.
    pub fn check(&self, total: i64, tolerance: i64) -> Result<(), OutOfBudget> {
        if self.max_gpus >= 0 && total > self.max_gpus {
            return Err(OutOfBudget::Above {
                total,
                max: self.max_gpus,
            });
        }
        if self.min_gpus >= 0 && total < self.min_gpus.saturating_sub(tolerance) {
            return Err(OutOfBudget::Below {
                total,
                min: self.min_gpus,
                tolerance,
            });
        }
        Ok(())
    }

    /// The floor gives way only where a ceiling could forbid reaching it with whole replicas.
    fn tolerance(&self, engine_gpus: &[i64]) -> i64 {
        if self.min_gpus >= 0 && self.max_gpus >= 0 {
            floor_tolerance(engine_gpus)
        } else {
            0
        }
    }

    /// Replicas of the only pool, nearest to `wanted` within the bounds; 0 if the ceiling holds not even
    /// `min_endpoint` replicas.
    #[must_use]
    pub fn clamp_one(&self, wanted: u32, engine_gpus: u32) -> u32 {
        let gpus = i64::from(engine_gpus);
        if gpus == 0 {
            return wanted;
        }
        let floor = to_i64(self.min_endpoint);
        match self.check(to_i64(wanted).saturating_mul(gpus), self.tolerance(&[gpus])) {
            Ok(()) => wanted,
            Err(OutOfBudget::Above { .. }) if self.max_gpus < floor.saturating_mul(gpus) => 0,
            Err(OutOfBudget::Above { .. }) => to_u32(floor.max(self.max_gpus / gpus)),
            Err(OutOfBudget::Below { .. }) => to_u32(floor.max(ceil_div(self.min_gpus, gpus))),
        }
    }

    /// At most as many replicas as the ceiling holds, but not fewer than `min_endpoint`: reaching a floor with whole
    /// replicas can pass a ceiling close above it.
    #[must_use]
    pub fn below_ceiling(&self, replicas: u32, engine_gpus: u32) -> u32 {
        if self.max_gpus < 0 || engine_gpus == 0 {
            return replicas;
        }
        let most = to_u32(self.max_gpus / i64::from(engine_gpus));
        replicas.min(most.max(self.min_endpoint))
    }

    /// Replicas of both pools. Above the ceiling both shrink in proportion, and decode gets what rounding leaves;
    /// below the floor both grow, unless that would pass the ceiling.
    #[must_use]
    pub fn clamp_pair(&self, wanted: [u32; 2], engine_gpus: [u32; 2]) -> [u32; 2] {
        let [p_gpus, d_gpus] = engine_gpus.map(i64::from);
        if p_gpus == 0 || d_gpus == 0 {
            return wanted;
        }
        let [p, d] = wanted.map(to_i64);
        let total = p
            .saturating_mul(p_gpus)
            .saturating_add(d.saturating_mul(d_gpus));
        match self.check(total, self.tolerance(&[p_gpus, d_gpus])) {
            Ok(()) => wanted,
            Err(OutOfBudget::Above { .. }) => self.shrink(p, total, p_gpus, d_gpus),
            Err(OutOfBudget::Below { .. }) => self.grow([p, d], total, p_gpus, d_gpus),
        }
    }

    fn shrink(&self, p: i64, total: i64, p_gpus: i64, d_gpus: i64) -> [u32; 2] {
        let floor = to_i64(self.min_endpoint);
        if self.max_gpus < floor.saturating_mul(p_gpus + d_gpus) {
            return [0, 0];
        }
        let share = self.max_gpus as f64 / total as f64;
        let room = (self.max_gpus - floor * d_gpus).div_euclid(p_gpus);
        let prefill = floor.max(room.min((p as f64 * share).floor() as i64));
        let decode = floor.max((self.max_gpus - prefill * p_gpus).div_euclid(d_gpus));
        [to_u32(prefill), to_u32(decode)]
    }

    fn grow(&self, [p, d]: [i64; 2], total: i64, p_gpus: i64, d_gpus: i64) -> [u32; 2] {
        let floor = to_i64(self.min_endpoint);
        let prefill = if total <= 0 {
            (self.min_gpus as f64 / 2.0 / p_gpus as f64).ceil() as i64
        } else {
            (p as f64 * self.min_gpus as f64 / total as f64).ceil() as i64
        };
        let prefill = floor.max(prefill);
        let rest = self
            .min_gpus
            .saturating_sub(prefill.saturating_mul(p_gpus))
            .max(0);
        let decode = floor.max(ceil_div(rest, d_gpus));
        let grown = prefill
            .saturating_mul(p_gpus)
            .saturating_add(decode.saturating_mul(d_gpus));
        if self.max_gpus >= 0 && grown > self.max_gpus {
            return [to_u32(p), to_u32(d)];
        }
        [to_u32(prefill), to_u32(decode)]
    }
}
