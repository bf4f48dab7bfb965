//! Service-level targets and prices.

use anyhow::{Context, Result, ensure};
use report::SlaTargets;
use sim_core::SimDuration;

use super::autoscaler::PlannerPlan;
use crate::args::raw::GoalArgs;

/// What the user wants to reach.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Goals {
    pub(crate) sla: SlaTargets,
    /// The least share of requests that must meet the targets.
    pub(crate) min_attainment: Option<f64>,
    pub(crate) gpu_hour_price: Option<f64>,
}

impl Goals {
    /// The flags; an SLA planner's targets stand in for those not given.
    pub(crate) fn resolve(args: &GoalArgs, planner: Option<&PlannerPlan>) -> Result<Self> {
        let target = |flag: &str, ms: Option<f64>| -> Result<Option<SimDuration>> {
            ms.map(|ms| SimDuration::try_from_ms(ms).with_context(|| format!("{flag} {ms}")))
                .transpose()
        };
        let planned = planner
            .filter(|planner| planner.has_sla())
            .map(|planner| &planner.config);
        let sla = SlaTargets {
            ttft: target(
                "--sla-ttft-ms",
                args.sla_ttft_ms.or(planned.map(|config| config.ttft_ms)),
            )?,
            // The planner takes any ITL target, a target of 0 or less is none here.
            itl: target(
                "--sla-itl-ms",
                args.sla_itl_ms
                    .or(planned.map(|config| config.itl_ms).filter(|&ms| ms > 0.0)),
            )?,
            e2e: target("--sla-e2e-ms", args.sla_e2e_ms)?,
        };
        if let Some(share) = args.fail_below_sla {
            ensure!(
                (0.0..=1.0).contains(&share),
                "--fail-below-sla must be between 0 and 1, got {share}"
            );
            ensure!(
                !sla.is_empty(),
                "--fail-below-sla needs a target: --sla-ttft-ms, --sla-itl-ms or --sla-e2e-ms"
            );
        }
        if let Some(price) = args.gpu_hour_price {
            ensure!(
                price.is_finite() && price >= 0.0,
                "--gpu-hour-price must be a finite number of at least 0, got {price}"
            );
        }
        Ok(Self {
            sla,
            min_attainment: args.fail_below_sla,
            gpu_hour_price: args.gpu_hour_price,
        })
    }
}
