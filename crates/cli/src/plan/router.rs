//! Which router stands in front of a pool.

use aic_perf::{AicConfig, AicEngine};
use anyhow::{Context, Result, bail, ensure};
use kv_router::{PrefillEstimator, RouterConfig, RouterMode, RouterSettings, Side};
use serde_json::Value;
use sim_api::{Quirks, Router};
use sim_core::SimDuration;

use super::deployment::DeploymentPlan;
use super::timing::version_rule;
use crate::args::config::read_object;
use crate::args::raw::{AicArgs, ReplayArgs};

/// The routers of a run, resolved.
#[derive(Clone, Debug)]
pub(crate) struct RouterPlan {
    mode: RouterMode,
    config: RouterConfig,
    estimator: Option<AicEngine>,
}

impl RouterPlan {
    /// Reads and checks the flags.
    pub(crate) fn resolve(
        args: &ReplayArgs,
        deployment: &DeploymentPlan,
        quirks: Quirks,
    ) -> Result<Self> {
        let flags = &args.deployment;
        let mode = match &flags.router_mode {
            Some(name) => name.parse().context("--router-mode")?,
            None => RouterMode::default(),
        };
        let mut fields = Value::Object(serde_json::Map::new());
        if let Some(given) = &flags.router_config {
            ensure!(
                mode == RouterMode::KvRouter,
                "--router-config configures --router-mode kv_router, the mode is {}",
                mode.name()
            );
            fields = Value::Object(read_object("--router-config", given)?.1);
        }
        // The engines' queue policy overrides the router's.
        let policy = deployment
            .pools()
            .find_map(|pool| pool.config.router_queue_policy.clone());
        if let Some(policy) = policy {
            fields["router_queue_policy"] = policy.into();
        }
        let config = RouterConfig::from_value(&fields, quirks).context("--router-config")?;
        let estimator = estimator(&args.aic, quirks)?;
        ensure!(
            estimator.is_none() || config.prefill_load_decays,
            "the --aic-* flags are for --router-mode kv_router with \
             {{\"router_prefill_load_model\": \"aic\"}} in --router-config"
        );
        ensure!(
            !config.prefill_load_decays || estimator.is_some(),
            "router_prefill_load_model \"aic\" needs --aic-backend, --aic-system and \
             --aic-model-path"
        );
        Ok(Self {
            mode,
            config,
            estimator,
        })
    }

    /// The router of one pool.
    pub(crate) fn router(&self, side: Side, seed: u64, quirks: Quirks) -> Box<dyn Router> {
        let estimator = self.estimator.clone().map(|engine| -> PrefillEstimator {
            Box::new(move |new, prefix| {
                let ms = engine
                    .prefill_ms(1, new.saturating_add(prefix), prefix)
                    .ok()?;
                SimDuration::try_from_ms(ms).ok()
            })
        });
        let settings = RouterSettings {
            config: self.config.clone(),
            seed,
            quirks,
            estimator,
        };
        self.mode.build(side, settings)
    }

    /// In words.
    pub(crate) fn describe(&self) -> &'static str {
        self.mode.name()
    }
}

/// The model behind the router's estimate of prefill times.
fn estimator(args: &AicArgs, quirks: Quirks) -> Result<Option<AicEngine>> {
    let given = [&args.aic_backend, &args.aic_system, &args.aic_model_path];
    if given.iter().all(|flag| flag.is_none()) {
        return Ok(None);
    }
    let [Some(backend), Some(system), Some(model)] = given else {
        bail!("--aic-backend, --aic-system and --aic-model-path go together");
    };
    let config = AicConfig {
        backend_version: args.aic_backend_version.clone(),
        version_rule: version_rule(quirks),
        tp: args.aic_tp_size.unwrap_or(1),
        ..AicConfig::new(system, backend, model)
    };
    Ok(Some(AicEngine::new(&config).context("--aic-* flags")?))
}
