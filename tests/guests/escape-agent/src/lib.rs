//! Tries to leave the directories it was granted, as its input says. Calls `wasi:filesystem` itself, because std takes
//! paths apart before the host sees them. The acts are in the table of `tests/guests/README.md`.

mod exhaust;
mod games;
mod hands;
mod shapes;

use hands::Root;
use kit::{Order, Told, Value, json, told};

fn act(order: &Order) -> Result<Value, String> {
    if order.act() == "roots" {
        let roots = wasip2::filesystem::preopens::get_directories();
        return Ok(json!(
            roots.into_iter().map(|(_, path)| path).collect::<Vec<_>>()
        ));
    }
    let root = Root::open(order.text("root"))?;
    let count = order.number("count", 1_000);
    Ok(match order.act() {
        // Behaves.
        "read" => json!(root.read(order.text("path"))?),
        "write" => json!(root.write(order.text("path"), order.text("text"))?),
        "list" => json!(root.list(order.text("path"))?),
        // Out of the root.
        "escapes" => {
            let mut told = Told::default();
            let paths = shapes::escapes(order.text("target"), &order.list("links"));
            for operation in hands::OPERATIONS {
                for path in &paths {
                    let came = root.operate(operation, path);
                    told.note(format!("{operation} {path:?}"), came);
                }
            }
            told.answer()
        }
        "follow" => told(order.list("links").into_iter().flat_map(|link| {
            ["", "/", "/.", "/..", "/secret.txt", "/x"].map(|tail| {
                let path = format!("{link}{tail}");
                let came = root
                    .operate("read", &path)
                    .or_else(|_| root.operate("list", &path));
                (format!("{path:?}"), came)
            })
        })),
        "symlinks" => games::symlinks(&root, order.text("target")),
        "hardlinks" => games::hardlinks(&root, &order.list("links")),
        "renames" => games::renames(&root, order.text("target")),
        "swaps" => games::swaps(&root, order.text("target"), count),
        "handles-kept" => games::handles_kept(&root),
        "specials" => told(order.list("paths").into_iter().flat_map(|path| {
            ["read", "write", "append", "truncate", "stat", "unlink"].map(|operation| {
                let came = root.operate(operation, &path);
                (format!("{operation} {path:?}"), came)
            })
        })),
        "block" => json!(root.read_stream(order.text("path"))?),
        // Traps for those who come later.
        "traps" => games::traps(&root),
        // Too much of it.
        "bytes" => exhaust::bytes(&root, order.number("mib", 1 << 16)),
        "sparse" => exhaust::sparse(&root),
        "files" => exhaust::files(&root, count),
        "directories" => exhaust::directories(&root, count),
        "links" => exhaust::links(&root, count),
        "handles" => exhaust::handles(&root, count),
        "streams" => exhaust::streams(&root, count),
        "deep" => exhaust::deep(&root, count),
        "names" => exhaust::names(&root),
        "create-and-remove" => exhaust::create_and_remove(&root, count),
        other => return Err(format!("there is no act {other:?}")),
    })
}

kit::agent!(
    "escape-agent",
    "package test:guest; world guest { include sandgate:plugin/agent@0.1.0; }",
    [FilesRead, FilesWrite],
    act
);
