//! odpsh
pub mod catalog;
pub mod clock;
pub mod datatype;
pub mod error;
pub mod ids;
pub mod store;
pub mod plan;
pub mod exec;
pub mod timemachine;
pub mod auth;
pub mod engine;
pub mod ast;
pub mod parser;
