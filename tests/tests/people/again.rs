//! What was approved once happens once: tried again it is asked again, and a crash in the middle does not repeat it.

use super::kit::{marks, only_id, project, task, task_of, workflow};
use crate::harness::Project;

const APPROVED: &str = "approved";

/// A project whose one task runs this script of a shell, when somebody agrees; the guest does `act`.
fn one(act: &str, script: &str) -> Project {
    let policy = format!(
        "[policy]\nfiles = [{{ host = \"work\", guest = \"/desk\", mode = \"write\" }}]\n\
         exec = [{{ name = \"it\", program = \"sh\", args = [\"-c\", {script:?}], cwd = \"/desk\", approval = \"required\" }}]\n"
    );
    let step = format!(
        "{{ do = \"command\", program = \"sh\", args = [\"-c\", {script:?}], cwd = \"/desk\" }}"
    );
    let flow = workflow(&[&task("t", "", &[step])]);
    project(
        &policy,
        &flow.replace("act = \"effects\"", &format!("act = \"{act}\"")),
    )
}

/// An approval is for one attempt: what is tried again is asked again.
#[test]
fn a_retry_is_asked_again() {
    // The guest traps after its command.
    let p = one("trap-after", "echo approved >> marks.txt");
    p.run(&["run", "w.toml"]).expect(4);
    let first = only_id(&p);
    let done = p.run(&["approve", &first, "--drive"]);
    assert_eq!(done.code(), 1, "{done}");
    assert_eq!(marks(&p), [APPROVED]);
    let again = p.run(&["retry"]);
    assert_eq!(again.code(), 4, "{again}");
    assert_eq!(marks(&p), [APPROVED], "the old approval was used again");
    assert_ne!(only_id(&p), first);
    // And the old one cannot be used for the new.
    let done = p.run(&["approve", &first]).expect(0);
    assert!(!done.stdout.is_empty());
    p.run(&["resume"]).expect(4);
    assert_eq!(marks(&p), [APPROVED]);
}

/// A host that dies while what was approved runs does not run it again.
#[test]
fn a_crash_in_the_middle_of_it_does_not_repeat_it() {
    let p = one("effects", "echo approved >> marks.txt; sleep 5");
    p.run(&["run", "w.toml"]).expect(4);
    p.run(&["approve", &only_id(&p)]).expect(0);
    let mut owner = p.start(&["resume"]);
    owner.wait_until("the mark", |_| marks(&p).len() == 1);
    owner.kill();
    let done = p.run(&["resume"]);
    assert_ne!(done.code(), 0, "its end is unknown: {done}");
    assert_eq!(marks(&p), [APPROVED]);
    assert_eq!(task_of(&p, "t")["state"], "lost");
}
