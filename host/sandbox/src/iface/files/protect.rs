//! Names that make other programs run code. A plugin that may write in a directory of the project could put a trap
//! there for whoever works in it next: a hook, a build script, a task of an editor. In directories that outlive the
//! attempt these names are therefore not made, written, renamed or removed by plugins; reading them is reading.
//!
//! Must not look at the disk: it compares names.

/// Names of files and directories that stay as they are, at any depth, whatever their case. A name stands for all that
/// is below it. Sorted, lower case.
///
/// In: what a version control system, shell, editor, package manager, build tool or test runner reads by itself and
/// takes commands from. Not in: source files, which people run knowingly.
pub const PROTECTED: [&str; 80] = [
    ".bash_login",
    ".bash_profile",
    ".bashrc",
    ".bazelrc",
    ".buildkite",
    ".bzr",
    ".cargo",
    ".circleci",
    ".devcontainer",
    ".direnv",
    ".editorconfig",
    ".env",
    ".envrc",
    ".eslintrc.cjs",
    ".eslintrc.js",
    ".forgejo",
    ".gdbinit",
    ".git",
    ".gitattributes",
    ".gitea",
    ".github",
    ".gitlab",
    ".gitlab-ci.yml",
    ".gitmodules",
    ".hg",
    ".husky",
    ".idea",
    ".inputrc",
    ".jj",
    ".lefthook.yml",
    ".lldbinit",
    ".mise.toml",
    ".npmrc",
    ".nvmrc",
    ".pnpmfile.cjs",
    ".pre-commit-config.yaml",
    ".profile",
    ".sandgate",
    ".ssh",
    ".svn",
    ".tool-versions",
    ".vim",
    ".vimrc",
    ".vscode",
    ".yarn",
    ".yarnrc",
    ".yarnrc.yml",
    ".zed",
    ".zlogin",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "build.gradle",
    "build.rs",
    "cargo.toml",
    "cmakelists.txt",
    "composer.json",
    "conftest.py",
    "dockerfile",
    "gemfile",
    "git~1",
    "gnumakefile",
    "gradlew",
    "jenkinsfile",
    "justfile",
    "lefthook.yml",
    "makefile",
    "node_modules",
    "noxfile.py",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "rakefile",
    "rust-toolchain.toml",
    "sandgate.lock",
    "sandgate.toml",
    "setup.py",
    "sitecustomize.py",
    "tox.ini",
    "usercustomize.py",
];

/// Ends of names that are protected too: path files of Python, workspaces of an editor.
const ENDINGS: [&str; 2] = [".pth", ".code-workspace"];

/// Whether a name is one of them. Compared as the most forgiving file system would: without case, without characters
/// that do not show, without dots and spaces at the end.
pub(super) fn is_protected(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect();
    let plain = plain.trim_end_matches(['.', ' ']);
    PROTECTED.binary_search(&plain).is_ok() || ENDINGS.iter().any(|end| plain.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_forgivingly() {
        assert!(PROTECTED.is_sorted());
        for name in [
            ".git",
            ".GIT",
            ".Git ",
            ".git.",
            ".g\u{200c}it",
            "Makefile",
            "MAKEFILE",
            "package.json",
            "evil.pth",
            "X.Code-Workspace",
            ".envrc",
        ] {
            assert!(is_protected(name), "{name}");
        }
        for name in [
            "git",
            ".gitignore",
            "makefile.txt",
            "a.txt",
            "main.rs",
            "",
            ".",
            "..",
            "notes.git",
            "package.json5",
        ] {
            assert!(!is_protected(name), "{name}");
        }
    }
}
