//! odpsh: a local MaxCompute. One binary reads MaxCompute statements, keeps every change to every table
//! as a version, and brings any version back at once.
//!
//! # The life of a statement
//!
//! ```text
//! bytes -> splitter -> parser -> AST -> authorise -> plan -> execute -> Outcome -> render -> stdout
//!                                                     |         |
//!                                           catalog reads   engine (DataFusion) for rows
//!                                                           timemachine for versions
//!                                                           store for one atomic commit
//! ```
//! `Session::life_of` shows it on one screen. Terminal, `-e`, `-f` and pipe are feeders of it.
//!
//! # Who may know whom
//!
//! ```text
//! main -> cli -> repl -> runner -> session -> exec -> plan -> engine, auth, timemachine -> catalog -> store
//!                           \-> render            \-> parser -> ast      error, ids, clock, datatype, interrupt: anyone
//! ```
//!
//! What is not there holds the house together: only [`store`] names sled, bincode and the commit log;
//! only [`engine`] names DataFusion's planning; only [`repl`] names rustyline; only [`render`] names
//! comfy-table; only [`cli`] reads the environment and sets exit codes; no wall clock or random id
//! outside [`clock`]. Arrow's batches and schemas are the foreign types that travel.
//!
//! A newcomer opens this file, then [`session`] (the path above), [`timemachine`] (the rules) and
//! [`store`] (the bytes).

#![forbid(unsafe_code)]
// The pages are built with private items.
#![allow(rustdoc::private_intra_doc_links)]

/// Statements as plain data.
pub mod ast;
/// May this user do this to that object?
pub mod auth;
/// Projects, tables, partitions, versions.
pub mod catalog;
/// Arguments, batch modes, exit status.
pub mod cli;
/// Time and ids.
pub mod clock;
/// Column types.
pub mod datatype;
/// Queries, on DataFusion.
pub mod engine;
/// What a user sees when something fails.
pub mod error;
/// Plans carried out.
pub mod exec;
/// Newtypes for ids and positions.
pub mod ids;
/// Ctrl-C, as a state that a statement looks at.
pub mod interrupt;
/// Text to statements.
pub mod parser;
/// Names resolved.
pub mod plan;
/// Outcomes drawn.
pub mod render;
/// The terminal.
pub mod repl;
/// Statements run and answered for, one group of durable changes at a time.
pub mod runner;
/// The life of a statement.
pub mod session;
/// The bytes of a warehouse.
pub mod store;
/// The rules of history.
pub mod timemachine;
