//! What a reviewer of a rule should know. Warnings change nothing: a rule with warnings is granted all the same,
//! because the containment holds whatever the program does. Must not refuse.

use sandgate_model::ExecGrant;

/// Programs that run whatever their arguments say.
const SHELLS: &[&str] = &[
    "sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "ash", "busybox", "pwsh",
];

/// Programs that start another program, named by an argument.
const WRAPPERS: &[&str] = &[
    "env",
    "xargs",
    "nice",
    "nohup",
    "timeout",
    "time",
    "stdbuf",
    "setsid",
    "sudo",
    "doas",
    "su",
    "chroot",
    "unshare",
    "nsenter",
    "ssh",
    "parallel",
    "watch",
    "strace",
    "script",
    "flock",
    "ionice",
    "taskset",
    "setpriv",
    "runuser",
    "start-stop-daemon",
    "systemd-run",
    "entr",
    "npx",
    "pnpx",
    "bunx",
    "uvx",
    "pipx",
];

/// Interpreters, and the options that take a program's text.
const INTERPRETERS: &[(&str, &[&str])] = &[
    ("python", &["-c", "-m"]),
    (
        "node",
        &[
            "-e",
            "--eval",
            "-p",
            "--print",
            "-r",
            "--require",
            "--import",
        ],
    ),
    ("deno", &["eval"]),
    ("bun", &["-e", "--eval"]),
    ("perl", &["-e", "-E", "-M"]),
    ("ruby", &["-e", "-r"]),
    ("php", &["-r"]),
    ("lua", &["-e"]),
    ("awk", &[""]),
    ("gawk", &[""]),
    ("sed", &["-e", "-f"]),
];

/// Programs that run code which they find in the directory they start in, and what makes them.
const PROJECT_CODE: &[(&str, &str)] = &[
    (
        "git",
        "hooks, aliases, filters and helpers in `.git/config`",
    ),
    ("npm", "scripts in `package.json`, settings in `.npmrc`"),
    ("pnpm", "scripts in `package.json`, settings in `.npmrc`"),
    ("yarn", "scripts in `package.json`, settings in `.yarnrc`"),
    (
        "cargo",
        "`build.rs`, runners and wrappers in `.cargo/config.toml`, tests",
    ),
    ("make", "the `Makefile`"),
    ("cmake", "`CMakeLists.txt`"),
    ("gradle", "`build.gradle`"),
    ("mvn", "plugins in `pom.xml`"),
    ("pytest", "`conftest.py` and the tests"),
    ("tox", "`tox.ini`"),
    ("go", "tests, generators and `toolchain` lines"),
    ("just", "the `justfile`"),
    ("direnv", "`.envrc`"),
];

/// Variables that make programs run other code.
const CODE_IN_ENV: &[&str] = &[
    "NODE_OPTIONS",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "BASH_ENV",
    "ENV",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "RUBYLIB",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "PAGER",
    "EDITOR",
    "VISUAL",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "MAKEFLAGS",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "SHELL",
    "PATH",
    "HOME",
    "TMPDIR",
];

/// What a reviewer of this rule should know: lowercase fragments, the weightiest first; empty when it says all itself.
#[must_use]
pub fn exec_warnings(rule: &ExecGrant) -> Vec<String> {
    let mut out = Vec::new();
    let base = rule.program.rsplit('/').next().unwrap_or_default();
    // `python3.12` is python.
    let stem = base.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let hole = |arg: &String| arg.replace("{{", "").contains('{');
    let holes = rule.args.iter().any(hole);
    if SHELLS.contains(&base) {
        out.push(if holes {
            format!("`{base}` is a shell, and a hole in its arguments can become part of a script")
        } else {
            format!("`{base}` is a shell: the rule allows whatever its script says")
        });
    }
    if WRAPPERS.contains(&base) {
        out.push(format!(
            "`{base}` starts another program: read its arguments as the command{}",
            if base == "env"
                && rule
                    .args
                    .iter()
                    .any(|a| a.starts_with("-S") || a.starts_with("--split-string"))
            {
                "; `-S` splits a text into several arguments"
            } else {
                ""
            }
        ));
    }
    for (name, options) in INTERPRETERS {
        let takes = |a: &String| options.iter().any(|o| !o.is_empty() && a.starts_with(o));
        if stem == *name && (options.contains(&"") || rule.args.iter().any(takes)) {
            out.push(format!(
                "`{base}` runs a program that stands in its arguments"
            ));
        } else if stem == *name && rule.args.first().is_some_and(hole) {
            out.push(format!("`{base}` runs the file that a hole names"));
        }
    }
    if base == "find"
        && (holes
            || rule.args.iter().any(|a| {
                [
                    "-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fls",
                ]
                .iter()
                .any(|o| a.starts_with(o))
            }))
    {
        out.push("`find` can start programs, write and delete files by its options".to_owned());
    }
    if let Some((_, what)) = PROJECT_CODE
        .iter()
        .find(|(name, _)| *name == base || *name == stem)
    {
        out.push(format!(
            "`{base}` runs code that it finds in the project ({what}): whoever can write there decides what runs"
        ));
    }
    if rule.network {
        out.push(
            "with `network` it can reach every address, also services of this machine and of the local network, and can send what it reads"
                .to_owned(),
        );
    }
    if !rule.secrets.is_empty() {
        let how = if rule.network {
            "and the network: it can send them anywhere"
        } else {
            "in its environment: everything it starts can read them"
        };
        out.push(format!(
            "it gets the secrets {} {how}",
            rule.secrets.join(", ")
        ));
    }
    for name in rule.env.keys() {
        if CODE_IN_ENV.contains(&name.as_str())
            || name.starts_with("GIT_CONFIG")
            || name.starts_with("npm_config_")
        {
            out.push(format!(
                "the variable `{name}` can make programs run other code"
            ));
        }
    }
    for dir in &rule.read {
        if matches!(
            dir.as_str(),
            "/" | "/home" | "/root" | "/etc" | "/var" | "/proc" | "/sys" | "/run" | "/dev"
        ) {
            out.push(format!(
                "it can read all of `{dir}`, also keys and passwords in it"
            ));
        }
    }
    out
}
