//! Granted directories. Files in them are read and written with `std::fs`; what is not granted does not exist.

/// The granted directories by their guest paths, such as `/notes`, sorted. Empty when none is granted.
#[must_use]
pub fn roots() -> Vec<String> {
    #[cfg(target_arch = "wasm32")]
    let mut roots: Vec<String> = wasip2::filesystem::preopens::get_directories()
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    #[cfg(not(target_arch = "wasm32"))]
    let mut roots = crate::testing::roots();
    roots.sort();
    roots
}
