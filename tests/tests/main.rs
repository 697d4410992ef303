//! Whole-product tests: few, through the built binary, on real plugins; and `tidy`, which holds the rules of the
//! tree. Rules of one crate are tested in that crate, where it costs a hundredth.

#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod cli_basics;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_guests;
#[cfg(test)]
mod interrupt;
#[cfg(test)]
mod people;
#[cfg(test)]
mod tidy;
