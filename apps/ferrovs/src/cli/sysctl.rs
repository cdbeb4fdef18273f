//! `ferrovs sysctl`.

use anyhow::{Context, bail};
use clap::Args;
use ferrovs_api::{SysctlView, client::Client};
use ferrovs_model::{Change, NoSuchSysctl, SYSCTLS, Sysctl};

use super::output;

/// What may stand before a name, as in /etc/sysctl.conf.
const PREFIX: &str = "net.ipv4.vs.";

/// The word that gives all of them a value.
const COMPAT: &str = "compat";

/// Options of `ferrovs sysctl`.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// A name to print its value; names with values to set them, all or none; nothing to list all.
    /// `compat=ipvs` gives every one the default of IPVS, `compat=ferrovs` that of ferrovs
    #[arg(value_name = "NAME[=VALUE]")]
    words: Vec<String>,
    /// List everything that is known of them, as JSON
    #[arg(long, conflicts_with = "words")]
    json: bool,
}

/// What is asked for.
#[derive(Debug, Eq, PartialEq)]
enum Wish {
    List,
    /// The value of one.
    Value(Sysctl),
    /// Whose defaults they have.
    Compat,
    /// Values, of which the last one for a sysctl counts.
    Set(Vec<(Sysctl, u32)>),
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    match Wish::of(&options.words)? {
        Wish::List if options.json => {
            let text = serde_json::to_string_pretty(&present()?)?;
            output::say(&format!("{text}\n"))
        }
        Wish::List => output::say(&present()?.iter().map(line).collect::<String>()),
        Wish::Value(sysctl) => {
            let views = present()?;
            let view = views.iter().find(|view| is(view, sysctl));
            let view = view.context("the daemon is of another version and does not have it")?;
            output::say(&format!("{}\n", view.value))
        }
        Wish::Compat => output::say(&format!("{}\n", compat(&present()?))),
        Wish::Set(values) => set(&values),
    }
}

impl Wish {
    fn of(words: &[String]) -> anyhow::Result<Self> {
        match words {
            [] => Ok(Self::List),
            [word] if word == COMPAT => Ok(Self::Compat),
            [word] if !word.contains('=') => Ok(Self::Value(named(word)?)),
            words => {
                let values: anyhow::Result<Vec<_>> =
                    words.iter().map(|word| assignment(word)).collect();
                let values = values.context("nothing was changed")?;
                Ok(Self::Set(values.into_iter().flatten().collect()))
            }
        }
    }
}

/// The values that a word asks for.
fn assignment(word: &str) -> anyhow::Result<Vec<(Sysctl, u32)>> {
    let Some((name, value)) = word.split_once('=') else {
        bail!("{word:?} has no value: several words are all NAME=VALUE");
    };
    if name != COMPAT {
        let sysctl = named(name)?;
        return Ok(vec![(sysctl, sysctl.value_of(value)?)]);
    }
    let all = SYSCTLS.iter();
    match value {
        "ferrovs" => Ok(all.map(|one| (one.sysctl, one.default)).collect()),
        "ipvs" => Ok(all.map(|one| (one.sysctl, one.ipvs)).collect()),
        _ => bail!("{COMPAT} is ferrovs or ipvs, not {value:?}"),
    }
}

fn named(name: &str) -> Result<Sysctl, NoSuchSysctl> {
    name.strip_prefix(PREFIX).unwrap_or(name).parse()
}

/// Sets values.
fn set(values: &[(Sysctl, u32)]) -> anyhow::Result<()> {
    let changes: Vec<Change> = values
        .iter()
        .map(|&(name, value)| Change::SetSysctl { name, value })
        .collect();
    super::make(&changes)
}

/// The sysctls of the daemon that runs. None is started: it would have the defaults.
fn present() -> anyhow::Result<Vec<SysctlView>> {
    Ok(Client::connect()?.sysctls()?)
}

fn is(view: &SysctlView, sysctl: Sysctl) -> bool {
    view.name == sysctl.about().name
}

/// As sysctl(8) prints it, and behind it what else should be known.
fn line(view: &SysctlView) -> String {
    let SysctlView {
        name,
        value,
        default,
        ..
    } = view;
    if value == default {
        return format!("{name} = {value}\n");
    }
    format!("{name} = {value} (default {default})\n")
}

/// Whose defaults they have, all of them.
fn compat(views: &[SysctlView]) -> &'static str {
    if views.iter().all(|view| view.value == view.default) {
        "ferrovs"
    } else if views.iter().all(|view| view.value == view.ipvs) {
        "ipvs"
    } else {
        "neither"
    }
}

#[cfg(test)]
mod tests {
    use ferrovs_model::Sysctls;

    use super::*;

    fn wish(line: &str) -> Result<Wish, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Wish::of(&words).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn words_are_a_wish() {
        use Sysctl::{ConnReuseMode, SloppyTcp};
        for (line, expected) in [
            ("", Wish::List),
            ("sloppy_tcp", Wish::Value(SloppyTcp)),
            ("compat", Wish::Compat),
            ("sloppy_tcp=1", Wish::Set(vec![(SloppyTcp, 1)])),
            (
                "net.ipv4.vs.sloppy_tcp=1 conn_reuse_mode=0 sloppy_tcp=0",
                Wish::Set(vec![(SloppyTcp, 1), (ConnReuseMode, 0), (SloppyTcp, 0)]),
            ),
        ] {
            assert_eq!(wish(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn compat_gives_every_one_a_default() {
        for (line, default) in [
            ("compat=ipvs sloppy_tcp=1", "ipvs"),
            ("compat=ferrovs sloppy_tcp=1", "ferrovs"),
        ] {
            let Ok(Wish::Set(values)) = wish(line) else {
                panic!("{line} sets values");
            };
            let mut sysctls = Sysctls::default();
            let (last, all) = values.split_last().unwrap();
            for &(sysctl, value) in all {
                sysctls.set(sysctl, value).unwrap();
            }
            assert_eq!(compat(&SysctlView::all(&sysctls)), default);
            sysctls.set(last.0, last.1).unwrap();
            assert_eq!(compat(&SysctlView::all(&sysctls)), "neither");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_one_sentence() {
        for (line, expected) in [
            (
                "sloppytcp",
                "there is no sysctl \"sloppytcp\": the nearest name is sloppy_tcp",
            ),
            (
                "sync_ports",
                "the sysctl sync_ports has no meaning for ferrovs: connection synchronisation is not built",
            ),
            (
                "sloppy_tcp=1 conntrac=1",
                "nothing was changed: there is no sysctl \"conntrac\": the nearest name is conntrack",
            ),
            (
                "sloppy_tcp=yes",
                "nothing was changed: sloppy_tcp is a number from 0 to 1, not \"yes\"",
            ),
            (
                "sloppy_tcp=1 sloppy_sctp",
                "nothing was changed: \"sloppy_sctp\" has no value: several words are all NAME=VALUE",
            ),
            (
                "compat=lvs",
                "nothing was changed: compat is ferrovs or ipvs, not \"lvs\"",
            ),
        ] {
            assert_eq!(wish(line), Err(expected.to_owned()), "{line}");
        }
    }

    #[test]
    fn what_is_not_the_default_is_marked() {
        let view = SysctlView {
            name: "sloppy_tcp".to_owned(),
            value: 1,
            default: 1,
            ipvs: 0,
            max: 1,
            about: String::new(),
        };
        assert_eq!(line(&view), "sloppy_tcp = 1\n");
        let other = SysctlView { default: 0, ..view };
        assert_eq!(line(&other), "sloppy_tcp = 1 (default 0)\n");
    }
}
