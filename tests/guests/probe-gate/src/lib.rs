//! Looks at everything that a component sees without a grant, and tells it. Acts: `look` (with `bytes` random bytes),
//! `exit` (with `code`), `flood` (standard output), `sleep` (`ms`), `recurse`, `grow`.

use kit::{Order, Value, json};

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if std::hint::black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[(depth % 64) as usize]
}

fn act(order: &Order) -> Result<Value, String> {
    match order.act() {
        "look" => Ok(kit::look(order.number("bytes", 32))),
        "exit" => std::process::exit(order.number("code", 0) as i32),
        "flood" => {
            for line in 0..order.number("lines", 100_000) {
                println!("line {line} of a flood");
            }
            Ok(json!("flooded"))
        }
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_millis(
                order.number("ms", 600_000),
            ));
            Ok(json!("slept"))
        }
        "recurse" => Ok(json!(recurse(0))),
        "grow" => {
            let mut all = Vec::new();
            loop {
                all.push(std::hint::black_box(vec![0xA5u8; 1 << 20]));
            }
        }
        other => Err(format!("there is no act {other:?}")),
    }
}

kit::gate!(
    "probe-gate",
    "package test:guest; world guest { include sandgate:plugin/gate@0.1.0; }",
    [],
    act
);
