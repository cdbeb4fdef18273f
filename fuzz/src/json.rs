//! New lists of changes from old ones, by values of the JSON.

use ferrovs_sim::Random;
use libfuzzer_sys::fuzzer_mutate;
use serde_json::Value;

use super::below;

/// At most so many edits make a new list.
const EDITS: u64 = 3;

/// Values and changes to put in, a line each.
const KNOWN: &str = r#"
0
1
80
128
-1
1.5
2147483647
2147483648
4294967295
2678400
2678401
null
true
""
"sloppy_tcp"
"conntrack"
"rr"
"sh"
"none"
"sip"
"tcp"
"udp"
"sctp"
"masq"
"route"
"10.0.0.1:80"
"10.0.0.1:0"
"[2001:db8::1]:80"
"192.168.2.141:80"
"[fe80::1%1]:80"
"224.0.0.1:80"
"255.255.255.0"
["fallback","port","flag-3"]
{"tunnel":"ipip"}
{"tunnel":{"gue":{"port":6080,"checksum":"remote"}}}
{"tunnel":{"gre":{"checksum":"full"}}}
{"kind":"mark","mark":5,"ipv6":true}
{"kind":"mark","mark":4294967295}
{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"}
{"kind":"address","protocol":"udp","address":"[2001:db8::1]:53"}
{"timeout":60,"netmask":"255.255.255.0"}
{"timeout":60,"netmask":64}
{"address":"192.168.2.141:80","forwarding":"masq","weight":1}
{"address":"192.168.2.141:80","forwarding":"masq","weight":1,"upper_threshold":9,"lower_threshold":3}
{"scheduler":"mh","scheduler_flags":["port"],"persistence":{"timeout":60,"netmask":"255.255.255.0"},"persistence_engine":"sip","one_packet":true}
{"change":"clear"}
{"change":"zero"}
{"change":"zero","service":{"kind":"mark","mark":5}}
{"change":"set_timeouts","tcp":1,"tcp_fin":2,"udp":3}
{"change":"set_sysctl","name":"conn_reuse_mode","value":3}
{"change":"set_sysctl","name":"expire_nodest_conn","value":1}
{"sloppy_tcp":1,"expire_quiescent_template":0}
{"change":"add_service","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"settings":{"scheduler":"rr"}}
{"change":"edit_service","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"settings":{"scheduler":"sh"}}
{"change":"delete_service","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"}}
{"change":"add_destination","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"destination":{"address":"192.168.2.141:80","forwarding":"masq","weight":1}}
{"change":"edit_destination","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"destination":{"address":"192.168.2.141:80","forwarding":"route","weight":0}}
{"change":"delete_destination","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"address":"192.168.2.141:80"}
{"change":"replace","state":{"services":[],"timeouts":{"tcp":900,"tcp_fin":120,"udp":300},"ever_added":18446744073709551615}}
{"change":"replace","state":{"services":[{"key":{"kind":"mark","mark":5},"settings":{"scheduler":"rr"},"added":18446744073709551615,"destinations":[{"address":"192.168.2.141:80","forwarding":"masq","weight":1}]}],"timeouts":{"tcp":1,"tcp_fin":2,"udp":3},"sysctls":{"lblc_expiration":60}}}
"#;

/// Makes a new list of the first `size` bytes of `data`, which has room for `max_size`. Gives the new
/// size. The seed decides.
#[must_use]
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let random = Random::new(seed.into());
    let list = serde_json::from_slice::<Value>(&data[..size]);
    let mut list = match list {
        Ok(list) if !random.draw().is_multiple_of(8) => list,
        _ => return fuzzer_mutate(data, size, max_size),
    };
    for _ in 0..=random.draw() % EDITS {
        edit(&mut list, &random);
    }
    let text = list.to_string();
    if text.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..text.len()].copy_from_slice(text.as_bytes());
    text.len()
}

fn edit(list: &mut Value, random: &Random) {
    let copied = any(list, random).clone();
    let new = if random.draw().is_multiple_of(2) {
        copied
    } else {
        known(random)
    };
    let remove = random.draw().is_multiple_of(3);
    match any(list, random) {
        Value::Array(values) if !values.is_empty() && remove => {
            values.remove(below(random, values.len()));
        }
        Value::Array(values) => values.insert(below(random, values.len() + 1), new),
        Value::Object(members) if !members.is_empty() => {
            let key = members.keys().nth(below(random, members.len())).cloned();
            let key = key.unwrap_or_default();
            match (remove, new) {
                (true, _) => drop(members.remove(&key)),
                // A value of another kind, or members of another object.
                (false, Value::Object(others)) => members.extend(others),
                (false, new) => drop(members.insert(key, new)),
            }
        }
        value => *value = new,
    }
}

fn known(random: &Random) -> Value {
    let all: Vec<&str> = KNOWN.trim().lines().collect();
    let text = all[below(random, all.len())];
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Any value in it, or itself.
fn any<'a>(value: &'a mut Value, random: &Random) -> &'a mut Value {
    let mut number = below(random, count(value));
    nth(value, &mut number)
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum::<usize>(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with this number when they are counted from the outside, from 0; below the count.
fn nth<'a>(value: &'a mut Value, number: &mut usize) -> &'a mut Value {
    if *number == 0 {
        return value;
    }
    *number -= 1;
    let inside: Vec<&mut Value> = match value {
        Value::Array(values) => values.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    for value in inside {
        let size = count(value);
        if *number < size {
            return nth(value, number);
        }
        *number -= size;
    }
    unreachable!("the number is below the count")
}
