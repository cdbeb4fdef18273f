//! Scripts of `ipvsadm` commands, as far as the recorded ones go: commands on lines of their own or
//! separated by semicolons, and words with single or double quotes.

use ferrovs::ipvsadm::{Program, Session};

use ferrovs_tests::memory::{Director, Recorder};

/// What a script did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The exit status of the last command.
    pub(crate) status: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs every command of `script`.
pub(crate) fn run(script: &str, director: &mut Director) -> Done {
    let mut done = Done::default();
    for words in commands(script) {
        let (program, args) = words.split_first().unwrap();
        assert_eq!(program, "ipvsadm", "only ipvsadm can be run: {words:?}");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut input: &[u8] = &[];
        done.status = Program::Ipvsadm.main(
            args,
            Session {
                program,
                backend: director,
                names: &Recorder,
                input: &mut input,
                out: &mut out,
                err: &mut err,
            },
        );
        done.stdout += std::str::from_utf8(&out).unwrap();
        done.stderr += std::str::from_utf8(&err).unwrap();
    }
    done
}

fn commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in script.chars().chain(['\n']) {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, ';' | '\n') => {
                words.extend(word.take());
                commands.extend((!words.is_empty()).then(|| std::mem::take(&mut words)));
            }
            (None, letter) => {
                assert!(
                    !"|&<>$`\\()*?#~".contains(letter),
                    "not for this shell: {script}"
                );
                word.get_or_insert_default().push(letter);
            }
        }
    }
    assert_eq!(quote, None, "a quote is open: {script}");
    commands
}

#[test]
fn scripts_are_split_as_a_shell_does() {
    let script = "ipvsadm -A  -s ''; ipvsadm -w ' 5'\nipvsadm \"\" -L;";
    let expected: &[&[&str]] = &[
        &["ipvsadm", "-A", "-s", ""],
        &["ipvsadm", "-w", " 5"],
        &["ipvsadm", "", "-L"],
    ];
    assert_eq!(commands(script), expected);
}
