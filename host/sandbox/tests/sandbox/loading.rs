//! From bytes to a component: what is refused and why, and what the cache is believed.

use crate::support::*;
use crate::wats;
use sandgate_model::Role;
use sandgate_sandbox::{LoadError, Sandbox, SandboxConfig};
use std::fs;
use std::path::Path;
use std::time::Instant;

fn refused(bytes: &[u8]) -> LoadError {
    SANDBOX.load(bytes).unwrap_err()
}

#[test]
fn says_what_a_plugin_is() {
    let component = noop_agent();
    assert_eq!(component.roles(), [Role::Agent]);
    assert!(
        component
            .imports()
            .contains(&"sandgate:plugin/types@0.1.0".to_owned())
    );
    assert!(component.imports().is_sorted());
    assert_eq!(
        component.digest(),
        sandgate_model::Digest::of(sandgate_test_guests::noop_agent())
    );
    assert_eq!(hostile_planner().roles(), [Role::Planner]);
    assert_eq!(hostile_gate().roles(), [Role::Gate]);
    // A std guest that touches no file does not ask for files.
    let wants_files = |imports: &[String]| imports.iter().any(|i| i.starts_with("wasi:filesystem"));
    assert!(!wants_files(component.imports()));
    assert!(wants_files(file_agent().imports()));
}

#[test]
fn the_same_bytes_are_loaded_once() {
    let again = SANDBOX.load(sandgate_test_guests::noop_agent()).unwrap();
    assert!(std::sync::Arc::ptr_eq(&again, &noop_agent()));
}

#[test]
fn refuses_what_is_no_component() {
    assert!(matches!(refused(b""), LoadError::NotWasm { .. }));
    assert!(
        refused(b"\x7fELF\x02\x01\x01")
            .to_string()
            .contains("\\x7fELF")
    );
    let module = wat::parse_str("(module)").unwrap();
    let error = refused(&module);
    assert!(matches!(error, LoadError::CoreModule));
    assert!(error.to_string().contains("wasm32-wasip2"));
    let bytes = sandgate_test_guests::noop_agent();
    for part in [8, 9, 1_000, bytes.len() / 2, bytes.len() - 1] {
        let error = refused(&bytes[..part]);
        let plain = matches!(
            error,
            LoadError::Invalid { .. } | LoadError::NotAPlugin { .. }
        );
        assert!(plain, "{part}: {error}");
    }
    let mut large = bytes.to_vec();
    large.resize(sandgate_sandbox::COMPONENT_MAX + 1, 0);
    assert!(matches!(refused(&large), LoadError::TooLarge { .. }));
}

#[test]
fn refuses_damaged_bytes_without_harm() {
    // Bits flipped all over: each is refused or gives some other component; nothing panics.
    let bytes = sandgate_test_guests::hostile_describer();
    for at in (8..4_000).step_by(97) {
        let mut bad = bytes.to_vec();
        bad[at] ^= 0x10;
        drop(SANDBOX.load(&bad));
    }
}

#[test]
fn refuses_what_is_no_plugin() {
    let error = refused(&wats::component("", "(export \"run\" (func $f))")).to_string();
    assert!(
        error.contains("describing") && error.contains("`run`"),
        "{error}"
    );
    let only = wats::component(
        "",
        "(instance $d (export \"describe\" (func $f)))
         (export \"sandgate:plugin/describing@0.1.0\" (instance $d))",
    );
    assert!(
        refused(&only)
            .to_string()
            .contains("planning, working or checking")
    );
    let newer = wats::component(
        "",
        "(instance $d (export \"describe\" (func $f)))
         (export \"sandgate:plugin/describing@0.2.0\" (instance $d))
         (export \"sandgate:plugin/checking@0.2.0\" (instance $d))",
    );
    assert!(refused(&newer).to_string().contains("@0.2.0"));
}

#[test]
fn refuses_switched_off_proposals() {
    for module in [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(type (struct (field i32)))",
        "(tag (param i32))",
    ] {
        let error = refused(&wats::gate(module));
        assert!(
            matches!(error, LoadError::Invalid { .. }),
            "{module}: {error}"
        );
    }
}

#[test]
fn refuses_four_gigabytes_from_the_start() {
    let error = refused(&wats::gate("(memory 65536)"));
    let told = error.to_string();
    // With a pool the engine itself refuses; without, we do.
    assert!(told.contains("memory"), "{told}");
    assert!(
        SANDBOX.load(&wats::gate("(memory 4096)")).is_ok(),
        "256 MiB"
    );
}

fn files(dir: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}

fn with_cache(dir: &Path) -> Sandbox {
    Sandbox::new(&SandboxConfig {
        cache_dir: Some(dir.to_owned()),
        pool: false,
        ..SandboxConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn a_damaged_cache_is_compiled_again_and_never_run() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("cache");
    let bytes = sandgate_test_guests::noop_agent();
    let first = with_cache(&dir).load(bytes).unwrap();
    let path = files(&dir, ".cwasm").pop().unwrap();
    let good = fs::read(&path).unwrap();

    // Believed: loading is much faster than compiling.
    let since = Instant::now();
    let again = with_cache(&dir).load(bytes).unwrap();
    let cached = since.elapsed();
    assert_eq!(again.digest(), first.digest());
    println!("cached load: {cached:?}, {} bytes of code", good.len());

    for at in [0, 20, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let sandbox = with_cache(&dir);
        let component = sandbox.load(bytes).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), good.len());
        assert_ne!(fs::read(&path).unwrap(), bad, "written anew");
        let mut wanted = Try::new(component);
        wanted.limits.deadline = std::time::Duration::from_secs(30);
        let report = sandbox
            .run(&wanted.call(), &wanted.config, wanted.task("x".into()))
            .await;
        assert_eq!(text(report.outcome), "x");
    }
    fs::write(&path, b"").unwrap();
    assert!(with_cache(&dir).load(bytes).is_ok());
}

#[tokio::test]
async fn a_description_is_kept_and_a_damaged_one_is_asked_for_again() {
    let place = tempfile::tempdir().unwrap();
    let bytes = sandgate_test_guests::noop_agent();
    for damage in [false, true, false] {
        let sandbox = with_cache(place.path());
        let component = sandbox.load(bytes).unwrap();
        let description = sandbox.describe(&component).await.unwrap();
        assert_eq!(description.name, "noop");
        let path = files(place.path(), ".description1").pop().unwrap();
        if damage {
            let text = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&text).replace("noop", "evil");
            fs::write(&path, text).unwrap();
        }
    }
}

#[test]
fn a_cache_that_cannot_be_is_said() {
    let error = Sandbox::new(&SandboxConfig {
        cache_dir: Some("/proc/no/such/place".into()),
        ..SandboxConfig::default()
    });
    let told = error.err().unwrap().to_string();
    assert!(told.contains("/proc/no/such/place"), "{told}");
}
