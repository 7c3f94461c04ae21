//! Statements from `-e`, `-f` and a pipe.

use std::io::{self, Read};
use std::sync::mpsc::{TryRecvError, sync_channel};

use crate::parser::Splitter;
use crate::runner::{Flow, Runner};

const CHUNK: usize = 64 << 10;

/// Runs all statements of `input`, which does not block.
pub fn run(runner: &mut Runner<'_>, mut input: impl Read) -> io::Result<Flow> {
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return finish(runner, &mut splitter),
            Ok(count) => {
                if feed(runner, &mut splitter, &chunk[..count])? != Flow::Continue {
                    return Ok(Flow::Quit);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Runs all statements of a pipe as they come: before waiting for more, what is done is acknowledged.
pub fn run_pipe(
    runner: &mut Runner<'_>,
    mut input: impl Read + Send + 'static,
) -> io::Result<Flow> {
    let (sender, receiver) = sync_channel::<io::Result<Vec<u8>>>(4);
    std::thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match input.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => Ok(chunk[..count].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let ends = read.is_err();
            if sender.send(read).is_err() || ends {
                return;
            }
        }
    });
    let mut splitter = Splitter::default();
    loop {
        let received = match receiver.try_recv() {
            Err(TryRecvError::Empty) => {
                if runner.flush()? != Flow::Continue {
                    return Ok(Flow::Quit);
                }
                receiver.recv().ok()
            }
            Err(TryRecvError::Disconnected) => None,
            Ok(received) => Some(received),
        };
        match received {
            None => return finish(runner, &mut splitter),
            Some(bytes) => {
                if feed(runner, &mut splitter, &bytes?)? != Flow::Continue {
                    return Ok(Flow::Quit);
                }
            }
        }
    }
}

fn feed(runner: &mut Runner<'_>, splitter: &mut Splitter, bytes: &[u8]) -> io::Result<Flow> {
    splitter.push(bytes);
    while let Some(piece) = splitter.next_complete() {
        let flow = runner.piece(piece)?;
        if flow != Flow::Continue {
            return Ok(flow);
        }
    }
    Ok(Flow::Continue)
}

fn finish(runner: &mut Runner<'_>, splitter: &mut Splitter) -> io::Result<Flow> {
    while let Some(piece) = splitter.finish() {
        let flow = runner.piece(piece)?;
        if flow != Flow::Continue {
            return Ok(flow);
        }
    }
    Ok(Flow::Continue)
}
