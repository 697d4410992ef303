//! Generated from `wit/`: the host interfaces once, and the exports of `describing` and of each role apart.
//!
//! The worlds here are parts of those in `wit/world.wit` (a component's type is the union of the parts that it
//! exports), because the generator allows each exported interface once per crate. What a component does not
//! call is dropped from its imports when it is linked.
//!
//! Nothing outside this crate names these types: a new version of the contract changes only this crate.
#![expect(
    missing_docs,
    unreachable_pub,
    reason = "generated code that passes values over the component boundary"
)]

/// Types and host interfaces.
pub mod host {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package sandgate:sdk;
            world host {
                import sandgate:plugin/types@0.1.0;
                import sandgate:plugin/log@0.1.0;
                import sandgate:plugin/progress@0.1.0;
                import sandgate:plugin/artifacts@0.1.0;
                import sandgate:plugin/command@0.1.0;
                import sandgate:plugin/model@0.1.0;
                import sandgate:plugin/budget@0.1.0;
                import sandgate:plugin/question@0.1.0;
            }
        ",
        world: "sandgate:sdk/host",
        pub_export_macro: true,
        generate_all,
    });
}

macro_rules! part {
    ($(#[$doc:meta])* $module:ident, $world:literal, $wit:literal) => {
        $(#[$doc])*
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                inline: $wit,
                world: $world,
                pub_export_macro: true,
                with: {
                    "sandgate:plugin/types@0.1.0": crate::bindings::host::sandgate::plugin::types,
                },
                generate_all,
            });
        }
    };
}

part!(
    /// What every plugin exports.
    describe,
    "sandgate:sdk/describe",
    "package sandgate:sdk; world describe { export sandgate:plugin/describing@0.1.0; }"
);
part!(
    /// What a planner exports besides.
    planner,
    "sandgate:sdk/planner",
    "package sandgate:sdk; world planner { export sandgate:plugin/planning@0.1.0; }"
);
part!(
    /// What an agent exports besides.
    agent,
    "sandgate:sdk/agent",
    "package sandgate:sdk; world agent { export sandgate:plugin/working@0.1.0; }"
);
part!(
    /// What a gate exports besides.
    gate,
    "sandgate:sdk/gate",
    "package sandgate:sdk; world gate { export sandgate:plugin/checking@0.1.0; }"
);
