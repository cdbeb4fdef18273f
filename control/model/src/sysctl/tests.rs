use super::*;

/// Where the table stands for people.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/differences.md");

#[test]
fn the_table_is_in_order() {
    assert!(SYSCTLS.is_sorted_by_key(|about| about.name));
    assert!(MEANINGLESS.is_sorted_by_key(|known| known.name));
    for (place, about) in SYSCTLS.iter().enumerate() {
        assert_eq!(about.sysctl as usize, place);
        assert_eq!(about.name.parse(), Ok(about.sysctl));
        assert!(about.default <= about.max && about.ipvs <= about.max);
        assert_eq!(
            about.default == about.ipvs,
            about.why.is_empty(),
            "{}: another default has its reason, and only that",
            about.name
        );
    }
    for known in &MEANINGLESS {
        let refused: Result<Sysctl, _> = known.name.parse();
        assert_eq!(refused, Err(NoSuchSysctl::Meaningless(known)));
    }
}

#[test]
fn a_name_is_known_or_the_nearest_one_is_named() {
    let said = |name: &str| match name.parse::<Sysctl>() {
        Ok(sysctl) => sysctl.about().name.to_owned(),
        Err(error) => error.to_string(),
    };
    for (name, answer) in [
        ("sloppy_tcp", "sloppy_tcp"),
        (
            "conntrack",
            "the sysctl conntrack has no meaning for ferrovs: packets are taken at the interface and pass \
             neither netfilter nor its connection tracking",
        ),
        (
            "expire_nodestconn",
            "there is no sysctl \"expire_nodestconn\": the nearest name is expire_nodest_conn",
        ),
        (
            "contrack",
            "there is no sysctl \"contrack\": the nearest name is conntrack",
        ),
    ] {
        assert_eq!(said(name), answer);
    }
    assert!(said("").starts_with("there is no sysctl \"\": the nearest name is "));
}

#[test]
fn a_value_is_a_number_in_its_range() {
    let mode = Sysctl::ConnReuseMode;
    assert_eq!(mode.value_of("3"), Ok(3));
    for text in ["4", "-1", "", "1.5", "99999999999"] {
        let error = mode.value_of(text).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("conn_reuse_mode is a number from 0 to 3, not {text:?}")
        );
    }
    let mut sysctls = Sysctls::default();
    assert_eq!(sysctls.set(mode, 4), Err(Refusal::OutOfRange));
    assert_eq!(sysctls, Sysctls::default());
    sysctls.set(mode, 2).unwrap();
    assert_eq!(sysctls.get(mode), 2);
    assert_eq!(sysctls.chosen().collect::<Vec<_>>(), [(mode, 2)]);
}

#[test]
fn what_is_written_down_is_what_was_chosen() {
    let json = |sysctls: &Sysctls| serde_json::to_string(sysctls).unwrap();
    let read = |text: &str| serde_json::from_str::<Sysctls>(text);
    let mut sysctls = Sysctls::default();
    assert_eq!(json(&sysctls), "{}");
    sysctls.set(Sysctl::SloppyTcp, 1).unwrap();
    sysctls.set(Sysctl::ExpireNodestConn, 0).unwrap();
    assert_eq!(json(&sysctls), r#"{"expire_nodest_conn":0,"sloppy_tcp":1}"#);
    assert_eq!(read(&json(&sysctls)).unwrap(), sysctls);
    for (wrong, why) in [
        (
            r#"{"sloppy_tcp":2}"#,
            "sloppy_tcp is a number from 0 to 1, not \"2\"",
        ),
        (
            r#"{"sloppytcp":1}"#,
            "there is no sysctl \"sloppytcp\": the nearest name is sloppy_tcp",
        ),
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
}

/// The section about sysctls, from its heading to the next one of its rank.
fn section() -> String {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (_, section) = page.split_once("\n## Sysctls\n").unwrap();
    section.split("\n## ").next().unwrap().to_owned()
}

/// Its tables, one after the other: their rows, without those that say what the columns are.
fn tables(section: &str) -> Vec<Vec<String>> {
    let mut tables = Vec::new();
    for line in section.lines() {
        if line.starts_with("|---") {
            tables.push(Vec::new());
        } else if line.starts_with("| `")
            && let Some(rows) = tables.last_mut()
        {
            rows.push(line.to_owned());
        }
    }
    tables
}

/// The page is for people and the table for the program; whoever changes the one is told to change the
/// other.
#[test]
fn the_page_says_what_the_table_says() {
    let all = SYSCTLS.iter().map(|about| {
        let About {
            name,
            default,
            ipvs,
            max,
            about,
            ..
        } = about;
        format!("| `{name}` | 0 to {max} | {default} | {ipvs} | {about} |")
    });
    let others = SYSCTLS.iter().filter(|about| !about.why.is_empty());
    let others = others.map(|about| {
        let About {
            name,
            default,
            ipvs,
            why,
            ..
        } = about;
        format!("| `{name}` | {default} | {ipvs} | {why} |")
    });
    let meaningless = MEANINGLESS.iter().map(|known| {
        let Meaningless { name, ipvs, why } = known;
        format!("| `{name}` | {ipvs} | {why} |")
    });
    let expected: [Vec<String>; 3] = [all.collect(), others.collect(), meaningless.collect()];
    assert_eq!(
        tables(&section()),
        expected,
        "docs/differences.md should have these tables:\n\n{}",
        expected.each_ref().map(|rows| rows.join("\n")).join("\n\n")
    );
}
