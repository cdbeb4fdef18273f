//! What is shown: headings, what is done, commands, and what they printed.
//!
//! Colour and progress appear on a terminal only, and colour not when `NO_COLOR` is set.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    io::{self, Write},
    process::Output,
    time::Duration,
};

use anyhow::Result;
use console::style;
use indicatif::{ProgressBar, ProgressStyle};

/// Where the walk is shown.
pub(super) struct Screen {
    step: Cell<u32>,
    bar: RefCell<Option<ProgressBar>>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            step: Cell::new(0),
            bar: RefCell::new(None),
        }
    }

    /// The next step begins.
    pub(super) fn step(&self, title: &str) -> Result<()> {
        self.step.set(self.step.get() + 1);
        let heading = format!("{}. {title}", self.step.get());
        self.line("")?;
        self.line(style(heading).bold().cyan())
    }

    /// A heading without a number.
    pub(super) fn heading(&self, title: &str) -> Result<()> {
        self.line("")?;
        self.line(style(title).bold().cyan())
    }

    /// Says what is done, and why.
    pub(super) fn say(&self, text: impl Display) -> Result<()> {
        self.line(format_args!("   {text}"))
    }

    /// A command as a person would type it, on this host.
    pub(super) fn command(&self, host: &str, command: impl Display) -> Result<()> {
        self.line(format_args!(
            "   {} {}",
            style(format!("{host} #")).green(),
            style(command).bold()
        ))
    }

    /// What a command printed, as it came.
    pub(super) fn output(&self, output: &Output) -> Result<()> {
        self.text(&String::from_utf8_lossy(&output.stdout))?;
        self.text(&String::from_utf8_lossy(&output.stderr))
    }

    /// What something printed.
    pub(super) fn text(&self, text: &str) -> Result<()> {
        text.lines()
            .try_for_each(|line| self.line(format_args!("   {line}")))
    }

    /// A check that was done: whether it holds, and what was found.
    pub(super) fn check(&self, holds: bool, text: &str) -> Result<()> {
        let mark = if holds {
            style("ok  ").green()
        } else {
            style("FAIL").red().bold()
        };
        self.line(format_args!("   {mark} {text}"))
    }

    /// The last line of all.
    pub(super) fn conclude(&self, well: bool, text: &str) -> Result<()> {
        let text = if well {
            style(text).green().bold()
        } else {
            style(text).red().bold()
        };
        self.line("")?;
        self.line(format_args!("   {text}"))
    }

    /// Shows how far a step of `total` parts is, from now to the next line.
    pub(super) fn progress(&self, what: &'static str, total: usize) -> ProgressBar {
        let bar = ProgressBar::new(total as u64);
        if let Ok(style) = ProgressStyle::with_template("   {spinner} {msg} {bar:30} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        // A step that is over at once need not flicker.
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.bar.borrow_mut() = Some(bar.clone());
        bar
    }

    /// Takes the progress away.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    fn line(&self, line: impl Display) -> Result<()> {
        self.finish();
        // Not println!, which panics when the reader has gone: the lab must be taken down in order.
        Ok(writeln!(io::stdout(), "{line}")?)
    }
}
