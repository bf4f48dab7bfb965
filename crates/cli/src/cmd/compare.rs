//! `dynosim compare`: runs side by side.

use anyhow::{Context, anyhow};
use report::{ComparedRun, FailOn};

use crate::args::raw::CompareArgs;
use crate::exit::Failure;

pub(crate) fn execute(args: &CompareArgs) -> Result<(), Failure> {
    let bounds: Vec<FailOn> = args
        .fail_on
        .iter()
        .map(|text| text.parse().with_context(|| format!("--fail-on {text}")))
        .collect::<anyhow::Result<_>>()?;
    let mut runs = Vec::new();
    for path in &args.reports {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let run =
            ComparedRun::parse(&path.display().to_string(), &text).map_err(anyhow::Error::from)?;
        runs.push(run);
    }
    if args.json {
        let text =
            serde_json::to_string_pretty(&report::compare_value(&runs)).map_err(Failure::failed)?;
        super::print(&format!("{text}\n"))?;
    } else {
        super::print(&format!("{}\n", report::compare_table(&runs).trim_end()))?;
    }
    if let Some(path) = &args.html {
        super::write_page(path, &report::compare_html(&runs))?;
    }
    let Some((first, others)) = runs.split_first() else {
        return Ok(());
    };
    let mut missed = Vec::new();
    for bound in &bounds {
        for other in others {
            if let Some(miss) = bound.check(first, other).map_err(anyhow::Error::from)? {
                missed.push(miss.to_string());
            }
        }
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(Failure::bound_missed(anyhow!("{}", missed.join("\n"))))
}
