//! The headings of a result: the aliases of its select list as they were written. Inside, names are in lower case.

use datafusion::sql::sqlparser::ast::{Query, SelectItem, SetExpr};

use super::chosen;

/// What a select list says of the headings of its columns.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Headings(Vec<Item>);

#[derive(Clone, Debug)]
enum Item {
    Alias(String),
    /// One column that is called what the planner calls it.
    Column,
    /// Any number of columns.
    Columns,
}

impl Headings {
    /// The headings that `query` asks for.
    pub(in crate::engine) fn of(query: &Query) -> Self {
        let mut body = &*query.body;
        loop {
            body = match body {
                // The first branch names the columns of a set operation.
                SetExpr::SetOperation { left, .. } => left,
                SetExpr::Query(query) => &query.body,
                SetExpr::Select(select) => {
                    return Self(select.projection.iter().map(Item::of).collect());
                }
                _ => return Self::default(),
            };
        }
    }

    /// Puts the aliases in the place of the planner's names for them.
    pub(in crate::engine) fn apply(&self, names: &mut [String]) {
        let is_open = |item: &Item| matches!(item, Item::Columns);
        let front = self.0.iter().position(is_open).unwrap_or(self.0.len());
        let last = self.0.iter().rposition(is_open).map_or(front, |at| at + 1);
        let back = self.0.len() - last;
        let Some(open) = names.len().checked_sub(front + back) else {
            return;
        };
        let (first, rest) = names.split_at_mut(front);
        let (middle, end) = rest.split_at_mut(open);
        let known = self.0[..front].iter().zip(first);
        for (item, name) in known.chain(self.0[last..].iter().zip(end)) {
            if let Item::Alias(alias) = item {
                name.clone_from(alias);
            }
        }
        // Between two wildcards an alias is found by its name.
        for item in &self.0[front..last] {
            if let Item::Alias(alias) = item
                && let Some(name) = middle
                    .iter_mut()
                    .find(|name| **name == alias.to_lowercase())
            {
                name.clone_from(alias);
            }
        }
    }
}

impl Item {
    fn of(item: &SelectItem) -> Self {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => Self::Alias(alias.value.clone()),
            item if chosen::pattern(item).is_some() => Self::Columns,
            SelectItem::UnnamedExpr(_) => Self::Column,
            SelectItem::ExprWithAliases { .. }
            | SelectItem::QualifiedWildcard(..)
            | SelectItem::Wildcard(_) => Self::Columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Headings, Item};

    #[test]
    fn aliases_keep_their_letters_around_wildcards() {
        let alias = |name: &str| Item::Alias(name.to_owned());
        let headings = Headings(vec![
            alias("Front"),
            Item::Column,
            Item::Columns,
            alias("Mid"),
            Item::Columns,
            alias("Back"),
        ]);
        let mut names = ["front", "c", "x", "mid", "y", "back"].map(str::to_owned);
        headings.apply(&mut names);
        assert_eq!(names, ["Front", "c", "x", "Mid", "y", "Back"]);
        let mut few = ["front".to_owned()];
        headings.apply(&mut few);
        assert_eq!(few, ["front"]);
    }
}
