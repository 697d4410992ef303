//! Prints what durable appends cost on this machine: `cargo run --release -p sandgate-journal --example append_bench [DIR [NAME]]`.
//! NAME picks one measurement. DIR is where the journals are made (default: the current directory, so that the disk measured is the one in use).
#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program that prints measurements"
)]

use sandgate_journal::{NewRecord, Opener, ReadStore, SqliteReader, SqliteStore, Store, Writer};
use sandgate_model::{Moment, RunId};
use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

type Res<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The size of a typical encoded event.
const BODY: usize = 220;

fn record(i: u64) -> NewRecord {
    let mut run = [0x70; 16];
    run[15] = (i % 4) as u8;
    NewRecord {
        run: RunId::from_bytes(run),
        at: Moment(1_700_000_000_000 + i),
        kind: "attempt-ended".into(),
        body: vec![b'x'; BODY],
    }
}

fn batch(size: u64) -> Vec<NewRecord> {
    (0..size).map(record).collect()
}

fn opener() -> Opener {
    Opener {
        command: "append_bench".into(),
        at: Moment(0),
    }
}

/// Median, 99th percentile and maximum.
fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
    format!(
        "median {} µs, p99 {} µs, max {} µs",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

fn single(dir: &Path, count: usize) -> Res {
    let mut store = SqliteStore::open(&dir.join("single"), &opener())?;
    let one = batch(1);
    let mut times = Vec::new();
    let start = Instant::now();
    for _ in 0..count {
        let start = Instant::now();
        store.append(&one)?;
        times.push(start.elapsed());
        store.maintain()?;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!(
        "single-record appends, store alone: {rate:.0}/s, {}",
        quantiles(times)
    );
    Ok(())
}

fn writer_single(dir: &Path, count: usize) -> Res {
    let store = SqliteStore::open(&dir.join("writer"), &opener())?;
    let writer = Writer::start(Box::new(store))?;
    let mut times = Vec::new();
    let start = Instant::now();
    for i in 0..count {
        let start = Instant::now();
        writer.submit_blocking(vec![record(i as u64)])?;
        times.push(start.elapsed());
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!(
        "chain of single records through the writer: {rate:.0}/s, {}",
        quantiles(times)
    );
    Ok(())
}

fn batches(dir: &Path, size: u64, count: usize) -> Res {
    let mut store = SqliteStore::open(&dir.join(format!("batch{size}")), &opener())?;
    let records = batch(size);
    let mut times = Vec::new();
    let start = Instant::now();
    for _ in 0..count {
        let start = Instant::now();
        store.append(&records)?;
        times.push(start.elapsed());
        store.maintain()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = count as f64 * size as f64 / seconds;
    println!(
        "batches of {size}, one after the other: {rate:.0} records/s, {:.0} commits/s, {}",
        count as f64 / seconds,
        quantiles(times)
    );
    Ok(())
}

/// Several threads hand over batches as fast as they are answered, `depth` under way each.
fn grouped(dir: &Path, size: u64, threads: usize, depth: usize, count: usize) -> Res {
    let path = dir.join(format!("group{size}-{threads}-{depth}"));
    let writer = Writer::start(Box::new(SqliteStore::open(&path, &opener())?))?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let writer = &writer;
            scope.spawn(move || {
                let (answer, answers) = sync_channel(depth);
                for i in 0..count + depth {
                    if i >= depth {
                        let _ = answers.recv();
                    }
                    if i < count {
                        let answer = answer.clone();
                        writer.submit(
                            batch(size),
                            Box::new(move |result| {
                                if let Err(error) = &result {
                                    println!("append failed: {error}");
                                }
                                let _ = answer.send(());
                            }),
                        );
                    }
                }
            });
        }
    });
    let rate = (threads * count) as f64 * size as f64 / start.elapsed().as_secs_f64();
    println!("batches of {size}, {threads} threads with {depth} under way: {rate:.0} records/s");
    Ok(())
}

/// What the disk itself takes: an overwrite and an append, each flushed.
fn floor(dir: &Path, count: usize) -> Res {
    let path = dir.join("floor");
    std::fs::write(&path, vec![0; 1 << 20])?;
    let file = OpenOptions::new().write(true).open(&path)?;
    file.sync_all()?;
    let mut times = Vec::new();
    for i in 0..count {
        let start = Instant::now();
        file.write_all_at(&[i as u8; 4096], (i as u64 % 256) * 4096)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    println!("floor, overwrite 4 KiB and fdatasync: {}", quantiles(times));
    let mut times = Vec::new();
    let mut file = OpenOptions::new().append(true).open(&path)?;
    for i in 0..count {
        let start = Instant::now();
        file.write_all(&[i as u8; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    println!("floor, append 4 KiB and fdatasync: {}", quantiles(times));
    Ok(())
}

/// Opening, listing and verifying a journal of a million records.
fn large(dir: &Path) -> Res {
    let path = dir.join("large");
    let mut store = SqliteStore::open(&path, &opener())?;
    for i in 0..100_u64 {
        // 1,000 runs.
        let mut records = batch(10_000);
        for (n, record) in records.iter_mut().enumerate() {
            let mut run = [0x70; 16];
            run[14..].copy_from_slice(&(((n as u64 + i * 7) % 1000) as u16).to_be_bytes());
            record.run = RunId::from_bytes(run);
        }
        store.append(&records)?;
        store.maintain()?;
    }
    drop(store);
    let timed = |what: &str, start: Instant| println!("{what}: {} ms", start.elapsed().as_millis());
    let start = Instant::now();
    let store = SqliteStore::open(&path, &opener())?;
    timed("open, 1,000,000 records", start);
    let start = Instant::now();
    let runs = store.runs()?;
    timed(&format!("list {} runs", runs.len()), start);
    let start = Instant::now();
    let found: usize = runs
        .iter()
        .map(|run| store.read_run(run.run, 0, usize::MAX).map(|r| r.len()))
        .sum::<Result<usize, _>>()?;
    timed(&format!("read all runs, {found} records"), start);
    let start = Instant::now();
    SqliteReader::open(&path)?.verify()?;
    timed("verify all", start);
    Ok(())
}

fn small(dir: &Path) -> Res {
    let path = dir.join("small");
    for what in ["create and close", "open and close", "open and close again"] {
        let start = Instant::now();
        let mut store = SqliteStore::open(&path, &opener())?;
        let opened = start.elapsed();
        store.append(&batch(3))?;
        drop(store);
        println!(
            "{what}: open {} µs, with one append and close {} µs",
            opened.as_micros(),
            start.elapsed().as_micros()
        );
    }
    Ok(())
}

fn main() -> Res {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().unwrap_or_else(|| ".".into());
    let only = arguments.next().unwrap_or_default();
    let dir = tempfile::tempdir_in(base)?;
    let dir = dir.path();
    let all: [(&str, &dyn Fn() -> Res); 11] = [
        ("floor", &|| floor(dir, 2000)),
        ("open", &|| small(dir)),
        ("single", &|| single(dir, 5000)),
        ("writer", &|| writer_single(dir, 5000)),
        ("batch-10", &|| batches(dir, 10, 3000)),
        ("batch-100", &|| batches(dir, 100, 3000)),
        ("batch-1000", &|| batches(dir, 1000, 300)),
        ("group-1", &|| grouped(dir, 1, 4, 16, 10_000)),
        ("group-100", &|| grouped(dir, 100, 1, 4, 5000)),
        ("group-400", &|| grouped(dir, 100, 4, 4, 2000)),
        ("large", &|| large(dir)),
    ];
    for (name, run) in all {
        if only.is_empty() || only == name {
            run()?;
        }
    }
    Ok(())
}
