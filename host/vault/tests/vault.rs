//! Real files, real programs, and the text of everything that goes wrong.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a failed assertion is their purpose"
)]

use sandgate_model::SecretTarget;
use sandgate_vault::{ReadError, SecretFrom, SecretSpec, SpecError, ValueError, Vault, VaultError};
use std::{
    error::Error,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// In every value here, and in no error, no `Debug` and no other text.
const CANARY: &str = "canary-7f3a9b";

fn api() -> SecretTarget {
    SecretTarget::Origin("https://api.example.com".into())
}

fn spec(name: &str, from: SecretFrom) -> SecretSpec {
    SecretSpec {
        name: name.into(),
        from,
        to: api(),
    }
}

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(n, v)| (n.into(), v.into())).collect()
}

fn vault(dir: &Path, from: SecretFrom) -> Vault {
    Vault::new(vec![spec("KEY", from)], dir, []).unwrap()
}

fn command(argv: &[&str]) -> SecretFrom {
    SecretFrom::Command(argv.iter().map(|a| (*a).into()).collect())
}

fn shell(script: &str) -> SecretFrom {
    command(&["/bin/sh", "-c", script])
}

/// Everything that an error shows, with its sources.
fn whole(error: &dyn Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(e) = next {
        text.push_str(&format!("\n{e}"));
        next = e.source();
    }
    text
}

fn secret_file(path: &Path, value: &str) {
    fs::write(path, value).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

async fn reason(vault: &Vault) -> ReadError {
    let error = vault.reveal("KEY", &api()).await.unwrap_err();
    let text = whole(&error);
    assert!(!text.contains("canary"), "{text}");
    match error {
        VaultError::Read { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_value_goes_to_its_target_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let exec = SecretTarget::Exec("publish".into());
    let mut specs = vec![spec("KEY", SecretFrom::Env("THE_KEY".into()))];
    specs.push(SecretSpec {
        to: exec.clone(),
        ..specs[0].clone()
    });
    let vault = Vault::new(
        specs,
        dir.path(),
        env(&[("THE_KEY", CANARY), ("OTHER", "x")]),
    )
    .unwrap();
    assert!(matches!(
        vault.ready("KEY", &api()),
        Err(VaultError::NotRead(_))
    ));
    for to in [api(), exec] {
        assert_eq!(*vault.reveal("KEY", &to).await.unwrap(), CANARY.as_bytes());
        assert_eq!(*vault.ready("KEY", &to).unwrap(), CANARY.as_bytes());
    }
    let others = [
        SecretTarget::Origin("http://api.example.com".into()),
        SecretTarget::Origin("https://api.example.com:8443".into()),
        SecretTarget::Origin("https://API.example.com".into()),
        SecretTarget::Origin("https://api.example.com/".into()),
        SecretTarget::Origin("https://api.example.com.evil.test".into()),
        SecretTarget::Origin(String::new()),
        SecretTarget::Exec("publish2".into()),
        SecretTarget::Exec("https://api.example.com".into()),
        SecretTarget::Provider("publish".into()),
        SecretTarget::Provider("https://api.example.com".into()),
    ];
    for to in &others {
        let refusal = vault.reveal("KEY", to).await.unwrap_err();
        assert!(matches!(refusal, VaultError::OtherTarget { .. }), "{to:?}");
        assert!(vault.ready("KEY", to).is_err());
        assert!(!whole(&refusal).contains("canary"));
    }
    assert!(matches!(
        vault.reveal("key", &api()).await,
        Err(VaultError::Unknown(_))
    ));
    assert!(!format!("{vault:?} {:?}", vault.redactor()).contains("canary"));
    println!("{} foreign targets, 0 values given", others.len());
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path(), SecretFrom::Env("THE_KEY".into()));
    assert!(matches!(reason(&vault).await, ReadError::NoVariable(v) if v == "THE_KEY"));
}

#[tokio::test]
async fn a_file_is_read_when_it_is_private_and_really_there() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let outside = tempfile::tempdir().unwrap();
    secret_file(&outside.path().join("key"), CANARY);
    secret_file(&at("key"), &format!("{CANARY}\n"));
    fs::create_dir(at("sub")).unwrap();
    secret_file(&at("sub/key"), CANARY);
    for path in ["key", "sub/key", "sub/../key"] {
        let vault = vault(dir.path(), SecretFrom::File(path.into()));
        assert_eq!(
            *vault.reveal("KEY", &api()).await.unwrap(),
            CANARY.as_bytes(),
            "{path}"
        );
    }
    // Absolute paths are the operator's own and may have links.
    symlink(outside.path(), at("mounted")).unwrap();
    let linked = vault(dir.path(), SecretFrom::File(at("mounted/key")));
    assert!(linked.reveal("KEY", &api()).await.is_ok());

    let refused = |path: &str| reason_of(dir.path(), path.into());
    symlink(outside.path().join("key"), at("link")).unwrap();
    assert!(matches!(refused("link").await, ReadError::Link(_)));
    assert!(matches!(refused("mounted/key").await, ReadError::Link(_)));
    let up = format!(
        "../{}/key",
        outside.path().file_name().unwrap().to_str().unwrap()
    );
    assert!(matches!(
        reason_of(dir.path(), up.into()).await,
        ReadError::Link(_)
    ));
    assert!(matches!(refused("sub").await, ReadError::NotAFile(_)));
    assert!(matches!(refused("none").await, ReadError::File { .. }));
    let pipe = at("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(matches!(refused("pipe").await, ReadError::NotAFile(_)));
    for (mode, word) in [(0o644, "read"), (0o604, "read"), (0o602, "changed")] {
        fs::set_permissions(at("key"), fs::Permissions::from_mode(mode)).unwrap();
        let error = refused("key").await;
        assert!(
            matches!(&error, ReadError::Open { what, .. } if *what == word),
            "{error:?}"
        );
        assert!(error.to_string().contains("chmod o= key"), "{error}");
    }
    fs::set_permissions(at("key"), fs::Permissions::from_mode(0o640)).unwrap();
    let group = vault(dir.path(), SecretFrom::File("key".into()));
    assert!(group.reveal("KEY", &api()).await.is_ok());
    // Magic links of the kernel lead to files that have no path.
    let magic = reason_of(dir.path(), "/proc/self/exe".into()).await;
    assert!(matches!(magic, ReadError::Link(_)), "{magic:?}");
}

async fn reason_of(dir: &Path, path: std::path::PathBuf) -> ReadError {
    reason(&vault(dir, SecretFrom::File(path))).await
}

#[tokio::test]
async fn a_command_prints_the_value_and_sees_little() {
    let dir = tempfile::tempdir().unwrap();
    let specs = vec![spec(
        "KEY",
        shell("env | sort | tr '\\n' ' '; pwd; read x || true; printf '%s' \"$x\""),
    )];
    let all = env(&[
        ("HOME", "/home/me"),
        ("AWS_SECRET", CANARY),
        ("PATH", "/evil"),
        ("LD_PRELOAD", "/evil.so"),
    ]);
    let vault = Vault::new(specs, dir.path(), all).unwrap();
    let value = vault.reveal("KEY", &api()).await.unwrap();
    let text = String::from_utf8(value.to_vec()).unwrap();
    assert!(
        text.contains("HOME=/home/me") && text.contains("PATH=/usr/local/bin:/usr/bin:/bin"),
        "{text}"
    );
    assert!(text.contains(dir.path().to_str().unwrap()), "{text}");
    assert!(!text.contains("canary") && !text.contains("evil"), "{text}");

    let by_name = self::vault(dir.path(), command(&["printf", CANARY]));
    assert_eq!(
        *by_name.reveal("KEY", &api()).await.unwrap(),
        CANARY.as_bytes()
    );
}

#[tokio::test]
async fn a_command_that_fails_says_how_and_not_what() {
    let dir = tempfile::tempdir().unwrap();
    let failing = [
        (
            shell(&format!("echo {CANARY}; echo {CANARY} >&2; exit 3")),
            "exit 3",
        ),
        (shell(&format!("echo {CANARY}; kill -9 $$")), "signal 9"),
    ];
    for (from, how) in failing {
        // The script itself is configuration and holds the canary: only errors must not.
        let error = vault(dir.path(), from)
            .reveal("KEY", &api())
            .await
            .unwrap_err();
        let text = whole(&error);
        assert!(text.contains(how) && !text.contains("canary"), "{text}");
    }
    for program in ["no-such-program", "./run", "/etc", "/etc/passwd", ""] {
        let vault = vault(dir.path(), command(&[program]));
        assert!(
            matches!(reason(&vault).await, ReadError::NoProgram { .. }),
            "{program}"
        );
    }
}

#[tokio::test]
async fn a_flood_is_cut_and_a_straggler_does_not_hold_the_value_up() {
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let flood = vault(dir.path(), command(&["yes"]))
        .reveal("KEY", &api())
        .await
        .unwrap_err();
    assert!(
        matches!(
            flood,
            VaultError::Value {
                source: ValueError::Long,
                ..
            }
        ),
        "{flood:?}"
    );
    let straggler = vault(dir.path(), shell(&format!("sleep 8 & printf {CANARY}")));
    assert_eq!(
        *straggler.reveal("KEY", &api()).await.unwrap(),
        CANARY.as_bytes()
    );
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    // A dropped wait takes the program along.
    let mark = dir.path().join("mark");
    let late = vault(
        dir.path(),
        shell(&format!("sleep 1; touch {}", mark.display())),
    );
    let waited = tokio::time::timeout(Duration::from_millis(100), late.reveal("KEY", &api())).await;
    assert!(waited.is_err());
    tokio::time::sleep(Duration::from_millis(1300)).await;
    assert!(!mark.exists());
}

#[tokio::test]
async fn ten_tasks_read_once_and_a_failure_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("echo x >> count; test -e go && printf {CANARY}");
    let vault = Arc::new(vault(dir.path(), shell(&script)));
    assert!(vault.reveal("KEY", &api()).await.is_err());
    fs::write(dir.path().join("go"), "").unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.reveal("KEY", &api()).await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(
        fs::read_to_string(dir.path().join("count")).unwrap(),
        "x\nx\n"
    );
    assert_eq!(
        vault.redactor().redact_str(&format!("a {CANARY} b")),
        "a [secret] b"
    );
}

#[tokio::test]
async fn values_that_are_no_secrets_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (value, expected) in [
        ("", ValueError::Empty),
        ("hush-7", ValueError::Short),
        ("two\nlines-canary", ValueError::Control),
    ] {
        let specs = vec![spec("KEY", SecretFrom::Env("V".into()))];
        let vault = Vault::new(specs, dir.path(), env(&[("V", value)])).unwrap();
        let error = vault.reveal("KEY", &api()).await.unwrap_err();
        assert!(
            matches!(&error, VaultError::Value { source, .. } if *source == expected),
            "{error:?}"
        );
        assert!(value.is_empty() || !whole(&error).contains(value));
        assert!(vault.redactor().is_empty());
    }
}

#[test]
fn one_name_is_one_value() {
    let both = vec![
        spec("KEY", SecretFrom::Env("A".into())),
        spec("KEY", SecretFrom::Env("B".into())),
    ];
    assert_eq!(
        Vault::new(both, Path::new("/"), []).unwrap_err(),
        SpecError::TwoSources("KEY".into())
    );
    let empty = vec![spec("KEY", SecretFrom::Command(vec![]))];
    assert_eq!(
        Vault::new(empty, Path::new("/"), []).unwrap_err(),
        SpecError::EmptyCommand("KEY".into())
    );
}
