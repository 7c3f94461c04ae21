//! HELP.

use crate::ast::Name;

/// One statement form per line, with the words that find it.
#[rustfmt::skip]
const FORMS: &[(&str, &str)] = &[
    ("history", "show history for tables"),
    ("history audit", "show history for table <t> [('id'='<table id>')] [partition(<spec>) | partition('id'='<partition id>')] ... [extended] [limit <n>]"),
    ("restore undrop", "restore table <t>[('id'='<table id>')] [as <new name>]"),
    ("restore lsn", "restore table <t> to LSN '<lsn>' [as <table>]"),
    ("restore undrop partition", "restore table <t> partition('id'='<partition id>') ..."),
    ("restore lsn partition", "restore table <t> partition(<spec>) ... to LSN '<lsn>' [as <table>]"),
    ("past version time travel", "select .. from <t> version as of <lsn> | timestamp as of '<time>'"),
    ("past changes incremental", "select .. from <t> version|timestamp between <from> and <to>"),
    ("retention project", "setproject odps.timemachine.retention.days=<0..30>"),
    ("retention table", "alter table <t> set tblproperties ('odps.timemachine.retention.days'='<0..30>')"),
    ("purge retention", "purge table <t> [<hours>], purge all [<hours>]"),
    ("recyclebin backups", "show recyclebin [in <project>]"),
    ("project", "setproject, use <project>"),
    ("settings", "set [<key>=<value>], show flags"),
    ("table create", "create table [if not exists] <t> (<col> <type> [not null] [default <value>] [comment '..'], ..) [comment '..'] [partitioned by (<col> <type>, ..)] [tblproperties ('k'='v', ..)] [lifecycle <days>]"),
    ("table create", "create table <t> as select .., create table <t> like <other>"),
    ("view create drop", "create [or replace] view <v> [(<cols>)] as select .., drop view [if exists] <v>, show views"),
    ("table clone", "clone table <t> [partition(<spec>), ..] to <other> [if exists overwrite|ignore]"),
    ("table drop", "drop table [if exists] <t> [purge]"),
    ("table truncate", "truncate table <t> [partition(<spec>), ..]"),
    ("table alter rename", "alter table <t> rename to <new name>"),
    ("table alter column", "alter table <t> add columns (..) | drop columns <cols> | change column <col> .. | rename column <a> to <b>"),
    ("table alter lifecycle", "alter table <t> set lifecycle <days>, alter table <t> [partition(<spec>)] enable|disable lifecycle, alter table <t> touch [partition(<spec>)]"),
    ("table alter properties", "alter table <t> set comment '..' | set tblproperties ('k'='v', ..) | unset tblproperties ('k', ..) | changeowner to '..'"),
    ("table alter partition", "alter table <t> add [if not exists] partition(<spec>) ..."),
    ("table alter drop partition", "alter table <t> drop [if exists] partition(<spec or condition>), .. [purge]"),
    ("table alter partition", "alter table <t> partition(<spec>) rename to partition(<spec>)"),
    ("table alter merge partition", "alter table <t> merge partition(<spec>), .. overwrite partition(<spec>) [purge], alter table <t> merge smallfiles"),
    ("insert", "insert into|overwrite [table] <t> [partition(<spec>)] [(<cols>)] values (..), (..) | select .."),
    ("insert multi", "from <t> insert into|overwrite table <a> select .. insert into|overwrite table <b> select .."),
    ("load insert", "load into|overwrite table <t> [partition(<spec>)] from location '<path>' stored as parquet|csv"),
    ("update delete merge", "update <t> set <col> = .. [where ..], delete from <t> [where ..], merge into <t> using <s> on .. when [not] matched .."),
    ("select query", "select .., with .. select .., explain select .."),
    ("show table", "show tables [in <project>] [like '<prefix>*'], show create table <t>, show columns from <t>, show tblproperties <t>"),
    ("show partition", "show|list|ls partitions <t> [partition(<spec>)]"),
    ("table desc", "desc [extended] <t> [partition(<spec>)]"),
    ("function", "show functions [like '..'], desc function <f>"),
    ("user", "add user <u> [with secret '..'], alter user <u> set secret '..', remove user <u>, list users, whoami"),
    ("role", "create role <r>, drop role <r>, grant <r> to <u>, revoke <r> from <u>, list roles, describe role <r>, show principals <r>"),
    ("grant privilege", "grant|revoke <actions> on table <t> | project <p> to|from user <u> | role <r>"),
    ("grant privilege", "show grants [for user <u> | for role <r>], show acl for <t>"),
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
