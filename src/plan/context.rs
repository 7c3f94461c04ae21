//! What a statement is planned and executed in.

use std::cell::RefCell;
use std::sync::Arc;

use chrono_tz::Tz;

use crate::ast::ObjectName;
use crate::catalog::edit::Author;
use crate::catalog::{Catalog, Project};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::ids::{PartitionId, TableId};
use crate::store::{Batch, Key, Store, Warehouse};
use crate::timemachine::Window;

/// One statement's surroundings. The store is opened when first asked for.
pub struct Context<'a> {
    pub warehouse: &'a Warehouse,
    pub engine: &'a Engine,
    pub clock: &'a dyn Clock,
    /// The current project.
    pub project: &'a str,
    pub user: &'a str,
    pub now_ms: i64,
    pub zone: Tz,
    /// The statement's text.
    pub statement: &'a str,
    /// What the user should know beside the result.
    pub notes: RefCell<Vec<String>>,
}

impl<'a> Context<'a> {
    pub fn store(&self) -> Result<&'a Arc<Store>> {
        Ok(self.warehouse.store()?)
    }

    pub fn catalog(&self) -> Result<Catalog<'a>> {
        Ok(Catalog::new(self.store()?))
    }

    /// Who changes what, when.
    pub fn author(&self) -> Author {
        Author::new(self.now_ms, self.user, self.statement)
    }

    /// Tells the user something beside the result.
    pub fn note(&self, note: String) {
        self.notes.borrow_mut().push(note);
    }

    /// The project a table name means, which must be there.
    pub fn project_of(&self, table: &ObjectName) -> Result<String> {
        match &table.project {
            Some(project) => {
                self.require_project(&project.text)?;
                Ok(project.text.clone())
            }
            None => Ok(self.project.to_owned()),
        }
    }

    /// The project of that name.
    pub fn require_project(&self, name: &str) -> Result<Project> {
        self.catalog()?
            .project(name)?
            .ok_or_else(|| Error::project_not_found(name))
    }

    /// What of the past of `project` is kept, as this statement sees it.
    pub fn window(&self, project: &str) -> Result<Window> {
        Ok(Window::of(&self.require_project(project)?, self.now_ms))
    }

    /// Makes the current project if it is not there yet.
    pub fn ensure_project(&self) -> Result<()> {
        let key = Key::Project(self.project.to_owned());
        if self.catalog()?.project(self.project)?.is_some() {
            return Ok(());
        }
        let mut batch = self.store()?.begin();
        batch.expect_unchanged(key.clone())?;
        let project = Project {
            owner: self.user.to_owned(),
            created_at_ms: self.now_ms,
            properties: [(crate::timemachine::RETENTION_KEY.to_owned(), "1".to_owned())].into(),
            horizon_ms: 0,
        };
        batch.put(&key, &project);
        self.store()?.commit(batch, self.author().commit_info())?;
        Ok(())
    }

    /// Commits the changes of this statement.
    pub fn commit(&self, batch: Batch<'_>, author: &Author) -> Result<()> {
        self.store()?.commit(batch, author.commit_info())?;
        Ok(())
    }

    pub fn new_table_id(&self, batch: &mut Batch<'_>) -> TableId {
        TableId(self.clock.object_id(batch.next_object()))
    }

    pub fn new_partition_id(&self, batch: &mut Batch<'_>) -> PartitionId {
        PartitionId(self.clock.object_id(batch.next_object()))
    }
}
