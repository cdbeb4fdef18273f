//! Many write at once: `ipvsadm -R` in one shell, `ipvsadm -e` in another, programs by the API. Whoever lists the
//! table finds everything that was acknowledged before, and of what goes on meanwhile each piece whole or not
//! at all; also when the daemon is killed again and again.

mod part;
mod place;
mod writer;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use ferrovs_api::client::Client;
use part::{Part, SHARED, changes, command, empty};
use place::{Place, told};
use writer::{Writer, writers};

#[test]
fn no_change_is_lost_or_torn_when_several_write_at_once() {
    write_at_once("writing", 0);
}

#[test]
fn no_change_is_lost_or_torn_when_the_daemon_is_killed_meanwhile() {
    write_at_once("killed", 6);
}

/// All writers write, a reader looks on, and the daemon is killed so many times.
fn write_at_once(test: &str, kills: u32) {
    let place = &Place::new(test);
    let daemon = place.start_daemon();
    place
        .ipvsadm(&format!("-A -t {SHARED} -s rr"), None)
        .unwrap();
    let writers = &writers();
    let ended = AtomicBool::new(false);
    let (readings, _daemon) = thread::scope(|scope| {
        let mut daemon = daemon;
        let reader = scope.spawn(|| read(place, writers, &ended));
        let running = writers
            .each_ref()
            .map(|writer| scope.spawn(|| writer.run(place)));
        for kill in 1..=kills {
            // In the middle of a change of each, at another place each time.
            let (slowest, due) = (&writers[0], writers[0].steps * kill / (kills + 1));
            while slowest.made() < due && !running[0].is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(3) * kill);
            daemon = place.replace(daemon);
        }
        let done = running.map(thread::ScopedJoinHandle::join);
        ended.store(true, SeqCst);
        for writer in done {
            writer.unwrap();
        }
        (reader.join().unwrap(), daemon)
    });
    assert!(readings > 20, "hardly anything was read: {readings}");
    let mut wanted: BTreeSet<_> = writers
        .iter()
        .flat_map(|writer| lines(&writer.last()))
        .collect();
    wanted.insert(format!("-A -t {SHARED} -s rr"));
    let saved = place.ipvsadm("-S -n", None).unwrap();
    assert_eq!(
        saved.lines().map(str::to_owned).collect::<BTreeSet<_>>(),
        wanted
    );
    assert_eq!(saved.lines().count(), wanted.len());
}

/// Lists the table until the writers have ended; how many times.
fn read(place: &Place, writers: &[Writer], ended: &AtomicBool) -> u32 {
    let mut seen = vec![0; writers.len()];
    let mut readings = 0;
    while !ended.load(SeqCst) {
        let made: Vec<_> = writers.iter().map(Writer::made).collect();
        let Ok(services) = place.ask(|| told(place.client(Client::services))) else {
            continue;
        };
        assert_eq!(
            empty(&services),
            Vec::<String>::new(),
            "a service lacks its servers"
        );
        for ((writer, seen), made) in writers.iter().zip(&mut seen).zip(made) {
            *seen = writer.find(&services, made.max(*seen)..=writer.begun());
        }
        readings += 1;
    }
    readings
}

/// The commands that make this part of the table.
fn lines(part: &Part) -> Vec<String> {
    changes(&Part::new(), part).iter().map(command).collect()
}
