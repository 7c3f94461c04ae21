//! The terminal, through a real one.

mod support;

use rexpect::session::{PtySession, spawn_command};
use support::Home;

const TIMEOUT_MS: u64 = 60_000;
const PROMPT: &str = "odps@ default>";

fn start(home: &Home, arguments: &[&str]) -> PtySession {
    let mut session =
        spawn_command(home.command(arguments), Some(TIMEOUT_MS)).expect("the program starts");
    session.exp_string(PROMPT).expect("a prompt");
    session
}

fn leave(mut session: PtySession) {
    session.send_control('d').expect("sent");
    session.exp_eof().expect("Ctrl-D leaves");
}

#[test]
fn statements_over_several_lines_have_a_continuation_prompt() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    session.send_line("create table t").expect("sent");
    session.exp_string("->").expect("a continuation prompt");
    session.send_line("(a string);").expect("sent");
    session.exp_string("OK").expect("done");
    session.exp_string(PROMPT).expect("a prompt");
    session
        .send_line("insert into t values ('a;b'); select * from t;")
        .expect("sent");
    session.exp_string("| a;b |").expect("the row");
    session.exp_string(PROMPT).expect("a prompt");
    leave(session);
}

#[test]
fn ctrl_c_clears_the_entry_and_a_mistake_keeps_the_session() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    session.send_line("select 'never").expect("sent");
    session.exp_string("->").expect("a continuation prompt");
    session.send_control('c').expect("sent");
    session.exp_string(PROMPT).expect("a prompt");
    session.send_line("selec 1;").expect("sent");
    session
        .exp_string("invalid token 'selec'")
        .expect("an error");
    session.exp_string(PROMPT).expect("a prompt");
    session.send_line("select 40 + 2 as n;").expect("sent");
    session.exp_string("| 42 |").expect("the row");
    session.send_line("exit").expect("sent");
    session.exp_eof().expect("exit leaves");
}

#[test]
fn a_drop_asks_first() {
    let home = Home::new();
    home.sql("create table t (a string); create table p (a string) partitioned by (ds string);");
    home.sql("alter table p add partition (ds='1');");
    let mut session = start(&home, &[]);
    session.send_line("drop table t;").expect("sent");
    session
        .exp_string("Confirm to \"drop table t;\" (yes/no)? ")
        .expect("the question");
    session.send_line("maybe").expect("sent");
    session.exp_string("(yes/no)? ").expect("asked again");
    session.send_line("no").expect("sent");
    session.exp_string(PROMPT).expect("a prompt");
    session
        .send_line("alter table p drop partition (ds='1');")
        .expect("sent");
    session
        .exp_string("Confirm to \"alter table p drop partition (ds='1');\" (yes/no)? ")
        .expect("the question");
    session.send_line("YES").expect("sent");
    session.exp_string("OK").expect("done");
    leave(session);
    assert_eq!(
        home.sql("show tables; show partitions p;"),
        "ALIYUN$owner:p\nALIYUN$owner:t\n"
    );
    let mut session = start(&home, &["--yes"]);
    session.send_line("drop table t;").expect("sent");
    session.exp_string("OK").expect("not asked");
    leave(session);
}

#[test]
fn ctrl_c_cancels_a_running_query() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    session
        .send_line("select count(*) from odpsh_generate_series(1, 200000) a, odpsh_generate_series(1, 200000) b where a.value * b.value % 7 = 3;")
        .expect("sent");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    session.send_control('c').expect("sent");
    session
        .exp_string("ODPS-0120031:Instance has been cancelled")
        .expect("cancelled");
    session.exp_string(PROMPT).expect("a prompt");
    session.send_line("select 1 as still_here;").expect("sent");
    session
        .exp_string("| 1          |")
        .expect("the session goes on");
    leave(session);
}

#[test]
fn history_is_kept_between_sessions() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    session.send_line("select 12345 as n;").expect("sent");
    session.exp_string("| 12345 |").expect("the row");
    session.exp_string(PROMPT).expect("a prompt");
    leave(session);
    let history =
        std::fs::read_to_string(home.path().join(".odpsh/history")).expect("a history file");
    assert!(history.contains("select 12345 as n;"), "{history}");
    let mut session = start(&home, &[]);
    session.send("\x1b[A\r").expect("sent: arrow up, enter");
    session.flush().expect("sent");
    session.exp_string("| 12345 |").expect("the row again");
    leave(session);
}

#[test]
fn lines_typed_ahead_all_run() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    // At once, without brackets, as a paste into an old terminal comes.
    let lines: String = (1..=60).map(|n| format!("select 'l{n}' as c;\n")).collect();
    session.send(&lines).expect("sent");
    session.flush().expect("sent");
    for n in 1..=60 {
        let row = format!("| l{n} ");
        session
            .exp_string(&row)
            .unwrap_or_else(|e| panic!("{row}: {e}"));
    }
    leave(session);
}

#[test]
fn lines_typed_during_a_query_run_after_it() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    session
        .send_line("select count(*) as n from odpsh_generate_series(1, 3000) a, odpsh_generate_series(1, 3000) b where a.value * b.value % 7 = 3;")
        .expect("sent");
    std::thread::sleep(std::time::Duration::from_millis(200));
    for n in 1..=5 {
        session
            .send_line(&format!("select 'k{n}' as c;"))
            .expect("sent");
    }
    for n in 1..=5 {
        session.exp_string(&format!("| k{n} |")).expect("the row");
    }
    leave(session);
}

#[test]
fn ctrl_c_ends_the_printing_of_rows_and_nothing_later() {
    for format in ["table", "csv", "json"] {
        let home = Home::new();
        home.sql("create table keep (a bigint);");
        let mut session = start(&home, &["--format", format]);
        session
            .send_line(
                "select value as v, concat('se', 'en') as s from odpsh_generate_series(1, 300000);",
            )
            .expect("sent");
        session.exp_string("seen").expect("the first rows");
        session.send_control('c').expect("sent");
        let before = session
            .exp_string("ODPS-0120031:Instance has been cancelled")
            .expect("cancelled");
        assert!(
            !before.contains("300000"),
            "{format}: all of {} bytes were printed after Ctrl-C",
            before.len()
        );
        session.exp_string(PROMPT).expect("a prompt");
        session
            .send_line("insert into keep values (7); select a + 35 as n from keep;")
            .expect("sent");
        session.exp_string("42").expect("the row");
        leave(session);
    }
}

#[test]
fn an_entry_is_kept_though_the_window_is_closed() {
    let home = Home::new();
    let mut session = start(&home, &[]);
    session.send_line("select 'survives' as c;").expect("sent");
    session.exp_string("| survives |").expect("the row");
    session.exp_string(PROMPT).expect("a prompt");
    session
        .process_mut()
        .kill(rexpect::process::Signal::SIGKILL)
        .expect("killed");
    let history =
        std::fs::read_to_string(home.path().join(".odpsh/history")).expect("a history file");
    assert!(history.contains("select 'survives' as c;"), "{history}");
}

#[test]
fn a_redirected_stdout_gets_results_alone() {
    for term in ["xterm", "dumb"] {
        let home = Home::new();
        let out = home.path().join("out.txt");
        let program = env!("CARGO_BIN_EXE_odpsh");
        let mut command = std::process::Command::new("sh");
        let template = home.command(&[]);
        command.env_clear();
        for (key, value) in template.get_envs() {
            if let Some(value) = value {
                command.env(key, value);
            }
        }
        command.env("TERM", term);
        command
            .arg("-c")
            .arg(format!("{program} > {}", out.display()));
        let mut session = spawn_command(command, Some(TIMEOUT_MS)).expect("the program starts");
        session
            .exp_string(PROMPT)
            .expect("a prompt on the terminal");
        session.send_line("select 1 as a;").expect("sent");
        session.exp_string("rows: 1").expect("done");
        session
            .exp_string(PROMPT)
            .expect("a prompt on the terminal");
        session.send_line("drop table if exists t;").expect("sent");
        session
            .exp_string("(yes/no)? ")
            .expect("a question on the terminal");
        session.send_line("no").expect("sent");
        session
            .exp_string(PROMPT)
            .expect("a prompt on the terminal");
        leave(session);
        let seen = std::fs::read_to_string(&out).expect("the file");
        assert_eq!(seen, "+---+\n| a |\n+---+\n| 1 |\n+---+\n", "TERM={term}");
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_another_process() {
    let home = Home::new();
    let mut holder = start(&home, &[]);
    holder
        .send_line("create table t (a bigint);")
        .expect("sent");
    holder.exp_string("OK").expect("done");
    holder.exp_string(PROMPT).expect("a prompt");

    // At the start there is no session yet to go on with.
    let command = home.command(&["--lock-timeout", "600"]);
    let mut starting = spawn_command(command, Some(TIMEOUT_MS)).expect("the program starts");
    starting.exp_string("waiting for").expect("it waits");
    starting.send_control('c').expect("sent");
    starting.exp_eof().expect("Ctrl-C leaves");
    leave(holder);

    let reader = start(&home, &[]);
    let mut inside = start(&home, &["--lock-timeout", "600"]);
    inside.send_line("insert into t values (1);").expect("sent");
    inside.exp_string("waiting for").expect("it waits");
    inside.send_control('c').expect("sent");
    inside
        .exp_string("ODPS-0120031:Instance has been cancelled")
        .expect("cancelled");
    inside.exp_string(PROMPT).expect("a prompt");
    leave(reader);
    inside.send_line("insert into t values (2);").expect("sent");
    inside.exp_string("OK").expect("nobody is in the way");
    leave(inside);
    assert_eq!(
        home.sql("select * from t;"),
        "+---+\n| a |\n+---+\n| 2 |\n+---+\n"
    );
}
