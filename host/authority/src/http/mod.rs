//! Which requests may leave: one parse of a URL, rules, classes of addresses. Must not resolve or connect.
