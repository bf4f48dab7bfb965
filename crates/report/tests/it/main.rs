//! Reports of whole runs, told as event streams.

mod busy_run;
mod cases;
mod html;
mod jsonl;
mod naive;
mod other_pages;
mod routing;
mod schema;
mod stream;
mod sweep_page;
