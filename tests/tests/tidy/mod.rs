//! Rules of the tree that no compiler holds: who may depend on whom, how long a file may be, which words do not
//! belong into the repository, which licences come in. Each rule is a function from text to complaints, and each
//! has a test that it bites. Needs no product binary and takes about a second.

mod adr;
mod codes;
mod layering;
mod licences;
mod links;
mod members;
mod metadata;
mod one_build;
mod spdx;
mod text;
mod tree;
