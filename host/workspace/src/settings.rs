//! What the embedder hands in.

use std::path::PathBuf;

/// Where a project is and how much a workspace may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project's directory.
    pub project_dir: PathBuf,
    /// The project's state directory, which exists already. Workspaces are made in `workspaces` below it.
    pub state_dir: PathBuf,
    /// Caps of a workspace of the attempt's own.
    pub quota: Quota,
    /// The program `git`, absolute; `None`: the one in `/usr/local/bin` or `/usr/bin`.
    pub git: Option<PathBuf>,
    /// Who makes the commits of the run's branch.
    pub author: Author,
}

impl Settings {
    /// With default caps and author.
    #[must_use]
    pub fn new(project_dir: impl Into<PathBuf>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            project_dir: project_dir.into(),
            state_dir: state_dir.into(),
            quota: Quota::default(),
            git: None,
            author: Author::default(),
        }
    }
}

/// Caps of a workspace of the attempt's own. Over one of them the workspace is not made, or its changes are not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Bytes of all files together.
    pub max_bytes: u64,
    /// Files, directories and links together.
    pub max_files: u64,
    /// Bytes of the patch.
    pub max_patch: u64,
}

impl Default for Quota {
    /// 4 GiB in 200,000 files: a large repository with its dependencies, and not a disk. A patch of 64 MiB is more
    /// than anybody reviews, and is held in memory.
    fn default() -> Self {
        Self {
            max_bytes: 4 << 30,
            max_files: 200_000,
            max_patch: 64 << 20,
        }
    }
}

/// Author and committer of the run's branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
}

impl Default for Author {
    fn default() -> Self {
        Self {
            name: "Sandgate".into(),
            email: "sandgate@localhost".into(),
        }
    }
}

impl Author {
    /// `Name <address>` without what would break a line or the brackets.
    pub(crate) fn ident(&self) -> String {
        let clean = |text: &str| -> String {
            text.chars()
                .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
                .collect()
        };
        format!("{} <{}>", clean(&self.name), clean(&self.email))
    }
}
