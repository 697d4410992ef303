//! How far a task is, for whoever watches. Only the newest word counts, and none is stored.

/// Says what is being done.
pub fn report(message: impl AsRef<str>) {
    send(message.as_ref(), None);
}

/// Says what is being done and how much of it is done, in thousandths.
pub fn report_part(message: impl AsRef<str>, permille: u16) {
    send(message.as_ref(), Some(permille));
}

fn send(message: &str, permille: Option<u16>) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::host::sandgate::plugin::progress::report(message, permille);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (message, permille);
}
