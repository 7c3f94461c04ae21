//! The naive model: a full copy of every version, and every rule of history in the plainest words.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::program::{NAMES, PARTS, Step};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A row as a query shows it.
pub type Shown = Vec<Option<String>>;

/// A row by column id.
pub type Record = BTreeMap<u32, String>;

/// The content of a version. Equal marks, one for each time rows were written, mean the same snapshot.
#[derive(Clone, Debug)]
pub struct Content {
    marks: Vec<u64>,
    pub records: Rc<Vec<Record>>,
}

/// A row of history.
#[derive(Clone, Debug)]
pub struct Row {
    pub lsn: u64,
    /// A partition of the table, by its place; `None` for the table itself.
    pub part: Option<usize>,
    pub operation: &'static str,
    pub at_ms: i64,
    pub content: Option<Content>,
    pub schema: u32,
    /// It has expired or was purged.
    gone: bool,
}

/// A partition incarnation.
#[derive(Clone, Debug)]
pub struct Part {
    pub id: u64,
    pub value: usize,
    pub dropped_ms: Option<i64>,
    gone: bool,
    modified_ms: i64,
    is_kept: bool,
}

/// A table incarnation.
#[derive(Clone, Debug)]
pub struct Table {
    pub id: u64,
    pub name: usize,
    pub partitioned: bool,
    pub created_ms: i64,
    pub dropped_ms: Option<i64>,
    gone: bool,
    /// Columns by schema number: id and name.
    pub schemas: BTreeMap<u32, Vec<(u32, char)>>,
    pub schema: u32,
    columns_made: u32,
    pub rows: Vec<Row>,
    pub parts: Vec<Part>,
    pub last_lsn: u64,
    last_row_ms: i64,
    purged_ms: i64,
    own_days: Option<i64>,
    modified_ms: i64,
    lifecycle: Option<i64>,
    /// Since when its lifecycle is what it is.
    since_ms: i64,
    /// Its lifecycle is disabled.
    is_kept: bool,
}

/// The whole warehouse.
#[derive(Clone, Debug)]
pub struct Model {
    pub now_ms: i64,
    days: i64,
    /// What was superseded before is gone of tables that follow the project.
    horizon_ms: i64,
    pub tables: Vec<Table>,
    /// The names of the views, which no table may have.
    views: BTreeSet<usize>,
    ids: u64,
    marks: u64,
    values: u64,
}

/// How content comes into another table.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// A restore of all of it.
    Whole,
    /// A restore of some partitions.
    Parts,
    Clone,
}

/// Why a step must fail.
#[derive(Debug)]
pub struct Refused;

type Done = Result<(), Refused>;

/// What a step says, and what must come of it.
pub enum Expected {
    Statement(String, Done),
    Collect,
    Reopen { without_index: bool },
    Nothing,
}

/// A partition's state at some LSN.
enum At {
    Absent,
    Lost,
    Is(Content),
}

impl Table {
    fn columns(&self) -> &[(u32, char)] {
        &self.schemas[&self.schema]
    }

    fn names(&self, schema: u32) -> Vec<char> {
        self.schemas[&schema]
            .iter()
            .map(|(_, name)| *name)
            .collect()
    }

    pub fn superseded_ms(&self, place: usize) -> Option<i64> {
        let part = self.rows[place].part;
        let next = self.rows[place + 1..].iter().find(|row| row.part == part);
        let part_dropped = part.and_then(|part| self.parts[part].dropped_ms);
        next.map(|row| row.at_ms)
            .or(part_dropped)
            .or(self.dropped_ms)
    }

    pub fn is_listed(&self, place: usize) -> bool {
        !self.rows[place].gone
    }

    fn add(
        &mut self,
        now_ms: i64,
        part: Option<usize>,
        operation: &'static str,
        content: Option<Content>,
    ) {
        self.last_lsn += 1;
        self.last_row_ms = self.last_row_ms.max(now_ms).max(self.purged_ms);
        self.modified_ms = self.last_row_ms;
        if let Some(part) = part {
            self.parts[part].modified_ms = self.last_row_ms;
        }
        self.rows.push(Row {
            lsn: self.last_lsn,
            part,
            operation,
            at_ms: self.last_row_ms,
            content,
            schema: self.schema,
            gone: false,
        });
    }

    fn head(&self, part: Option<usize>) -> Option<&Row> {
        self.rows.iter().rev().find(|row| row.part == part)
    }

    fn live_part(&self, value: usize) -> Option<usize> {
        let mut all = self.parts.iter();
        all.position(|part| part.value == value && part.dropped_ms.is_none())
    }

    /// Live partitions by value.
    fn live_parts(&self) -> Vec<usize> {
        (0..PARTS.len())
            .filter_map(|value| self.live_part(value))
            .collect()
    }

    fn row_at(&self, lsn: u64) -> Option<usize> {
        self.rows.iter().position(|row| row.lsn == lsn)
    }

    fn first_listed(&self) -> Option<u64> {
        self.rows.iter().find(|row| !row.gone).map(|row| row.lsn)
    }

    /// What a partition was when the table stood at `lsn`.
    fn part_at(&self, part: usize, lsn: u64) -> At {
        let rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| row.part == Some(part))
            .collect();
        let Some(place) = rows.iter().rposition(|row| row.lsn <= lsn) else {
            return At::Absent;
        };
        if self.parts[part].gone {
            // Of what is gone only its beginning and its end are known.
            let last = rows.last().map_or(0, |row| row.lsn);
            return if lsn < last { At::Lost } else { At::Absent };
        }
        match (&rows[place].content, rows[place].gone) {
            (_, true) => At::Lost,
            (None, false) => At::Absent,
            (Some(content), false) => At::Is(content.clone()),
        }
    }

    /// The schema and the partitions of a partitioned table at `lsn`.
    pub fn state_at(&self, lsn: u64) -> Result<(u32, Vec<(usize, Content)>), Refused> {
        let first = self.first_listed().unwrap_or(self.last_lsn);
        if lsn < first || lsn > self.last_lsn {
            return Err(Refused);
        }
        let own: Vec<&Row> = self.rows.iter().filter(|row| row.part.is_none()).collect();
        let row = own.iter().rev().find(|row| row.lsn <= lsn).ok_or(Refused)?;
        if row.gone || row.operation == "DROP" {
            return Err(Refused);
        }
        let mut pieces = Vec::new();
        for part in 0..self.parts.len() {
            match self.part_at(part, lsn) {
                At::Absent => {}
                At::Lost => return Err(Refused),
                At::Is(content) => pieces.push((part, content)),
            }
        }
        pieces.sort_by_key(|(part, _)| self.parts[*part].value);
        Ok((row.schema, pieces))
    }

    /// The same for a restore, which two partitions that have one name by now cannot both come back with.
    fn restorable_at(&self, lsn: u64) -> Result<(u32, Vec<(usize, Content)>), Refused> {
        let (schema, pieces) = self.state_at(lsn)?;
        let values: Vec<usize> = pieces
            .iter()
            .map(|(part, _)| self.parts[*part].value)
            .collect();
        match values.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(Refused),
            false => Ok((schema, pieces)),
        }
    }

    /// The version a live partition goes back to: the last with content at or before `lsn`, or its first.
    fn part_version(&self, part: usize, lsn: u64) -> Result<Content, Refused> {
        if lsn > self.last_lsn {
            return Err(Refused);
        }
        let rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| row.part == Some(part))
            .collect();
        let before: Vec<&&Row> = rows.iter().filter(|row| row.lsn <= lsn).collect();
        let chosen = match before.last() {
            None => rows[0],
            Some(last) if last.content.is_some() => last,
            Some(_) => before.get(before.len().wrapping_sub(2)).ok_or(Refused)?,
        };
        match chosen.gone {
            true => Err(Refused),
            false => chosen.content.clone().ok_or(Refused),
        }
    }
}

impl Model {
    pub fn new(start_ms: i64) -> Self {
        Self {
            now_ms: start_ms - 1000,
            days: 1,
            horizon_ms: 0,
            tables: Vec::new(),
            views: BTreeSet::new(),
            ids: 0,
            marks: 0,
            values: 0,
        }
    }

    /// A statement begins: a second later, and what has expired by then is gone.
    pub fn tick(&mut self) {
        self.now_ms += 1000;
        self.end_lifecycles();
        self.expire();
    }

    /// Whether anything may come to its end.
    pub fn has_lifecycles(&self) -> bool {
        self.tables.iter().any(|table| table.lifecycle.is_some())
    }

    /// What nobody changed for the days of its lifecycle is dropped as of its end.
    fn end_lifecycles(&mut self) {
        for place in 0..self.tables.len() {
            let table = &mut self.tables[place];
            let Some(days) = table.lifecycle else {
                continue;
            };
            if table.dropped_ms.is_some() || table.is_kept {
                continue;
            }
            if !table.partitioned {
                let end_ms = (table.modified_ms + days * DAY_MS).max(table.since_ms);
                if end_ms <= self.now_ms {
                    table.add(end_ms, None, "DROP", None);
                    table.dropped_ms = Some(table.last_row_ms);
                }
                continue;
            }
            let mut ends: Vec<(i64, usize, usize)> = table
                .live_parts()
                .into_iter()
                .filter(|part| !table.parts[*part].is_kept)
                .map(|part| {
                    let end_ms = table.parts[part].modified_ms + days * DAY_MS;
                    let end_ms = end_ms.max(table.since_ms);
                    (end_ms, table.parts[part].value, part)
                })
                .collect();
            ends.sort_unstable();
            for (end_ms, _, part) in ends {
                if end_ms <= self.now_ms {
                    table.add(end_ms, Some(part), "DROP", None);
                    table.parts[part].dropped_ms = Some(table.last_row_ms);
                }
            }
        }
    }

    fn days_of(&self, table: &Table) -> i64 {
        table.own_days.unwrap_or(self.days)
    }

    fn expire(&mut self) {
        let (now_ms, horizon_ms) = (self.now_ms, self.horizon_ms);
        let windows: Vec<i64> = self
            .tables
            .iter()
            .map(|table| self.days_of(table))
            .collect();
        for (table, days) in self.tables.iter_mut().zip(windows) {
            let follows = table.own_days.is_none();
            let keeps = |at_ms: i64| {
                days > 0 && now_ms - at_ms <= days * DAY_MS && !(follows && at_ms < horizon_ms)
            };
            Self::lose(table, &keeps);
        }
    }

    /// Everything of a table that `keeps` does not keep is gone for good.
    fn lose(table: &mut Table, keeps: &dyn Fn(i64) -> bool) {
        for place in 0..table.rows.len() {
            if table
                .superseded_ms(place)
                .is_some_and(|at_ms| !keeps(at_ms))
            {
                table.rows[place].gone = true;
            }
        }
        for part in &mut table.parts {
            part.gone |= part.dropped_ms.is_some_and(|at_ms| !keeps(at_ms));
        }
        table.gone |= table.dropped_ms.is_some_and(|at_ms| !keeps(at_ms));
    }

    pub fn live(&self, name: usize) -> Option<usize> {
        self.tables
            .iter()
            .position(|table| table.name == name && table.dropped_ms.is_none())
    }

    fn is_taken(&self, name: usize) -> bool {
        self.live(name).is_some() || self.views.contains(&name)
    }

    /// Tables that are listed, by name, creation and life.
    pub fn listed(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.tables.len())
            .filter(|place| !self.tables[*place].gone)
            .collect();
        places.sort_by_key(|place| {
            let table = &self.tables[*place];
            let seconds = table.created_ms;
            (
                NAMES[table.name],
                seconds,
                table.dropped_ms.is_none(),
                table.id,
            )
        });
        places
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Content that is written anew.
    fn content(&mut self, records: Vec<Record>) -> Content {
        let none = Content {
            marks: Vec::new(),
            records: Rc::default(),
        };
        self.appended(&none, records)
    }

    /// Content with new rows behind it.
    fn appended(&mut self, before: &Content, records: Vec<Record>) -> Content {
        let mut marks = before.marks.clone();
        if !records.is_empty() {
            self.marks += 1;
            marks.push(self.marks);
        }
        Content {
            marks,
            records: Rc::new([before.records.to_vec(), records].concat()),
        }
    }

    fn new_table(&mut self, name: usize, partitioned: bool, columns: Vec<(u32, char)>) -> Table {
        let made = columns.iter().map(|(id, _)| *id).max().unwrap_or(0) + u32::from(partitioned);
        Table {
            id: self.next_id(),
            name,
            partitioned,
            created_ms: self.now_ms,
            dropped_ms: None,
            gone: false,
            schemas: BTreeMap::from([(1, columns)]),
            schema: 1,
            columns_made: made,
            rows: Vec::new(),
            parts: Vec::new(),
            last_lsn: 0,
            last_row_ms: self.now_ms,
            purged_ms: 0,
            own_days: None,
            modified_ms: self.now_ms,
            lifecycle: None,
            since_ms: self.now_ms,
            is_kept: false,
        }
    }

    fn add_part(&mut self, place: usize, value: usize, content: Content) {
        let id = self.next_id();
        let now_ms = self.now_ms;
        let table = &mut self.tables[place];
        table.parts.push(Part {
            id,
            value,
            dropped_ms: None,
            gone: false,
            modified_ms: now_ms,
            is_kept: false,
        });
        let part = table.parts.len() - 1;
        table.add(now_ms, Some(part), "CREATE", Some(content));
    }

    fn drop_part(&mut self, place: usize, part: usize, purge: bool) {
        let now_ms = self.now_ms;
        let table = &mut self.tables[place];
        table.add(now_ms, Some(part), "DROP", None);
        table.parts[part].dropped_ms = Some(table.last_row_ms);
        if purge {
            table.parts[part].gone = true;
            for row in table.rows.iter_mut().filter(|row| row.part == Some(part)) {
                row.gone = true;
            }
        }
    }

    /// A table or partition gets content; a partition that is not there is made.
    fn put(
        &mut self,
        place: usize,
        value: Option<usize>,
        operation: &'static str,
        content: Content,
    ) {
        let now_ms = self.now_ms;
        let part = value.map(|value| (value, self.tables[place].live_part(value)));
        match part {
            Some((value, None)) => self.add_part(place, value, content),
            Some((_, part)) => self.tables[place].add(now_ms, part, operation, Some(content)),
            None => self.tables[place].add(now_ms, None, operation, Some(content)),
        }
    }

    fn current(&self, place: usize, value: Option<usize>) -> Content {
        let table = &self.tables[place];
        let part = value.map(|value| table.live_part(value));
        let head = match part {
            None => table.head(None),
            Some(Some(part)) => table.head(Some(part)),
            Some(None) => None,
        };
        let content = head.and_then(|row| row.content.clone());
        content.unwrap_or(Content {
            marks: Vec::new(),
            records: Rc::default(),
        })
    }

    /// Says what a step is as a statement and what must come of it, and does it.
    pub fn step(&mut self, step: &Step) -> Expected {
        let step = &self.aimed(step);
        let statement = |(sql, done): (String, Done)| Expected::Statement(sql, done);
        match step {
            Step::Collect => {
                self.tick();
                Expected::Collect
            }
            Step::Reopen => Expected::Reopen {
                without_index: false,
            },
            Step::DeleteIndex => Expected::Reopen {
                without_index: true,
            },
            Step::Advance { hours } => {
                self.tick();
                self.now_ms += i64::from(*hours) * HOUR_MS;
                statement((format!("set odpsh.clock.advance={hours}h"), Ok(())))
            }
            other => {
                // The statement is written for what is there when it begins.
                let mut begun = self.clone();
                begun.tick();
                let Some(sql) = begun.sql(other) else {
                    return Expected::Nothing;
                };
                let mut after = begun.clone();
                let done = after.run(other);
                *self = if done.is_ok() { after } else { begun };
                statement((sql, done))
            }
        }
    }

    /// An LSN of a table, mostly a listed one.
    fn lsn(&self, name: u8, pick: u8) -> u64 {
        let Some(place) = self.live(usize::from(name)) else {
            return 1;
        };
        let table = &self.tables[place];
        let listed: Vec<u64> = table
            .rows
            .iter()
            .filter(|row| !row.gone)
            .map(|row| row.lsn)
            .collect();
        match pick % 4 {
            0 => 1 + u64::from(pick) % (table.last_lsn + 2),
            _ => listed[usize::from(pick / 4) % listed.len()],
        }
    }

    /// The step with a table and a partition that are there, in place of ones that are not.
    fn aimed(&self, step: &Step) -> Step {
        let live: Vec<u8> = (0..NAMES.len() as u8)
            .filter(|name| self.live(usize::from(*name)).is_some())
            .collect();
        let table = |name: &mut u8| {
            if !live.contains(name) && !live.is_empty() {
                *name = live[usize::from(*name) % live.len()];
            }
        };
        let partitioned = |name: &mut u8| {
            let all: Vec<u8> = live
                .iter()
                .copied()
                .filter(|name| self.is_partitioned(*name))
                .collect();
            if !all.contains(name) && !all.is_empty() {
                *name = all[usize::from(*name) % all.len()];
            }
        };
        let partition = |name: u8, part: &mut u8| {
            let Some(place) = self.live(usize::from(name)) else {
                return;
            };
            let table = &self.tables[place];
            let values: Vec<u8> = (0..PARTS.len() as u8)
                .filter(|value| table.live_part(usize::from(*value)).is_some())
                .collect();
            if !values.contains(part) && !values.is_empty() {
                *part = values[usize::from(*part) % values.len()];
            }
        };
        let mut step = step.clone();
        match &mut step {
            Step::Insert { name, .. }
            | Step::Drop { name, .. }
            | Step::Restore { name, .. }
            | Step::RestoreAs { name, .. }
            | Step::CreateAs { name, .. }
            | Step::Clone { from: name, .. }
            | Step::Rename { from: name, .. }
            | Step::MergeSmallFiles { name }
            | Step::AddColumn { name }
            | Step::DropColumn { name }
            | Step::Lifecycle { name, .. }
            | Step::TableRetention { name, .. } => table(name),
            Step::Switch {
                name,
                part: Some(part),
                ..
            } => {
                partitioned(name);
                partition(*name, part);
            }
            Step::Switch { name, .. } => table(name),
            Step::AddPartition { name, .. } | Step::UndropPartition { name, .. } => {
                partitioned(name);
            }
            Step::Truncate { name, part } | Step::Touch { name, part } => {
                table(name);
                partition(*name, part);
            }
            Step::DropPartition { name, part, .. }
            | Step::RestorePartition { name, part, .. }
            | Step::RestorePartitionAs { name, part, .. }
            | Step::RenamePartition {
                name, from: part, ..
            } => {
                partitioned(name);
                partition(*name, part);
            }
            Step::MergePartitions {
                name, from, into, ..
            } => {
                partitioned(name);
                partition(*name, from);
                partition(*name, into);
            }
            _ => {}
        }
        step
    }

    fn is_partitioned(&self, name: u8) -> bool {
        self.live(usize::from(name))
            .is_some_and(|place| self.tables[place].partitioned)
    }

    /// The dropped tables that may be asked for, oldest first.
    fn dropped(&self) -> Vec<usize> {
        (0..self.tables.len())
            .filter(|place| self.tables[*place].dropped_ms.is_some())
            .collect()
    }

    fn dropped_part(&self, name: u8, which: u8) -> Option<usize> {
        let table = &self.tables[self.live(usize::from(name))?];
        let dropped: Vec<usize> = (0..table.parts.len())
            .filter(|part| table.parts[*part].dropped_ms.is_some())
            .collect();
        (!dropped.is_empty()).then(|| dropped[usize::from(which) % dropped.len()])
    }

    /// The records that an INSERT brings.
    fn new_records(&self, name: u8, is_large: bool) -> Vec<Record> {
        let Some(place) = self.live(usize::from(name)) else {
            return Vec::new();
        };
        let value = self.values + 1;
        let record = |number: u64| {
            let columns = self.tables[place].columns().iter();
            let values = columns.map(|(id, column)| {
                let text = match (column, is_large) {
                    ('a', _) => number.to_string(),
                    // By turns too large for the metadata, and just not.
                    (_, true) if value.is_multiple_of(2) => {
                        format!("{number}{}", "x".repeat(70_000))
                    }
                    (_, true) => format!("{number}{}", "y".repeat(25_000)),
                    (_, false) => format!("{column}{number}"),
                };
                (*id, text)
            });
            values.collect()
        };
        vec![record(value * 10), record(value * 10 + 1)]
    }

    /// The step as SQL; `None` where it has nothing to refer to.
    fn sql(&self, step: &Step) -> Option<String> {
        let n = |name: &u8| NAMES[usize::from(*name)];
        let p = |part: &u8| format!("partition (p='{}')", PARTS[usize::from(*part)]);
        Some(match step {
            Step::Create { name, partitioned } => {
                let by = if *partitioned {
                    " partitioned by (p string)"
                } else {
                    ""
                };
                format!("create table {} (a bigint){by}", n(name))
            }
            Step::Insert {
                name,
                part,
                overwrite,
                is_large,
            } => {
                let place = self.live(usize::from(*name))?;
                let columns = self.tables[place].columns();
                let rows = self
                    .new_records(*name, *is_large)
                    .into_iter()
                    .map(|record| {
                        let values = columns.iter().map(|(id, column)| match column {
                            'a' => record[id].clone(),
                            _ => format!("'{}'", record[id]),
                        });
                        format!("({})", values.collect::<Vec<_>>().join(", "))
                    });
                let rows: Vec<String> = rows.collect();
                let verb = if *overwrite { "overwrite" } else { "into" };
                let of = if self.is_partitioned(*name) {
                    p(part)
                } else {
                    String::new()
                };
                format!(
                    "insert {verb} table {} {of} values {}",
                    n(name),
                    rows.join(", ")
                )
            }
            Step::AddPartition { name, part } => format!("alter table {} add {}", n(name), p(part)),
            Step::DropPartition { name, part, purge } => {
                let purge = if *purge { " purge" } else { "" };
                format!("alter table {} drop {}{purge}", n(name), p(part))
            }
            Step::RenamePartition { name, from, to } => {
                format!("alter table {} {} rename to {}", n(name), p(from), p(to))
            }
            Step::MergePartitions {
                name,
                from,
                into,
                purge,
            } => {
                let purge = if *purge { " purge" } else { "" };
                let (from, into) = (p(from), p(into));
                format!(
                    "alter table {} merge {from}, {into} overwrite {into}{purge}",
                    n(name)
                )
            }
            Step::Truncate { name, part } => {
                let of = if self.is_partitioned(*name) {
                    p(part)
                } else {
                    String::new()
                };
                format!("truncate table {} {of}", n(name))
            }
            Step::Drop { name, purge } => {
                format!(
                    "drop table {}{}",
                    n(name),
                    if *purge { " purge" } else { "" }
                )
            }
            Step::Rename { from, to } => format!("alter table {} rename to {}", n(from), n(to)),
            Step::Undrop { which } => {
                let dropped = self.dropped();
                let place = *dropped.get(usize::from(*which) % dropped.len().max(1))?;
                let table = &self.tables[place];
                format!(
                    "restore table {}('id'='{:032x}')",
                    NAMES[table.name], table.id
                )
            }
            Step::UndropPartition { name, which } => {
                let part = self.dropped_part(*name, *which)?;
                let table = &self.tables[self.live(usize::from(*name))?];
                let id = table.parts[part].id;
                format!("restore table {} partition ('id'='{id:032x}')", n(name))
            }
            Step::Restore { name, lsn } => {
                format!(
                    "restore table {} to lsn '{}'",
                    n(name),
                    self.lsn(*name, *lsn)
                )
            }
            Step::RestorePartition { name, part, lsn } => {
                let lsn = self.lsn(*name, *lsn);
                format!("restore table {} {} to lsn '{lsn}'", n(name), p(part))
            }
            Step::RestoreAs { name, lsn, to } => {
                let lsn = self.lsn(*name, *lsn);
                format!("restore table {} to lsn '{lsn}' as {}", n(name), n(to))
            }
            Step::RestorePartitionAs {
                name,
                part,
                lsn,
                to,
            } => {
                let lsn = self.lsn(*name, *lsn);
                format!(
                    "restore table {} {} to lsn '{lsn}' as {}",
                    n(name),
                    p(part),
                    n(to)
                )
            }
            Step::Clone { from, to } => {
                format!("clone table {} to {} if exists overwrite", n(from), n(to))
            }
            Step::CreateAs { name, lsn, to } => {
                let lsn = self.lsn(*name, *lsn);
                format!(
                    "create table {} as select * from {} version as of {lsn}",
                    n(to),
                    n(name)
                )
            }
            // Of partitions the model would have to know how many segments they have.
            Step::MergeSmallFiles { name } if self.is_partitioned(*name) => return None,
            Step::MergeSmallFiles { name } => format!("alter table {} merge smallfiles", n(name)),
            Step::AddColumn { name } => {
                let column = self.free_column(*name)?;
                format!("alter table {} add columns ({column} string)", n(name))
            }
            Step::DropColumn { name } => {
                let place = self.live(usize::from(*name))?;
                let (_, column) = self.tables[place].columns().last()?;
                format!("alter table {} drop columns {column}", n(name))
            }
            Step::Lifecycle { name, days } => {
                format!("alter table {} set lifecycle {days}", n(name))
            }
            Step::Switch {
                name,
                part,
                enabled,
            } => {
                let verb = if *enabled { "enable" } else { "disable" };
                let of = part.map_or_else(String::new, |part| p(&part));
                format!("alter table {} {of} {verb} lifecycle", n(name))
            }
            Step::Touch { name, part } => {
                let of = if self.is_partitioned(*name) {
                    p(part)
                } else {
                    String::new()
                };
                format!("alter table {} touch {of}", n(name))
            }
            Step::View { name } if self.views.contains(&usize::from(*name)) => {
                format!("drop view {}", n(name))
            }
            Step::View { name } => format!("create view {} as select 1 a", n(name)),
            Step::Retention { days } => {
                format!("setproject odps.timemachine.retention.days={days}")
            }
            Step::TableRetention { name, days } => match days {
                Some(days) => format!(
                    "alter table {} set tblproperties ('odps.timemachine.retention.days'='{days}')",
                    n(name)
                ),
                None => format!(
                    "alter table {} unset tblproperties ('odps.timemachine.retention.days')",
                    n(name)
                ),
            },
            Step::Purge { name, hours } => {
                let hours = hours.map_or_else(String::new, |hours| hours.to_string());
                format!("purge table {} {hours}", n(name))
            }
            Step::PurgeAll => "purge all".to_owned(),
            Step::Collect | Step::Advance { .. } | Step::Reopen | Step::DeleteIndex => return None,
        })
    }

    fn free_column(&self, name: u8) -> Option<char> {
        let place = self.live(usize::from(name))?;
        let columns = self.tables[place].columns();
        ['b', 'c', 'd']
            .into_iter()
            .find(|free| columns.iter().all(|(_, name)| name != free))
    }

    fn need(&self, name: u8) -> Result<usize, Refused> {
        self.live(usize::from(name)).ok_or(Refused)
    }

    fn need_partitioned(&self, name: u8) -> Result<usize, Refused> {
        let place = self.need(name)?;
        match self.tables[place].partitioned {
            true => Ok(place),
            false => Err(Refused),
        }
    }

    fn need_part(&self, place: usize, value: u8) -> Result<usize, Refused> {
        self.tables[place]
            .live_part(usize::from(value))
            .ok_or(Refused)
    }

    /// Carries a step out, or says that it must fail; then the model is thrown away.
    fn run(&mut self, step: &Step) -> Done {
        let now_ms = self.now_ms;
        match step {
            Step::Create { name, partitioned } => {
                let name = usize::from(*name);
                if self.is_taken(name) {
                    return Err(Refused);
                }
                let mut table = self.new_table(name, *partitioned, vec![(1, 'a')]);
                let content = (!partitioned).then(|| self.content(Vec::new()));
                table.add(now_ms, None, "CREATE", content);
                self.tables.push(table);
            }
            Step::Insert {
                name,
                part,
                overwrite,
                is_large,
            } => {
                let place = self.need(*name)?;
                let value = self.tables[place].partitioned.then_some(usize::from(*part));
                let new = self.new_records(*name, *is_large);
                self.values += 1;
                let (operation, content) = match overwrite {
                    true => ("OVERWRITE", self.content(new)),
                    false => ("APPEND", self.appended(&self.current(place, value), new)),
                };
                self.put(place, value, operation, content);
            }
            Step::AddPartition { name, part } => {
                let place = self.need_partitioned(*name)?;
                if self.need_part(place, *part).is_ok() {
                    return Err(Refused);
                }
                let content = self.content(Vec::new());
                self.add_part(place, usize::from(*part), content);
            }
            Step::DropPartition { name, part, purge } => {
                let place = self.need_partitioned(*name)?;
                let part = self.need_part(place, *part)?;
                self.drop_part(place, part, *purge);
            }
            Step::RenamePartition { name, from, to } => {
                let place = self.need_partitioned(*name)?;
                let part = self.need_part(place, *from)?;
                if self.need_part(place, *to).is_ok() {
                    return Err(Refused);
                }
                let table = &mut self.tables[place];
                let content = table.head(Some(part)).and_then(|row| row.content.clone());
                table.parts[part].value = usize::from(*to);
                table.add(now_ms, Some(part), "ALTER", content);
            }
            Step::MergePartitions {
                name,
                from,
                into,
                purge,
            } => {
                let place = self.need_partitioned(*name)?;
                let source = self.need_part(place, *from)?;
                self.need_part(place, *into)?;
                let values = match from == into {
                    true => vec![usize::from(*from)],
                    false => vec![usize::from(*from), usize::from(*into)],
                };
                let content = self.merged(place, &values);
                self.put(place, Some(usize::from(*into)), "OVERWRITE", content);
                if from != into {
                    self.drop_part(place, source, *purge);
                }
            }
            Step::Truncate { name, part } => {
                let place = self.need(*name)?;
                let value = self.tables[place].partitioned.then_some(usize::from(*part));
                if value.is_some() {
                    self.need_part(place, *part)?;
                }
                let content = self.content(Vec::new());
                self.put(place, value, "TRUNCATE", content);
            }
            Step::Drop { name, purge } => {
                let place = self.need(*name)?;
                let table = &mut self.tables[place];
                table.add(now_ms, None, "DROP", None);
                table.dropped_ms = Some(table.last_row_ms);
                if *purge {
                    Self::lose(table, &|_| false);
                }
            }
            Step::Rename { from, to } => {
                let place = self.need(*from)?;
                if self.is_taken(usize::from(*to)) {
                    return Err(Refused);
                }
                self.tables[place].name = usize::from(*to);
            }
            Step::Undrop { which } => {
                let dropped = self.dropped();
                let place = dropped[usize::from(*which) % dropped.len()];
                if self.tables[place].gone || self.is_taken(self.tables[place].name) {
                    return Err(Refused);
                }
                let table = &mut self.tables[place];
                table.dropped_ms = None;
                table.since_ms = now_ms;
                let mut own = table.rows.iter().rev().filter(|row| row.part.is_none());
                let before = own.nth(1).and_then(|row| row.content.clone());
                table.add(now_ms, None, "RESTORE", before);
                for part in table.live_parts() {
                    let content = table.head(Some(part)).and_then(|row| row.content.clone());
                    table.add(now_ms, Some(part), "RESTORE", content);
                }
            }
            Step::UndropPartition { name, which } => {
                let place = self.need(*name)?;
                let part = self.dropped_part(*name, *which).ok_or(Refused)?;
                let table = &mut self.tables[place];
                let value = table.parts[part].value;
                if table.parts[part].gone || table.live_part(value).is_some() {
                    return Err(Refused);
                }
                let mut own = table.rows.iter().rev().filter(|row| row.part == Some(part));
                let before = own.nth(1).and_then(|row| row.content.clone());
                table.parts[part].dropped_ms = None;
                table.add(now_ms, Some(part), "RESTORE", before);
            }
            Step::Restore { name, lsn } => {
                let lsn = self.lsn(*name, *lsn);
                let place = self.need(*name)?;
                self.restore(place, lsn)?;
            }
            Step::RestorePartition { name, part, lsn } => {
                let lsn = self.lsn(*name, *lsn);
                let place = self.need_partitioned(*name)?;
                let part = self.need_part(place, *part)?;
                let table = &mut self.tables[place];
                let content = table.part_version(part, lsn)?;
                table.add(now_ms, Some(part), "OVERWRITE", Some(content));
            }
            Step::RestoreAs { name, lsn, to } => {
                let lsn = self.lsn(*name, *lsn);
                let place = self.need(*name)?;
                match name == to {
                    true => self.restore(place, lsn)?,
                    false => self.restore_as(place, lsn, usize::from(*to))?,
                }
            }
            Step::RestorePartitionAs {
                name,
                part,
                lsn,
                to,
            } => {
                let lsn = self.lsn(*name, *lsn);
                let place = self.need_partitioned(*name)?;
                let part = self.need_part(place, *part)?;
                let content = self.tables[place].part_version(part, lsn)?;
                if name == to {
                    self.tables[place].add(now_ms, Some(part), "OVERWRITE", Some(content));
                    return Ok(());
                }
                let schema = self.tables[place].schema;
                let value = self.tables[place].parts[part].value;
                self.copy(
                    place,
                    schema,
                    usize::from(*to),
                    None,
                    vec![(value, content)],
                    How::Parts,
                )?;
            }
            Step::Clone { from, to } => {
                let place = self.need(*from)?;
                if from == to {
                    return Err(Refused);
                }
                let table = &self.tables[place];
                let schema = table.schema;
                let whole = match table.partitioned {
                    true => None,
                    false => table.head(None).and_then(|row| row.content.clone()),
                };
                let parts: Vec<(usize, Content)> = table
                    .live_parts()
                    .into_iter()
                    .filter_map(|part| {
                        let content = table.head(Some(part))?.content.clone()?;
                        Some((table.parts[part].value, content))
                    })
                    .collect();
                self.copy(place, schema, usize::from(*to), whole, parts, How::Clone)?;
            }
            Step::CreateAs { name, lsn, to } => {
                let lsn = self.lsn(*name, *lsn);
                let place = self.need(*name)?;
                if self.is_taken(usize::from(*to)) {
                    return Err(Refused);
                }
                self.create_as(place, lsn, usize::from(*to))?;
            }
            Step::View { name } => {
                let name = usize::from(*name);
                if !self.views.remove(&name) {
                    if self.is_taken(name) {
                        return Err(Refused);
                    }
                    self.views.insert(name);
                }
            }
            Step::MergeSmallFiles { name } => {
                let place = self.need(*name)?;
                self.merge_small_files(place);
            }
            Step::AddColumn { name } => {
                let column = self.free_column(*name).ok_or(Refused)?;
                let place = self.need(*name)?;
                let table = &mut self.tables[place];
                table.columns_made += 1;
                let mut columns = table.columns().to_vec();
                columns.push((table.columns_made, column));
                Self::alter(table, now_ms, columns);
            }
            Step::DropColumn { name } => {
                let place = self.need(*name)?;
                let table = &mut self.tables[place];
                let mut columns = table.columns().to_vec();
                columns.pop();
                if columns.is_empty() {
                    return Err(Refused);
                }
                Self::alter(table, now_ms, columns);
            }
            Step::Lifecycle { name, days } => {
                let place = self.need(*name)?;
                self.tables[place].lifecycle = Some(i64::from(*days));
                self.tables[place].since_ms = now_ms;
            }
            Step::Switch {
                name,
                part,
                enabled,
            } => {
                let place = self.need(*name)?;
                if let Some(part) = part {
                    self.need_part(self.need_partitioned(*name)?, *part)?;
                }
                self.tables[place].since_ms = now_ms;
                match part {
                    None => self.tables[place].is_kept = !enabled,
                    Some(part) => {
                        let place = self.need_partitioned(*name)?;
                        let part = self.need_part(place, *part)?;
                        self.tables[place].parts[part].is_kept = !enabled;
                    }
                }
            }
            Step::Touch { name, part } => {
                let place = self.need(*name)?;
                match self.tables[place].partitioned {
                    false => self.tables[place].modified_ms = now_ms,
                    true => {
                        let part = self.need_part(place, *part)?;
                        self.tables[place].parts[part].modified_ms = now_ms;
                    }
                }
            }
            Step::Retention { days } => {
                let (old, new) = (self.days, i64::from(*days));
                for days in [old, new] {
                    let horizon = if days == 0 {
                        now_ms + 1
                    } else {
                        now_ms - days * DAY_MS
                    };
                    self.horizon_ms = self.horizon_ms.max(horizon);
                }
                self.days = new;
                self.expire();
            }
            Step::TableRetention { name, days } => {
                let place = self.need(*name)?;
                self.tables[place].own_days = days.map(i64::from);
                self.expire();
            }
            Step::Purge { name, hours } => {
                let name = usize::from(*name);
                let all = self.tables.iter().enumerate();
                let named = all.filter(|(_, table)| table.name == name && !table.gone);
                let places: Vec<usize> = named.map(|(place, _)| place).collect();
                if places.is_empty() {
                    return Err(Refused);
                }
                self.purge(&places, *hours);
            }
            Step::PurgeAll => {
                let places: Vec<usize> = (0..self.tables.len()).collect();
                self.purge(&places, None);
            }
            Step::Collect | Step::Advance { .. } | Step::Reopen | Step::DeleteIndex => {}
        }
        Ok(())
    }

    /// The rows of several partitions; of what is shared among them the second is written anew.
    fn merged(&mut self, place: usize, values: &[usize]) -> Content {
        let mut merged = Content {
            marks: Vec::new(),
            records: Rc::default(),
        };
        let mut copied = Vec::new();
        for value in values {
            let more = self.current(place, Some(*value));
            if more.marks.iter().any(|mark| merged.marks.contains(mark)) {
                copied.extend(more.records.iter().cloned());
                continue;
            }
            merged = Content {
                marks: [merged.marks, more.marks].concat(),
                records: Rc::new([merged.records.to_vec(), more.records.to_vec()].concat()),
            };
        }
        self.appended(&merged, copied)
    }

    fn purge(&mut self, places: &[usize], hours: Option<u8>) {
        let now_ms = self.now_ms;
        let before = hours.map_or(now_ms + 1, |hours| now_ms - i64::from(hours) * HOUR_MS);
        for place in places {
            let table = &mut self.tables[*place];
            table.purged_ms = table.purged_ms.max(before);
            Self::lose(table, &|at_ms| at_ms >= before);
        }
    }

    fn alter(table: &mut Table, now_ms: i64, columns: Vec<(u32, char)>) {
        let content = match table.partitioned {
            true => None,
            false => table.head(None).and_then(|row| row.content.clone()),
        };
        table.schema = table.last_lsn as u32 + 1;
        table.schemas.insert(table.schema, columns);
        table.add(now_ms, None, "ALTER", content);
    }

    fn exact(&self, place: usize, lsn: u64) -> Result<(u32, Content), Refused> {
        let table = &self.tables[place];
        let row = &table.rows[table.row_at(lsn).ok_or(Refused)?];
        match (&row.content, row.gone) {
            (Some(content), false) => Ok((row.schema, content.clone())),
            _ => Err(Refused),
        }
    }

    fn restore(&mut self, place: usize, lsn: u64) -> Done {
        let now_ms = self.now_ms;
        if !self.tables[place].partitioned {
            let (schema, content) = self.exact(place, lsn)?;
            let table = &mut self.tables[place];
            table.schema = schema;
            table.add(now_ms, None, "OVERWRITE", Some(content));
            return Ok(());
        }
        let (schema, pieces) = self.tables[place].restorable_at(lsn)?;
        if schema != self.tables[place].schema {
            self.tables[place].schema = schema;
            self.tables[place].add(now_ms, None, "ALTER", None);
        }
        for part in self.tables[place].live_parts() {
            if !pieces.iter().any(|(other, _)| *other == part) {
                self.drop_part(place, part, false);
            }
        }
        for (part, content) in pieces {
            let table = &mut self.tables[place];
            if table.parts[part].dropped_ms.is_some() {
                let value = table.parts[part].value;
                if table.live_part(value).is_some() {
                    return Err(Refused);
                }
                table.parts[part].dropped_ms = None;
                table.add(now_ms, Some(part), "RESTORE", Some(content));
                continue;
            }
            let current = table.head(Some(part)).and_then(|row| row.content.as_ref());
            if current.is_some_and(|current| current.marks == content.marks) {
                continue;
            }
            table.add(now_ms, Some(part), "OVERWRITE", Some(content));
        }
        Ok(())
    }

    fn restore_as(&mut self, place: usize, lsn: u64, to: usize) -> Done {
        if !self.tables[place].partitioned {
            let (schema, content) = self.exact(place, lsn)?;
            return self.copy(place, schema, to, Some(content), Vec::new(), How::Whole);
        }
        let (schema, pieces) = self.tables[place].restorable_at(lsn)?;
        let table = &self.tables[place];
        let named = pieces
            .into_iter()
            .map(|(part, content)| (table.parts[part].value, content));
        let named = named.collect();
        self.copy(place, schema, to, None, named, How::Whole)
    }

    /// Copies content into another table, which is made where it is not there.
    fn copy(
        &mut self,
        place: usize,
        schema: u32,
        to: usize,
        whole: Option<Content>,
        mut parts: Vec<(usize, Content)>,
        how: How,
    ) -> Done {
        let replaces_all = how == How::Whole;
        let now_ms = self.now_ms;
        let source = self.tables[place].clone();
        parts.sort_by_key(|(value, _)| *value);
        if self.views.contains(&to) {
            return Err(Refused);
        }
        let Some(target) = self.live(to) else {
            let columns = source.schemas[&schema].clone();
            let mut table = self.new_table(to, source.partitioned, columns);
            table.columns_made = source.columns_made;
            table.own_days = source.own_days;
            table.lifecycle = source.lifecycle.filter(|_| how != How::Clone);
            table.add(now_ms, None, "CREATE", whole.clone());
            if whole.is_some() {
                table.last_lsn += 1;
            }
            self.tables.push(table);
            let made = self.tables.len() - 1;
            for (value, content) in parts {
                self.add_part(made, value, content);
            }
            return Ok(());
        };
        let table = &self.tables[target];
        if table.partitioned != source.partitioned
            || table.names(table.schema) != source.names(schema)
        {
            return Err(Refused);
        }
        let ids = |columns: &[(u32, char)]| columns.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        let (theirs, ours) = (ids(&source.schemas[&schema]), ids(table.columns()));
        let same_ids = theirs == ours;
        if same_ids || (whole.is_some() && replaces_all) {
            let made = table.columns_made.max(source.columns_made);
            self.tables[target].columns_made = made;
        }
        let mut renamed = |content: Content| -> Content {
            let records = content.records.iter().map(|record| {
                let values = theirs.iter().zip(&ours);
                let known = values.filter_map(|(from, to)| Some((*to, record.get(from)?.clone())));
                known.collect()
            });
            let records = records.collect();
            self.content(records)
        };
        if let Some(content) = whole {
            let content = match (same_ids, replaces_all) {
                (true, _) => content,
                // The table takes the source's columns.
                (false, true) => {
                    let table = &mut self.tables[target];
                    table.schema = table.last_lsn as u32 + 1;
                    let columns = source.schemas[&schema].clone();
                    table.schemas.insert(table.schema, columns);
                    content
                }
                (false, false) => renamed(content),
            };
            self.tables[target].add(now_ms, None, "OVERWRITE", Some(content));
            return Ok(());
        }
        let parts: Vec<(usize, Content)> = match same_ids {
            true => parts,
            false => {
                let all = parts.into_iter();
                all.map(|(value, content)| (value, renamed(content)))
                    .collect()
            }
        };
        if replaces_all {
            for part in self.tables[target].live_parts() {
                let value = self.tables[target].parts[part].value;
                if !parts.iter().any(|(other, _)| *other == value) {
                    self.drop_part(target, part, false);
                }
            }
        }
        for (value, content) in parts {
            self.put(target, Some(value), "OVERWRITE", content);
        }
        Ok(())
    }

    /// CREATE TABLE … AS SELECT of a version.
    fn create_as(&mut self, place: usize, lsn: u64, to: usize) -> Done {
        let now_ms = self.now_ms;
        let (schema, rows) = self.read_at(place, lsn)?;
        let source = &self.tables[place];
        let mut names: Vec<char> = source.names(schema);
        if source.partitioned {
            names.push('p');
        }
        let columns: Vec<(u32, char)> = (1..).zip(names).collect();
        let records = rows.into_iter().map(|row| {
            let values = columns.iter().zip(row);
            let known = values.filter_map(|((id, _), value)| Some((*id, value?)));
            known.collect()
        });
        let records = records.collect();
        let content = self.content(records);
        let mut table = self.new_table(to, false, columns);
        table.add(now_ms, None, "CREATE", Some(content));
        table.last_lsn += 1;
        self.tables.push(table);
        Ok(())
    }

    /// The rows of a whole table at `lsn`, as a query shows them, and its schema then.
    pub fn read_at(&self, place: usize, lsn: u64) -> Result<(u32, Vec<Shown>), Refused> {
        let table = &self.tables[place];
        let (schema, pieces) = match table.partitioned {
            false => {
                let (schema, content) = self.exact(place, lsn)?;
                (schema, vec![(None, content)])
            }
            true => {
                let (schema, pieces) = table.state_at(lsn)?;
                let pieces = pieces.into_iter();
                (
                    schema,
                    pieces
                        .map(|(part, content)| (Some(part), content))
                        .collect(),
                )
            }
        };
        let columns = &table.schemas[&schema];
        let mut rows = Vec::new();
        for (part, content) in pieces {
            for record in content.records.iter() {
                let values = columns.iter().map(|(id, _)| record.get(id).cloned());
                let value = part.map(|part| Some(PARTS[table.parts[part].value].to_owned()));
                rows.push(values.chain(value).collect());
            }
        }
        Ok((schema, rows))
    }

    /// The content of the head is written anew: the same rows, another snapshot.
    fn merge_small_files(&mut self, place: usize) {
        self.marks += 1;
        let mark = self.marks;
        let head = self.tables[place].rows.last_mut();
        if let Some(content) = head.and_then(|row| row.content.as_mut()) {
            content.marks = vec![mark];
        }
    }
}
