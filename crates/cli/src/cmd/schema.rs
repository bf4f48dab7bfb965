//! `dynosim schema`: JSON schemas of outputs.

use crate::args::raw::{SchemaArgs, SchemaName};
use crate::exit::Failure;

pub(crate) fn execute(args: &SchemaArgs) -> Result<(), Failure> {
    match args.name {
        SchemaName::Report => super::print(report::REPORT_SCHEMA),
    }
}
