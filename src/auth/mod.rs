//! One question: may this user do this to that object?
//!
//! Every statement says here what it needs, before it is planned. The rights follow the permission
//! table of the backup-and-restoration page and the "Permissions" page. A warehouse with one user
//! enforces nothing: that user owns it.

use std::fmt;

use crate::ast::{Delete, Merge, ObjectName, Statement, Update};
use crate::error::{Error, Result};

/// What can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    List,
    CreateTable,
    Describe,
    Select,
    Update,
    Alter,
    Drop,
    ShowHistory,
    /// Reading and setting project properties.
    Administer,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A right a statement needs: an action on a table, or on the project where there is no table.
#[derive(Clone, Debug, PartialEq)]
pub struct Need<'a> {
    pub action: Action,
    pub table: Option<&'a ObjectName>,
}

/// Who may do what in a warehouse.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    /// Users besides the owner.
    users: Vec<String>,
}

impl Authority {
    /// Lets `statement` pass or says which right is missing.
    pub fn authorise(&self, user: &str, project: &str, statement: &Statement) -> Result<()> {
        for need in needs(statement) {
            if !self.allowed(user, &need) {
                let project = need
                    .table
                    .and_then(|t| t.project.as_ref())
                    .map_or(project, |p| p.text.as_str());
                let object = match need.table {
                    Some(table) => format!("projects/{project}/tables/{}", table.name.text),
                    None => format!("projects/{project}"),
                };
                return Err(Error::denied(&need.action.to_string(), &object));
            }
        }
        Ok(())
    }

    fn allowed(&self, user: &str, _need: &Need<'_>) -> bool {
        !self.users.iter().any(|other| other == user)
    }
}

/// The rights a statement needs. The tables of a query are named by the engine and need Select.
pub fn needs(statement: &Statement) -> Vec<Need<'_>> {
    let on = |action, table| {
        vec![Need {
            action,
            table: Some(table),
        }]
    };
    let project = |action| {
        vec![Need {
            action,
            table: None,
        }]
    };
    match statement {
        Statement::CreateTable(_) | Statement::CreateView(_) => project(Action::CreateTable),
        Statement::CreateTableLike(like) => vec![
            Need {
                action: Action::CreateTable,
                table: None,
            },
            Need {
                action: Action::Describe,
                table: Some(&like.source),
            },
        ],
        Statement::DropTable { table, .. } | Statement::DropView { view: table, .. } => {
            on(Action::Drop, table)
        }
        Statement::AlterTable(alter) => on(Action::Alter, &alter.table),
        Statement::Truncate { table, .. } => on(Action::Update, table),
        Statement::CloneTable(clone) => vec![
            Need {
                action: Action::Select,
                table: Some(&clone.source),
            },
            Need {
                action: Action::CreateTable,
                table: None,
            },
        ],
        Statement::Insert(insert) => on(Action::Update, &insert.target.table),
        Statement::MultiInsert(multi) => {
            let need = |table| Need {
                action: Action::Update,
                table: Some(table),
            };
            let targets = multi.branches.iter();
            targets.map(|(target, _)| need(&target.table)).collect()
        }
        Statement::Load(load) => on(Action::Update, &load.table),
        Statement::Update(Update { table, .. })
        | Statement::Delete(Delete { table, .. })
        | Statement::Merge(Merge { table, .. }) => [Action::Select, Action::Update]
            .into_iter()
            .flat_map(|action| on(action, table))
            .collect(),
        Statement::ShowHistoryForTables
        | Statement::ShowTables { .. }
        | Statement::ShowViews { .. } => project(Action::List),
        Statement::ShowHistory(show) => match show.table.id {
            Some(_) => project(Action::List),
            None => on(Action::ShowHistory, &show.table.table),
        },
        Statement::PurgeTable { table, .. } => on(Action::Drop, table),
        Statement::PurgeAll { .. } => project(Action::Administer),
        Statement::ShowRecycleBin { .. } => project(Action::List),
        Statement::Restore(restore) => match &restore.new_name {
            Some(target) => vec![
                Need {
                    action: Action::Select,
                    table: Some(&restore.source.table),
                },
                Need {
                    action: Action::Update,
                    table: Some(target),
                },
            ],
            None => on(Action::Update, &restore.source.table),
        },
        Statement::SetProject(_) => project(Action::Administer),
        Statement::ShowPartitions { table, .. }
        | Statement::ShowColumns(table)
        | Statement::ShowCreateTable(table)
        | Statement::ShowProperties(table) => on(Action::Describe, table),
        Statement::Describe(describe) => on(Action::Describe, &describe.table),
        Statement::Query(_)
        | Statement::Explain(_)
        | Statement::ShowFunctions { .. }
        | Statement::DescribeFunction(_)
        | Statement::ShowProject
        | Statement::ShowSettings
        | Statement::Set(_)
        | Statement::UseProject(_)
        | Statement::Help(_)
        | Statement::Quit => Vec::new(),
    }
}
