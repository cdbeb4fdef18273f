//! Counting: what is shown since the last zero, and what is never forgotten.

use super::*;

#[test]
fn zero_is_an_offset() {
    let mut director = Director::with(&[141]);
    director.change(add(81));
    director.change(join(81, 141));
    director.plane.count(director.dest(80, 141), 7);
    director.plane.count(director.dest(81, 141), 9);
    director.publisher.zero(&director.plane, Some(&service(80)));
    let conns = |director: &Director| -> Vec<_> {
        let reports = director.report();
        reports.iter().map(|r| r.traffic.shown.conns).collect()
    };
    assert_eq!(conns(&director), [0, 9]);
    director.restart();
    director.plane.count(director.dest(80, 141), 1);
    assert_eq!(conns(&director), [1, 9]);
    director.publisher.zero(&director.plane, None);
    assert_eq!(conns(&director), [0, 0]);
}

#[test]
fn no_count_is_lost_by_zeroing_or_by_removing() {
    let mut director = Director::with(&[141]);
    let total = |director: &Director| {
        let report = director.publisher.report(&director.plane, &director.wanted);
        (report.total.shown.conns, report.total.lifetime.conns)
    };
    director.plane.count(director.dest(80, 141), 7);
    director.publisher.zero(&director.plane, Some(&service(80)));
    // The total has a zero of its own.
    assert_eq!(total(&director), (7, 7));
    assert_eq!(director.report()[0].traffic.lifetime.conns, 7);
    director.publisher.zero(&director.plane, None);
    assert_eq!(total(&director), (0, 7));
    director.plane.count(director.dest(80, 141), 2);
    director.change(remove(80));
    director.wait();
    director.wait();
    assert_eq!(total(&director), (2, 9));
    director.restart();
    director.change(add(80));
    director.change(join(80, 141));
    assert_eq!(total(&director), (2, 9));
    assert_eq!(director.report()[0].traffic, Traffic::default());
}

#[test]
fn a_service_deleted_and_added_in_one_go_is_a_new_one() {
    let mut director = Director::with(&[141, 143]);
    director.plane.count(director.dest(80, 141), 7);
    director
        .wanted
        .apply_all(&[Change::Clear, add(80), join(80, 141), join(80, 143)])
        .unwrap();
    director.publish().unwrap();
    let report = &director.report()[0];
    assert_eq!(report.traffic.shown, Figures::default());
    assert_eq!(report.dests[1].traffic.shown, Figures::default());
    assert_eq!(report.dests[1].traffic.lifetime.conns, 7);
}
