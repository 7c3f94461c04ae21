//! Prints statements as SQL that parses to the same statement.

use std::fmt::{self, Display, Formatter, Write};

use super::*;

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text.replace('`', "``"))
    }
}

impl Display for ObjectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(project) = &self.project {
            write!(f, "{project}.")?;
        }
        write!(f, "{}", self.name)
    }
}

/// A text as a string literal.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for c in self.0.chars() {
            match c {
                '\'' => f.write_str("\\'")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('\'')
    }
}

/// Items with a separator between them.
fn list<T: Display>(
    f: &mut Formatter<'_>,
    separator: &str,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

fn when(condition: bool, text: &'static str) -> &'static str {
    if condition { text } else { "" }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateTable(create) => write!(f, "{create}"),
            Self::DropTable {
                table,
                if_exists,
                purge,
            } => {
                let condition = when(*if_exists, "IF EXISTS ");
                write!(f, "DROP TABLE {condition}{table}{}", when(*purge, " PURGE"))
            }
            Self::CreateTableLike(like) => {
                write!(
                    f,
                    "CREATE TABLE {}{} LIKE {}",
                    when(like.if_not_exists, "IF NOT EXISTS "),
                    like.table,
                    like.source
                )?;
                properties(f, &like.properties)?;
                lifecycle(f, like.lifecycle_days)
            }
            Self::CreateView(create) => write!(f, "{create}"),
            Self::DropView { view, if_exists } => {
                write!(f, "DROP VIEW {}{view}", when(*if_exists, "IF EXISTS "))
            }
            Self::AlterTable(alter) => write!(f, "{alter}"),
            Self::AlterView(alter) => {
                write!(f, "ALTER VIEW {} ", alter.view)?;
                match &alter.action {
                    ViewAction::Rename(name) => write!(f, "RENAME TO {name}"),
                    ViewAction::ChangeOwner(owner) => {
                        write!(f, "CHANGEOWNER TO {}", Quoted(owner))
                    }
                    ViewAction::SetComment(text) => {
                        write!(f, "SET TBLPROPERTIES ('comment'={})", Quoted(text))
                    }
                    ViewAction::CommentColumn { column, comment } => {
                        write!(f, "CHANGE COLUMN {column} COMMENT {}", Quoted(comment))
                    }
                    ViewAction::As(query) => write!(f, "AS {query}"),
                }
            }
            Self::Truncate { table, specs } => {
                write!(f, "TRUNCATE TABLE {table}")?;
                if !specs.is_empty() {
                    f.write_char(' ')?;
                }
                list(f, ", ", specs)
            }
            Self::CloneTable(clone) => {
                write!(f, "CLONE TABLE {}", clone.source)?;
                for (number, spec) in clone.specs.iter().enumerate() {
                    write!(f, "{} {spec}", if number > 0 { "," } else { "" })?;
                }
                write!(f, " TO {}", clone.target)?;
                match clone.if_exists {
                    Some(CloneMode::Overwrite) => f.write_str(" IF EXISTS OVERWRITE"),
                    Some(CloneMode::Ignore) => f.write_str(" IF EXISTS IGNORE"),
                    None => Ok(()),
                }
            }
            Self::MultiInsert(multi) => {
                for (number, (target, query)) in multi.branches.iter().enumerate() {
                    let mut fragments = query.fragments.iter();
                    let shared = fragments.next();
                    if let (0, Some(shared)) = (number, shared) {
                        write!(f, "{}", shared.text)?;
                    }
                    write!(f, " {target}")?;
                    fragments.try_for_each(|own| write!(f, " {}", own.text))?;
                }
                Ok(())
            }
            Self::Load(load) => {
                let mode = if load.overwrite { "OVERWRITE" } else { "INTO" };
                write!(f, "LOAD {mode} TABLE {}", load.table)?;
                if let Some(spec) = &load.partition {
                    write!(f, " {spec}")?;
                }
                let format = match load.format {
                    FileFormat::Parquet => "PARQUET",
                    FileFormat::Csv => "CSV",
                };
                write!(
                    f,
                    " FROM LOCATION {} STORED AS {format}",
                    Quoted(&load.location)
                )?;
                if load.properties.is_empty() {
                    return Ok(());
                }
                f.write_str(" PROPERTIES (")?;
                pairs(f, &load.properties)?;
                f.write_char(')')
            }
            Self::Update(update) => {
                write!(f, "UPDATE {}", update.table)?;
                alias(f, &update.alias)?;
                f.write_str(" SET ")?;
                assignments(f, &update.assignments)?;
                if !update.from.is_empty() {
                    f.write_str(" FROM ")?;
                    list(f, ", ", update.from.iter().map(|from| &from.text))?;
                }
                condition(f, &update.condition)
            }
            Self::Delete(delete) => {
                write!(f, "DELETE FROM {}", delete.table)?;
                alias(f, &delete.alias)?;
                condition(f, &delete.condition)
            }
            Self::Merge(merge) => write!(f, "{merge}"),
            Self::Explain(query) => write!(f, "EXPLAIN {query}"),
            Self::Insert(insert) => write!(f, "{insert}"),
            Self::Query(query) => write!(f, "{query}"),
            Self::Read(read) => {
                write!(f, "READ {}", read.table)?;
                if !read.columns.is_empty() {
                    f.write_str(" (")?;
                    list(f, ", ", &read.columns)?;
                    f.write_char(')')?;
                }
                if let Some(partition) = &read.partition {
                    write!(f, " {partition}")?;
                }
                match read.rows {
                    Some(rows) => write!(f, " {rows}"),
                    None => Ok(()),
                }
            }
            Self::Analyze(analyze) => {
                write!(f, "ANALYZE TABLE {}", analyze.table)?;
                if let Some(partition) = &analyze.partition {
                    write!(f, " {partition}")?;
                }
                f.write_str(" COMPUTE STATISTICS")?;
                if let Some(columns) = &analyze.columns {
                    f.write_str(" FOR COLUMNS")?;
                    if !columns.is_empty() {
                        f.write_str(" (")?;
                        list(f, ", ", columns)?;
                        f.write_char(')')?;
                    }
                }
                Ok(())
            }
            Self::ShowHistoryForTables => f.write_str("SHOW HISTORY FOR TABLES"),
            Self::ShowHistory(show) => {
                write!(f, "SHOW HISTORY FOR TABLE {}", show.table)?;
                show.parts
                    .iter()
                    .try_for_each(|part| write!(f, " {part}"))?;
                f.write_str(when(show.extended, " EXTENDED"))?;
                match show.limit {
                    Some(limit) => write!(f, " LIMIT {limit}"),
                    None => Ok(()),
                }
            }
            Self::Access(access) => write!(f, "{access}"),
            Self::PurgeTable { table, hours } => {
                write!(f, "PURGE TABLE {table}")?;
                hours.iter().try_for_each(|hours| write!(f, " {hours}"))
            }
            Self::PurgeAll { hours } => {
                f.write_str("PURGE ALL")?;
                hours.iter().try_for_each(|hours| write!(f, " {hours}"))
            }
            Self::ShowRecycleBin { project } => {
                f.write_str("SHOW RECYCLEBIN")?;
                let mut project = project.iter();
                project.try_for_each(|project| write!(f, " FROM {project}"))
            }
            Self::Restore(restore) => write!(f, "{restore}"),
            Self::ShowProject => f.write_str("SETPROJECT"),
            Self::SetProject(settings) => {
                f.write_str("SETPROJECT ")?;
                list(f, " ", settings)
            }
            Self::ShowSettings => f.write_str("SET"),
            Self::Set(setting) => write!(f, "SET {setting}"),
            Self::UseProject(name) => write!(f, "USE {name}"),
            Self::ShowTables { project, pattern } => {
                f.write_str("SHOW TABLES")?;
                if let Some(project) = project {
                    write!(f, " IN {project}")?;
                }
                match pattern {
                    Some(pattern) => write!(f, " LIKE {}", Quoted(pattern)),
                    None => Ok(()),
                }
            }
            Self::ShowPartitions { table, spec } => {
                write!(f, "SHOW PARTITIONS {table}")?;
                match spec {
                    Some(spec) => write!(f, " {spec}"),
                    None => Ok(()),
                }
            }
            Self::ShowViews { project, pattern } => {
                f.write_str("SHOW VIEWS")?;
                if let Some(project) = project {
                    write!(f, " IN {project}")?;
                }
                match pattern {
                    Some(pattern) => write!(f, " LIKE {}", Quoted(pattern)),
                    None => Ok(()),
                }
            }
            Self::ShowColumns(table) => write!(f, "SHOW COLUMNS FROM {table}"),
            Self::ShowCreateTable(table) => write!(f, "SHOW CREATE TABLE {table}"),
            Self::ShowProperties(table) => write!(f, "SHOW TBLPROPERTIES {table}"),
            Self::ShowFunctions { pattern } => {
                f.write_str("SHOW FUNCTIONS")?;
                match pattern {
                    Some(pattern) => write!(f, " LIKE {}", Quoted(pattern)),
                    None => Ok(()),
                }
            }
            Self::Describe(describe) => {
                let extended = when(describe.extended, "EXTENDED ");
                write!(f, "DESC {extended}{}", describe.table)?;
                match &describe.spec {
                    Some(spec) => write!(f, " {spec}"),
                    None => Ok(()),
                }
            }
            Self::DescribeFunction(name) => write!(f, "DESC FUNCTION {name}"),
            Self::Help(words) => {
                f.write_str("HELP")?;
                words.iter().try_for_each(|word| write!(f, " {word}"))
            }
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

fn pairs(f: &mut Formatter<'_>, pairs: &[(String, String)]) -> fmt::Result {
    let shown = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", Quoted(key), Quoted(value)));
    list(f, ", ", shown)
}

fn properties(f: &mut Formatter<'_>, properties: &[(String, String)]) -> fmt::Result {
    if properties.is_empty() {
        return Ok(());
    }
    f.write_str(" TBLPROPERTIES (")?;
    pairs(f, properties)?;
    f.write_char(')')
}

fn lifecycle(f: &mut Formatter<'_>, days: Option<u32>) -> fmt::Result {
    match days {
        Some(days) => write!(f, " LIFECYCLE {days}"),
        None => Ok(()),
    }
}

fn comment(f: &mut Formatter<'_>, comment: &Option<String>) -> fmt::Result {
    match comment {
        Some(comment) => write!(f, " COMMENT {}", Quoted(comment)),
        None => Ok(()),
    }
}

fn alias(f: &mut Formatter<'_>, alias: &Option<Name>) -> fmt::Result {
    match alias {
        Some(alias) => write!(f, " AS {alias}"),
        None => Ok(()),
    }
}

fn assignments(f: &mut Formatter<'_>, assignments: &[(Name, Fragment)]) -> fmt::Result {
    let shown = assignments
        .iter()
        .map(|(column, value)| format!("{column} = {}", value.text));
    list(f, ", ", shown)
}

fn condition(f: &mut Formatter<'_>, condition: &Option<Fragment>) -> fmt::Result {
    match condition {
        Some(condition) => write!(f, " WHERE {}", condition.text),
        None => Ok(()),
    }
}

impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let if_not_exists = when(self.if_not_exists, "IF NOT EXISTS ");
        let or_replace = when(self.or_replace, "OR REPLACE ");
        write!(f, "CREATE {or_replace}TABLE {if_not_exists}{}", self.table)?;
        if self.query.is_none() {
            f.write_str(" (")?;
            list(f, ", ", &self.columns)?;
            if !self.primary_key.is_empty() {
                f.write_str(", PRIMARY KEY (")?;
                list(f, ", ", &self.primary_key)?;
                f.write_char(')')?;
            }
            f.write_char(')')?;
        }
        comment(f, &self.comment)?;
        if !self.partition_columns.is_empty() {
            f.write_str(" PARTITIONED BY (")?;
            list(f, ", ", &self.partition_columns)?;
            f.write_char(')')?;
        }
        if let Some(clustering) = &self.clustering {
            write!(f, " {clustering}")?;
        }
        properties(f, &self.properties)?;
        lifecycle(f, self.lifecycle_days)?;
        match &self.query {
            Some(query) => write!(f, " AS {query}"),
            None => Ok(()),
        }
    }
}

impl Display for CreateView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let or_replace = when(self.or_replace, "OR REPLACE ");
        let if_not_exists = when(self.if_not_exists, "IF NOT EXISTS ");
        write!(f, "CREATE {or_replace}VIEW {if_not_exists}{}", self.view)?;
        if !self.columns.is_empty() {
            f.write_str(" (")?;
            for (number, (name, text)) in self.columns.iter().enumerate() {
                write!(f, "{}{name}", if number > 0 { ", " } else { "" })?;
                comment(f, text)?;
            }
            f.write_char(')')?;
        }
        comment(f, &self.comment)?;
        write!(f, " AS {}", self.query)
    }
}

impl Display for Merge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "MERGE INTO {}", self.table)?;
        alias(f, &self.alias)?;
        f.write_str(" USING ")?;
        list(f, ", ", self.source.iter().map(|source| &source.text))?;
        alias(f, &self.source_alias)?;
        write!(f, " ON {}", self.condition.text)?;
        for branch in &self.branches {
            f.write_str(match branch.matching {
                Matching::Both => " WHEN MATCHED",
                Matching::SourceAlone => " WHEN NOT MATCHED",
                Matching::TargetAlone => " WHEN NOT MATCHED BY SOURCE",
            })?;
            if let Some(condition) = &branch.condition {
                write!(f, " AND {}", condition.text)?;
            }
            match &branch.action {
                MergeAction::Update(pairs) => {
                    f.write_str(" THEN UPDATE SET ")?;
                    assignments(f, pairs)?;
                }
                MergeAction::UpdateAll => f.write_str(" THEN UPDATE SET *")?,
                MergeAction::Delete => f.write_str(" THEN DELETE")?,
                MergeAction::InsertAll => f.write_str(" THEN INSERT *")?,
                MergeAction::Insert { columns, values } => {
                    f.write_str(" THEN INSERT")?;
                    if let Some(columns) = columns {
                        f.write_str(" (")?;
                        list(f, ", ", columns)?;
                        f.write_char(')')?;
                    }
                    f.write_str(" VALUES (")?;
                    list(f, ", ", values.iter().map(|value| &value.text))?;
                    f.write_char(')')?;
                }
            }
        }
        Ok(())
    }
}

impl Display for AlterTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ALTER TABLE {} ", self.table)?;
        let spec = |f: &mut Formatter<'_>, spec: &Option<PartitionSpec>| match spec {
            Some(spec) => write!(f, "{spec} "),
            None => Ok(()),
        };
        match &self.action {
            AlterAction::Rename(name) => write!(f, "RENAME TO {name}"),
            AlterAction::SetComment(text) => write!(f, "SET COMMENT {}", Quoted(text)),
            AlterAction::SetLifecycle(days) => write!(f, "SET LIFECYCLE {days}"),
            AlterAction::SetProperties(properties) => {
                f.write_str("SET TBLPROPERTIES (")?;
                pairs(f, properties)?;
                f.write_char(')')
            }
            AlterAction::UnsetProperties(keys) => {
                f.write_str("UNSET TBLPROPERTIES (")?;
                list(f, ", ", keys.iter().map(|key| Quoted(key)))?;
                f.write_char(')')
            }
            AlterAction::ChangeOwner(owner) => write!(f, "CHANGEOWNER TO {}", Quoted(owner)),
            AlterAction::Touch(None) => f.write_str("TOUCH"),
            AlterAction::Touch(Some(spec)) => write!(f, "TOUCH {spec}"),
            AlterAction::Lifecycle { spec: of, enabled } => {
                spec(f, of)?;
                let word = if *enabled { "ENABLE" } else { "DISABLE" };
                write!(f, "{word} LIFECYCLE")
            }
            AlterAction::AddColumns {
                if_not_exists,
                columns,
            } => {
                let condition = when(*if_not_exists, "IF NOT EXISTS ");
                write!(f, "ADD COLUMNS {condition}(")?;
                for (number, (column, at)) in columns.iter().enumerate() {
                    write!(f, "{}{column}", if number > 0 { ", " } else { "" })?;
                    place(f, at)?;
                }
                f.write_char(')')
            }
            AlterAction::DropColumns(names) => {
                f.write_str("DROP COLUMNS (")?;
                list(f, ", ", names)?;
                f.write_char(')')
            }
            AlterAction::ReplaceColumns(columns) => {
                f.write_str("REPLACE COLUMNS (")?;
                list(f, ", ", columns)?;
                f.write_char(')')
            }
            AlterAction::ChangeColumn(change) => write!(f, "{change}"),
            AlterAction::AddPartitions {
                if_not_exists,
                specs,
            } => {
                write!(f, "ADD {}", when(*if_not_exists, "IF NOT EXISTS "))?;
                list(f, " ", specs)
            }
            AlterAction::DropPartitions {
                if_exists,
                filters,
                purge,
            } => {
                write!(f, "DROP {}", when(*if_exists, "IF EXISTS "))?;
                list(f, ", ", filters)?;
                f.write_str(when(*purge, " PURGE"))
            }
            AlterAction::RenamePartition { from, to } => write!(f, "{from} RENAME TO {to}"),
            AlterAction::MergePartitions {
                if_exists,
                filters,
                target,
                purge,
            } => {
                write!(f, "MERGE {}", when(*if_exists, "IF EXISTS "))?;
                list(f, ", ", filters)?;
                write!(f, " OVERWRITE {target}{}", when(*purge, " PURGE"))
            }
            AlterAction::MergeSmallFiles(of) => {
                spec(f, of)?;
                f.write_str("MERGE SMALLFILES")
            }
            AlterAction::Compact { spec: of, major } => {
                spec(f, of)?;
                write!(f, "COMPACT {}", if *major { "MAJOR" } else { "MINOR" })
            }
            AlterAction::NotClustered => f.write_str("NOT CLUSTERED"),
        }
    }
}

fn place(f: &mut Formatter<'_>, place: &Option<ColumnPlace>) -> fmt::Result {
    match place {
        Some(ColumnPlace::First) => f.write_str(" FIRST"),
        Some(ColumnPlace::After(column)) => write!(f, " AFTER {column}"),
        None => Ok(()),
    }
}

impl Display for ColumnChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CHANGE COLUMN {}", self.column)?;
        match (&self.new_name, &self.data_type) {
            (Some(name), Some(data_type)) => {
                write!(f, " {name} {data_type}")?;
                comment(f, &self.comment)?;
                place(f, &self.place)
            }
            (Some(name), None) => write!(f, " RENAME TO {name}"),
            (None, _) => match self.nullable {
                Some(true) => f.write_str(" NULL"),
                Some(false) => f.write_str(" NOT NULL"),
                None => comment(f, &self.comment),
            },
        }
    }
}

impl Display for PartitionFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(spec) => write!(f, "{spec}"),
            Self::Conditions { conditions, .. } => {
                f.write_str("PARTITION (")?;
                list(f, ", ", conditions.iter().map(|condition| &condition.text))?;
                f.write_char(')')
            }
        }
    }
}

impl Display for ColumnDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}{}",
            self.name,
            self.data_type,
            when(!self.nullable, " NOT NULL")
        )?;
        if let Some(default) = &self.default {
            write!(f, " DEFAULT {default}")?;
        }
        comment(f, &self.comment)
    }
}

impl Display for PartitionSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PARTITION (")?;
        list(
            f,
            ", ",
            self.values
                .iter()
                .map(|(name, value)| format!("{name}={}", Quoted(value))),
        )?;
        f.write_char(')')
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(spec) => write!(f, "{spec}"),
            Self::Id { id, .. } => write!(f, "PARTITION ('id'='{id}')"),
        }
    }
}

impl Display for TableRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "{}('id'='{id}')", self.table),
            None => write!(f, "{}", self.table),
        }
    }
}

impl Display for Restore {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "RESTORE TABLE {}", self.source)?;
        self.parts
            .iter()
            .try_for_each(|part| write!(f, " {part}"))?;
        if let Some(lsn) = self.lsn {
            write!(f, " TO LSN '{lsn}'")?;
        }
        match &self.new_name {
            Some(name) => write!(f, " AS {name}"),
            None => Ok(()),
        }
    }
}

impl Display for InsertSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PARTITION (")?;
        let values = self.values.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={}", Quoted(value)),
            None => name.to_string(),
        });
        list(f, ", ", values)?;
        f.write_char(')')
    }
}

impl Display for InsertTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = if self.overwrite { "OVERWRITE" } else { "INTO" };
        write!(f, "INSERT {mode} TABLE {}", self.table)?;
        if let Some(spec) = &self.partition {
            write!(f, " {spec}")?;
        }
        f.write_str(when(self.if_not_exists, " IF NOT EXISTS"))?;
        if let Some(columns) = &self.columns {
            f.write_str(" (")?;
            list(f, ", ", columns)?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

impl Display for Insert {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.target)?;
        match &self.source {
            Source::Query(query) => write!(f, " {query}"),
            Source::Literals { rows, .. } => {
                f.write_str(" VALUES ")?;
                for (number, row) in rows.iter().enumerate() {
                    f.write_str(if number > 0 { ", (" } else { "(" })?;
                    list(f, ", ", row)?;
                    f.write_char(')')?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        list(f, " ", self.fragments.iter().map(|fragment| &fragment.text))
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean(true) => f.write_str("TRUE"),
            Self::Boolean(false) => f.write_str("FALSE"),
            Self::Integer(text) => f.write_str(text),
            Self::Double(text) if text.contains(['.', 'e']) => f.write_str(text),
            Self::Double(text) => write!(f, "{text}D"),
            Self::Float(text) => write!(f, "{text}F"),
            Self::Decimal(text) => write!(f, "{text}BD"),
            Self::String(text) => write!(f, "{}", Quoted(text)),
            Self::Date(text) => write!(f, "DATE{}", Quoted(text)),
            Self::Datetime(text) => write!(f, "DATETIME{}", Quoted(text)),
            Self::Timestamp(text) => write!(f, "TIMESTAMP{}", Quoted(text)),
        }
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}
