//! Runs queries with plain DataFusion over the segments of a warehouse, for comparison: reads
//! `{"warehouse": …, "queries": […]}` and prints a list of `[seconds, rows]`.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::datasource::MemTable;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext, col};
use odpsh::catalog::Catalog;
use odpsh::store::{Key, Seam, SegmentRecord, Warehouse, physical_name};

#[derive(serde::Deserialize)]
struct Task {
    warehouse: std::path::PathBuf,
    queries: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let task: Task = serde_json::from_reader(io::stdin())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let timed = runtime.block_on(run(&task))?;
    println!("{}", serde_json::to_string(&timed)?);
    Ok(())
}

async fn run(task: &Task) -> anyhow::Result<Vec<f64>> {
    let mut config = SessionConfig::new();
    config.options_mut().execution.parquet.pushdown_filters = true;
    let context = SessionContext::new_with_config(config);
    let warehouse = Warehouse::open(&task.warehouse, Duration::from_secs(10), Seam::real())?;
    let store = warehouse.store()?;
    let catalog = Catalog::new(store);
    for (id, table) in catalog.live_tables("default")? {
        let schema = catalog.schema(id, table.schema)?;
        let content = catalog
            .require_version(id, table.head)?
            .content
            .unwrap_or_default();
        let (mut files, mut batches) = (Vec::new(), Vec::new());
        for segment in content.segments(store)? {
            let record: SegmentRecord = store.require(&Key::Segment(segment.id))?;
            match record.inline_batch(segment.id)? {
                Some(batch) => batches.push(batch),
                None => {
                    let name = format!("{}.parquet", segment.id);
                    files.push(task.warehouse.join("data").join(name).display().to_string());
                }
            }
        }
        let rows = if files.is_empty() {
            let schema = batches[0].schema();
            context.read_table(Arc::new(MemTable::try_new(schema, vec![batches])?))?
        } else {
            context
                .read_parquet(files, ParquetReadOptions::default())
                .await?
        };
        let columns = schema.columns.iter();
        let named = columns.map(|column| col(physical_name(column.id)).alias(&column.name));
        let view = rows.select(named.collect::<Vec<_>>())?.into_view();
        context.register_table(table.name.as_str(), view)?;
    }
    let mut timed = Vec::new();
    for query in &task.queries {
        let started = Instant::now();
        let rows = context.sql(query).await?.collect().await?;
        std::hint::black_box(&rows);
        timed.push(started.elapsed().as_secs_f64());
    }
    warehouse.close()?;
    Ok(timed)
}
