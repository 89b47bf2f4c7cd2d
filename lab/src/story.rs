//! The demo: one story in nine scenes, every sentence of which is checked while it is told.

mod scenes;
mod teller;

use crate::{Honest, Lab, Place, Trio, binary};
use anyhow::Result;
use scenes::Stage;
use std::thread;
use teller::Teller;

/// What happens after the last scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Everything is taken down.
    End,
    /// Everything stays up for a look around until Ctrl-C.
    Stay,
}

/// Tells the story.
///
/// # Errors
/// If anything that is told does not hold; the lab is taken down first.
pub fn tell(after: After) -> Result<()> {
    let teller = Teller::new();
    teller.title("HoneyMesh: three nodes, an attacker, an honest client");
    teller.picture();
    let lab = Lab::up()?;
    let (trio, meeting) = scenes::meet(&teller, &lab)?;
    let honest = Honest::start(lab.honest(), Trio::services())?;
    let mut stage = Stage { teller, lab: &lab, trio, honest };
    stage.teller.note_time("three nodes up and joined", meeting);
    stage.half_open_scan()?;
    stage.full_touch()?;
    stage.dropped_elsewhere()?;
    stage.forged()?;
    stage.why()?;
    stage.note_memory()?;
    stage.unban()?;
    stage.deadline_without_daemon()?;
    stage.honest_to_the_end()?;
    stage.teller.table();
    if after == After::Stay {
        look_around(&mut stage)?;
    }
    Ok(())
}

/// Prints how to look around, and waits for Ctrl-C, which takes the lab down.
fn look_around(stage: &mut Stage<'_>) -> Result<()> {
    stage.trio.node_mut(3).start()?;
    let teller = &stage.teller;
    teller.title("Look around");
    let binary = binary()?;
    teller.say("be the attacker:");
    teller.say(&format!("  nsenter --net=/run/netns/{} bash", stage.lab.attacker().namespace.name()));
    teller.say("  nmap -sS 198.18.1.10      curl http://198.18.1.10:8080/      nmap -6 -sT 2001:db8:2::10");
    teller.say("be the operator of a node (bans, events --follow, why 203.0.113.66, unban, peers, status):");
    for node in stage.trio.nodes() {
        teller.say(&format!("  {} bans --socket {}", binary.display(), node.socket().display()));
    }
    let node1 = stage.trio.node(1);
    teller.say("the page, the API and the metrics of node 1 are at https://127.0.0.1:8443 in its namespace:");
    let token = node1.state().join("api.token");
    let inside = format!("  nsenter --net=/run/netns/{} curl -sk", stage.lab.host(Place::Node(1)).namespace.name());
    teller.say(&format!("{inside} -H \"Authorization: Bearer $(cat {})\" https://127.0.0.1:8443/api/v1/bans", token.display()));
    teller.say("Ctrl-C ends everything.");
    loop {
        thread::park();
    }
}
