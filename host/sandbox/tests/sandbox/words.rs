//! Words of one call do not get into another, and last words explain traps.

use crate::support::*;
use sandgate_sandbox::Outcome;

#[tokio::test]
async fn an_unended_line_is_passed_on_when_the_call_ends() {
    let wanted = hostile();
    wanted.run("stderr").await;
    assert_eq!(wanted.kept.texts(), ["no line break"]);
    let other = hostile();
    other.run("null").await;
    assert!(other.kept.texts().is_empty());
}

#[tokio::test]
async fn a_panic_is_logged_and_explains_the_trap() {
    let wanted = hostile();
    let Outcome::Trap { message } = wanted.run("panic").await else {
        panic!("no trap");
    };
    assert!(
        message.contains("its last words") && message.contains("acts.rs"),
        "{message}"
    );
    assert!(
        wanted
            .kept
            .texts()
            .iter()
            .any(|line| line.contains("a panic with a message"))
    );
}
