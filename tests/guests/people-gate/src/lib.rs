//! Asks people in the middle of its work, as its configuration says. The acts are those of `people-agent`, and stand in the
//! table of `tests/guests/README.md`.

#[path = "../../people-agent/src/acts/mod.rs"]
mod acts;

kit::gate!(
    "people-gate",
    "package test:guest; world guest {
        include sandgate:plugin/gate@0.1.0;
        import sandgate:plugin/command@0.1.0;
        import sandgate:plugin/model@0.1.0;
        import sandgate:plugin/budget@0.1.0;
        import sandgate:plugin/question@0.1.0;
    }",
    [],
    optional [FilesRead, FilesWrite, Http, Exec, Model, Secrets, Question, Budget],
    acts::act
);
