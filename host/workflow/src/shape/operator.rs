//! The shape of an operator's file.

use super::{Kind, Shape, may, must, project::LIMIT_FIELDS};

pub(crate) const OPERATOR: Shape = Shape {
    what: "an operator's file",
    doc: "The most that any project on this machine may have.",
    fields: &[
        may(
            "policy",
            Kind::Table(&Shape {
                what: "[policy]",
                doc: "Ceiling of authority.",
                fields: &[must(
                    "files",
                    Kind::Word(&["none", "read", "write"]),
                    "Highest mode for directories.",
                )],
            }),
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
