//! The fields of speculative decoding (MTP).

use crate::config::Speculation;

use super::error::ArgsError;
use super::fields::Fields;

/// Acceptance where none is given: most first drafts, few second ones.
const DEFAULT_RATES: [f64; 5] = [0.85, 0.3, 0.0, 0.0, 0.0];
const DEFAULT_SEED: u64 = 42;

/// Reads `aic_nextn`, `aic_nextn_accept_rates` and `aic_mtp_seed`.
pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Option<Speculation>, ArgsError> {
    let drafts = fields.count("aic_nextn", 1)?;
    let rates = fields.text("aic_nextn_accept_rates")?;
    let seed = fields.whole("aic_mtp_seed", 0)?.unwrap_or(DEFAULT_SEED);
    let Some(drafts) = drafts else {
        return match rates {
            Some(_) => Err(ArgsError::Conflict(
                "aic_nextn_accept_rates needs aic_nextn".to_owned(),
            )),
            None => Ok(None),
        };
    };
    let drafts = drafts as usize;
    if drafts > DEFAULT_RATES.len() {
        let why = format!(
            "must be between 1 and {}, got {drafts}",
            DEFAULT_RATES.len()
        );
        return Err(fields.out_of_range("aic_nextn", why));
    }
    let mut rates = match rates {
        Some(text) if !text.trim().is_empty() => parse_rates(text)?,
        _ => DEFAULT_RATES.to_vec(),
    };
    rates.resize(drafts, 0.0);
    Ok(Some(Speculation {
        accept_rates: rates.into(),
        seed,
    }))
}

/// A comma list of probabilities.
fn parse_rates(text: &str) -> Result<Vec<f64>, ArgsError> {
    text.split(',')
        .map(|rate| match rate.trim().parse::<f64>() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
            _ => Err(ArgsError::OutOfRange {
                field: "aic_nextn_accept_rates".to_owned(),
                why: format!("rates must be between 0 and 1, got {:?}", rate.trim()),
            }),
        })
        .collect()
}
