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
        }
    ",
    world: "sandgate:host/everything",
    imports: {
        "sandgate:plugin/artifacts.read": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
