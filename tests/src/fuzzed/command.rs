//! One command of `ipvsadm`, run in this process.

use ferrovs::ipvsadm::{Backend, Input, Program, Session};

use crate::memory::Recorder;

/// What a command did.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Done {
    pub(super) status: u8,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs `program` with these words after its name.
pub(super) fn run(
    program: Program,
    words: &[String],
    input: &mut dyn Input,
    backend: &mut dyn Backend,
) -> Done {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = program.main(
        words,
        Session {
            program: "ipvsadm",
            backend,
            names: &Recorder,
            input,
            out: &mut out,
            err: &mut err,
        },
    );
    let text = |bytes| String::from_utf8(bytes).expect("what is printed is text");
    Done {
        status,
        out: text(out),
        err: text(err),
    }
}

/// Runs `ipvsadm` with one word and this input.
pub(super) fn ipvsadm(word: &str, mut input: &[u8], backend: &mut dyn Backend) -> Done {
    run(Program::Ipvsadm, &[word.to_owned()], &mut input, backend)
}
