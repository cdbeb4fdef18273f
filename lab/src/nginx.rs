//! nginx as a real server, from a directory of its own and without touching the system's.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{Doing, Error, Result},
    http::page,
};

/// Where nginx is installed, if it is.
pub fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // An ordinary user's path often lacks it.
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join("nginx"))
        .find(|program| program.is_file())
}

/// Writes the configuration and the home page of `server` under `directory` and gives the command,
/// a foreground one, its arguments.
///
/// # Errors
/// When nginx is not installed or the directory cannot be written.
pub(crate) fn prepare(
    directory: &Path,
    server: Ipv4Addr,
) -> Result<impl FnOnce(&mut Command) + use<>> {
    let write = |name: &str, text: &str| {
        fs::write(directory.join(name), text)
            .doing(|| format!("write {}", directory.join(name).display()))
    };
    fs::create_dir_all(directory.join("html")).doing(|| format!("make {}", directory.display()))?;
    write("html/index.html", &page(server))?;
    write("nginx.conf", &configuration(server))?;
    let directory = directory.to_owned();
    Ok(move |command: &mut Command| {
        command
            .arg("-p")
            .arg(&directory)
            .args(["-e", "stderr", "-c", "nginx.conf"]);
    })
}

/// The program, or an error that says how to get it.
pub(crate) fn program() -> Result<PathBuf> {
    nginx().ok_or_else(|| {
        Error::Unexpected(
            "nginx is not installed: install it (apt-get install nginx-light), or use the built-in \
             servers"
                .to_owned(),
        )
    })
}

/// A connection per page, as the demonstration wants it, and no page from a browser's cache.
fn configuration(server: Ipv4Addr) -> String {
    format!(
        "daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_timeout 0;
    types {{ text/html html; }}
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen {server}:80;
        root html;
        add_header Cache-Control no-store;
    }}
}}
"
    )
}
