//! HELP.

use crate::ast::Name;

/// One statement form per line, with the words that find it.
const FORMS: &[(&str, &str)] = &[
    ("history", "show history for tables"),
    (
        "history",
        "show history for table <t> [('id'='<table id>')] [partition(<spec>) | partition('id'='<partition id>')] ...",
    ),
    ("restore undrop", "restore table <t>('id'='<table id>')"),
    (
        "restore lsn",
        "restore table <t> to LSN '<lsn>' [as <new table>]",
    ),
    (
        "restore undrop partition",
        "restore table <t> partition('id'='<partition id>') ...",
    ),
    (
        "restore lsn partition",
        "restore table <t> partition(<spec>) ... to LSN '<lsn>' [as <new table>]",
    ),
    (
        "retention project",
        "setproject odps.timemachine.retention.days=<0..30>",
    ),
    ("project", "setproject"),
    ("project", "use <project>"),
    ("settings", "set [<key>=<value>]"),
    (
        "table create",
        "create table [if not exists] <t> (<col> <type> [not null] [comment '..'], ..) [comment '..'] \
         [partitioned by (<col> <type>, ..)] [tblproperties ('k'='v', ..)] [lifecycle <days>]",
    ),
    ("table drop", "drop table [if exists] <t>"),
    ("table alter rename", "alter table <t> rename to <new name>"),
    (
        "table alter partition",
        "alter table <t> add [if not exists] partition(<spec>) ...",
    ),
    (
        "table alter drop partition",
        "alter table <t> drop [if exists] partition(<spec>), ...",
    ),
    (
        "insert",
        "insert into|overwrite [table] <t> [partition(<spec>)] [(<cols>)] values (..), (..) | select ..",
    ),
    ("select query", "select .."),
    (
        "show table",
        "show tables [in <project>] [like '<prefix>*']",
    ),
    (
        "show partition",
        "show|list|ls partitions <t> [partition(<spec>)]",
    ),
    ("table desc", "desc <t>"),
    ("client", "help [<word>], quit, exit"),
];

/// The statement forms, or those that `words` find best.
pub(super) fn text(words: &[Name]) -> String {
    let score = |(tags, form): &(&str, &str)| {
        words
            .iter()
            .filter(|word| tags.split(' ').any(|tag| tag == word.text) || form.contains(&word.text))
            .count()
    };
    let best = FORMS.iter().map(score).max().unwrap_or(0);
    let shown = FORMS
        .iter()
        .filter(|form| words.is_empty() || (best > 0 && score(form) == best));
    let lines: Vec<String> = shown.map(|(_, form)| format!("  {form};")).collect();
    match lines.is_empty() {
        true => "nothing is known of that; `help;` lists all statements".to_owned(),
        false => lines.join("\n"),
    }
}
