//! Step times from a profile: an NPZ archive of measured prefill and decode times.

use std::path::{Path, PathBuf};

use sim_api::{
    Coverage, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};

use crate::linear::Place;
use crate::nearest::hint;
use crate::npz::{self, Array};
use crate::polynomial::{DECODE_FLOOR_MS, new_tokens};

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file cannot be read or is no NPZ archive.
    #[error("profile {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An array is missing or of no use.
    #[error("profile {}: array {array:?}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// The array.
        array: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

const PREFILL_TOKENS: &str = "prefill_isl";
const PREFILL_MS: &str = "prefill_ttft_ms";
const ACTIVE_KV: &str = "decode_active_kv_tokens";
const CONTEXT: &str = "decode_context_length";
const DECODE_MS: &str = "decode_itl";

/// Step times of a measured engine.
///
/// Prefill is linear between measured numbers of new prompt tokens (batch x (isl - prefix)), decode bilinear over KV
/// tokens in use and mean context; both go on linearly beyond the ends. Prefill takes at least 0 ms, decode at least
/// 1 ms, an empty batch 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileModel {
    prefill_tokens: Box<[f64]>,
    prefill_ms: Box<[f64]>,
    active_kv: Box<[f64]>,
    context: Box<[f64]>,
    /// Rows of `active_kv`, columns of `context`.
    decode_ms: Box<[f64]>,
}

impl ProfileModel {
    /// Reads the arrays `prefill_isl` and `prefill_ttft_ms` (as long as each other), `decode_active_kv_tokens`,
    /// `decode_context_length` and `decode_itl` (the former's rows, the latter's columns; ms) of an NPZ file, stored or
    /// deflated. Axes ascend.
    ///
    /// # Errors
    /// [`ProfileError`] naming the array that is missing or misshapen.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let unreadable = |reason: String| ProfileError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let arrays = npz::read(&bytes).map_err(unreadable)?;
        let wrong = |array, reason: String| ProfileError::Array {
            path: path.to_owned(),
            array,
            reason,
        };
        let get = |name: &'static str| -> Result<&Array, ProfileError> {
            let array = arrays.get(name).ok_or_else(|| {
                let names = arrays.keys().map(String::as_str);
                wrong(name, format!("missing{}", hint(name, names)))
            })?;
            let array = array
                .as_ref()
                .map_err(|reason| wrong(name, reason.clone()))?;
            if array.values.iter().all(|value| value.is_finite()) {
                Ok(array)
            } else {
                Err(wrong(name, "a value is not finite".to_owned()))
            }
        };
        let axis = |name: &'static str| -> Result<Box<[f64]>, ProfileError> {
            let array = get(name)?;
            if array.shape.len() != 1 || array.values.is_empty() {
                return Err(wrong(
                    name,
                    format!("shape {:?}: expected one axis", array.shape),
                ));
            }
            if !array.values.is_sorted_by(|a, b| a < b) {
                return Err(wrong(name, "expected strictly ascending values".to_owned()));
            }
            Ok(array.values.clone().into())
        };
        let table = |name: &'static str, shape: &[usize]| -> Result<Box<[f64]>, ProfileError> {
            let array = get(name)?;
            if array.shape != shape {
                return Err(wrong(
                    name,
                    format!("shape {:?}: expected {shape:?}", array.shape),
                ));
            }
            Ok(array.values.clone().into())
        };
        let prefill_tokens = axis(PREFILL_TOKENS)?;
        let active_kv = axis(ACTIVE_KV)?;
        let context = axis(CONTEXT)?;
        Ok(Self {
            prefill_ms: table(PREFILL_MS, &[prefill_tokens.len()])?,
            decode_ms: table(DECODE_MS, &[active_kv.len(), context.len()])?,
            prefill_tokens,
            active_kv,
            context,
        })
    }
}

impl StepTimeModel for ProfileModel {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let tokens = new_tokens(step) as f64;
        let place = Place::find(&self.prefill_tokens, tokens);
        let ms = place.mix(|index| self.prefill_ms[index]);
        finite(ms.max(0.0), place.coverage, || {
            format!("prefill of {tokens} new tokens")
        })
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        if step.batch == 0 {
            return finite(0.0, Coverage::Formula, String::new);
        }
        let row = Place::find(&self.active_kv, step.active_kv_tokens as f64);
        let column = Place::find(&self.context, f64::from(step.context));
        let columns = self.context.len();
        let in_row = |row: usize| column.mix(|column| self.decode_ms[row * columns + column]);
        let ms = row.mix(in_row);
        finite(
            ms.max(DECODE_FLOOR_MS),
            row.coverage.max(column.coverage),
            || {
                format!(
                    "decode at {} KV tokens, context {}",
                    step.active_kv_tokens, step.context
                )
            },
        )
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::Both
    }
}

/// A time, unless a table of extreme values was carried beyond all numbers.
pub(crate) fn finite(
    ms: f64,
    coverage: Coverage,
    step: impl Fn() -> String,
) -> Result<StepTime, StepTimeError> {
    if ms.is_finite() {
        return Ok(StepTime { ms, coverage });
    }
    Err(StepTimeError {
        step: step(),
        reason: format!("its table gives {ms} ms there"),
    })
}
