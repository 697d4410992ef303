//! "Did you mean": the nearest of the names that exist.

use crate::ui::Esc;

/// Closer than this is a likely slip of the keyboard; clap uses the same bound for its own suggestions.
const NEAR: f64 = 0.7;

/// The name that is nearest to `typed`, when one is near.
fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .filter(|(score, _)| *score > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A hint for a name that does not exist: the nearest one, or what there is.
pub(crate) fn hint<'a>(
    typed: &str,
    what: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    /// More names than this do not fit in a line that one reads.
    const SHOWN: usize = 12;
    if let Some(name) = nearest(typed, names.clone()) {
        return Some(format!("did you mean `{}`?", Esc(name)));
    }
    let all: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = all
        .iter()
        .take(SHOWN)
        .map(|n| format!("`{}`", Esc(n)))
        .collect();
    match all.len() {
        0 => None,
        n if n > SHOWN => Some(format!(
            "{what}: {}, and {} more",
            shown.join(", "),
            n - SHOWN
        )),
        _ => Some(format!("{what}: {}", shown.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_or_lists() {
        let tasks = ["research", "draft"];
        assert_eq!(
            hint("reserch", "tasks", tasks).unwrap(),
            "did you mean `research`?"
        );
        assert_eq!(
            hint("zzz", "tasks", tasks).unwrap(),
            "tasks: `research`, `draft`"
        );
        assert_eq!(hint("zzz", "tasks", []), None);
    }
}
