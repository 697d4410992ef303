//! Host side of `wit/`, generated. One world with everything, because each exported interface is looked up by
//! itself: a plugin exports one role, and may export more than its world names.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package sandgate:host;
        world everything {
            include sandgate:plugin/planner@0.1.0;
            include sandgate:plugin/agent@0.1.0;
            include sandgate:plugin/gate@0.1.0;
            import sandgate:plugin/command@0.1.0;
            import sandgate:plugin/model@0.1.0;
            import sandgate:plugin/budget@0.1.0;
            import sandgate:plugin/question@0.1.0;
        }
    ",
    world: "sandgate:host/everything",
    imports: {
        "sandgate:plugin/artifacts.read": async | trappable,
        "sandgate:plugin/command.run-command": async | trappable,
        "sandgate:plugin/model.generate": async | trappable,
        "sandgate:plugin/model.generate-stream": async | trappable,
        "sandgate:plugin/model.[method]generation.next": async | trappable,
        "sandgate:plugin/model.[method]generation.finish": async | trappable,
        "sandgate:plugin/budget.charge-now": async | trappable,
        "sandgate:plugin/question.ask-person": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "sandgate:plugin/model.generation": crate::iface::model::Stream,
    },
});
