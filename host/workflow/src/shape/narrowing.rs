//! What a task, a gate or a planner picks of what the project offers. The same keys in all three.

use super::{
    Field, Kind, Shape, may, must,
    policy::{MODE, PATH, SECRET_NAME},
};
use sandgate_model::Workspace;

pub(super) const WORKSPACE: Field = may(
    "workspace",
    Kind::Word(Workspace::WORDS),
    "Where its directories are: the project's own (`shared`, the default), a copy (`clone`), a git worktree (`worktree`), or nowhere (`none`).",
);

pub(super) const MERGE: Field = may(
    "merge",
    Kind::Bool,
    "On success the changes of its worktree go to the run's branch; `false` when absent.",
);

pub(super) const FILES: Field = may(
    "files",
    Kind::List(&Kind::TextOr(
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
    )),
    "Directories it may use, of those that the project grants; all when absent.",
);

pub(super) const HTTP: Field = may(
    "http",
    Kind::List(&Kind::Text(PATH)),
    "URLs it may request, `*` at the end of the path, each within what the project allows; all when absent.",
);

pub(super) const EXEC: Field = may(
    "exec",
    Kind::List(&Kind::Name("command")),
    "Commands it may run, by the names of the project's rules; all when absent.",
);

pub(super) const MODEL: Field = may(
    "model",
    Kind::List(&Kind::Text(400)),
    "Models it may use, `PROVIDER/MODEL` or `PROVIDER/*`; all that the project allows when absent.",
);

pub(super) const SECRETS: Field = may(
    "secrets",
    Kind::List(&SECRET_NAME),
    "Secrets that the host may put into its requests and commands; all when absent.",
);

pub(super) const CHARGE: Field = may(
    "charge",
    Kind::Bool,
    "Whether it may charge the budget; as the project says when absent.",
);

pub(super) const QUESTION: Field = may(
    "question",
    Kind::Bool,
    "Whether it may ask people; as the project says when absent.",
);
