//! The shape of `sandgate.toml`.

use super::{
    Kind, Shape,
    limits::LIMITS,
    may, must,
    policy::{PATH, POLICY, PROVIDER},
};

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
        may(
            "providers",
            Kind::Map("provider", &Kind::Table(&PROVIDER)),
            "Providers of text generation: the name that rules and tasks use, and where it is.",
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
            "principal",
            Kind::List(&Kind::Table(&PRINCIPAL)),
            "People that may act. Where there is none, the owner of the project's state has every role.",
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

/// Longest name of a user of the operating system.
const USER: usize = 64;

const PRINCIPAL: Shape = Shape {
    what: "a principal",
    doc: "Somebody that may act: how the host knows who it is, and what roles it has. At least one of `user` and `token`.",
    fields: &[
        must("name", Kind::Name("principal"), "Its name."),
        may(
            "roles",
            Kind::List(&Kind::Name("role")),
            "Roles that approval rules name; none when absent.",
        ),
        may("user", Kind::Text(USER), "User of the operating system."),
        may(
            "token",
            Kind::Pattern(r"^sha256:[0-9a-f]{64}$", "sha256:HEX"),
            "SHA-256 of its token: `sha256:` and 64 lowercase hexadecimal digits.",
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
