//! The power of two choices (`ip_vs_twos.c`): the less loaded of two servers that are drawn, each as likely as it
//! weighs.

use std::collections::VecDeque;

use super::{Schedule, Sight};
use crate::ipvs::Dest;

#[derive(Debug)]
pub(super) struct PowerOfTwoChoices;

impl Schedule for PowerOfTwoChoices {
    fn pick(&mut self, sight: &Sight<'_>, dice: &mut VecDeque<u64>) -> Option<usize> {
        let mut draw = || dice.pop_front().unwrap_or(0);
        pick(&sight.servers(), [draw(), draw()])
    }
}

/// The number of the server that two random numbers lead to.
fn pick(servers: &[&Dest], numbers: [u64; 2]) -> Option<usize> {
    let [first, second] = numbers.map(|number| draw(servers, number));
    let (first, second) = (first?, second?);
    let (weight, second_weight) = (first.server.weight, second.server.weight);
    let second_is_lighter =
        first.overhead() * u128::from(second_weight) > second.overhead() * u128::from(weight);
    let picked = if second_is_lighter { second } else { first };
    Some(picked.number)
}

/// The server that a random number from 0 to the sum of all weights, both included, leads to.
fn draw<'a>(servers: &[&'a Dest], number: u64) -> Option<&'a Dest> {
    let usable = servers.iter().filter(|dest| dest.is_usable());
    let weight = |dest: &&&Dest| u64::from(dest.server.weight);
    let number = number % (usable.clone().map(|dest| weight(&dest)).sum::<u64>() + 1);
    let mut passed = 0;
    let mut usable = usable;
    let found = usable.find(|dest| {
        passed += weight(dest);
        number <= passed
    });
    found.copied()
}

/// Random numbers by which the server at this place of a list is picked; none if it cannot be.
#[must_use]
pub fn numbers_for(servers: &[&Dest], place: usize) -> Option<[u64; 2]> {
    if !servers[place].is_usable() {
        return None;
    }
    let usable = servers[..=place].iter().filter(|dest| dest.is_usable());
    // It is drawn twice: nothing is lighter than itself.
    let passed = usable.map(|dest| u64::from(dest.server.weight)).sum();
    Some([passed, passed])
}
