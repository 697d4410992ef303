//! The exports of each role around one function. The contract itself, without the SDK, so that rules can be broken.

/// Exports an agent: `agent!("NAME", "WIT", [NEEDS], act)`: the world `guest` of package `test:guest` in WIT, what it asks
/// for, and a function that takes an [`crate::Order`] and gives a `Result<Value, String>`. What it asks for and can do
/// without stands in a second list: `agent!("NAME", "WIT", [NEEDS], optional [NEEDS], act)`.
#[macro_export]
macro_rules! agent {
    ($name:literal, $world:literal, [$($need:ident),*], $act:path) => {
        $crate::agent!($name, $world, [$($need),*], optional [], $act);
    };
    ($name:literal, $world:literal, [$($need:ident),*], optional [$($spare:ident),*], $act:path) => {
        mod bindings {
            wit_bindgen::generate!({
                path: "../../../wit",
                inline: $world,
                world: "test:guest/guest",
                generate_all,
            });
        }

        struct Plugin;

        impl bindings::exports::sandgate::plugin::describing::Guest for Plugin {
            fn describe() -> bindings::exports::sandgate::plugin::describing::Description {
                bindings::exports::sandgate::plugin::describing::Description {
                    name: $name.into(),
                    version: "0.1.0".into(),
                    summary: env!("CARGO_PKG_DESCRIPTION").into(),
                    needs: vec![
                        $(bindings::sandgate::plugin::types::Need {
                            kind: bindings::sandgate::plugin::types::NeedKind::$need,
                            reason: "to see whether it is kept from more".into(),
                            optional: false,
                        },)*
                        $(bindings::sandgate::plugin::types::Need {
                            kind: bindings::sandgate::plugin::types::NeedKind::$spare,
                            reason: "where an order uses it".into(),
                            optional: true,
                        },)*
                    ],
                    input_schema: None,
                    output_schema: None,
                    config_schema: Some("{}".into()),
                }
            }
        }

        impl bindings::exports::sandgate::plugin::working::Guest for Plugin {
            type Session = Plugin;
            fn open(
                _config: String,
            ) -> Result<
                bindings::exports::sandgate::plugin::working::Session,
                bindings::sandgate::plugin::types::PluginError,
            > {
                Ok(bindings::exports::sandgate::plugin::working::Session::new(
                    Plugin,
                ))
            }
        }

        impl bindings::exports::sandgate::plugin::working::GuestSession for Plugin {
            fn run(
                &self,
                task: bindings::exports::sandgate::plugin::working::Task,
            ) -> Result<
                bindings::exports::sandgate::plugin::working::TaskOutput,
                bindings::sandgate::plugin::types::PluginError,
            > {
                match $act(&$crate::Order::read(&task.input)) {
                    Ok(output) => Ok(bindings::exports::sandgate::plugin::working::TaskOutput {
                        output: output.to_string(),
                        charges: Vec::new(),
                    }),
                    Err(text) => {
                        Err(bindings::sandgate::plugin::types::PluginError::InvalidInput(text))
                    }
                }
            }
        }

        bindings::export!(Plugin with_types_in bindings);
    };
}

/// Exports a planner, as [`crate::agent!`]; the order is its configuration, the answer its rationale, and its plan is
/// one task without input for the first agent on offer.
#[macro_export]
macro_rules! planner {
    ($name:literal, $world:literal, [$($need:ident),*], $act:path) => {
        $crate::planner!($name, $world, [$($need),*], optional [], $act);
    };
    ($name:literal, $world:literal, [$($need:ident),*], optional [$($spare:ident),*], $act:path) => {
        mod bindings {
            wit_bindgen::generate!({
                path: "../../../wit",
                inline: $world,
                world: "test:guest/guest",
                generate_all,
            });
        }

        struct Plugin;

        impl bindings::exports::sandgate::plugin::describing::Guest for Plugin {
            fn describe() -> bindings::exports::sandgate::plugin::describing::Description {
                bindings::exports::sandgate::plugin::describing::Description {
                    name: $name.into(),
                    version: "0.1.0".into(),
                    summary: env!("CARGO_PKG_DESCRIPTION").into(),
                    needs: vec![
                        $(bindings::sandgate::plugin::types::Need {
                            kind: bindings::sandgate::plugin::types::NeedKind::$need,
                            reason: "to see whether it is kept from more".into(),
                            optional: false,
                        },)*
                        $(bindings::sandgate::plugin::types::Need {
                            kind: bindings::sandgate::plugin::types::NeedKind::$spare,
                            reason: "where an order uses it".into(),
                            optional: true,
                        },)*
                    ],
                    input_schema: None,
                    output_schema: None,
                    config_schema: Some("{}".into()),
                }
            }
        }

        impl bindings::exports::sandgate::plugin::planning::Guest for Plugin {
            fn plan(
                packet: bindings::exports::sandgate::plugin::planning::Packet,
                config: String,
            ) -> Result<
                bindings::exports::sandgate::plugin::planning::DraftPlan,
                bindings::sandgate::plugin::types::PluginError,
            > {
                let task = |agent: &bindings::exports::sandgate::plugin::planning::OfferedAgent| {
                    bindings::exports::sandgate::plugin::planning::DraftTask {
                        id: "told".into(),
                        title: "Told".into(),
                        agent: agent.name.clone(),
                        input: "{}".into(),
                        needs: Vec::new(),
                        consumes: Vec::new(),
                        produces: Vec::new(),
                    }
                };
                match $act(&$crate::Order::read(&config)) {
                    Ok(answer) => Ok(bindings::exports::sandgate::plugin::planning::DraftPlan {
                        tasks: packet.agents.first().map(task).into_iter().collect(),
                        rationale: answer.to_string(),
                    }),
                    Err(text) => {
                        Err(bindings::sandgate::plugin::types::PluginError::InvalidInput(text))
                    }
                }
            }

            fn replan(
                packet: bindings::exports::sandgate::plugin::planning::Packet,
                config: String,
                _report: String,
            ) -> Result<
                bindings::exports::sandgate::plugin::planning::DraftPlan,
                bindings::sandgate::plugin::types::PluginError,
            > {
                <Self as bindings::exports::sandgate::plugin::planning::Guest>::plan(packet, config)
            }
        }

        bindings::export!(Plugin with_types_in bindings);
    };
}

/// Exports a gate, as [`crate::agent!`]; the order is its configuration, the answer the message of its one check, which
/// passes.
#[macro_export]
macro_rules! gate {
    ($name:literal, $world:literal, [$($need:ident),*], $act:path) => {
        $crate::gate!($name, $world, [$($need),*], optional [], $act);
    };
    ($name:literal, $world:literal, [$($need:ident),*], optional [$($spare:ident),*], $act:path) => {
        mod bindings {
            wit_bindgen::generate!({
                path: "../../../wit",
                inline: $world,
                world: "test:guest/guest",
                generate_all,
            });
        }

        struct Plugin;

        impl bindings::exports::sandgate::plugin::describing::Guest for Plugin {
            fn describe() -> bindings::exports::sandgate::plugin::describing::Description {
                bindings::exports::sandgate::plugin::describing::Description {
                    name: $name.into(),
                    version: "0.1.0".into(),
                    summary: env!("CARGO_PKG_DESCRIPTION").into(),
                    needs: vec![
                        $(bindings::sandgate::plugin::types::Need {
                            kind: bindings::sandgate::plugin::types::NeedKind::$need,
                            reason: "to see whether it is kept from more".into(),
                            optional: false,
                        },)*
                        $(bindings::sandgate::plugin::types::Need {
                            kind: bindings::sandgate::plugin::types::NeedKind::$spare,
                            reason: "where an order uses it".into(),
                            optional: true,
                        },)*
                    ],
                    input_schema: None,
                    output_schema: None,
                    config_schema: Some("{}".into()),
                }
            }
        }

        impl bindings::exports::sandgate::plugin::checking::Guest for Plugin {
            fn check(
                _subject: bindings::exports::sandgate::plugin::checking::Subject,
                config: String,
            ) -> Result<
                Vec<bindings::exports::sandgate::plugin::checking::CheckLine>,
                bindings::sandgate::plugin::types::PluginError,
            > {
                use bindings::exports::sandgate::plugin::checking::{CheckLine, Verdict};
                match $act(&$crate::Order::read(&config)) {
                    Ok(answer) => Ok(vec![CheckLine {
                        name: "told".into(),
                        verdict: Verdict::Pass,
                        message: answer.to_string(),
                        duration_ms: None,
                    }]),
                    Err(text) => {
                        Err(bindings::sandgate::plugin::types::PluginError::InvalidInput(text))
                    }
                }
            }
        }

        bindings::export!(Plugin with_types_in bindings);
    };
}
