//! `dynosim perf eval`: JSON lines of questions in, the same with answers out.

use std::io::{BufRead, BufReader, Read, Write};

use aic_perf::{AicEngine, AicError, KvQuery};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::question::ModelQuestion;
use crate::args::perf::PerfEvalArgs;
use crate::exit::Failure;

pub(crate) fn execute(args: &PerfEvalArgs) -> Result<(), Failure> {
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(&args.file)
            .with_context(|| format!("cannot read {}", args.file.display()))?;
        Box::new(file)
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut engines = Engines::new(args);
    for (index, line) in BufReader::new(input).lines().enumerate() {
        let line = line.with_context(|| format!("{}: cannot read on", args.file.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let question: Value = serde_json::from_str(&line).with_context(|| {
            format!("{} line {}: not valid JSON", args.file.display(), index + 1)
        })?;
        let answer = answer(question, &mut engines);
        match writeln!(out, "{answer}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other.map_err(Failure::failed)?,
        }
    }
    match out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        _ => Ok(()),
    }
}

/// The engine of the last question: neighbours often ask the same one.
struct Engines<'a> {
    args: &'a PerfEvalArgs,
    last: Option<(ModelQuestion, Result<AicEngine, String>)>,
}

impl<'a> Engines<'a> {
    fn new(args: &'a PerfEvalArgs) -> Self {
        Self { args, last: None }
    }

    fn engine(&mut self, question: &Value) -> Result<AicEngine, String> {
        let mut model: ModelQuestion =
            serde_json::from_value(question.clone()).map_err(|error| error.to_string())?;
        model.perf_data.clone_from(&self.args.perf_data);
        if let Some((known, engine)) = &self.last
            && *known == model
        {
            return engine.clone();
        }
        let engine = model
            .config(self.args.bf16_attention_fallback)
            .and_then(|config| Ok(AicEngine::new(&config)?))
            .map_err(|error| format!("{error:#}"));
        self.last = Some((model, engine.clone()));
        engine
    }
}

/// The question with an answer beside every point.
fn answer(mut question: Value, engines: &mut Engines<'_>) -> Value {
    let engine = engines.engine(&question);
    if let (Err(error), Some(object)) = (&engine, question.as_object_mut()) {
        object.insert("err".to_owned(), json!(error));
    }
    let engine = engine.as_ref();
    points(&mut question["prefill"], |[batch, isl, prefix]| {
        time(engine, |engine| engine.prefill_ms(batch, isl, prefix))
    });
    points(&mut question["decode"], |[batch, isl, osl]| {
        time(engine, |engine| engine.decode_ms(batch, isl, osl))
    });
    if let Some(kv) = question["kv_blocks"].as_object_mut() {
        let number = |name: &str, default: u32| match kv.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .and_then(|value| u32::try_from(value).ok())
                .ok_or_else(|| format!("{name}: expected a whole number, got {value}")),
        };
        let blocks = number("block_size", 64).and_then(|block_size| {
            let max_num_batched_tokens = number("max_num_batched_tokens", 8192)?;
            let query = KvQuery {
                block_size,
                max_num_batched_tokens,
                memory_fraction: None,
            };
            let engine = engine.map_err(Clone::clone)?;
            engine.kv_capacity(query).map_err(|error| error.to_string())
        });
        match blocks {
            Ok(capacity) => kv.insert("num_gpu_blocks".to_owned(), json!(capacity.blocks)),
            Err(error) => kv.insert("err".to_owned(), json!(error)),
        };
    }
    if let Some(object) = question.as_object_mut() {
        // Looking a list up made it appear where it was not asked for.
        object.retain(|_, value| !value.is_null());
    }
    question
}

/// Appends an answer to every point of a list.
fn points(list: &mut Value, answer: impl Fn([u32; 3]) -> Value) {
    for point in list.as_array_mut().into_iter().flatten() {
        let Some(values) = point.as_array_mut() else {
            *point = json!([point.take(), {"err": "expected a list of three numbers"}]);
            continue;
        };
        let numbers: Option<Vec<u32>> = values
            .iter()
            .map(|value| value.as_u64().and_then(|value| u32::try_from(value).ok()))
            .collect();
        values.push(match numbers.as_deref() {
            Some(&[one, two, three]) => answer([one, two, three]),
            _ => json!({"err": "expected three whole numbers"}),
        });
    }
}

fn time(
    engine: Result<&AicEngine, &String>,
    ask: impl Fn(&AicEngine) -> Result<f64, AicError>,
) -> Value {
    match engine {
        Err(error) => json!({"err": error}),
        Ok(engine) => match ask(engine) {
            Ok(ms) => json!(ms),
            Err(error) => json!({"err": error.to_string()}),
        },
    }
}
