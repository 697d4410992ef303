//! Which symbolic links may be in a workspace.

use std::path::{Component, Path};

/// Longest target, as the system has it.
const TARGET_MAX: usize = 4095;

/// Whether a link in a directory that lies `depth` directories below the root can only lead to something in it.
///
/// Decided on the text alone, so nobody can change it between the look and the use: the target is relative, and
/// `..` stands only in front, no more often than there are directories. A `..` further behind could follow another
/// link first and so mean something else than it says; such links are rare, and left out.
pub(crate) fn stays(target: &Path, depth: usize) -> bool {
    let length = target.as_os_str().len();
    if length == 0 || length > TARGET_MAX {
        return false;
    }
    let mut up = 0_usize;
    let mut down = false;
    for part in target.components() {
        match part {
            Component::Prefix(_) | Component::RootDir => return false,
            Component::CurDir => {}
            Component::ParentDir if down => return false,
            Component::ParentDir => up += 1,
            Component::Normal(_) => down = true,
        }
    }
    up <= depth
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{fs, os::unix::fs::symlink, path::PathBuf};

    #[test]
    fn targets() {
        for (target, depth, expected) in [
            ("a", 0, true),
            ("./a/b", 0, true),
            ("..", 0, false),
            ("..", 1, true),
            ("../a", 1, true),
            ("../../a", 1, false),
            ("./../a", 1, true),
            ("a/../b", 5, false),
            ("a/..", 5, false),
            ("/a", 5, false),
            ("//a", 5, false),
            ("", 5, false),
            (".", 0, true),
        ] {
            assert_eq!(
                stays(Path::new(target), depth),
                expected,
                "{target} at {depth}"
            );
        }
        assert!(!stays(Path::new(&"x/".repeat(2100)), 9));
    }

    /// A link in one of the directories, under a name that targets use too.
    fn link() -> impl Strategy<Value = (usize, usize, String)> {
        let part = prop_oneof![
            3 => Just(".."), 1 => Just("."), 2 => Just("a"), 2 => Just("b"), 2 => Just("l0"), 2 => Just("l1"), 1 => Just("/"),
        ];
        let target = proptest::collection::vec(part, 1..7).prop_map(|p| p.join("/"));
        (0_usize..4, 0_usize..2, target)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against the kernel: with any set of accepted links beside each other, none of them leads out.
        #[test]
        fn accepted_links_stay_whatever_the_others_are(links in proptest::collection::vec(link(), 1..8)) {
            let tmp = tempfile::tempdir().unwrap();
            let root = tmp.path().join("r");
            let dirs: Vec<PathBuf> = ["", "a", "a/b", "b"].iter().map(|d| root.join(d)).collect();
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::create_dir_all(root.join("b")).unwrap();
            let mut made = Vec::new();
            for (dir, name, target) in &links {
                let depth = [0, 1, 2, 1][*dir];
                let path = dirs[*dir].join(format!("l{name}"));
                if stays(Path::new(target), depth) && symlink(target, &path).is_ok() {
                    made.push(path);
                }
            }
            let inside = root.canonicalize().unwrap();
            for path in made {
                // Dangling ones and loops lead nowhere.
                if let Ok(real) = path.canonicalize() {
                    prop_assert!(real.starts_with(&inside), "{path:?} leads to {real:?}");
                }
            }
        }
    }
}
