//! Imports every capability there is, whatever it is granted: files, HTTP, commands, models, budget, questions, and those of other
//! roles. Loaded with less, it has to be refused by the name of an import. Act: `take` tries all of them.

#[path = "../../greedy-agent/src/take.rs"]
mod take;

kit::planner!(
    "greedy-planner",
    "package test:guest; world guest {
        include sandgate:plugin/planner@0.1.0;
        import sandgate:plugin/artifacts@0.1.0;
        import sandgate:plugin/command@0.1.0;
        import sandgate:plugin/model@0.1.0;
        import sandgate:plugin/budget@0.1.0;
        import sandgate:plugin/question@0.1.0;
    }",
    [
        FilesRead, FilesWrite, Http, Exec, Model, Secrets, Question, Budget
    ],
    take::act
);
