//! Which models may be used. Must not know prices or providers' addresses.
