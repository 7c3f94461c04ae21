//! The catalog: projects, tables, schemas, partitions and history rows; names to objects.
//!
//! Reads return values; changes are collected in a [`Batch`](crate::store::Batch) through
//! [`edit`](crate::catalog::edit).
//! What the rows mean for history and restore is `timemachine`'s business.

pub mod access;
pub mod edit;
mod operation;
pub mod partition;
mod table;

use std::ops::ControlFlow;

pub use access::{
    Account, Action, Granted, Grantee, Member, Object, Role, RoleMember, Sealed, grant_key,
};
pub use operation::Operation;
pub use partition::SpecText;
pub use table::{
    COLUMNS_MAX, Column, Derived, DroppedName, Due, Gone, HoldsCounted, Lifecycle, LivePartition,
    ObjectVersion, Origin, Partition, Project, RETENTION_KEY, Schema, Table, TableName, UniqueKeys,
    Version, View, WarehouseClock, parse_retention,
};

use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::{Key, KeyRange, Order, Store, StoreError, TABLE_OBJECT};

/// Reads of the catalog of one warehouse.
#[derive(Clone, Copy)]
pub struct Catalog<'a> {
    store: &'a Store,
}

impl<'a> Catalog<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// The store below.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The project of that name.
    pub fn project(&self, name: &str) -> Result<Option<Project>, StoreError> {
        self.store.get(&Key::Project(name.to_owned()))
    }

    /// The names of all projects.
    pub fn projects(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        self.store
            .scan_keys(&KeyRange::projects(), Order::Ascending, |key| {
                if let Key::Project(name) = key {
                    names.push(name);
                }
                ControlFlow::Continue(())
            })?;
        Ok(names)
    }

    /// Whether there is no project yet.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let mut is_empty = true;
        self.store
            .scan(&KeyRange::projects(), Order::Ascending, |_, _: Project| {
                is_empty = false;
                Ok(ControlFlow::Break(()))
            })?;
        Ok(is_empty)
    }

    /// The live table of that name.
    pub fn live_table(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<(TableId, Table)>, StoreError> {
        let key = Key::TableName {
            project: project.to_owned(),
            name: name.to_owned(),
        };
        match self.store.get::<TableName>(&key)? {
            Some(TableName { table }) => Ok(Some((table, self.require_table(table)?))),
            None => Ok(None),
        }
    }

    /// The view of that name.
    pub fn view(&self, project: &str, name: &str) -> Result<Option<View>, StoreError> {
        self.store.get(&Key::View {
            project: project.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The views of a project, by name.
    pub fn views(&self, project: &str) -> Result<Vec<(String, View)>, StoreError> {
        let mut views = Vec::new();
        self.store
            .scan(&KeyRange::views(project), Order::Ascending, |key, view| {
                if let Key::View { name, .. } = key {
                    views.push((name, view));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(views)
    }

    /// The table incarnation of that id, live or dropped.
    pub fn table(&self, id: TableId) -> Result<Option<Table>, StoreError> {
        self.store.get(&Key::Table(id))
    }

    /// The table incarnation of that id, which another record names.
    pub fn require_table(&self, id: TableId) -> Result<Table, StoreError> {
        self.store.require(&Key::Table(id))
    }

    /// A schema of a table.
    pub fn schema(&self, table: TableId, schema: u32) -> Result<Schema, StoreError> {
        self.store.require(&Key::Schema { table, schema })
    }

    /// All schemas a table ever had.
    pub fn schemas(&self, table: TableId) -> Result<Vec<Schema>, StoreError> {
        let mut schemas = Vec::new();
        self.store
            .scan(&KeyRange::schemas(table), Order::Ascending, |_, schema| {
                schemas.push(schema);
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(schemas)
    }

    /// The highest column id that rows of a table may have.
    pub fn columns_made(&self, id: TableId, table: &Table) -> Result<u32, StoreError> {
        let schemas = self.schemas(id)?;
        let ids = schemas
            .iter()
            .flat_map(|schema| schema.all_columns().map(|column| column.id));
        Ok(ids.max().unwrap_or(0).max(table.columns_made))
    }

    /// The live tables of a project, by name.
    pub fn live_tables(&self, project: &str) -> Result<Vec<(TableId, Table)>, StoreError> {
        let mut ids = Vec::new();
        self.store.scan(
            &KeyRange::table_names(project),
            Order::Ascending,
            |_, name: TableName| {
                ids.push(name.table);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        ids.into_iter()
            .map(|id| Ok((id, self.require_table(id)?)))
            .collect()
    }

    /// The dropped tables of a project, by name and drop time; with `name`, those of that name.
    pub fn dropped_tables(
        &self,
        project: &str,
        name: Option<&str>,
    ) -> Result<Vec<(TableId, Table)>, StoreError> {
        let range = match name {
            Some(name) => KeyRange::dropped_tables_named(project, name),
            None => KeyRange::dropped_tables(project),
        };
        let mut ids = Vec::new();
        self.store
            .scan(&range, Order::Ascending, |key, _: DroppedName| {
                if let Key::DroppedTable { table, .. } = key {
                    ids.push(table);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        ids.into_iter()
            .map(|id| Ok((id, self.require_table(id)?)))
            .collect()
    }

    /// The live partition with these values.
    pub fn live_partition(
        &self,
        table: TableId,
        values: &[String],
    ) -> Result<Option<PartitionId>, StoreError> {
        let key = Key::LivePartition {
            table,
            values: values.to_vec(),
        };
        Ok(self
            .store
            .get::<LivePartition>(&key)?
            .map(|live| live.partition))
    }

    /// The partition incarnation of that id.
    pub fn partition(
        &self,
        table: TableId,
        partition: PartitionId,
    ) -> Result<Option<Partition>, StoreError> {
        self.store.get(&Key::Partition { table, partition })
    }

    /// The partition incarnation of that id, which another record names.
    pub fn require_partition(
        &self,
        table: TableId,
        partition: PartitionId,
    ) -> Result<Partition, StoreError> {
        self.store.require(&Key::Partition { table, partition })
    }

    /// The live partitions of a table, by value.
    pub fn live_partitions(
        &self,
        table: TableId,
    ) -> Result<Vec<(PartitionId, Partition)>, StoreError> {
        let mut ids = Vec::new();
        self.store.scan(
            &KeyRange::live_partitions(table),
            Order::Ascending,
            |_, live: LivePartition| {
                ids.push(live.partition);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        ids.into_iter()
            .map(|id| Ok((id, self.require_partition(table, id)?)))
            .collect()
    }

    /// All partition incarnations of a table, live and dropped, in no order that means anything.
    pub fn partitions(&self, table: TableId) -> Result<Vec<(PartitionId, Partition)>, StoreError> {
        let mut found = Vec::new();
        self.store.scan(
            &KeyRange::partitions(table),
            Order::Ascending,
            |key, partition: Partition| {
                if let Key::Partition { partition: id, .. } = key {
                    found.push((id, partition));
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(found)
    }

    /// The history row of that LSN.
    pub fn version(&self, table: TableId, lsn: Lsn) -> Result<Option<Version>, StoreError> {
        self.store.get(&Key::Version { table, lsn })
    }

    /// The history row of that LSN, which another record names.
    pub fn require_version(&self, table: TableId, lsn: Lsn) -> Result<Version, StoreError> {
        self.store.require(&Key::Version { table, lsn })
    }

    /// The history rows of a table, by LSN.
    pub fn versions(&self, table: TableId) -> Result<Vec<(Lsn, Version)>, StoreError> {
        let mut rows = Vec::new();
        self.store.scan(
            &KeyRange::versions(table),
            Order::Ascending,
            |key, version: Version| {
                if let Key::Version { lsn, .. } = key {
                    rows.push((lsn, version));
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(rows)
    }

    /// The first rows of a table after `lsn`, at most `limit`.
    pub fn versions_after(
        &self,
        table: TableId,
        lsn: Lsn,
        limit: usize,
    ) -> Result<Vec<(Lsn, Version)>, StoreError> {
        let start = Key::Version {
            table,
            lsn: lsn.next(),
        };
        let range = KeyRange::versions(table).starting_at(&start);
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        self.store
            .scan(&range, Order::Ascending, |key, version: Version| {
                if let Key::Version { lsn, .. } = key {
                    rows.push((lsn, version));
                }
                Ok(match rows.len() < limit {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
            })?;
        Ok(rows)
    }

    /// The last row of a table at or before `lsn`.
    pub fn last_row_at(&self, table: TableId, lsn: Lsn) -> Result<Option<Lsn>, StoreError> {
        let end = Key::Version {
            table,
            lsn: lsn.next(),
        };
        let range = KeyRange::versions(table).ending_before(&end);
        let mut found = None;
        self.store
            .scan(&range, Order::Descending, |key, _: Version| {
                if let Key::Version { lsn, .. } = key {
                    found = Some(lsn);
                }
                Ok(ControlFlow::Break(()))
            })?;
        Ok(found)
    }

    /// The versions that are marked as made of the content of one.
    pub fn derived(&self, origin: Origin) -> Result<Vec<Origin>, StoreError> {
        let mut found = Vec::new();
        let range = KeyRange::derived(origin.table, origin.lsn);
        self.store
            .scan(&range, Order::Ascending, |key, _: Derived| {
                if let Key::Derived { table, lsn, .. } = key {
                    found.push(Origin { table, lsn });
                }
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(found)
    }

    /// Whether one version is marked as made of the content of another.
    pub fn is_derived(&self, origin: Origin, at: Origin) -> Result<bool, StoreError> {
        let key = Key::Derived {
            origin: origin.table,
            origin_lsn: origin.lsn,
            table: at.table,
            lsn: at.lsn,
        };
        Ok(self.store.get::<Derived>(&key)?.is_some())
    }

    /// Every table incarnation of the warehouse.
    pub fn all_tables(&self) -> Result<Vec<(TableId, Table)>, StoreError> {
        let mut tables = Vec::new();
        self.store
            .scan(&KeyRange::tables(), Order::Ascending, |key, table| {
                if let Key::Table(id) = key {
                    tables.push((id, table));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(tables)
    }

    /// The numbers of all schemas of a table.
    pub fn schema_numbers(&self, table: TableId) -> Result<Vec<u32>, StoreError> {
        let mut numbers = Vec::new();
        self.store.scan(
            &KeyRange::schemas(table),
            Order::Ascending,
            |key, _: Schema| {
                if let Key::Schema { schema, .. } = key {
                    numbers.push(schema);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(numbers)
    }

    /// The ids of the collected partitions of a table.
    pub fn gone_partition_ids(&self, table: TableId) -> Result<Vec<PartitionId>, StoreError> {
        let mut ids = Vec::new();
        self.store.scan(
            &KeyRange::gone_partitions(table),
            Order::Ascending,
            |key, _: Gone| {
                if let Key::GonePartition { partition, .. } = key {
                    ids.push(partition);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(ids)
    }

    /// The LSNs of one object of a partitioned table, in `order`, from `start` on, while `visit` goes on.
    /// `partition` is `None` for the table itself.
    pub fn object_lsns(
        &self,
        table: TableId,
        partition: Option<PartitionId>,
        order: Order,
        start: Lsn,
        mut visit: impl FnMut(Lsn) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let object = partition.unwrap_or(TABLE_OBJECT);
        let range = KeyRange::object_versions(table, object);
        let range = match order {
            Order::Ascending => range.starting_at(&Key::ObjectVersion {
                table,
                object,
                lsn: start,
            }),
            Order::Descending => range.ending_before(&Key::ObjectVersion {
                table,
                object,
                lsn: start.next(),
            }),
        };
        self.store.scan(&range, order, |key, _: ObjectVersion| {
            Ok(match key {
                Key::ObjectVersion { lsn, .. } => visit(lsn),
                _ => ControlFlow::Continue(()),
            })
        })
    }

    /// The row of an object after `lsn`; `partition` is `None` for the table itself.
    pub fn next_row(
        &self,
        (id, table): (TableId, &Table),
        partition: Option<PartitionId>,
        lsn: Lsn,
    ) -> Result<Option<(Lsn, Version)>, StoreError> {
        let next = if table.partitioned {
            let mut next = None;
            self.object_lsns(id, partition, Order::Ascending, lsn.next(), |lsn| {
                next = Some(lsn);
                ControlFlow::Break(())
            })?;
            next
        } else {
            self.next_lsn(id, lsn)?
        };
        next.map(|lsn| Ok((lsn, self.require_version(id, lsn)?)))
            .transpose()
    }

    /// What is remembered of a partition that was collected.
    pub fn gone_partition(
        &self,
        table: TableId,
        partition: PartitionId,
    ) -> Result<Option<Gone>, StoreError> {
        self.store.get(&Key::GonePartition { table, partition })
    }

    /// What is remembered of the partitions of a table that were collected.
    pub fn gone_partitions(&self, table: TableId) -> Result<Vec<Gone>, StoreError> {
        let mut gone = Vec::new();
        self.store.scan(
            &KeyRange::gone_partitions(table),
            Order::Ascending,
            |_, one| {
                gone.push(one);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(gone)
    }

    /// What is remembered of a table that was collected.
    pub fn gone_table(&self, table: TableId) -> Result<Option<Gone>, StoreError> {
        self.store.get(&Key::GoneTable(table))
    }

    /// The first LSN of a table after `lsn`.
    pub fn next_lsn(&self, table: TableId, lsn: Lsn) -> Result<Option<Lsn>, StoreError> {
        let range = KeyRange::versions(table).starting_at(&Key::Version {
            table,
            lsn: lsn.next(),
        });
        let mut found = None;
        self.store
            .scan(&range, Order::Ascending, |key, _: Version| {
                if let Key::Version { lsn, .. } = key {
                    found = Some(lsn);
                }
                Ok(ControlFlow::Break(()))
            })?;
        Ok(found)
    }
}
