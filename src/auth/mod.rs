//! One question: may this user do this to that object?
//!
//! Every statement says here what it needs, before it is planned. The rights follow the permission
//! table of the backup-and-restoration page and the "Permissions" page. The owner of the warehouse may
//! everything; somebody who has logged in may what he, or a role of his, was granted, and everything with what
//! he made himself. Who may not do something does not learn whether the object is there.

mod secret;

pub use secret::Vault;

use crate::ast::{Access, Delete, Merge, ObjectName, Securable, Statement, Update};
use crate::catalog::{Action, Catalog, Grantee, Object};
use crate::error::{Error, Result};

/// The role whose members may do everything in their project.
pub const ADMIN: &str = "admin";

/// Who runs statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    /// The owner of the warehouse: nobody has logged in.
    pub is_owner: bool,
}

/// A right a statement needs: an action on a table, or on the project where there is no table.
#[derive(Clone, Debug, PartialEq)]
pub struct Need<'a> {
    pub action: Action,
    pub table: Option<&'a ObjectName>,
    /// What is needed on the project instead where there is no such table.
    pub absent: Action,
}

/// What one user may do in a warehouse.
#[derive(Clone, Copy)]
pub struct Authority<'a> {
    pub catalog: Catalog<'a>,
    pub identity: &'a Identity,
    /// The current project.
    pub project: &'a str,
}

impl Authority<'_> {
    /// Lets `statement` pass or says which right is missing.
    pub fn authorise(&self, statement: &Statement) -> Result<()> {
        needs(statement)
            .iter()
            .try_for_each(|need| self.check(need))
    }

    /// Checks that the user may make a project the current one.
    pub fn enter(&self, project: &str) -> Result<()> {
        let is_member = self.catalog.member(project, &self.identity.name)?.is_some();
        match is_member || self.may(project, &Object::Project, Action::List)? {
            true => Ok(()),
            false => Err(denied(Action::Read, project, None).at(0)),
        }
    }

    fn check(&self, need: &Need<'_>) -> Result<()> {
        match need.table {
            None => self
                .check_on_project(self.project, need.action)
                .map_err(|error| error.at(0)),
            Some(table) => {
                let project = table.project.as_ref().map_or(self.project, |p| &p.text);
                let name = &table.name;
                self.check_table(project, &name.text, need.action, need.absent)
                    .map_err(|error| error.at(name.at.0))
            }
        }
    }

    fn check_on_project(&self, project: &str, action: Action) -> Result<()> {
        match self.may(project, &Object::Project, action)? {
            true => Ok(()),
            false => Err(denied(action, project, None)),
        }
    }

    /// Checks an action on a table or view by name.
    pub fn check_table(
        &self,
        project: &str,
        name: &str,
        action: Action,
        absent: Action,
    ) -> Result<()> {
        let (object, owner) = match self.catalog.live_table(project, name)? {
            Some((id, table)) => (Object::Table(id), table.owner),
            None => match self.catalog.view(project, name)? {
                Some(view) => (Object::View(name.to_owned()), view.owner),
                None if self.may(project, &Object::Project, absent)? => return Ok(()),
                None => return Err(denied(action, project, Some(name))),
            },
        };
        if owner == self.identity.name || self.may(project, &object, action)? {
            return Ok(());
        }
        Err(denied(action, project, Some(name)))
    }

    /// Whether the user, or a role of his, may do something with an object.
    fn may(&self, project: &str, object: &Object, action: Action) -> Result<bool> {
        let user = &self.identity.name;
        if self.identity.is_owner {
            return Ok(true);
        }
        let owner = self.catalog.project(project)?.map(|project| project.owner);
        if owner.as_ref() == Some(user) {
            return Ok(true);
        }
        if self.catalog.member(project, user)?.is_none() {
            return Ok(false);
        }
        let members = self.catalog.role_members(project)?;
        let roles = members.into_iter().filter(|(member, _)| member == user);
        let mut grantees = vec![Grantee::User(user.clone())];
        for (_, role) in roles {
            if role == ADMIN {
                return Ok(true);
            }
            grantees.push(Grantee::Role(role));
        }
        for grantee in grantees {
            let granted = self.catalog.granted(project, object, &grantee)?;
            let is_grantable = action != Action::Administer;
            if granted.contains(&action) || (is_grantable && granted.contains(&Action::All)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn denied(action: Action, project: &str, table: Option<&str>) -> Error {
    let object = match table {
        Some(table) => format!("projects/{project}/tables/{table}"),
        None => format!("projects/{project}"),
    };
    Error::denied(&action.to_string(), &object)
}

/// The rights a statement needs. The tables of a query are named by the engine and need Select.
pub fn needs(statement: &Statement) -> Vec<Need<'_>> {
    let on = |action, table| vec![Need::on(action, table, Action::List)];
    let project = |action| vec![Need::on_project(action)];
    match statement {
        Statement::CreateTable(create) if create.or_replace => vec![
            Need::on_project(Action::CreateTable),
            Need::on(Action::Drop, &create.table, Action::CreateTable),
        ],
        Statement::CreateTable(_) | Statement::CreateView(_) => project(Action::CreateTable),
        Statement::CreateTableLike(like) => vec![
            Need::on_project(Action::CreateTable),
            Need::on(Action::Describe, &like.source, Action::List),
        ],
        Statement::DropTable { table, .. } | Statement::DropView { view: table, .. } => {
            on(Action::Drop, table)
        }
        Statement::AlterTable(alter) => on(Action::Alter, &alter.table),
        Statement::AlterView(alter) => on(Action::Alter, &alter.view),
        Statement::Analyze(analyze) => on(Action::Alter, &analyze.table),
        Statement::Truncate { table, .. } => on(Action::Update, table),
        Statement::CloneTable(clone) => vec![
            Need::on(Action::Select, &clone.source, Action::List),
            Need::on(Action::Update, &clone.target, Action::CreateTable),
        ],
        Statement::Insert(insert) => on(Action::Update, &insert.target.table),
        Statement::MultiInsert(multi) => {
            let targets = multi.branches.iter();
            targets
                .flat_map(|(target, _)| on(Action::Update, &target.table))
                .collect()
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
        Statement::PurgeTable { table, .. } => {
            vec![Need::on(Action::Drop, table, Action::Administer)]
        }
        Statement::PurgeAll { .. } => project(Action::Administer),
        Statement::ShowRecycleBin { .. } => project(Action::List),
        // What is there is updated, what is not is made.
        Statement::Restore(restore) => {
            let source = &restore.source.table;
            match &restore.new_name {
                Some(target) => vec![
                    Need::on(Action::Select, source, Action::CreateTable),
                    Need::on(Action::Update, target, Action::CreateTable),
                ],
                None => vec![Need::on(Action::Update, source, Action::CreateTable)],
            }
        }
        Statement::Access(access) => match access {
            Access::WhoAmI | Access::ShowGrants(None) => Vec::new(),
            Access::ShowAcl(Securable::Table(table)) => on(Action::Describe, table),
            // Who made a table may grant what is to be done with it.
            Access::Grant(grant) | Access::Revoke(grant) => match &grant.object {
                Securable::Table(table) => {
                    vec![Need::on(Action::Administer, table, Action::Administer)]
                }
                Securable::Project(_) => project(Action::Administer),
            },
            _ => project(Action::Administer),
        },
        Statement::SetProject(_) => project(Action::Administer),
        Statement::ShowPartitions { table, .. }
        | Statement::ShowColumns(table)
        | Statement::ShowCreateTable(table)
        | Statement::ShowProperties(table) => on(Action::Describe, table),
        Statement::Describe(describe) => on(Action::Describe, &describe.table),
        Statement::Query(_)
        | Statement::Read(_)
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

impl<'a> Need<'a> {
    fn on(action: Action, table: &'a ObjectName, absent: Action) -> Self {
        Self {
            action,
            table: Some(table),
            absent,
        }
    }

    fn on_project(action: Action) -> Self {
        Self {
            action,
            table: None,
            absent: action,
        }
    }
}
