//! The flags of `sweep` and `run-point`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::raw::{
    AicArgs, ArrivalArgs, DeploymentArgs, GoalArgs, OutputArgs, ReplayArgs, SyntheticArgs,
};

pub(crate) const SWEEP_EXAMPLES: &str = "\
Examples:
  dynosim sweep trace.jsonl --set num-workers=1:8 --out fleet
  dynosim sweep trace.jsonl --planner-config @planner.json --extra-engine-args @engine.json \\
      --set extra-engine-args.startup_time=0:300:10 --html
  dynosim sweep trace.jsonl --set num-workers=2,4,8 --set arrival-speedup-ratio=1,2,4 --seeds 5
  dynosim sweep sweep.yaml --points > points.jsonl     then, anywhere and in any order:
  dynosim run-point points.jsonl --index 7 --out fleet

A specification file (JSON, YAML or TOML) has the keys base (arguments of replay by name),
set (PATH: values), combine (grid, zip or list), points (a list of {PATH: value}) and seeds.
A run that is in --out already is not run again.";

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// A specification (.json, .yaml, .yml, .toml), a trace, or both in this order
    #[arg(value_name = "SPEC|TRACE", num_args = 0..=2, value_hint = ValueHint::FilePath)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Values of an argument of replay (num-workers) or of a field of one
    /// (extra-engine-args.startup_time): FIRST:LAST:STEP, a,b,c or a JSON array
    #[arg(long, value_name = "PATH=VALUES", help_heading = "Points")]
    pub(crate) set: Vec<String>,
    /// Take the values of all --set side by side instead of every combination
    #[arg(long, help_heading = "Points")]
    pub(crate) zip: bool,
    /// Repeat each point with the seeds 0 to N-1; adds 95 % intervals
    #[arg(long, value_name = "N", help_heading = "Points")]
    pub(crate) seeds: Option<u32>,
    /// Print the points as JSON lines for `run-point`, run nothing
    #[arg(long, help_heading = "Points")]
    pub(crate) points: bool,

    #[command(flatten, next_help_heading = "Deployment")]
    pub(crate) deployment: DeploymentArgs,
    #[command(flatten, next_help_heading = "Arrivals")]
    pub(crate) arrivals: ArrivalArgs,
    #[command(flatten, next_help_heading = "Synthetic load")]
    pub(crate) synthetic: SyntheticArgs,
    #[command(flatten, next_help_heading = "Router's prefill-load estimator")]
    pub(crate) aic: AicArgs,
    #[command(flatten, next_help_heading = "Goals")]
    pub(crate) goals: GoalArgs,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) output: StoreArgs,

    /// Threads [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) threads: usize,
}

impl SweepArgs {
    /// The arguments that all points share, without a trace.
    pub(crate) fn replay(&self) -> ReplayArgs {
        ReplayArgs {
            trace: None,
            deployment: self.deployment.clone(),
            arrivals: self.arrivals.clone(),
            synthetic: self.synthetic.clone(),
            aic: self.aic.clone(),
            goals: self.goals.clone(),
            output: OutputArgs::default(),
        }
    }
}

/// Where runs go.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Folder of results; runs that are in it are not run again
    #[arg(long, value_name = "DIR", default_value = "sweep", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// Write a page for every run, besides the one of the sweep
    #[arg(long)]
    pub(crate) html: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Arguments of `run-point`.
#[derive(Debug, Args)]
pub(crate) struct RunPointArgs {
    /// Points as `sweep --points` prints them, or - for standard input
    #[arg(value_name = "SPEC|-", value_hint = ValueHint::FilePath)]
    pub(crate) spec: PathBuf,
    /// Run only the point on this line, counted from 0
    #[arg(long, value_name = "N")]
    pub(crate) index: Option<usize>,
    #[command(flatten)]
    pub(crate) output: StoreArgs,
}
