//! A disk that fills up, breaks or may not be written at any moment: from each of a writer's calls on, those of that name
//! fail. Nobody is let through for it, and once the disk is well everything goes on.

use super::check;
use super::field::{Field, GUARD, Run};
use super::kill::judge;
use super::strace::{self, Point};
use super::writers::{self, Writer};
use super::{is_long, skipped};

/// How many of a writer's calls are tried in the short form.
const SHORT: usize = 4;

/// Calls that can fail for want of room or right. One that failed anyway tells of something else, and what is
/// written to stdout goes to no disk.
fn may_fail(point: &Point) -> bool {
    let to_disk = !["exit_group", "utimensat", "flock"].contains(&point.name.as_str());
    point.changes() && to_disk && !point.line.contains(" = -1") && !point.line.starts_with("write(1,")
}

pub(crate) fn fail_all(writers: &[Writer]) {
    if !strace::works() {
        return skipped("strace can't trace here, so no system call was made to fail");
    }
    let errors: &[&str] = if is_long() { &["ENOSPC", "EIO", "EACCES"] } else { &["ENOSPC"] };
    let mut wrong = Vec::new();
    for writer in writers {
        let field = Field::new();
        (writer.setup)(&field);
        field.save();
        let run = (writer.run)(&field);
        let (all, clean) = strace::points(&run, &field.top.join("trace"));
        let mut points: Vec<Point> = all.into_iter().filter(may_fail).collect();
        if !is_long() {
            let step = points.len().div_ceil(SHORT).max(1);
            points = points.into_iter().step_by(step).collect();
        }
        let (mut tries, mut noticed) = (0, 0);
        for point in &points {
            for error in errors {
                field.put_back();
                let said = strace::failing_from(&run, point, error);
                tries += 1;
                noticed += usize::from(said.out != clean.out || said.code != clean.code);
                let found =
                    ended_well(&field, &run, &said).and_then(|()| judge(&field, writer, &run, &clean));
                if let Err(why) = found {
                    let (line, nth, name) = (&point.line, point.nth, &point.name);
                    wrong.push(format!("{}, {error} from {line} ({nth}. {name}) on: {why}", writer.name));
                }
            }
        }
        println!("{:<40} {tries:>4} failures, {noticed:>4} told", writer.name);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// It ended by itself, and where it let a write through it has the lease.
fn ended_well(field: &Field, run: &Run, said: &super::field::Said) -> check::Check {
    if !matches!(said.code, Some(0..=2)) {
        return Err(format!("it ended with {said:?}"));
    }
    let guards = run.program.as_os_str() == GUARD;
    let known = !String::from_utf8_lossy(&run.input).contains("make");
    if guards && known && said.is_silent() && check::leased(field)?.is_empty() {
        return Err("it was silent and has no lease".to_owned());
    }
    if guards && !said.is_silent() && said.refusal().is_none() {
        return Err(format!("neither silent nor a refusal: {said:?}"));
    }
    Ok(())
}

#[test]
fn hooks_on_a_disk_that_fails_refuse_and_lose_nothing() {
    fail_all(&writers::hooks());
}

#[test]
fn commands_on_a_disk_that_fails_say_so_and_lose_nothing() {
    fail_all(&writers::commands());
}
