//! Step times between the lines of a table.

use std::path::Path;

use sim_api::{
    Coverage, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};

use super::GridCsvError;
use super::parse::{self, Phase, Row};
use crate::linear::Place;
use crate::polynomial::DECODE_FLOOR_MS;
use crate::profile::finite;

/// Step times of a user's CSV table.
///
/// ```text
/// phase,batch,context,prefix,ms
/// # prefill: prompt length in tokens (the prefix included), tokens already in KV
/// prefill,1,512,0,21.5
/// prefill,1,4096,0,160
/// prefill,4,512,0,80
/// prefill,4,4096,0,640
/// # decode: mean context in tokens; no prefix
/// decode,1,1024,,7.1
/// decode,1,8192,,7.9
/// decode,64,1024,,11.0
/// decode,64,8192,,19.5
/// ```
///
/// The first line names the columns, in any order; `isl` may stand for `context`, and `prefix` may be left out. Lines
/// that are empty or start with `#` do not count.
///
/// Decode is linear in batch and in mean context; prefill in batch, in the new tokens of a prompt and, where several
/// were measured, in its prefix. Each batch may have its own contexts. Beyond the measured range the last slope goes
/// on. Prefill takes at least 0 ms, decode at least 1 ms, an empty batch 0.
///
/// ```
/// use aic_perf::GridCsvModel;
/// use sim_api::{DecodeStep, StepTimeModel};
///
/// let csv = "phase,batch,context,ms
/// decode,1,1000,6
/// decode,1,2000,8
/// decode,9,1000,14
/// decode,9,2000,24";
/// let mut model = GridCsvModel::parse("table.csv".as_ref(), csv)?;
/// let step = DecodeStep { batch: 5, active_kv_tokens: 7500, context: 1500, kv_capacity_tokens: 100_000 };
/// assert_eq!(model.decode(step)?.ms, 13.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GridCsvModel {
    prefill: Option<Table>,
    decode: Option<Table>,
}

/// Latencies over batch, prefix and length, each batch and prefix with its own lengths.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    batches: Vec<f64>,
    of_batch: Vec<OfBatch>,
}

#[derive(Debug, Clone, PartialEq)]
struct OfBatch {
    prefixes: Vec<f64>,
    of_prefix: Vec<OfPrefix>,
}

#[derive(Debug, Clone, PartialEq)]
struct OfPrefix {
    lengths: Vec<f64>,
    ms: Vec<f64>,
}

impl GridCsvModel {
    /// Reads a table.
    ///
    /// # Errors
    /// [`GridCsvError`] naming the line; at least two batches are needed of each kind of step that is there, and at
    /// least two lengths of each batch and prefix.
    pub fn load(path: &Path) -> Result<Self, GridCsvError> {
        let text = std::fs::read_to_string(path).map_err(|error| GridCsvError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Self::parse(path, &text)
    }

    /// As [`GridCsvModel::load`], from the contents of a file.
    ///
    /// # Errors
    /// As [`GridCsvModel::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, GridCsvError> {
        let at_line = |(line, reason)| GridCsvError::Line {
            path: path.to_owned(),
            line,
            reason,
        };
        let mut rows = parse::rows(text).map_err(at_line)?;
        let key = |row: &Row| (row.phase, row.batch, row.prefix, row.length);
        rows.sort_by_key(|row| (key(row), row.line));
        if let Some(pair) = rows.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            let reason = format!("the same step as in line {}", pair[0].line);
            return Err(at_line((pair[1].line, reason)));
        }
        let of = |phase| {
            let rows: Vec<Row> = rows
                .iter()
                .copied()
                .filter(|row| row.phase == phase)
                .collect();
            Table::new(&rows).map_err(|reason| GridCsvError::TooFew {
                path: path.to_owned(),
                reason: format!("{}: {reason}", phase.name()),
            })
        };
        if rows.is_empty() {
            return Err(GridCsvError::TooFew {
                path: path.to_owned(),
                reason: "no steps".to_owned(),
            });
        }
        Ok(Self {
            prefill: of(Phase::Prefill)?,
            decode: of(Phase::Decode)?,
        })
    }
}

impl StepTimeModel for GridCsvModel {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let PrefillStep { batch, isl, prefix } = step;
        let words = || format!("prefill of {batch} x {isl} tokens, {prefix} in KV");
        let table = self
            .prefill
            .as_ref()
            .ok_or_else(|| missing(words(), Phase::Prefill))?;
        let (ms, coverage) = table.at(batch, prefix, isl.saturating_sub(prefix));
        finite(ms.max(0.0), coverage, words)
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        let DecodeStep { batch, context, .. } = step;
        let words = || format!("decode of {batch} requests at context {context}");
        if batch == 0 {
            return finite(0.0, Coverage::Formula, words);
        }
        let table = self
            .decode
            .as_ref()
            .ok_or_else(|| missing(words(), Phase::Decode))?;
        let (ms, coverage) = table.at(batch, 0, context);
        finite(ms.max(DECODE_FLOOR_MS), coverage, words)
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::Context
    }
}

fn missing(step: String, phase: Phase) -> StepTimeError {
    StepTimeError {
        step,
        reason: format!("the table has no {} steps", phase.name()),
    }
}

impl Table {
    /// A table of sorted rows; none if there is none, or what is missing.
    fn new(rows: &[Row]) -> Result<Option<Self>, String> {
        if rows.is_empty() {
            return Ok(None);
        }
        let mut table = Self {
            batches: Vec::new(),
            of_batch: Vec::new(),
        };
        for of_batch in rows.chunk_by(|a, b| a.batch == b.batch) {
            let batch = of_batch[0].batch;
            let mut prefixes = Vec::new();
            let mut of_prefix = Vec::new();
            for row in of_batch.chunk_by(|a, b| a.prefix == b.prefix) {
                let prefix = row[0].prefix;
                if row.len() < 2 {
                    return Err(format!(
                        "batch {batch}, prefix {prefix} has one length: at least two are needed"
                    ));
                }
                prefixes.push(f64::from(prefix));
                of_prefix.push(OfPrefix {
                    lengths: row.iter().map(|row| f64::from(row.length)).collect(),
                    ms: row.iter().map(|row| row.ms).collect(),
                });
            }
            table.batches.push(f64::from(batch));
            table.of_batch.push(OfBatch {
                prefixes,
                of_prefix,
            });
        }
        if table.batches.len() < 2 {
            return Err(format!(
                "one batch ({}): at least two are needed",
                table.batches[0]
            ));
        }
        Ok(Some(table))
    }

    fn at(&self, batch: u32, prefix: u32, length: u32) -> (f64, Coverage) {
        let (prefix, length) = (f64::from(prefix), f64::from(length));
        let place = Place::find(&self.batches, f64::from(batch));
        mix(place, |index| self.of_batch[index].at(prefix, length))
    }
}

impl OfBatch {
    fn at(&self, prefix: f64, length: f64) -> (f64, Coverage) {
        let place = Place::find(&self.prefixes, prefix);
        mix(place, |index| self.of_prefix[index].at(length))
    }
}

impl OfPrefix {
    fn at(&self, length: f64) -> (f64, Coverage) {
        let place = Place::find(&self.lengths, length);
        (place.mix(|index| self.ms[index]), place.coverage)
    }
}

/// Mixes values that rest on something themselves.
fn mix(place: Place, at: impl Fn(usize) -> (f64, Coverage)) -> (f64, Coverage) {
    let (low, mut coverage) = at(place.low);
    coverage = coverage.max(place.coverage);
    if place.share == 0.0 {
        return (low, coverage);
    }
    let (high, below) = at(place.low + 1);
    (low + (high - low) * place.share, coverage.max(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "phase,batch,context,prefix,ms\n\
        prefill,1,100,0,10\nprefill,1,200,0,20\nprefill,1,200,100,12\nprefill,1,300,100,24\n\
        prefill,3,100,0,30\nprefill,3,300,0,90\n\
        decode,1,10,,5\ndecode,1,30,,9\n\
        decode,3,20,,8\ndecode,3,40,,12\n";

    fn model(text: &str) -> Result<GridCsvModel, String> {
        GridCsvModel::parse("t.csv".as_ref(), text).map_err(|error| error.to_string())
    }

    fn prefill(batch: u32, isl: u32, prefix: u32) -> StepTime {
        let step = PrefillStep { batch, isl, prefix };
        model(TABLE).unwrap().prefill(step).unwrap()
    }

    fn decode(batch: u32, context: u32) -> StepTime {
        let step = DecodeStep {
            batch,
            active_kv_tokens: 0,
            context,
            kv_capacity_tokens: 0,
        };
        model(TABLE).unwrap().decode(step).unwrap()
    }

    #[test]
    fn measured_steps_come_verbatim() {
        assert_eq!(prefill(1, 300, 100).ms, 24.0);
        assert_eq!(prefill(1, 300, 100).coverage, Coverage::Measured);
        assert_eq!(decode(3, 20).ms, 8.0);
    }

    #[test]
    fn steps_between_are_linear_on_every_axis() {
        assert_eq!(prefill(1, 150, 0).ms, 15.0);
        assert_eq!(prefill(1, 200, 50).ms, f64::midpoint(15.0, 18.0));
        assert_eq!(decode(2, 25).ms, f64::midpoint(8.0, 9.0));
        assert_eq!(decode(2, 25).coverage, Coverage::Interpolated);
    }

    #[test]
    fn beyond_the_table_the_slope_goes_on_down_to_the_floor() {
        assert_eq!(decode(1, 50).ms, 13.0);
        assert_eq!(decode(1, 50).coverage, Coverage::Extrapolated);
        assert_eq!(decode(1, 0).ms, 3.0);
        assert_eq!(prefill(1, 0, 0).ms, 0.0);
        assert_eq!(decode(0, 5).ms, 0.0);
    }

    #[test]
    fn one_prefix_stands_for_all() {
        assert_eq!(prefill(3, 300, 100).ms, 60.0);
    }

    #[test]
    fn too_few_and_double_steps_are_errors() {
        let header = "phase,batch,context,prefix,ms\n";
        for (rows, word) in [
            ("", "no steps"),
            ("decode,1,5,,1\ndecode,1,6,,1\n", "one batch (1)"),
            ("decode,1,5,,1\ndecode,2,6,,1\n", "one length"),
            (
                "decode,1,5,,1\ndecode,2,6,,1\ndecode,1,5,,2\n",
                "line 4: the same step as in line 2",
            ),
        ] {
            let message = model(&format!("{header}{rows}")).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_table_without_prefill_says_so() {
        let mut model =
            model("phase,batch,context,ms\ndecode,1,5,1\ndecode,1,6,1\ndecode,2,5,1\ndecode,2,6,1")
                .unwrap();
        let step = PrefillStep {
            batch: 1,
            isl: 5,
            prefix: 0,
        };
        let message = model.prefill(step).unwrap_err().to_string();
        assert!(message.contains("no prefill steps"), "{message}");
    }
}
