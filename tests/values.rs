//! Every value reads back equal from every form it is written in.

mod support;

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;
use support::Home;

/// A small generator, so that a run can be repeated: `ODPSH_VALUES_SEED`.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// One row, each value as bits or as the text that means it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    double: Option<u64>,
    float: Option<u32>,
    decimal: Option<String>,
    day: Option<String>,
    text: Option<String>,
    timestamp: Option<String>,
    datetime: Option<String>,
}

const COLUMNS: &str =
    "id bigint, d double, f float, m decimal(38,18), dy date, s string, ts timestamp, dt datetime";

fn double_bits(value: f64) -> u64 {
    match value.is_nan() {
        true => f64::NAN.to_bits(),
        false => value.to_bits(),
    }
}

fn float_bits(value: f32) -> u32 {
    match value.is_nan() {
        true => f32::NAN.to_bits(),
        false => value.to_bits(),
    }
}

fn rows(seed: u64, count: usize) -> Vec<Row> {
    let mut rng = Rng(seed);
    let mut doubles: Vec<f64> = vec![
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        182.07566377777874,
        1e7,
        9_999_999.999_999_998,
        1e-3,
        9.999e-4,
    ];
    doubles
        .extend((-324..=308).map(|power| format!("1e{power}").parse::<f64>().expect("a number")));
    let letters: Vec<char> = "aZ0 ,\"'\n\r\t|\\中é😀".chars().collect();
    let mut made: Vec<Row> = Vec::new();
    for number in 0..count.max(doubles.len()) {
        let double = doubles
            .get(number)
            .copied()
            .unwrap_or_else(|| match rng.below(3) {
                // Everyday numbers and any bits at all.
                0 => rng.below(10_000_000) as f64 / 100.0,
                1 => (rng.next() >> 11) as f64 / (1u64 << 45) as f64,
                _ => f64::from_bits(rng.next()),
            });
        let float = match number % 3 {
            0 => double as f32,
            1 => rng.below(10_000) as f32 / 10.0,
            _ => f32::from_bits(rng.next() as u32),
        };
        let digits = rng.below(38) + 1;
        let mut units: i128 = 0;
        for _ in 0..digits {
            units = units * 10 + i128::from(rng.below(10));
        }
        let units = if rng.below(2) == 0 { units } else { -units };
        let year = 1 + rng.below(9999);
        let (month, day) = (1 + rng.below(9), 1 + rng.below(28));
        // Not every zone had whole minutes before 1900, and nanoseconds end in 2262.
        let modern = 1901 + rng.below(360);
        let clock = format!(
            "{:02}:{:02}:{:02}",
            4 + rng.below(20),
            rng.below(60),
            rng.below(60)
        );
        let fraction = match rng.below(3) {
            0 => String::new(),
            1 => format!(".{:03}", 1 + rng.below(999)),
            _ => format!(".{:09}", 1 + rng.below(999_999_999)),
        };
        let length = rng.below(6);
        let text: String = (0..length)
            .map(|_| letters[rng.below(letters.len() as u64) as usize])
            .collect();
        let mut row = Row {
            double: Some(double_bits(double)),
            float: Some(float_bits(float)),
            decimal: Some(decimal(units)),
            day: Some(format!("{year:04}-{month:02}-{day:02}")),
            text: Some(text),
            timestamp: Some(format!(
                "{modern}-{month:02}-{day:02} {clock}{}",
                fraction.trim_end_matches('0')
            )),
            datetime: Some(format!("{modern}-{month:02}-{day:02} {clock}")),
        };
        if number % 50 == 49 {
            row = Row {
                double: None,
                float: None,
                decimal: None,
                day: None,
                text: None,
                timestamp: None,
                datetime: None,
            };
        }
        made.push(row);
    }
    made
}

/// `units` of 10^-18, without trailing zeros.
fn decimal(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let padded = format!("{:019}", units.unsigned_abs());
    let (whole, fraction) = padded.split_at(padded.len() - 18);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The rows as a file that nobody but this test has written.
fn csv_of(rows: &[Row]) -> String {
    let mut out = String::new();
    for (id, row) in rows.iter().enumerate() {
        let double = row.double.map(|bits| word(f64::from_bits(bits)));
        let float = row.float.map(|bits| match f32::from_bits(bits) {
            value if value.is_finite() => format!("{value:e}"),
            value => word(f64::from(value)),
        });
        let fields = [
            double,
            float,
            row.decimal.clone(),
            row.day.clone(),
            row.text.as_deref().map(quoted),
            row.timestamp.clone(),
            row.datetime.clone(),
        ];
        let fields = fields.map(Option::unwrap_or_default).join(",");
        writeln!(out, "{id},{fields}").expect("a String takes all");
    }
    out
}

fn word(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".into(),
        value if value.is_infinite() && value > 0.0 => "Infinity".into(),
        value if value.is_infinite() => "-Infinity".into(),
        value => format!("{value:e}"),
    }
}

/// Reads CSV as its description says; `None` is an empty field without quotes.
fn parse_csv(text: &str) -> Vec<Vec<Option<String>>> {
    let mut records = Vec::new();
    let (mut record, mut field, mut is_quoted, mut inside) =
        (Vec::new(), String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if inside && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' if inside => inside = false,
            '"' if field.is_empty() => (inside, is_quoted) = (true, true),
            ',' | '\n' if !inside => {
                let taken = std::mem::take(&mut field);
                record.push((is_quoted || !taken.is_empty()).then_some(taken));
                is_quoted = false;
                if c == '\n' {
                    records.push(std::mem::take(&mut record));
                }
            }
            c => field.push(c),
        }
    }
    records
}

fn double_of(text: Option<&str>) -> Option<u64> {
    text.map(|text| double_bits(text.parse().unwrap_or_else(|_| panic!("{text}"))))
}

fn float_of(text: Option<&str>) -> Option<u32> {
    text.map(|text| float_bits(text.parse().unwrap_or_else(|_| panic!("{text}"))))
}

/// A row from texts in the order of the columns.
fn row_of(fields: &[Option<String>]) -> Row {
    Row {
        double: double_of(fields[0].as_deref()),
        float: float_of(fields[1].as_deref()),
        decimal: fields[2].clone(),
        day: fields[3].clone(),
        text: fields[4].clone(),
        timestamp: fields[5].clone(),
        datetime: fields[6].clone(),
    }
}

fn json_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[test]
fn every_value_reads_back_from_every_format() {
    let seed = std::env::var("ODPSH_VALUES_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    for (zone, seed) in [("UTC", seed), ("America/New_York", seed + 1)] {
        let rows = rows(seed, 1500);
        let home = Home::new();
        let path = home.path().join("rows.csv");
        std::fs::write(&path, csv_of(&rows)).expect("a file");
        let run = |format: &str, statements: &str| {
            let statements = format!(
                "set odps.sql.timezone={zone}; set odps.sql.validate.orderby.limit=false; {statements}"
            );
            home.run(&["--format", format, "-e", &statements], b"")
                .ok()
                .out
        };
        run(
            "csv",
            &format!(
                "create table t ({COLUMNS}); load into table t from location '{}' stored as csv;",
                path.display()
            ),
        );

        // CSV, and LOAD of it.
        let all = run("csv", "select * from t order by id;");
        let records = parse_csv(&all);
        assert_eq!(records.len(), rows.len() + 1);
        for (record, row) in records[1..].iter().zip(&rows) {
            assert_eq!(&row_of(&record[1..]), row, "csv, {zone}, seed {seed}");
        }
        let own = home.path().join("own.csv");
        std::fs::write(&own, &all).expect("a file");
        run(
            "csv",
            &format!(
                "create table u ({COLUMNS}); load into table u from location '{}' stored as csv properties ('skip.header.line.count'='1');",
                own.display()
            ),
        );
        assert_eq!(
            run("csv", "select * from u order by id;"),
            all,
            "loaded again"
        );

        // JSON.
        let out = run("json", "select * from t order by id;");
        let Ok(Value::Array(objects)) = serde_json::from_str::<Value>(&out) else {
            panic!("no array of JSON");
        };
        for (object, row) in objects.iter().zip(&rows) {
            let fields: Vec<Option<String>> = ["d", "f", "m", "dy", "s", "ts", "dt"]
                .iter()
                .map(|key| json_text(&object[*key]))
                .collect();
            assert_eq!(&row_of(&fields), row, "json, {zone}, seed {seed}");
            for key in ["d", "f"] {
                let is_finite = |text: String| text.parse::<f64>().is_ok_and(f64::is_finite);
                if let Some(text) = json_text(&object[key]) {
                    assert_eq!(object[key].is_number(), is_finite(text), "{object}");
                }
            }
        }

        // Nested values, whose text is JSON.
        let nested = run(
            "csv",
            "select array(d), map('k', f), named_struct('m', m), array(dy), array(s), array(ts), array(dt) from t order by id;",
        );
        for (record, row) in parse_csv(&nested)[1..].iter().zip(&rows) {
            let fields: Vec<Option<String>> = record
                .iter()
                .map(|text| {
                    let text = text.as_deref().expect("an array is not NULL");
                    let value: Value =
                        serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
                    match &value {
                        Value::Array(items) => json_text(&items[0]),
                        Value::Object(members) => {
                            json_text(members.values().next().expect("a member"))
                        }
                        other => panic!("{other}"),
                    }
                })
                .collect();
            assert_eq!(&row_of(&fields), row, "nested, {zone}, seed {seed}");
        }

        // CAST and the functions of JSON, inside the program.
        let checks: HashMap<&str, &str> = HashMap::from([
            ("d", "double"),
            ("f", "float"),
            ("m", "decimal(38,18)"),
            ("dy", "date"),
            ("s", "string"),
            ("ts", "timestamp"),
            ("dt", "datetime"),
        ]);
        for (column, data_type) in checks {
            let ways = [
                format!("cast(cast({column} as string) as {data_type})"),
                format!("cast(get_json_object(to_json(map('k', {column})), '$.k') as {data_type})"),
                format!("from_json(to_json(array({column})), 'array<{data_type}>')[0]"),
                format!("cast(concat({column}, '') as {data_type})"),
            ];
            for way in ways {
                let out = run(
                    "csv",
                    &format!(
                        "select id, {column}, {way} as back from t where not ({way} <=> {column}) limit 3;"
                    ),
                );
                assert_eq!(out.lines().count(), 1, "{way}, {zone}, seed {seed}:\n{out}");
            }
        }

        // What people read: numbers and dates.
        let table = run("table", "select id, d, f, m, dy from t order by id;");
        let lines = table.lines().filter(|line| line.starts_with("| ")).skip(1);
        for (line, row) in lines.zip(&rows) {
            let cells: Vec<Option<&str>> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| Some(cell.trim()).filter(|cell| *cell != "NULL"))
                .collect();
            assert_eq!(double_of(cells[1]), row.double, "{line}");
            assert_eq!(float_of(cells[2]), row.float, "{line}");
            assert_eq!(cells[3].map(str::to_owned), row.decimal, "{line}");
            assert_eq!(cells[4].map(str::to_owned), row.day, "{line}");
        }
    }
}
