//! Inputs to begin with, made from the recorded commands.

use std::{collections::BTreeSet, fs, ops::ControlFlow};

use ferrovs::ipvsadm::{Backend, BackendError};
use ferrovs_api::{FlowView, Services};
use ferrovs_config::saved;
use ferrovs_model::{Change, Refusal};
use serde::Deserialize;

use super::{Target, command::ipvsadm};
use crate::memory::Director;

const FILES: [&str; 3] = ["transcripts.jsonl", "named.jsonl", "shell.jsonl"];

/// The part of a recording that is needed here.
#[derive(Deserialize)]
struct Recording {
    setup: String,
    cmd: String,
}

pub(super) fn of(target: Target) -> Vec<Vec<u8>> {
    let scripts = FILES.iter().flat_map(|file| scripts(file));
    let seeds: BTreeSet<Vec<u8>> = scripts.map(|script| seed(target, &script)).collect();
    seeds.into_iter().collect()
}

/// The commands of each recording, a line each.
fn scripts(file: &str) -> Vec<String> {
    let path = format!("{}/fixtures/ipvsadm/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let recordings = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}: {error}")));
    recordings
        .map(|Recording { setup, cmd }| commands(&format!("{setup}\n{cmd}")))
        .collect()
}

/// The commands that need no shell.
fn commands(script: &str) -> String {
    let commands = script.split(['\n', ';']).filter_map(|command| {
        let words = command.trim().strip_prefix("ipvsadm ")?;
        let plain = !words.contains(['\'', '"', '|', '<', '>', '$', '\\']);
        plain.then(|| format!("{words}\n"))
    });
    commands.collect()
}

fn seed(target: Target, script: &str) -> Vec<u8> {
    match target {
        Target::Arguments => script.trim_end().replace(' ', "\t").into_bytes(),
        Target::Restore => script.as_bytes().to_vec(),
        Target::Saved => {
            let written = saved::write(done(script).director.wanted());
            written.expect("every state can be written").into_bytes()
        }
        Target::Json => {
            let written = serde_json::to_vec_pretty(&done(script).changes);
            written.expect("every change can be written")
        }
    }
}

fn done(script: &str) -> Noting {
    let mut noting = Noting::default();
    for line in script.lines() {
        ipvsadm("-R", line.as_bytes(), &mut noting);
    }
    noting
}

/// A director that notes what is asked of it.
#[derive(Default)]
struct Noting {
    director: Director,
    changes: Vec<Change>,
}

impl Backend for Noting {
    fn apply(&mut self, changes: &[Change]) -> Result<(), BackendError> {
        self.changes.extend_from_slice(changes);
        self.director.apply(changes)
    }

    fn apply_each(&mut self, changes: &[Change]) -> Result<Vec<(usize, Refusal)>, BackendError> {
        self.changes.extend_from_slice(changes);
        self.director.apply_each(changes)
    }

    fn services(&mut self) -> Result<Services, BackendError> {
        self.director.services()
    }

    fn flows(
        &mut self,
        each: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.director.flows(each)
    }
}
