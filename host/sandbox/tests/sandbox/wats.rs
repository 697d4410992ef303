//! Components written by hand, for what a Rust guest cannot do.

/// A gate whose core module is given as text and is instantiated; its exports have the right names and, except that
/// they take and return nothing, the right shape.
pub(crate) fn gate(module: &str) -> Vec<u8> {
    component(
        module,
        "
        (instance $describing (export \"describe\" (func $f)))
        (export \"sandgate:plugin/describing@0.1.0\" (instance $describing))
        (instance $checking (export \"check\" (func $f)))
        (export \"sandgate:plugin/checking@0.1.0\" (instance $checking))
        ",
    )
}

/// A component of one core module and what is made of its function `$f`.
pub(crate) fn component(module: &str, rest: &str) -> Vec<u8> {
    let text = format!(
        "(component
            (core module $m (func (export \"f\")) {module})
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i \"f\")))
            {rest}
        )"
    );
    wat::parse_str(text).unwrap()
}

/// A gate that imports an interface with one function.
pub(crate) fn importing(interface: &str) -> Vec<u8> {
    wat::parse_str(format!(
        "(component
            (import \"{interface}\" (instance (export \"f\" (func))))
            (core module $m (func (export \"f\")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i \"f\")))
            (instance $describing (export \"describe\" (func $f)))
            (export \"sandgate:plugin/describing@0.1.0\" (instance $describing))
            (instance $checking (export \"check\" (func $f)))
            (export \"sandgate:plugin/checking@0.1.0\" (instance $checking))
        )"
    ))
    .unwrap()
}
