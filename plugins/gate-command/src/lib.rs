//! `command`: runs one of the project's checks, such as its tests, and turns the exit code and the output into checks.
//!
//! Test results are read from JUnit XML (a file in a granted directory, or the output), from TAP, and from the
//! summary lines of usual test runners ("12 passed, 1 failed"). The gate passes only when the command ended by
//! itself with exit code 0 *and* no test that it reports failed *and* tests ran where tests were expected. What could
//! not be found out (not granted, not approved, killed, report missing, stale or broken off) is inconclusive.
//!
//! It decides nothing about what may run: the host compares program and arguments with the project's rules. It
//! writes no files.

mod counts;
mod junit;
mod report;
mod runners;
mod settings;
mod tally;
mod tap;
mod verdict;

use sandgate_plugin::{
    Check, Config, Description, Gate, NeedKind, Result, Subject, command, files,
};
use settings::{Parse, Settings};
use tally::Tally;
use verdict::Words;

struct Command;

impl Gate for Command {
    fn describe() -> Description {
        Description::new(
            "command",
            env!("CARGO_PKG_VERSION"),
            "Runs a project check such as its tests, and reads exit code and test results (JUnit, TAP, summary lines)",
        )
        .need(NeedKind::Exec, "runs the command that it is configured with")
        .optional_need(
            NeedKind::FilesRead,
            "reads the JUnit reports that the command leaves",
        )
        .optional_need(
            NeedKind::FilesWrite,
            "the command writes where the gate may write",
        )
        .optional_need(
            NeedKind::Secrets,
            "secrets that a rule hands to its command",
        )
        .config_schema(settings::schema())
    }

    fn check(_subject: Subject, config: Config) -> Result<Vec<Check>> {
        let settings: Settings = config.parse()?;
        settings.validate()?;
        let words = Words::of(&settings);
        let reports = report::Reports::before(&settings, &files::roots())?;
        let done = match command::run(&settings.program, &settings.args, settings.cwd.as_deref()) {
            Ok(done) => done,
            Err(error) => return Ok(vec![words.not_run(&error)]),
        };
        let tally = read(&settings, &done, &reports);
        Ok(words.checks(&settings, &done, tally.as_ref()))
    }
}

/// The test results; `None` when there are none and none were asked for.
fn read(settings: &Settings, done: &command::Finished, reports: &report::Reports) -> Option<Tally> {
    let mut tally = Tally::new(&settings.checks.expect);
    let found = if reports.are_wanted() {
        reports.after(&mut tally);
        true
    } else {
        from_output(settings.parse, done, &mut tally)
    };
    // Whatever ended the command may also have ended the report.
    if !matches!(done.ending, command::Ending::Exit(_)) {
        tally.doubt(format!("the command {}, so this is not all", done.ending));
    }
    let wanted = settings.checks.min.is_some_and(|least| least > 0)
        || !settings.checks.expect.is_empty()
        || !matches!(settings.parse, Parse::Auto | Parse::ExitCode);
    (found || wanted).then_some(tally)
}

/// Reads the output, and says whether there was anything to read.
fn from_output(parse: Parse, done: &command::Finished, tally: &mut Tally) -> bool {
    let out = sandgate_plugin_shared::plain(&done.stdout);
    let parse = match parse {
        Parse::Auto if junit::looks_like(&out) => Parse::Junit,
        Parse::Auto if tap::looks_like(&out) => Parse::Tap,
        Parse::Auto => Parse::Counts,
        named => named,
    };
    // A report is read from its beginning, a summary stands at the end, which is what is kept.
    if done.dropped > 0 && matches!(parse, Parse::Junit | Parse::Tap) {
        tally.doubt(format!(
            "{} bytes of the output were dropped; write the report to a file and name it in `reports`",
            done.dropped
        ));
    }
    match parse {
        Parse::ExitCode => return false,
        Parse::Junit => junit::read(&out, "the output", tally),
        Parse::Tap => tap::read(&out, tally),
        Parse::Auto | Parse::Counts => {
            let errors = sandgate_plugin_shared::plain(&done.stderr);
            counts::read(&[&out, &errors], tally);
        }
    }
    tally.is_found()
}

sandgate_plugin::export!(gate: Command);

#[cfg(test)]
mod tests;
