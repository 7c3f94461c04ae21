//! odpsh beside a naive model that keeps a full copy of every version: in random programs, and after whatever can
//! happen to a process and a machine.
//!
//! After every step of a random program: the same tables and histories are listed, every listed version reads the same rows,
//! every unlisted one is refused, every count of holds is right; after a collection nothing is left but what
//! listed versions need, to the byte. After a crash at any operation: what was acknowledged is there, what was not
//! is wholly there or wholly absent, and all of the above.

mod check;
mod clock;
mod concurrent;
mod crash;
mod damage;
mod kinds;
mod machine;
mod model;
mod program;
mod random;
