//! Lines of a table of step times.

use crate::nearest::hint;

/// Which kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Prefill,
    Decode,
}

impl Phase {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// One measured step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) phase: Phase,
    pub(super) batch: u32,
    pub(super) prefix: u32,
    /// Prefill: new tokens of a prompt. Decode: mean context.
    pub(super) length: u32,
    pub(super) ms: f64,
}

/// Where the columns are.
struct Columns {
    phase: usize,
    batch: usize,
    context: usize,
    prefix: Option<usize>,
    ms: usize,
}

/// The steps of a table, or the line (from 1) that is wrong and why.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let Some((number, header)) = lines.next() else {
        return Err((1, "expected a line that names the columns".to_owned()));
    };
    let columns = Columns::parse(header).map_err(|reason| (number, reason))?;
    lines
        .map(|(number, line)| columns.row(number, line).map_err(|reason| (number, reason)))
        .collect()
}

impl Columns {
    fn parse(header: &str) -> Result<Self, String> {
        const NAMES: [&str; 5] = ["phase", "batch", "context", "prefix", "ms"];
        let mut found = [None; NAMES.len()];
        for (at, column) in header.split(',').map(str::trim).enumerate() {
            let name = match column.to_lowercase().as_str() {
                "isl" => "context".to_owned(),
                other => other.to_owned(),
            };
            let Some(index) = NAMES.iter().position(|known| *known == name) else {
                let known = NAMES.join(", ");
                return Err(format!(
                    "unknown column {column:?}{} (columns: {known})",
                    hint(column, NAMES)
                ));
            };
            if found[index].replace(at).is_some() {
                return Err(format!("column {column:?} comes twice"));
            }
        }
        let need =
            |index: usize| found[index].ok_or_else(|| format!("no column {:?}", NAMES[index]));
        Ok(Self {
            phase: need(0)?,
            batch: need(1)?,
            context: need(2)?,
            prefix: found[3],
            ms: need(4)?,
        })
    }

    fn count(&self) -> usize {
        4 + usize::from(self.prefix.is_some())
    }

    fn row(&self, line: usize, text: &str) -> Result<Row, String> {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        if fields.len() != self.count() {
            return Err(format!(
                "{} fields: expected {}",
                fields.len(),
                self.count()
            ));
        }
        let phase = match fields[self.phase].to_lowercase().as_str() {
            "prefill" => Phase::Prefill,
            "decode" => Phase::Decode,
            other => {
                let reason = hint(other, ["prefill", "decode"]);
                return Err(format!(
                    "phase {other:?}: expected prefill or decode{reason}"
                ));
            }
        };
        let prefix = match self.prefix.map(|at| fields[at]) {
            None | Some("") => 0,
            Some(prefix) => whole("prefix", prefix, 0)?,
        };
        let context = whole("context", fields[self.context], 1)?;
        let length = match phase {
            Phase::Decode if prefix > 0 => {
                return Err(format!("prefix {prefix}: a decode step has none"));
            }
            Phase::Decode => context,
            Phase::Prefill => context
                .checked_sub(prefix)
                .filter(|new| *new > 0)
                .ok_or_else(|| {
                    format!("prefix {prefix} leaves nothing new of a prompt of {context} tokens")
                })?,
        };
        let ms: f64 = fields[self.ms]
            .parse()
            .map_err(|_| format!("ms {:?}: expected a number", fields[self.ms]))?;
        if !ms.is_finite() || ms < 0.0 {
            return Err(format!(
                "ms {ms}: expected a finite number that is not negative"
            ));
        }
        Ok(Row {
            line,
            phase,
            batch: whole("batch", fields[self.batch], 1)?,
            prefix,
            length,
            ms,
        })
    }
}

fn whole(column: &str, field: &str, least: u32) -> Result<u32, String> {
    field
        .parse()
        .ok()
        .filter(|number| *number >= least)
        .ok_or_else(|| format!("{column} {field:?}: expected a whole number from {least}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_in_any_order_and_comments() {
        let text = "\u{feff}ms,isl,batch,phase\n\n# measured in May\n 7.5 , 64,2,Decode\r\n";
        let rows = rows(text).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].line, rows[0].phase, rows[0].length),
            (4, Phase::Decode, 64)
        );
        assert_eq!((rows[0].batch, rows[0].prefix, rows[0].ms), (2, 0, 7.5));
    }

    #[test]
    fn wrong_lines_are_numbered_and_explained() {
        let header = "phase,batch,context,prefix,ms";
        for (text, line, word) in [
            (String::new(), 1, "names the columns"),
            (
                "phase,batch,contxt,ms".to_owned(),
                1,
                "did you mean \"context\"",
            ),
            ("phase,batch,ms".to_owned(), 1, "no column \"context\""),
            ("phase,batch,isl,context,ms".to_owned(), 1, "twice"),
            (
                format!("{header}\nprefill,1,10,0"),
                2,
                "4 fields: expected 5",
            ),
            (
                format!("{header}\n\nprefil,1,10,0,1"),
                3,
                "did you mean \"prefill\"",
            ),
            (format!("{header}\nprefill,0,10,0,1"), 2, "batch \"0\""),
            (format!("{header}\nprefill,1,10,10,1"), 2, "nothing new"),
            (format!("{header}\ndecode,1,10,5,1"), 2, "has none"),
            (format!("{header}\ndecode,1,10,,fast"), 2, "ms \"fast\""),
            (format!("{header}\ndecode,1,10,,-1"), 2, "not negative"),
            (format!("{header}\ndecode,1,99999999999,,1"), 2, "context"),
        ] {
            let (at, reason) = rows(&text).unwrap_err();
            assert_eq!(at, line, "{reason}");
            assert!(reason.contains(word), "{reason}");
        }
    }
}
