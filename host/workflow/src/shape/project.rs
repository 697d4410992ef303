//! The shape of `sandgate.toml`.

use super::{Kind, Shape, may, must};
use crate::MAX_CONCURRENCY;

/// Longest path, URL or program name.
const PATH: usize = 4096;

const MODE: Kind = Kind::Word(&["read", "write"]);

/// `files` of a task or gate: picks from what the project grants.
pub(super) const FILES_NARROWING: Kind = Kind::List(&Kind::TextOr(
    &Kind::Text(PATH),
    &Shape {
        what: "a directory",
        doc: "A directory of the project's policy, or one inside it.",
        fields: &[
            must("guest", Kind::Text(PATH), "Guest path, such as `/notes`."),
            may(
                "mode",
                MODE,
                "Highest mode; as the policy says when absent.",
            ),
        ],
    },
));

pub(crate) const PROJECT: Shape = Shape {
    what: "a project file",
    doc: "A project: its plugins, what they may do at most, and its limits.",
    fields: &[
        must(
            "project",
            Kind::Table(&Shape {
                what: "[project]",
                doc: "The project.",
                fields: &[must("name", Kind::Name("project"), "Name of the project.")],
            }),
            "The project.",
        ),
        may(
            "plugins",
            Kind::Map(
                "plugin",
                &Kind::TextOr(
                    &Kind::Pattern(r"^builtin:[a-z0-9][a-z0-9._-]{0,63}$", "builtin:NAME"),
                    &PLUGIN,
                ),
            ),
            "Plugins: the name that workflows use, and where it comes from.",
        ),
        may(
            "policy",
            Kind::Table(&POLICY),
            "The ceiling of authority. What is not named is denied.",
        ),
        may("limits", Kind::Table(&LIMITS), "Limits of one attempt."),
        may(
            "budget",
            Kind::Table(&Shape {
                what: "[budget]",
                doc: "The budget.",
                fields: &[must(
                    "limit",
                    Kind::Amount,
                    "Most that all runs together may cost, in the project's currency unit.",
                )],
            }),
            "The budget.",
        ),
        may(
            "signals",
            Kind::Table(&Shape {
                what: "[signals]",
                doc: "Signals.",
                fields: &[must(
                    "types",
                    Kind::List(&Kind::Name("signal type")),
                    "Signal types besides `ci`, `review` and `human_approval`.",
                )],
            }),
            "Signals from outside.",
        ),
    ],
};

const PLUGIN: Shape = Shape {
    what: "a plugin",
    doc: "A plugin that does not ship with Sandgate: either `path` or `oci`.",
    fields: &[
        may(
            "path",
            Kind::Text(PATH),
            "A component on the disk, relative to the project's directory.",
        ),
        may(
            "oci",
            Kind::Text(PATH),
            "An image in a registry, such as `ghcr.io/acme/reviewer:1.2.0`. Not available in this version.",
        ),
    ],
};

/// One rule of `[policy] files`.
const FILE_RULE: Shape = Shape {
    what: "a directory",
    doc: "A directory that tasks may use.",
    fields: &[
        must(
            "host",
            Kind::Text(PATH),
            "Directory, relative to the project's directory.",
        ),
        must(
            "guest",
            Kind::Text(PATH),
            "Absolute path under which plugins see it.",
        ),
        must("mode", MODE, "`read` or `write`."),
    ],
};

const POLICY: Shape = Shape {
    what: "[policy]",
    doc: "The ceiling of authority.",
    fields: &[
        may(
            "files",
            Kind::List(&Kind::Table(&FILE_RULE)),
            "Directories.",
        ),
        may(
            "http",
            Kind::List(&Kind::Table(&Shape {
                what: "an HTTP rule",
                doc: "Outgoing HTTP. Read and checked, but not granted in this version.",
                fields: &[
                    must(
                        "allow",
                        Kind::Text(PATH),
                        "https:// URL; `*` may stand at the end of the path.",
                    ),
                    must(
                        "methods",
                        Kind::List(&Kind::Word(&[
                            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
                        ])),
                        "Methods.",
                    ),
                ],
            })),
            "Outgoing HTTP.",
        ),
        may(
            "exec",
            Kind::List(&Kind::Table(&Shape {
                what: "a command rule",
                doc: "A command. Read and checked, but not granted in this version.",
                fields: &[
                    must("program", Kind::Text(PATH), "Program."),
                    must("args", Kind::List(&Kind::Text(PATH)), "Arguments, exactly."),
                    may(
                        "approval",
                        Kind::Word(&["required", "none"]),
                        "Whether each use has to be approved; `required` when absent.",
                    ),
                ],
            })),
            "Commands.",
        ),
        may(
            "model",
            Kind::List(&Kind::Table(&Shape {
                what: "a model rule",
                doc: "Text generation. Read and checked, but not granted in this version.",
                fields: &[
                    must("provider", Kind::Name("provider"), "Provider."),
                    must("models", Kind::List(&Kind::Text(256)), "Models, or `*`."),
                ],
            })),
            "Text generation.",
        ),
        may(
            "secrets",
            Kind::List(&Kind::Table(&Shape {
                what: "a secret",
                doc: "A secret that the host puts into requests. Read and checked, but not granted in this version.",
                fields: &[
                    must(
                        "name",
                        Kind::Pattern(r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", "NAME"),
                        "Name.",
                    ),
                    must("from", Kind::Word(&["env"]), "Where its value comes from."),
                    must(
                        "to",
                        Kind::Text(PATH),
                        "Origin it may be sent to, such as `https://api.example.com`.",
                    ),
                ],
            })),
            "Secrets.",
        ),
    ],
};

const LIMITS: Shape = Shape {
    what: "[limits]",
    doc: "Limits of one attempt.",
    fields: LIMIT_FIELDS,
};

/// Shared with the operator's file.
pub(super) const LIMIT_FIELDS: &[super::Field] = &[
    may(
        "memory",
        Kind::Size(1 << 20),
        "Memory of one instance; 64MiB when absent.",
    ),
    may(
        "attempt",
        Kind::Duration { zero: false },
        "Longest an attempt may take; 2m when absent.",
    ),
    may(
        "output",
        Kind::Size(1 << 10),
        "Output document of an attempt; 4MiB when absent.",
    ),
    may("log", Kind::Size(0), "Log of an attempt; 1MiB when absent."),
    may(
        "artifact",
        Kind::Size(1 << 10),
        "One artifact; 64MiB when absent.",
    ),
    may(
        "concurrency",
        Kind::Int(1, MAX_CONCURRENCY as i64),
        "Most attempts at once, whatever a workflow says.",
    ),
];
