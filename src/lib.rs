//! odpsh
pub mod catalog;
pub mod clock;
pub mod datatype;
pub mod error;
pub mod ids;
pub mod store;
pub mod ast;
pub mod parser;
