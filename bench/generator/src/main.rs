//! Load for a relay. `generator PLAN`: makes the sessions of the plan, prints `{"ready":…}`, then
//! does for every line `run N` on its input that much work and prints what it did. The end of the
//! input ends it.
//!
//! One thread, so that a relay on another core is what limits the pace.

mod meeting;
mod msrp;
mod outcome;
mod plan;
mod poller;
mod setup;
mod stall;
mod stream;
mod traffic;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::TcpListener;

use outcome::Outcome;
use plan::{Load, Plan};
use setup::Setup;
use traffic::Traffic;

fn main() {
    if let Err(error) = work() {
        println!("{}", serde_json::json!({ "error": error.to_string() }));
        std::process::exit(1);
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: generator PLAN")?;
    let plan: Plan = serde_json::from_slice(&std::fs::read(path)?)?;
    let listener = plan.listen.map(TcpListener::bind).transpose()?;
    match plan.load {
        Load::Setup { request, response, parallel } => {
            let sizes = (request, response, parallel);
            let mut setup = Setup::new(&plan, listener.as_ref(), sizes)?;
            serve(|sessions| setup.run(sessions))
        }
        Load::Stall => {
            let mut met = meeting::meet_all(&plan, listener.as_ref())?;
            serve(|most| stall::run(&mut met, most))
        }
        load => {
            let met = meeting::meet_all(&plan, listener.as_ref())?;
            let mut traffic = Traffic::new(load, &plan.sessions, met)?;
            serve(|work| traffic.run(load, work))
        }
    }
}

/// Does what the input asks for, until it ends.
fn serve(mut run: impl FnMut(u64) -> io::Result<Outcome>) -> Result<(), Box<dyn Error>> {
    say(&serde_json::json!({ "ready": true }))?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let work = line.strip_prefix("run ").ok_or("the only command is: run N")?;
        let outcome = run(work.parse()?)?;
        say(&serde_json::to_value(outcome)?)?;
    }
    Ok(())
}

fn say(line: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
