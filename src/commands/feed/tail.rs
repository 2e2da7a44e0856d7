//! `triggerfish feed tail`: what changes in a table, as stream records, as it is committed.
//!
//! Reads only: nothing is trimmed and no position is kept, so it disturbs no other reader.

use std::thread;

use anyhow::Result;
use crossbeam_channel::Receiver;
use scenarios::assemble::{ACCOUNT, REGION};
use scenarios::stop::Stop;
use scenarios::words::escaped;
use sources::dynamodb::feed::change::Change;
use sources::dynamodb::feed::read::{Cursor, Limit, Reader, Tail};
use sources::dynamodb::feed::state::{self, Feed};
use sources::dynamodb::feed::wake::Wake;
use sources::dynamodb::feed::{FeedError, Trouble};
use sources::dynamodb::record::{Nulls, Record, Stream, Unrecorded, ViewType};
use sources::source::Bell;

use super::{condition, explained, feed_of, place, told};
use crate::cli::{FeedTail, Start, View};
use crate::commands::up::on_interrupt;
use crate::commands::{INTERRUPTED, OK};
use crate::output::{self, talk};

/// What is read at a time: a snapshot should be short, and a batch fit into memory.
const BATCH: Limit = Limit {
    rows: 1_000,
    bytes: 4 << 20,
};

/// Runs the command.
pub fn run(args: &FeedTail) -> Result<u8> {
    let stop = on_interrupt()?;
    let (bell, ear) = Bell::new();
    // Listens before it looks: what is committed in between rings.
    let wake = match args.once {
        true => None,
        false => Some(Wake::new(&args.database, bell.clone()).map_err(told)?),
    };
    ring_when_asked(stop.clone(), bell)?;
    let reader = Reader::open(&args.database).map_err(told)?;
    let feed = feed_of(reader.database(), &args.table)?;
    let cursor = match args.from {
        Some(Start::Latest) => reader.end(&feed).map_err(told)?,
        None if !args.once => reader.end(&feed).map_err(told)?,
        _ => Cursor::default(),
    };
    let tail = reader.tail(&feed, cursor).map_err(told)?;
    let mut follower = Follower {
        stream: stream(&feed, args.view),
        reader,
        tail,
        stop,
        schema: None,
    };
    match wake {
        None => follower.once(),
        Some(wake) => follower.follow(&wake, &ear),
    }
}

/// Has the one who waits for the database hear Ctrl-C, too.
fn ring_when_asked(mut stop: Stop, bell: Bell) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    thread::Builder::new().name("stop".to_owned()).spawn(move || {
        runtime.block_on(stop.asked());
        bell.ring();
    })?;
    Ok(())
}

fn stream(feed: &Feed, view: View) -> Stream {
    let (table, label) = (&feed.table, feed.created.iso_millis());
    let label = label.trim_end_matches('Z');
    Stream {
        arn: format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/{label}"),
        region: REGION.to_owned(),
        view: match view {
            View::NewAndOldImages => ViewType::NewAndOldImages,
            View::NewImage => ViewType::NewImage,
            View::OldImage => ViewType::OldImage,
            View::KeysOnly => ViewType::KeysOnly,
        },
        nulls: Nulls::default(),
    }
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// All there is was printed.
    Wait,
    /// Nobody reads, or somebody asked.
    End,
    /// All there ever will be was printed: the feed is closed.
    Over,
}

/// Prints the records of one feed.
struct Follower {
    stream: Stream,
    reader: Reader,
    tail: Tail,
    stop: Stop,
    /// The schema whose feed was looked at last.
    schema: Option<i64>,
}

impl Follower {
    fn once(&mut self) -> Result<u8> {
        let next = self.look(true).map_err(told)?;
        match next == Next::End && self.stop.is_asked() {
            true => Ok(INTERRUPTED),
            false => Ok(OK),
        }
    }

    fn follow(&mut self, wake: &Wake, ear: &Receiver<()>) -> Result<u8> {
        talk!(
            "following `{}` in {} · Ctrl-C stops",
            escaped(&self.tail.feed().table),
            escaped(&place(self.reader.database()))
        );
        let mut behind = true;
        while !self.stop.is_asked() {
            match self.look(behind) {
                Ok(Next::Wait) => behind = false,
                Ok(Next::End) => break,
                Ok(Next::Over) => return Err(self.over()),
                Err(error) if error.trouble == Trouble::Locked => {
                    talk!("warning: {}; trying again", escaped(&error.what));
                    behind = true;
                }
                Err(error) => return Err(told(error)),
            }
            // Whether it was the bell or the time makes no difference.
            let _ = ear.recv_timeout(wake.patience());
        }
        Ok(OK)
    }

    fn over(&self) -> anyhow::Error {
        explained(
            &format!(
                "the feed of `{}` ended: its table was dropped or made again",
                self.tail.feed().table
            ),
            "start again to follow the feed that took its place; `triggerfish feed status DB` lists them",
        )
    }

    /// Prints what is new, if anything may be.
    fn look(&mut self, behind: bool) -> Result<Next, FeedError> {
        if !self.reader.more()? && !behind {
            return Ok(Next::Wait);
        }
        let next = self.drain()?;
        if next == Next::End || !self.is_closed()? {
            return Ok(next);
        }
        // It may have caught something before it was closed.
        match self.drain()? {
            Next::End => Ok(Next::End),
            _ => Ok(Next::Over),
        }
    }

    /// Prints all there is.
    fn drain(&mut self) -> Result<Next, FeedError> {
        loop {
            let batch = self.reader.read(&mut self.tail, BATCH)?;
            for change in &batch.changes {
                if self.stop.is_asked() || !self.print(change) {
                    return Ok(Next::End);
                }
            }
            if !batch.more {
                return Ok(Next::Wait);
            }
        }
    }

    /// Whether somebody still reads.
    fn print(&self, change: &Change) -> bool {
        match Record::new(change, &self.stream) {
            Ok(record) => match serde_json::to_string(&record) {
                Ok(line) => output::delivered(format_args!("{line}\n")),
                Err(error) => {
                    talk!(
                        "warning: a change of `{}` cannot be written as JSON: {error}",
                        change.table
                    );
                    true
                }
            },
            Err(Unrecorded::Unchanged) => true,
            Err(wrong @ Unrecorded::Key { .. }) => {
                talk!(
                    "warning: a change of `{}` at {} has no record: {}",
                    escaped(&change.table),
                    change.at.iso_millis(),
                    escaped(&wrong.to_string())
                );
                true
            }
        }
    }

    /// Whether the feed was closed. Looks only when the schema changed, and says then how the feed is, unless all is well.
    fn is_closed(&mut self) -> Result<bool, FeedError> {
        let database = self.reader.database();
        let schema = state::schema_version(database)?;
        if self.schema == Some(schema) {
            return Ok(false);
        }
        let (id, feeds) = (self.tail.feed().id, state::feeds(database)?);
        // A feed that is gone is told by the next read.
        let Some(feed) = feeds.into_iter().find(|feed| feed.id == id) else {
            return Ok(false);
        };
        if !feed.closed
            && let (word, Some(why)) = condition(database, &state::watched(database, &feed)?)
        {
            talk!(
                "warning: the feed of `{}` is {word}: {}",
                escaped(&feed.table),
                escaped(&why)
            );
        }
        self.schema = Some(schema);
        Ok(feed.closed)
    }
}
