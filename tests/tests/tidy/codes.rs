//! Every error code has a page, and every page a code that the host can print.

use super::tree::{expect_none, files, read};
use std::collections::BTreeSet;

/// Texts of the form `SG-X000`.
fn codes(text: &str) -> BTreeSet<String> {
    text.match_indices("SG-")
        .filter_map(|(at, _)| text.get(at..at + 7))
        .filter(|code| {
            let (letter, digits) = code[3..].split_at(1);
            letter.bytes().all(|b| b.is_ascii_uppercase())
                && digits.bytes().all(|b| b.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn codes_have_pages_and_pages_have_codes() {
    let mut used = BTreeSet::new();
    for path in files("host", &["rs"]) {
        if path.components().any(|c| c.as_os_str() == "src") {
            // Tests may use a code that does not exist.
            let text = read(&path);
            let product = text.split("#[cfg(test)]").next().unwrap_or("");
            used.extend(codes(product));
        }
    }
    let pages: BTreeSet<String> = files("host/docs/errors", &["md"])
        .iter()
        .filter(|p| !p.ends_with("README.md"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(pages.len() > 20, "{pages:?}");
    let mut wrong: Vec<String> = used
        .difference(&pages)
        .map(|c| format!("{c} has no page"))
        .collect();
    wrong.extend(
        pages
            .difference(&used)
            .map(|c| format!("the page {c} has no code")),
    );
    expect_none("error codes", &wrong);
}

#[test]
fn codes_are_found() {
    let found = codes("\"SG-W006\" and SG-w1, SG-T013. SG-");
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["SG-T013", "SG-W006"]
    );
}
