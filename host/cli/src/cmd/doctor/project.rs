//! The project: its file, its state directory, its journal.

use super::Finding;
use crate::{
    context::Context,
    ui::{count, size},
};
use sandgate_driver::{LookError, Project, Reader, chain};
use sandgate_journal::{Driving, OpenError};
use std::os::unix::fs::MetadataExt as _;

/// Less free space than this ends a run with a full disk sooner or later.
const FREE_MIN: u64 = 256 << 20;

/// Looks at all of it. Outside of a project there is nothing to look at.
pub(super) fn look(ctx: &Context) -> Vec<Finding> {
    let Ok(dir) = ctx.project_dir() else {
        return vec![Finding::ok(
            "project",
            "none around here; only the machine was looked at",
        )];
    };
    let shown = dir.display().to_string();
    let project = match ctx.project() {
        Ok(project) => project,
        Err(_) => {
            return vec![Finding::error(
                "project",
                format!("{shown} has mistakes"),
                "`sandgate check` shows them",
            )];
        }
    };
    let named = format!("{} in {shown}", project.file().name);
    let mut findings = vec![
        Finding::ok("project", named),
        state(&project),
        space(&project),
    ];
    findings.push(driven(&project));
    findings.extend(journal(&project));
    findings
}

fn state(project: &Project) -> Finding {
    const WHAT: &str = "state";
    let dir = project.state_dir();
    let shown = dir.display().to_string();
    match dir.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(WHAT, format!("{shown}, made at the first run"))
        }
        Err(error) => Finding::error(
            WHAT,
            format!("{shown}: {error}"),
            "make it readable for this user",
        ),
        Ok(meta) if !meta.is_dir() => {
            Finding::error(WHAT, format!("{shown} is not a directory"), "move it away")
        }
        Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() => Finding::error(
            WHAT,
            format!("{shown} belongs to another user"),
            "give it to this user",
        ),
        Ok(meta) if meta.mode() & 0o077 != 0 => Finding::warning(
            WHAT,
            format!("{shown} has mode {:04o}", meta.mode() & 0o7777),
            "others can look into it: chmod 700; the next run does that too",
        ),
        Ok(meta) => Finding::ok(WHAT, format!("{shown}, mode {:04o}", meta.mode() & 0o7777)),
    }
}

fn space(project: &Project) -> Finding {
    const WHAT: &str = "disk";
    match rustix::fs::statvfs(project.dir()) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let found = format!("{} free", size(free));
            match free >= FREE_MIN {
                true => Finding::ok(WHAT, found),
                false => Finding::warning(WHAT, found, "free some space before the next run"),
            }
        }
        Err(errno) => Finding::warning(WHAT, errno.to_string(), "the free space is unknown"),
    }
}

fn driven(project: &Project) -> Finding {
    let found = match sandgate_journal::driving(&project.state_dir()) {
        Driving::Process(pid) => format!("process {pid} drives this project"),
        Driving::Nobody => "nobody drives this project now".to_owned(),
        Driving::Unknown => "whether anybody drives this project cannot be found out".to_owned(),
    };
    Finding::ok("host", found)
}

fn journal(project: &Project) -> Vec<Finding> {
    const WHAT: &str = "journal";
    const HINT: &str = "nothing was changed; restore the state directory from a backup, or keep it aside and begin anew";
    let reader = match Reader::open(project) {
        Ok(reader) => reader,
        Err(LookError::Open(OpenError::Absent { .. })) => {
            return vec![Finding::ok(WHAT, "nothing has run yet")];
        }
        Err(error) => return vec![Finding::error(WHAT, chain(&error), HINT)],
    };
    let mut findings = vec![match reader.verify() {
        Ok(verified) => Finding::ok(
            WHAT,
            format!(
                "{} checked, chain unbroken",
                count_u64(verified.records, "record")
            ),
        ),
        Err(error) => Finding::error(WHAT, chain(&error), HINT),
    }];
    match reader.runs() {
        Ok(rows) => {
            let open = rows.iter().filter(|row| !row.state.ended()).count();
            let found = format!("{}, {open} not ended", count(rows.len(), "run"));
            findings.push(Finding::ok("runs", found));
        }
        Err(error) => findings.push(Finding::error("runs", chain(&error), HINT)),
    }
    findings
}

fn count_u64(n: u64, one: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), one)
}
