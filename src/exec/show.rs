//! SHOW TABLES, PARTITIONS, VIEWS, COLUMNS, CREATE TABLE, TBLPROPERTIES and FUNCTIONS; DESC FUNCTION.

use super::{Layout, Listing, Outcome};
use crate::ast::Name;
use crate::catalog::Column;
use crate::engine::function::described;
use crate::error::{Error, Result};
use crate::plan::{Context, Target, matches_values, spec_text};

pub(super) fn tables(cx: &Context<'_>, project: &str, pattern: Option<&str>) -> Result<Outcome> {
    let pattern = pattern.map(str::to_lowercase);
    let catalog = cx.catalog()?;
    let tables = catalog.live_tables(project)?.into_iter();
    let tables = tables.map(|(_, table)| (table.name, table.owner));
    let views = catalog.views(project)?.into_iter();
    let mut objects: Vec<(String, String)> = tables
        .chain(views.map(|(name, view)| (name, view.owner)))
        .collect();
    objects.sort();
    let is_shown = |name: &str| {
        pattern
            .as_deref()
            .is_none_or(|pattern| matches(pattern, name))
    };
    let shown = objects.into_iter().filter(|(name, _)| is_shown(name));
    Ok(Outcome::Listing(Listing {
        layout: Layout::Tables,
        titles: vec!["owner", "table"],
        hidden: 0,
        rows: shown
            .map(|(name, owner)| vec![Some(owner), Some(name)])
            .collect(),
    }))
}

/// Whether a name fits a pattern in which `*` and `%` stand for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(['*', '%']) else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = rest.split(['*', '%']).collect();
    let Some((last, middle)) = pieces.split_last() else {
        return true;
    };
    for piece in middle {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

pub(super) fn partitions(
    cx: &Context<'_>,
    target: &Target,
    values: &[Option<String>],
) -> Result<Outcome> {
    let live = cx.catalog()?.live_partitions(target.id)?;
    let shown = live
        .into_iter()
        .filter(|(_, partition)| matches_values(values, &partition.values));
    Ok(Outcome::Listing(Listing {
        layout: Layout::Lines,
        titles: vec!["partition"],
        hidden: 0,
        rows: shown
            .map(|(_, partition)| vec![Some(spec_text(&target.schema, &partition.values))])
            .collect(),
    }))
}

pub(super) fn views(cx: &Context<'_>, project: &str, pattern: Option<&str>) -> Result<Outcome> {
    let pattern = pattern.map(str::to_lowercase);
    let views = cx.catalog()?.views(project)?;
    let shown = views.into_iter().filter(|(name, _)| {
        pattern
            .as_deref()
            .is_none_or(|pattern| matches(pattern, name))
    });
    Ok(Outcome::Listing(Listing {
        layout: Layout::Tables,
        titles: vec!["owner", "view"],
        hidden: 0,
        rows: shown
            .map(|(name, view)| vec![Some(view.owner), Some(name)])
            .collect(),
    }))
}

pub(super) fn columns(target: &Target) -> Outcome {
    let names = target.schema.all_columns();
    Outcome::Listing(Listing {
        layout: Layout::Lines,
        titles: vec!["column"],
        hidden: 0,
        rows: names
            .map(|column| vec![Some(column.name.clone())])
            .collect(),
    })
}

pub(super) fn properties(target: Target) -> Outcome {
    let pairs = target.table.properties.into_iter();
    Outcome::Listing(Listing {
        layout: Layout::Settings,
        titles: vec!["key", "value"],
        hidden: 0,
        rows: pairs
            .map(|(key, value)| vec![Some(key), Some(value)])
            .collect(),
    })
}

/// The statement that makes such a table.
pub(super) fn create_table(target: &Target) -> Outcome {
    let table = &target.table;
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let column = |column: &Column| {
        let mut text = format!(
            "{} {}",
            quote_if_needed(&column.name),
            column.data_type.upper()
        );
        if !column.nullable {
            text += " NOT NULL";
        }
        if let Some(default) = &column.default {
            text += &format!(" DEFAULT {default}");
        }
        if let Some(comment) = &column.comment {
            text += &format!(" COMMENT {}", quoted(comment));
        }
        text
    };
    let list = |columns: &[Column]| columns.iter().map(column).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "CREATE TABLE IF NOT EXISTS {}.{}({}",
        quote_if_needed(&table.project),
        quote_if_needed(&table.name),
        list(&target.schema.columns)
    );
    if !table.primary_key.is_empty() {
        let keys = target.schema.columns.iter();
        let keys = keys.filter(|column| table.primary_key.contains(&column.id));
        let keys: Vec<String> = keys.map(|column| quote_if_needed(&column.name)).collect();
        text += &format!(", PRIMARY KEY({})", keys.join(", "));
    }
    text.push(')');
    if let Some(comment) = &table.comment {
        text += &format!(" COMMENT {}", quoted(comment));
    }
    if !target.schema.partition_columns.is_empty() {
        text += &format!(
            " PARTITIONED BY ({})",
            list(&target.schema.partition_columns)
        );
    }
    if let Some(clustering) = &table.clustering {
        text += &format!(" {clustering}");
    }
    text += " STORED AS ALIORC";
    if !table.properties.is_empty() {
        let pairs = table.properties.iter();
        let pairs: Vec<String> = pairs
            .map(|(key, value)| format!("{}={}", quoted(key), quoted(value)))
            .collect();
        text += &format!(" TBLPROPERTIES ({})", pairs.join(", "));
    }
    if let Some(days) = table.lifecycle_days {
        text += &format!(" LIFECYCLE {days}");
    }
    text.push(';');
    Outcome::Text(text)
}

/// A name in backquotes where it would not be one without.
fn quote_if_needed(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_plain {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

pub(super) fn functions(pattern: Option<&str>) -> Outcome {
    let pattern = pattern.map(str::to_lowercase);
    let shown = described().into_iter().filter(|function| {
        pattern
            .as_deref()
            .is_none_or(|pattern| matches(pattern, function.name))
    });
    Outcome::Listing(Listing {
        layout: Layout::Lines,
        titles: vec!["function", "usage", "summary"],
        hidden: 0,
        rows: shown
            .map(|function| {
                [function.name, function.usage, function.summary]
                    .map(|text| Some(text.to_owned()))
                    .to_vec()
            })
            .collect(),
    })
}

pub(super) fn function(name: &Name) -> Result<Outcome> {
    let found = described()
        .into_iter()
        .find(|function| function.name == name.text);
    match found {
        Some(function) => Ok(Outcome::Text(format!(
            "{}\n{}",
            function.usage, function.summary
        ))),
        None => {
            let detail = format!("function or view '{}' cannot be resolved", name.text);
            Err(Error::semantic(detail).at(name.at.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_of_show_tables() {
        assert!(
            matches("t*", "t1") && matches("t%", "t") && matches("*", "x") && matches("t1", "t1")
        );
        assert!(matches("a*c", "abc") && matches("*b*", "abc") && matches("a*b*c", "aXbYc"));
        assert!(
            !matches("t*", "u1")
                && !matches("t1", "t11")
                && !matches("a*c", "ab")
                && !matches("*d", "abc")
        );
    }
}
