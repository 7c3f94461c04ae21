//! What has to hold between odpsh and the model.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use odpsh::catalog::Catalog;
use odpsh::engine::text::text;
use odpsh::exec::Outcome;
use odpsh::ids::{Lsn, TableId};
use odpsh::session::Session;
use odpsh::store::{Holds, Key, KeyRange, Order, Piece, SegmentRecord, Snapshot, Store};
use odpsh::timemachine::collect::count_holds;
use odpsh::timemachine::{Retention, table_at};

use crate::model::{Model, Record, Table};
use crate::program::{NAMES, PARTS};

/// A time as statements write it.
pub fn shown_time(at_ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at_ms).expect("a time");
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn listing(
    session: &mut Session,
    model: &mut Model,
    sql: &str,
) -> Result<Vec<Vec<String>>, String> {
    model.tick();
    match session.run(sql).outcome {
        Ok(Outcome::Listing(listing)) => {
            let plain = |value: Option<String>| value.unwrap_or_default();
            let rows = listing.rows.into_iter();
            Ok(rows
                .map(|row| row.into_iter().map(plain).collect())
                .collect())
        }
        Ok(_) => Err(format!("{sql}: no listing")),
        Err(error) => Err(format!("{sql}: {error}")),
    }
}

/// Everything that has to hold after a step.
pub fn check(session: &mut Session, model: &mut Model, number: usize) -> Result<(), String> {
    let seen = listing(session, model, "show history for tables")?;
    let expected: Vec<Vec<String>> = model
        .listed()
        .into_iter()
        .map(|place| {
            let table = &model.tables[place];
            vec![
                NAMES[table.name].to_owned(),
                format!("{:032x}", table.id),
                "MANAGED_TABLE".to_owned(),
                if table.partitioned { "TRUE" } else { "FALSE" }.to_owned(),
                shown_time(table.created_ms),
                table.dropped_ms.map_or_else(String::new, shown_time),
            ]
        })
        .collect();
    if seen != expected {
        return Err(format!(
            "show history for tables: seen {seen:#?}, expected {expected:#?}"
        ));
    }
    for place in model.listed() {
        let table = &model.tables[place];
        let sql = format!(
            "show history for table {}('id'='{:032x}')",
            NAMES[table.name], table.id
        );
        let id = table.id;
        let seen = match listing(session, model, &sql) {
            Ok(rows) => rows,
            // The clock has moved on: it may just have expired.
            Err(_)
                if !model
                    .listed()
                    .iter()
                    .any(|place| model.tables[*place].id == id) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        let table = &model.tables[place];
        let listed = (0..table.rows.len()).filter(|place| table.is_listed(*place));
        let expected: Vec<Vec<String>> = listed.map(|place| shown_row(table, place)).collect();
        let documented = seen.iter().map(|row| row[..6].to_vec());
        let seen: Vec<Vec<String>> = documented.collect();
        if seen != expected {
            return Err(format!("{sql}: seen {seen:#?}, expected {expected:#?}"));
        }
    }
    check_versions(session, model)?;
    check_past(session, model, number)
}

fn shown_row(table: &Table, place: usize) -> Vec<String> {
    let row = &table.rows[place];
    let (kind, id, name) = match row.part {
        None => ("TABLE", table.id, NAMES[table.name].to_owned()),
        Some(part) => {
            let part = &table.parts[part];
            ("PARTITION", part.id, format!("p={}", PARTS[part.value]))
        }
    };
    vec![
        kind.to_owned(),
        format!("{id:032x}"),
        name,
        format!("{:016}", row.lsn),
        shown_time(row.at_ms),
        row.operation.to_owned(),
    ]
}

fn store_of(session: &Session) -> &Arc<Store> {
    session.store().expect("an open store")
}

/// Every listed version has the model's rows, every other one is refused, and holds are counted right.
fn check_versions(session: &Session, model: &Model) -> Result<(), String> {
    let store = store_of(session);
    let catalog = Catalog::new(store);
    let fail = |error: odpsh::error::Error| error.to_string();
    for place in model.listed() {
        let table = &model.tables[place];
        let id: TableId = format!("{:032x}", table.id).parse().expect("an id");
        let record = catalog
            .table(id)
            .expect("readable")
            .ok_or("a listed table is not there")?;
        let retention = Retention::of(catalog, "default", model.now_ms).map_err(fail)?;
        let window = retention.window(&record);
        for (place, row) in table.rows.iter().enumerate() {
            if !table.is_listed(place) {
                continue;
            }
            let version = catalog
                .require_version(id, Lsn(row.lsn))
                .map_err(|e| e.to_string())?;
            match (&version.content, &row.content) {
                (None, None) => {}
                (Some(seen), Some(expected)) => {
                    let columns = match row.part {
                        None => &table.schemas[&row.schema],
                        Some(_) => &table.schemas[&table.schema],
                    };
                    let ids: Vec<u32> = columns.iter().map(|(id, _)| *id).collect();
                    let Some(seen) = inline_records(store, seen, &ids)? else {
                        continue;
                    };
                    let known = |record: &Record| -> Record {
                        let all = record.iter().filter(|(id, _)| ids.contains(id));
                        all.map(|(id, value)| (*id, value.clone())).collect()
                    };
                    let expected: Vec<Record> = expected.records.iter().map(known).collect();
                    if seen != expected {
                        return Err(format!(
                            "table {} LSN {}: seen {seen:?}, expected {expected:?}",
                            table.id, row.lsn
                        ));
                    }
                }
                _ => return Err(format!("table {} LSN {}: content", table.id, row.lsn)),
            }
        }
        if table.partitioned {
            continue;
        }
        for lsn in 1..=table.last_lsn + 1 {
            let is_listed = table.rows.iter().enumerate().any(|(place, row)| {
                row.lsn == lsn && row.content.is_some() && table.is_listed(place)
            });
            let found = table_at(catalog, (id, &record), Lsn(lsn), window);
            if found.is_ok() != is_listed {
                return Err(format!(
                    "table {} LSN {lsn}: listed {is_listed}, restorable {}",
                    table.id,
                    found.is_ok()
                ));
            }
        }
    }
    for (piece, held) in count_holds(catalog).map_err(fail)? {
        let counted: Option<Holds> = store.get(&piece.holds_key()).map_err(|e| e.to_string())?;
        let counted = 1 + counted.map_or(0, |holds| holds.more);
        if held != counted {
            return Err(format!("{piece:?} is held {held} times, counted {counted}"));
        }
    }
    Ok(())
}

/// The rows of a snapshot by column id; `None` where some of them are in files.
fn inline_records(
    store: &Store,
    snapshot: &Snapshot,
    ids: &[u32],
) -> Result<Option<Vec<Record>>, String> {
    let mut records = Vec::new();
    for segment in snapshot
        .segments(store)
        .map_err(|error| error.to_string())?
    {
        let record: SegmentRecord = store
            .require(&Key::Segment(segment.id))
            .map_err(|error| error.to_string())?;
        let Some(batch) = record
            .inline_batch(segment.id)
            .map_err(|error| error.to_string())?
        else {
            return Ok(None);
        };
        for row in 0..batch.num_rows() {
            let value =
                |id: &u32| Some((*id, text(batch.column_by_name(&format!("c{id}"))?, row)?));
            records.push(ids.iter().filter_map(value).collect());
        }
    }
    Ok(Some(records))
}

/// A query of the past, through the engine: of one table a step.
fn check_past(session: &mut Session, model: &mut Model, number: usize) -> Result<(), String> {
    let name = number % NAMES.len();
    let Some(place) = model.live(name) else {
        return Ok(());
    };
    let lsn = 1 + (number as u64 * 7) % (model.tables[place].last_lsn + 1);
    let sql = format!("select * from {} version as of {lsn}", NAMES[name]);
    model.tick();
    let expected = model.read_at(place, lsn);
    let seen = session.run(&sql).outcome;
    let (seen, mut expected) = match (seen, expected) {
        (Ok(Outcome::Rows(mut set)), Ok((_, rows))) => {
            let seen = set.collect().map_err(|error| format!("{sql}: {error}"))?;
            (seen, rows)
        }
        (Err(_), Err(_)) => return Ok(()),
        (Err(error), Ok(_)) => return Err(format!("{sql}: {error}")),
        _ => return Err(format!("{sql}: it should be refused")),
    };
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for batch in &seen {
        for row in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|array| text(array, row))
                    .collect(),
            );
        }
    }
    rows.sort();
    expected.sort();
    if rows != expected {
        return Err(format!("{sql}: seen {rows:?}, expected {expected:?}"));
    }
    Ok(())
}

/// After a collection: what is there is what listed versions need, and nothing else.
pub fn check_bytes(
    session: &Session,
    model: &Model,
    files: &BTreeMap<String, u64>,
) -> Result<(), String> {
    let store = store_of(session);
    let catalog = Catalog::new(store);
    let mut needed: BTreeSet<Piece> = BTreeSet::new();
    let mut versions = 0;
    for (id, _) in catalog.all_tables().map_err(|error| error.to_string())? {
        for (_, version) in catalog.versions(id).map_err(|error| error.to_string())? {
            versions += 1;
            if let Some(content) = version.content {
                needed.extend(content.pieces(store).map_err(|error| error.to_string())?);
            }
        }
    }
    let listed: usize = model
        .listed()
        .into_iter()
        .map(|place| {
            let table = &model.tables[place];
            (0..table.rows.len())
                .filter(|place| table.is_listed(*place))
                .count()
        })
        .sum();
    if versions != listed {
        return Err(format!(
            "{versions} versions are there, {listed} are listed"
        ));
    }
    let mut there: BTreeMap<String, Option<u64>> = BTreeMap::new();
    let mut expected: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for piece in &needed {
        match piece {
            Piece::Segment {
                id,
                size_bytes,
                inline,
            } => {
                expected.insert(format!("segment {id}"), None);
                if !inline {
                    expected.insert(format!("{id}.parquet"), Some(*size_bytes));
                }
            }
            Piece::Node(id) => {
                expected.insert(format!("node {id}"), None);
            }
        }
    }
    let scan = |range: KeyRange, there: &mut BTreeMap<String, Option<u64>>| {
        store.scan_keys(&range, Order::Ascending, |key| {
            match key {
                Key::Segment(id) => there.insert(format!("segment {id}"), None),
                Key::Node(id) => there.insert(format!("node {id}"), None),
                _ => None,
            };
            ControlFlow::Continue(())
        })
    };
    scan(KeyRange::segments(), &mut there).map_err(|error| error.to_string())?;
    scan(KeyRange::nodes(), &mut there).map_err(|error| error.to_string())?;
    for (name, size_bytes) in files {
        there.insert(name.clone(), Some(*size_bytes));
    }
    if there != expected {
        return Err(format!("there {there:?}, needed {expected:?}"));
    }
    Ok(())
}
