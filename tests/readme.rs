//! What the README shows is what the program does: its session, and the tour.

mod support;

use std::path::Path;

use support::Home;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("readable")
}

/// The session in README: after each `odps@ default>` statement stands what it prints.
#[test]
fn the_session_runs_as_shown() {
    let readme = read("README.md");
    let block = readme
        .split("```console\n")
        .nth(1)
        .and_then(|rest| rest.split("\n```").next());
    let lines: Vec<&str> = block.expect("a console block").lines().skip(1).collect();
    let prompt = "odps@ default>";
    let statements: String = lines
        .iter()
        .filter_map(|line| line.strip_prefix(prompt))
        .map(|statement| format!("{statement}\n"))
        .collect();
    let shown: String = lines
        .iter()
        .filter(|line| !line.starts_with(prompt))
        .map(|line| format!("{line}\n"))
        .collect();
    let home = Home::new();
    let run = home
        .run(&["--clock", "2026-01-01 09:00:00"], statements.as_bytes())
        .ok();
    assert_eq!(run.out, shown);
}

/// The tour can be taken twice on one warehouse.
#[test]
fn the_tour_runs_again_and_again() {
    let home = Home::new();
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/tour.sql");
    let arguments = ["--project", "tour", "-f", tour.to_str().expect("utf-8")];
    let first = home.run(&arguments, b"").ok();
    assert!(first.out.contains("orders_then") && first.out.contains("RESTORE"));
    home.run(&arguments, b"").ok();
}
