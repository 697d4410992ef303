//! The shape of `[policy]` and of `[providers]` in `sandgate.toml`.

use super::{Kind, Shape, may, must};

/// Longest path, URL or program name.
pub(super) const PATH: usize = 4096;

pub(super) const MODE: Kind = Kind::Word(&["read", "write"]);

/// The name of a secret, which is also the name of an environment variable.
pub(super) const SECRET_NAME: Kind = Kind::Pattern(r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", "NAME");

const APPROVAL: Kind = Kind::Word(&["required", "none"]);

pub(crate) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(super) const POLICY: Shape = Shape {
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
            Kind::List(&Kind::Table(&HTTP_RULE)),
            "Outgoing HTTP.",
        ),
        may("exec", Kind::List(&Kind::Table(&EXEC_RULE)), "Commands."),
        may(
            "model",
            Kind::List(&Kind::Table(&MODEL_RULE)),
            "Text generation.",
        ),
        may("secrets", Kind::List(&Kind::Table(&SECRET)), "Secrets."),
        may(
            "charge",
            Kind::BoolOr(&Shape {
                what: "a rule for charges",
                doc: "Plugins may charge the budget.",
                fields: &[must(
                    "approval",
                    APPROVAL,
                    "Whether each charge has to be approved.",
                )],
            }),
            "Whether plugins may charge the budget; `false` when absent. A table allows it and says whether each charge has to be approved.",
        ),
        may(
            "question",
            Kind::Bool,
            "Whether plugins may ask people; `false` when absent.",
        ),
    ],
};

const FILE_RULE: Shape = Shape {
    what: "a directory",
    doc: "A directory that tasks may use.",
    fields: &[
        must(
            "host",
            Kind::Text(PATH),
            "Directory, relative to the project's directory; `.` is the project itself, granted only in the workspaces `clone` and `worktree`.",
        ),
        must(
            "guest",
            Kind::Text(PATH),
            "Absolute path under which plugins see it.",
        ),
        must("mode", MODE, "`read` or `write`."),
    ],
};

const HTTP_RULE: Shape = Shape {
    what: "an HTTP rule",
    doc: "Requests that are allowed, or that stay refused whatever other rules allow: either `allow` or `deny`.",
    fields: &[
        may(
            "allow",
            Kind::Text(PATH),
            "URL that may be requested; `*` may stand at the end of the path.",
        ),
        may(
            "deny",
            Kind::Text(PATH),
            "URL that may not be requested; `*` may stand at the end of the path.",
        ),
        may(
            "methods",
            Kind::List(&Kind::Word(METHODS)),
            "Methods. Has to be there with `allow`; with `deny`: all when absent.",
        ),
        may(
            "private",
            Kind::Bool,
            "Whether addresses that are not public may be reached; `false` when absent. A loopback address, or `localhost`, written out in `allow` needs no `private`.",
        ),
        may(
            "redirects",
            Kind::Int(0, 5),
            "Redirects that are followed, each checked like a new request; 0 when absent.",
        ),
        may(
            "approval",
            APPROVAL,
            "Whether each use has to be approved; `none` when absent.",
        ),
    ],
};

const EXEC_RULE: Shape = Shape {
    what: "a command rule",
    doc: "A command: a program and exactly these arguments, without a shell.",
    fields: &[
        may(
            "name",
            Kind::Name("command"),
            "Name by which tasks pick it; the program's when absent.",
        ),
        must(
            "program",
            Kind::Text(PATH),
            "Program: a name or an absolute path.",
        ),
        must(
            "args",
            Kind::List(&Kind::Text(PATH)),
            "Arguments. `{name:type}` is a hole, with the type `word`, `int`, `hex`, `path` or `text`; `{{` and `}}` are braces.",
        ),
        may(
            "cwd",
            Kind::Text(PATH),
            "Directory it starts in, as plugins see it; the only granted one when absent.",
        ),
        may(
            "env",
            Kind::Map("variable", &Kind::Text(PATH)),
            "Environment variables besides the fixed ones.",
        ),
        may(
            "secrets",
            Kind::List(&SECRET_NAME),
            "Secrets that it gets as environment variables; each is bound to it in `secrets`.",
        ),
        may(
            "network",
            Kind::Bool,
            "Whether it may use the network; `false` when absent.",
        ),
        may(
            "read",
            Kind::List(&Kind::Text(PATH)),
            "Further directories of the machine that it may read, absolute.",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "Longest it may take; as long as the attempt when absent.",
        ),
        may(
            "approval",
            APPROVAL,
            "Whether each use has to be approved; `required` when absent.",
        ),
    ],
};

const MODEL_RULE: Shape = Shape {
    what: "a model rule",
    doc: "Models that may be used.",
    fields: &[
        must("provider", Kind::Name("provider"), "Name in `[providers]`."),
        must("models", Kind::List(&Kind::Text(256)), "Models, or `*`."),
        may(
            "approval",
            APPROVAL,
            "Whether each use has to be approved; `none` when absent.",
        ),
    ],
};

const SECRET: Shape = Shape {
    what: "a secret",
    doc: "A secret that the host puts into requests, commands or calls of a provider. Plugins never see it.",
    fields: &[
        must("name", SECRET_NAME, "Name."),
        must(
            "from",
            Kind::TextOr(&Kind::Word(&["env"]), &SECRET_FROM),
            "Where its value comes from: `env` is the environment variable of the same name.",
        ),
        must(
            "to",
            Kind::Text(PATH),
            "Where it may go: an origin such as `https://api.example.com`, `exec:COMMAND`, or `provider:NAME`.",
        ),
    ],
};

const SECRET_FROM: Shape = Shape {
    what: "a source of a secret",
    doc: "Where the value comes from: one of `env`, `file` and `command`.",
    fields: &[
        may("env", SECRET_NAME, "An environment variable."),
        may(
            "file",
            Kind::Text(PATH),
            "A file, relative to the project's directory unless absolute.",
        ),
        may(
            "command",
            Kind::List(&Kind::Text(PATH)),
            "A program and its arguments; its output is the value.",
        ),
    ],
};

pub(super) const PROVIDER: Shape = Shape {
    what: "a provider",
    doc: "A provider of text generation.",
    fields: &[
        must(
            "kind",
            Kind::Word(crate::ProviderKind::WORDS),
            "Protocol that it speaks.",
        ),
        must(
            "url",
            Kind::Text(PATH),
            "Base of its API, such as `http://127.0.0.1:8080/v1`.",
        ),
        may(
            "private",
            Kind::Bool,
            "Whether its address need not be public; `false` when absent. An address that is written out in `url` needs no `private`.",
        ),
        may(
            "key",
            SECRET_NAME,
            "Secret that is its key, bound to it in `secrets`; none when absent.",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "Longest one generation may take; 1m when absent.",
        ),
        may(
            "prices",
            Kind::Map("model", &Kind::Table(&PRICE)),
            "Prices by model; `*` is every other one. A model without a price costs nothing, and is refused where a budget is set.",
        ),
    ],
};

const PRICE: Shape = Shape {
    what: "a price",
    doc: "Price of a million tokens, in the project's currency unit.",
    fields: &[
        must("input", Kind::Amount, "Tokens in."),
        must("output", Kind::Amount, "Tokens out."),
    ],
};
