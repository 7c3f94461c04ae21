//! SETPROJECT. Manual page: "Project operations".

use super::{Layout, Listing, Outcome};
use crate::ast::Setting;
use crate::catalog::{RETENTION_KEY, parse_retention};
use crate::error::{Error, Result};
use crate::plan::Context;
use crate::store::Key;
use crate::timemachine::change_retention;

/// Longest property value, in bytes.
const VALUE_MAX: usize = 64 << 10;

pub(super) fn show(cx: &Context<'_>) -> Result<Outcome> {
    let project = cx.require_project(cx.project)?;
    let rows = project
        .properties
        .into_iter()
        .map(|(key, value)| vec![Some(key), Some(value)]);
    Ok(Outcome::Listing(Listing {
        layout: Layout::Settings,
        titles: vec!["key", "value"],
        hidden: 0,
        rows: rows.collect(),
    }))
}

pub(super) fn set(cx: &Context<'_>, settings: Vec<Setting>) -> Result<Outcome> {
    let key = Key::Project(cx.project.to_owned());
    let mut batch = cx.store()?.begin();
    let mut project = cx.require_project(cx.project)?;
    batch.expect_record(key.clone(), &project);
    for Setting { key, value } in settings {
        if key == RETENTION_KEY {
            let Some(days) = parse_retention(&value) else {
                let detail = format!("{RETENTION_KEY} must be an integer between 0 and 30");
                return Err(Error::invalid_parameter(detail));
            };
            change_retention(&mut project, days, cx.deletion_time());
        } else if value.len() > VALUE_MAX {
            return Err(Error::invalid_parameter(format!(
                "the value of {key} is longer than {VALUE_MAX} bytes"
            )));
        } else {
            project.properties.insert(key, value);
        }
    }
    batch.put(&key, &project);
    cx.commit(batch, &cx.author())?;
    Ok(Outcome::Done)
}
