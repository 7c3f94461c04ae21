//! SHOW TABLES, SHOW PARTITIONS, DESC.

use super::{Description, Layout, Listing, Outcome, local_time};
use crate::error::Result;
use crate::plan::{Context, Target, matches_values, spec_text};

pub(super) fn tables(cx: &Context<'_>, project: &str, pattern: Option<&str>) -> Result<Outcome> {
    let pattern = pattern.map(str::to_lowercase);
    let tables = cx.catalog()?.live_tables(project)?;
    let is_shown = |name: &str| {
        pattern
            .as_deref()
            .is_none_or(|pattern| matches(pattern, name))
    };
    let shown = tables
        .into_iter()
        .filter(|(_, table)| is_shown(&table.name));
    Ok(Outcome::Listing(Listing {
        layout: Layout::Tables,
        titles: vec!["owner", "table"],
        rows: shown
            .map(|(_, table)| vec![Some(table.owner), Some(table.name)])
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
        rows: shown
            .map(|(_, partition)| vec![Some(spec_text(&target.schema, &partition.values))])
            .collect(),
    }))
}

pub(super) fn describe(cx: &Context<'_>, target: Target) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let heads = if target.table.partitioned {
        catalog
            .live_partitions(target.id)?
            .into_iter()
            .map(|(_, partition)| partition.head)
            .collect()
    } else {
        vec![target.table.head]
    };
    let mut size_bytes = 0;
    for lsn in heads {
        size_bytes += catalog
            .require_version(target.id, lsn)?
            .content
            .map_or(0, |content| content.size_bytes);
    }
    let table = target.table;
    let times = [table.created_at_ms, table.ddl_at_ms, table.modified_at_ms]
        .map(|at| local_time(at, cx.zone));
    Ok(Outcome::Description(Box::new(Description {
        table,
        schema: target.schema,
        size_bytes,
        times,
    })))
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
