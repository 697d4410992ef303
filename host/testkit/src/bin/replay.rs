//! Steps through a sequence of events, such as one that a failing simulation left in `target/failing`: each event,
//! what it changed, what was commanded, and what could start next.
//!
//! `sandgate-replay FILE [--to N]`: with `--to` the first N events go by silently. In a terminal Enter shows the
//! next event, and end of input ends it; elsewhere all events are shown.

use sandgate_engine::{Command, Event, ExecutionSummary, Run};
use sandgate_model::Moment;
use sandgate_testkit::Sequence;
use std::{
    env,
    error::Error,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

struct Arguments {
    file: PathBuf,
    to: usize,
}

fn arguments() -> Option<Arguments> {
    let mut words = env::args_os().skip(1);
    let mut file = None;
    let mut to = 0;
    while let Some(word) = words.next() {
        if word == "--to" {
            to = words.next()?.to_str()?.parse().ok()?;
        } else if file.replace(PathBuf::from(word)).is_some() {
            return None;
        }
    }
    Some(Arguments { file: file?, to })
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        drop(writeln!(
            io::stderr(),
            "usage: sandgate-replay FILE [--to N]"
        ));
        return ExitCode::from(2);
    };
    match show(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "error: {error}"));
            if let Some(source) = error.source() {
                drop(writeln!(io::stderr(), "because: {source}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn show(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let sequence = Sequence::read(&arguments.file)?;
    let mut out = io::stdout().lock();
    let mut input = io::stdin().lock();
    let step = io::stdin().is_terminal();
    let all = sequence.events.len();
    writeln!(out, "run {}, {all} events: {}", sequence.run, sequence.why)?;

    let mut run: Option<Run> = None;
    for (number, (at, event)) in (1..).zip(&sequence.events) {
        let before = run.as_ref().map(Run::summary);
        let result = match &mut run {
            Some(run) => run.step(*at, event),
            None => Run::create(sequence.run, *at, event).map(|(created, commands)| {
                run = Some(created);
                commands
            }),
        };
        if number <= arguments.to {
            continue;
        }
        writeln!(out, "\n[{number}/{all}] {} {}", at.0, text(event)?)?;
        match (&result, &run) {
            (Err(illegal), _) => writeln!(out, "  refused: {illegal}")?,
            (Ok(commands), Some(run)) => {
                changes(&mut out, before.as_ref(), run)?;
                commanded(&mut out, commands)?;
                writeln!(out, "  next: {:?}", run.next_start())?;
            }
            (Ok(_), None) => {}
        }
        out.flush()?;
        if step && input.read_line(&mut String::new())? == 0 {
            break;
        }
    }
    Ok(())
}

/// The event, with a plan cut to its size: it would fill the screen.
fn text(event: &Event) -> Result<String, serde_json::Error> {
    match event {
        Event::PlanFrozen { digest, plan } => Ok(format!(
            "plan-frozen {digest:?}: {} tasks, {} gates, concurrency {}, {:?}",
            plan.tasks.len(),
            plan.gates.len(),
            plan.concurrency,
            plan.on_failure
        )),
        event => serde_json::to_string(event),
    }
}

fn changes(out: &mut impl Write, before: Option<&ExecutionSummary>, run: &Run) -> io::Result<()> {
    let after = run.summary();
    let line = |s: &ExecutionSummary| {
        let flags = [(s.paused, " paused"), (s.stopping, " stopping")];
        let flags: String = flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, word)| *word)
            .collect();
        format!("{}{flags} {:?}", s.state.as_str(), s.outcome)
    };
    let was = before.map_or_else(String::new, line);
    if was != line(&after) {
        writeln!(out, "  run: {was} -> {}", line(&after))?;
    }
    let task = |t: &sandgate_engine::TaskSummary| {
        let reason = t
            .blocked
            .as_ref()
            .map_or("", |blocked| blocked.reason.code());
        format!("{} {reason} ({} attempts)", t.state.as_str(), t.attempts)
    };
    for (at, now) in after.tasks.iter().enumerate() {
        let was = before
            .and_then(|before| before.tasks.get(at))
            .map_or_else(String::new, task);
        if was != task(now) {
            writeln!(out, "  task {} {}: {was} -> {}", at, now.id, task(now))?;
        }
    }
    for (at, now) in after.gates.iter().enumerate() {
        let was = before.and_then(|before| before.gates.get(at));
        if was != Some(now) {
            writeln!(
                out,
                "  gate {at} {}: {} {:?}",
                now.id,
                now.state.as_str(),
                now.verdict
            )?;
        }
    }
    Ok(())
}

fn commanded(out: &mut impl Write, commands: &[Command]) -> io::Result<()> {
    for command in commands {
        match command {
            Command::ArmTimer {
                timer,
                at: Moment(at),
            } => writeln!(out, "  command: arm {timer:?} at {at}")?,
            command => writeln!(out, "  command: {command:?}")?,
        }
    }
    Ok(())
}
