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
struct Quoted<'a>(&'a str);

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
            Self::DropTable { table, if_exists } => {
                write!(f, "DROP TABLE {}{table}", when(*if_exists, "IF EXISTS "))
            }
            Self::RenameTable { table, new_name } => {
                write!(f, "ALTER TABLE {table} RENAME TO {new_name}")
            }
            Self::AddPartitions {
                table,
                if_not_exists,
                specs,
            } => {
                write!(
                    f,
                    "ALTER TABLE {table} ADD {}",
                    when(*if_not_exists, "IF NOT EXISTS ")
                )?;
                list(f, " ", specs)
            }
            Self::DropPartitions {
                table,
                if_exists,
                specs,
            } => {
                write!(
                    f,
                    "ALTER TABLE {table} DROP {}",
                    when(*if_exists, "IF EXISTS ")
                )?;
                list(f, ", ", specs)
            }
            Self::Insert(insert) => write!(f, "{insert}"),
            Self::Query(query) => write!(f, "{query}"),
            Self::ShowHistoryForTables => f.write_str("SHOW HISTORY FOR TABLES"),
            Self::ShowHistory { table, parts } => {
                write!(f, "SHOW HISTORY FOR TABLE {table}")?;
                parts.iter().try_for_each(|part| write!(f, " {part}"))
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
            Self::Describe(table) => write!(f, "DESC {table}"),
            Self::Help(words) => {
                f.write_str("HELP")?;
                words.iter().try_for_each(|word| write!(f, " {word}"))
            }
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CREATE TABLE {}{} (",
            when(self.if_not_exists, "IF NOT EXISTS "),
            self.table
        )?;
        list(f, ", ", &self.columns)?;
        f.write_char(')')?;
        if let Some(comment) = &self.comment {
            write!(f, " COMMENT {}", Quoted(comment))?;
        }
        if !self.partition_columns.is_empty() {
            f.write_str(" PARTITIONED BY (")?;
            list(f, ", ", &self.partition_columns)?;
            f.write_char(')')?;
        }
        if !self.properties.is_empty() {
            f.write_str(" TBLPROPERTIES (")?;
            let pairs = self
                .properties
                .iter()
                .map(|(key, value)| format!("{}={}", Quoted(key), Quoted(value)));
            list(f, ", ", pairs)?;
            f.write_char(')')?;
        }
        match self.lifecycle_days {
            Some(days) => write!(f, " LIFECYCLE {days}"),
            None => Ok(()),
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
        match &self.comment {
            Some(comment) => write!(f, " COMMENT {}", Quoted(comment)),
            None => Ok(()),
        }
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

impl Display for Insert {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = if self.overwrite { "OVERWRITE" } else { "INTO" };
        write!(f, "INSERT {mode} TABLE {}", self.table)?;
        if let Some(spec) = &self.partition {
            write!(f, " {spec}")?;
        }
        if let Some(columns) = &self.columns {
            f.write_str(" (")?;
            list(f, ", ", columns)?;
            f.write_char(')')?;
        }
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
        f.write_str(&self.text)
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
