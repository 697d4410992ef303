//! The shape of `sandgate.lock`.

use super::{Kind, Shape, may, must};

pub(crate) const LOCK: Shape = Shape {
    what: "a lock file",
    doc: "Digests of the plugins, and the authority that was accepted. Written by Sandgate.",
    fields: &[
        must("version", Kind::Int(1, 2), "Version of the format."),
        may(
            "plugin",
            Kind::List(&Kind::Table(&Shape {
                what: "a plugin",
                doc: "A plugin as it was accepted.",
                fields: &[
                    must("name", Kind::Name("plugin"), "Name in the project."),
                    must(
                        "digest",
                        Kind::Pattern("^sha256:[0-9a-f]{64}$", "sha256:DIGITS"),
                        "Digest of the component.",
                    ),
                    must(
                        "needs",
                        Kind::List(&Kind::Word(crate::lock::NEED_WORDS)),
                        "Kinds of authority that it asks for.",
                    ),
                    may(
                        "imports",
                        Kind::List(&Kind::Text(1024)),
                        "Interfaces that the component can call. Since version 2.",
                    ),
                    may(
                        "authority",
                        Kind::List(&Kind::Text(64 << 10)),
                        "What it may get at most, one line for each thing. Since version 2.",
                    ),
                ],
            })),
            "Plugins.",
        ),
    ],
};
