//! The shape of an operator's file.

use super::{
    Kind, Shape,
    limits::LIMIT_FIELDS,
    may,
    policy::{PATH, SECRET_NAME},
};

const NONE: &[&str] = &["none"];

pub(crate) const OPERATOR: Shape = Shape {
    what: "an operator's file",
    doc: "The most that any project on this machine may have.",
    fields: &[
        may(
            "policy",
            Kind::Table(&CEILING),
            "Ceiling of authority; the projects decide when absent.",
        ),
        may(
            "limits",
            Kind::Table(&Shape {
                what: "[limits]",
                doc: "Highest limits that a project may set; lower ones of the project hold.",
                fields: LIMIT_FIELDS,
            }),
            "Highest limits.",
        ),
    ],
};

const CEILING: Shape = Shape {
    what: "[policy]",
    doc: "Ceiling of authority. What is absent is left to the projects.",
    fields: &[
        may(
            "files",
            Kind::Word(&["none", "read", "write"]),
            "Highest mode for directories.",
        ),
        may(
            "http",
            Kind::WordOrList(NONE, &Kind::Text(PATH)),
            "URLs that may be allowed, `*` at the end of the path; or `none`.",
        ),
        may(
            "private",
            Kind::Bool,
            "Whether rules may reach addresses that are not public.",
        ),
        may(
            "exec",
            Kind::WordOrList(NONE, &Kind::Text(PATH)),
            "Programs that may be run, as the projects write them; or `none`.",
        ),
        may(
            "network_commands",
            Kind::Bool,
            "Whether a command may use the network.",
        ),
        may(
            "model",
            Kind::WordOrList(NONE, &Kind::Name("provider")),
            "Providers that may be used; or `none`.",
        ),
        may(
            "secrets",
            Kind::WordOrList(NONE, &SECRET_NAME),
            "Secrets that may be used; or `none`.",
        ),
        may(
            "charge",
            Kind::Bool,
            "Whether plugins may charge the budget.",
        ),
        may("question", Kind::Bool, "Whether plugins may ask people."),
    ],
};
