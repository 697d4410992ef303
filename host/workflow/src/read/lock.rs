//! Reads `sandgate.lock`.

use super::open;
use crate::{
    Code, Diagnostic, Diagnostics, LOCK_VERSION, Lock, LockedPlugin, Source, lock::need_kind,
    shape::LOCK,
};
use sandgate_model::{Digest, PluginName};
use std::{collections::BTreeMap, sync::Arc};

/// Reads a lock file. All mistakes are reported at once; there is a result only when none is an error.
#[must_use]
pub fn read_lock(source: &Arc<Source>) -> (Option<Lock>, Diagnostics) {
    let mut out = Diagnostics::default();
    let lock = open(source, &LOCK, &mut out).map(|doc| {
        let root = doc.root(&LOCK);
        // The structure check refuses any other version; version 1 has fewer keys.
        let version: u32 = root.int("version").unwrap_or(LOCK_VERSION);
        let mut plugins = BTreeMap::new();
        for node in root.tables("plugin") {
            let digest = node.text("digest");
            if let Some(text) = digest.filter(|d| d.value.parse::<Digest>().is_err()) {
                out.push(
                    Diagnostic::new(Code::LOCK_DAMAGED, "this is not a digest", source, text.span)
                        .help("restore the file from version control, or remove it and accept the plugins again"),
                );
            }
            let needs = node.list("needs").iter().filter_map(|l| need_kind(l.text()?.value)).collect();
            let texts = |key: &str| -> Vec<String> {
                node.list(key).iter().filter_map(|l| Some(l.text()?.value.to_owned())).collect()
            };
            for key in ["imports", "authority"] {
                match node.key_span(key) {
                    Some(span) if version < 2 => out.push(
                        Diagnostic::new(Code::LOCK_DAMAGED, format!("version 1 has no `{key}`"), source, span)
                            .help("restore the file from version control, or remove it and accept the plugins again"),
                    ),
                    None if version == 2 => out.push(
                        Diagnostic::new(Code::LOCK_DAMAGED, format!("this plugin has no `{key}`"), source, node.span)
                            .help("restore the file from version control, or remove it and accept the plugins again"),
                    ),
                    _ => {}
                }
            }
            let (imports, authority) = (texts("imports"), texts("authority"));
            if let (Some(name), Some(digest)) = (node.parsed::<PluginName>("name"), node.parsed("digest")) {
                let twice = plugins.insert(name.value, LockedPlugin { digest: digest.value, needs, imports, authority }).is_some();
                if twice {
                    out.push(
                        Diagnostic::new(Code::LOCK_DAMAGED, "this plugin is locked twice", source, name.span)
                            .help("restore the file from version control, or remove it and accept the plugins again"),
                    );
                }
            }
        }
        Lock { plugins }
    });
    let out = out.finish();
    (lock.filter(|_| !out.has_errors()), out)
}
