//! The inspection packet: what a planner may see. Names and sizes of files under granted roots, never contents.

use cap_std::fs::Dir;
use sandgate_model::{FileGrant, ListedFile};

/// Most files listed. A planner reads the list as text; more would not help it.
const FILES_MAX: usize = 1_000;
/// Most directory entries looked at, so that a huge tree cannot hold the host.
const ENTRIES_MAX: usize = 50_000;
/// Deepest directory looked into.
const DEPTH_MAX: usize = 16;

/// Lists regular files under the granted roots, sorted by path, and says whether the list was cut. Links are
/// not followed; what cannot be read is left out; hidden entries are left out.
pub(crate) fn list(project: &Dir, grants: &[FileGrant]) -> (Vec<ListedFile>, bool) {
    let mut files = Vec::new();
    let mut seen = 0;
    let mut cut = false;
    for grant in grants {
        let Ok(root) = project.open_dir(&grant.host) else {
            continue;
        };
        let mut open = vec![(root, grant.guest.trim_end_matches('/').to_owned(), 0)];
        while let Some((dir, path, depth)) = open.pop() {
            let Ok(entries) = dir.entries() else { continue };
            for entry in entries.flatten() {
                seen += 1;
                if seen > ENTRIES_MAX {
                    cut = true;
                    break;
                }
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                if name.starts_with('.') {
                    continue;
                }
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                let path = format!("{path}/{name}");
                if kind.is_dir() {
                    match entry.open_dir() {
                        Ok(dir) if depth < DEPTH_MAX => open.push((dir, path, depth + 1)),
                        Ok(_) => cut = true,
                        Err(_) => {}
                    }
                } else if kind.is_file() {
                    let size = entry.metadata().map_or(0, |m| m.len());
                    files.push(ListedFile { path, size });
                }
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    cut |= files.len() > FILES_MAX;
    files.truncate(FILES_MAX);
    (files, cut)
}
