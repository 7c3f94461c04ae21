//! Views. Manual page: "View operations". A view is a query under a name; it has no data and no history.

use super::{Outcome, ddl, query};
use crate::ast::ViewAction;
use crate::catalog::{Granted, Object, View, grant_key};
use crate::error::{Error, Result};
use crate::plan::{Context, NewView};
use crate::store::Key;

const COMMENT_MAX: usize = 1024;

pub(super) fn create(cx: &Context<'_>, new: NewView) -> Result<Outcome> {
    let result = query::columns(cx, &new.query)?;
    let mut schema = ddl::queried_schema(&result).map_err(|error| error.at(new.query.at()))?;
    if !new.columns.is_empty() {
        if new.columns.len() != schema.columns.len() {
            let detail = format!(
                "the view names {} columns, its query gives {}",
                new.columns.len(),
                schema.columns.len()
            );
            return Err(Error::semantic(detail).at(new.query.at()));
        }
        for (column, (name, comment)) in schema.columns.iter_mut().zip(new.columns) {
            column.name = name.text;
            column.comment = comment;
        }
    }
    let key = Key::View {
        project: new.project.clone(),
        name: new.name.clone(),
    };
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    batch.expect_unchanged(key.clone())?;
    batch.expect_unchanged(Key::TableName {
        project: new.project,
        name: new.name,
    })?;
    let view = View {
        owner: cx.user.to_owned(),
        comment: new.comment,
        query: new.query.to_string(),
        columns: schema.columns,
        created_at_ms: cx.now_ms,
    };
    batch.put(&key, &view);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

pub(super) fn drop(cx: &Context<'_>, project: String, name: String) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let object = Object::View(name.clone());
    for (_, grantee, _) in cx.catalog()?.grants(&project, Some(&object))? {
        batch.remove(&grant_key(&project, &object, &grantee));
    }
    let key = Key::View { project, name };
    batch.expect_unchanged(key.clone())?;
    batch.remove(&key);
    cx.commit(batch, &cx.author())?;
    Ok(Outcome::Done)
}

pub(super) fn alter(
    cx: &Context<'_>,
    project: String,
    name: String,
    mut view: View,
    action: ViewAction,
) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let mut key = Key::View {
        project: project.clone(),
        name: name.clone(),
    };
    batch.expect_record(key.clone(), &view);
    match action {
        ViewAction::Rename(new_name) => {
            batch.remove(&key);
            batch.expect_absent(Key::TableName {
                project: project.clone(),
                name: new_name.text.clone(),
            });
            // What is granted on a view goes with it.
            let (object, renamed) = (Object::View(name), Object::View(new_name.text.clone()));
            for (_, grantee, actions) in cx.catalog()?.grants(&project, Some(&object))? {
                batch.remove(&grant_key(&project, &object, &grantee));
                let granted = Granted { actions };
                batch.put(&grant_key(&project, &renamed, &grantee), &granted);
            }
            key = Key::View {
                project,
                name: new_name.text,
            };
            batch.expect_absent(key.clone());
        }
        ViewAction::ChangeOwner(owner) => view.owner = owner,
        ViewAction::SetComment(comment) => {
            if comment.len() > COMMENT_MAX {
                let detail = format!("the comment is longer than {COMMENT_MAX} bytes");
                return Err(Error::semantic(detail));
            }
            view.comment = Some(comment);
        }
        ViewAction::CommentColumn { column, comment } => {
            let mut columns = view.columns.iter_mut();
            let Some(found) = columns.find(|known| known.name == column.text) else {
                let detail = format!("column {} cannot be resolved", column.text);
                return Err(Error::semantic(detail).at(column.at.0));
            };
            found.comment = Some(comment);
        }
        ViewAction::As(query) => {
            let result = query::columns(cx, &query)?;
            let schema = ddl::queried_schema(&result).map_err(|error| error.at(query.at()))?;
            view.columns = schema.columns;
            view.query = query.to_string();
        }
    }
    batch.put(&key, &view);
    cx.commit(batch, &cx.author())?;
    Ok(Outcome::Done)
}
