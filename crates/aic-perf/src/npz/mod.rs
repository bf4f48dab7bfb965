//! NumPy's archives of arrays, as far as profiles need them: zip files with stored or deflated `.npy` members.

mod npy;
mod zip;

pub(crate) use npy::Array;

use std::collections::BTreeMap;

/// Most bytes a member may inflate to.
const MEMBER_MAX: u64 = 256 << 20;

/// The arrays of an archive by name (member names without `.npy`).
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Result<Array, String>>, String> {
    let members = zip::members(bytes)?;
    let mut arrays = BTreeMap::new();
    for member in members {
        let Some(name) = member.name.strip_suffix(".npy") else {
            continue;
        };
        let array = member
            .contents(bytes, MEMBER_MAX)
            .and_then(|contents| Array::parse(&contents));
        arrays.insert(name.to_owned(), array);
    }
    Ok(arrays)
}
