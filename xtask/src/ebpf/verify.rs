//! Loading an object into the running kernel and holding its cost against the budget.
//!
//! Nothing is attached, and everything that was loaded is gone when the command ends.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use aya::{Ebpf, programs::Program};
use serde::Deserialize;

/// What one program costs, or may cost.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Cost {
    /// Instructions that the verifier walked over all paths; the kernel's limit is a million.
    verified_instructions: u32,
    /// Size of the program as the kernel keeps it, in bytes: 8 per instruction.
    xlated_bytes: u32,
    /// Size of the machine code, in bytes: 0 when the kernel interprets it.
    jited_bytes: u32,
}

impl Cost {
    /// The figures in the order in which they are printed.
    fn figures(self) -> [u32; 3] {
        [
            self.verified_instructions,
            self.xlated_bytes,
            self.jited_bytes,
        ]
    }
}

/// Loads every program of the object at `path` and compares with the budget at `budget`.
///
/// # Errors
/// When a program does not load (with the verifier's words), costs more than its budget, or is
/// in one of object and budget but not in the other.
pub(crate) fn verify(path: &Path, budget: &Path) -> Result<()> {
    let object = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let limits =
        fs::read_to_string(budget).with_context(|| format!("read {}", budget.display()))?;
    let limits: BTreeMap<String, Cost> =
        toml::from_str(&limits).with_context(|| format!("read {}", budget.display()))?;
    let costs = load(&object).with_context(|| format!("load {}", path.display()))?;

    print_table(&costs, &limits);
    let over = over_budget(&costs, &limits);
    if over.is_empty() {
        return Ok(());
    }
    bail!(
        "{}; make it cheaper, or raise the budget in {} and say why in the commit",
        over.join("; "),
        budget.display()
    )
}

fn load(object: &[u8]) -> Result<BTreeMap<String, Cost>> {
    let mut loaded = Ebpf::load(object).context(
        "create the maps (this needs root or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, \
         and a kernel with BTF)",
    )?;
    let mut costs = BTreeMap::new();
    for (name, program) in loaded.programs_mut() {
        match program {
            Program::Xdp(program) => program.load(),
            Program::SchedClassifier(program) => program.load(),
            other => bail!(
                "{name} is a program of type {:?}, not of ours",
                other.prog_type()
            ),
        }
        .with_context(|| format!("the kernel refuses {name}"))?;
        let info = program
            .info()
            .with_context(|| format!("ask about {name}"))?;
        let cost = Cost {
            verified_instructions: info.verified_instruction_count().unwrap_or(0),
            xlated_bytes: info.size_translated().unwrap_or(0),
            jited_bytes: info.size_jitted(),
        };
        costs.insert(name.to_owned(), cost);
    }
    Ok(costs)
}

fn print_table(costs: &BTreeMap<String, Cost>, limits: &BTreeMap<String, Cost>) {
    println!(
        "{:<16} {:>23} {:>23} {:>23}",
        "program", "verified instructions", "xlated bytes", "jited bytes"
    );
    for (name, cost) in costs {
        let limit = limits.get(name);
        let columns: Vec<String> = (0..3)
            .map(|at| {
                let limit = limit.map_or("-".to_owned(), |limit| limit.figures()[at].to_string());
                format!("{:>23}", format!("{} of {limit}", cost.figures()[at]))
            })
            .collect();
        println!("{name:<16} {}", columns.join(" "));
    }
}

/// One half-sentence for everything that is not as the budget says.
fn over_budget(costs: &BTreeMap<String, Cost>, limits: &BTreeMap<String, Cost>) -> Vec<String> {
    const NAMES: [&str; 3] = ["verified instructions", "xlated bytes", "jited bytes"];
    let mut found = Vec::new();
    for (name, cost) in costs {
        let Some(limit) = limits.get(name) else {
            found.push(format!("{name} has no budget"));
            continue;
        };
        for ((figure, limit), what) in cost.figures().into_iter().zip(limit.figures()).zip(NAMES) {
            if figure > limit {
                found.push(format!(
                    "{name} has {figure} {what}, over its budget of {limit}"
                ));
            }
        }
    }
    let gone = limits.keys().filter(|name| !costs.contains_key(*name));
    found.extend(gone.map(|name| format!("the budget names {name}, which is not in the object")));
    found
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, Cost, over_budget};

    fn cost(verified_instructions: u32) -> Cost {
        Cost {
            verified_instructions,
            xlated_bytes: 8,
            jited_bytes: 20,
        }
    }

    fn map(entries: &[(&str, u32)]) -> BTreeMap<String, Cost> {
        let entry = |(name, count): &(&str, u32)| ((*name).to_owned(), cost(*count));
        entries.iter().map(entry).collect()
    }

    #[test]
    fn up_to_the_budget_is_fine_and_one_more_is_not() {
        let limits = map(&[("a", 100)]);
        assert!(over_budget(&map(&[("a", 100)]), &limits).is_empty());
        let over = over_budget(&map(&[("a", 101)]), &limits);
        assert_eq!(
            over,
            ["a has 101 verified instructions, over its budget of 100"]
        );
    }

    #[test]
    fn object_and_budget_name_the_same_programs() {
        let found = over_budget(&map(&[("a", 1)]), &map(&[("b", 1)]));
        assert_eq!(
            found,
            [
                "a has no budget",
                "the budget names b, which is not in the object"
            ]
        );
    }
}
