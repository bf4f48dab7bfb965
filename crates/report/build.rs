//! Takes plotly.js out of the `plotly` crate and stores it compressed, for HTML
//! reports to carry along. No script is kept in this repository.

use std::io::Write;
use std::path::Path;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let sources = plotly::Plot::offline_js_sources();
    let script = plotly_script(&sources);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(script.as_bytes())
        .expect("writing to memory");
    let packed = base64(&encoder.finish().expect("writing to memory"));
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("plotly.js.gz.base64"), packed).expect("OUT_DIR is writable");
}

/// The first of the script elements that the crate offers; the second is
/// MathJax, which no report needs.
fn plotly_script(sources: &str) -> &str {
    let (_, rest) = sources.split_once('>').expect("a script element");
    let (script, _) = rest.split_once("</script>").expect("its end");
    let head = &script[..script.len().min(200)];
    assert!(
        head.contains("plotly.js") && head.contains("MIT license"),
        "the plotly crate offers something else than plotly.js first: {head:?}"
    );
    script
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = bits >> (18 - 6 * digit) & 63;
                text.push(char::from(DIGITS[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
