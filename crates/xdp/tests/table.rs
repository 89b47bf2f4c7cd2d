//! The decision function's table of crafted packets, in the real kernel.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Room, alone,
    counted::{heard, moved},
};
use honeymesh_xdp::{Kernel, Knocks, now};
use honeymesh_xdp_abi::Counter;
use honeymesh_xdp_program::testing::{Mutator, Script, Setting, Step, scripts};

/// The shortest frame that the kernel's test run takes.
const FRAME_LEN_MIN: usize = 14;
/// Damaged packets in all.
const DAMAGED: usize = 20_000;

fn wanted(step: &Step) -> Vec<(Counter, u64)> {
    Counter::ALL.iter().filter(|counter| step.counts.contains(counter)).map(|counter| (*counter, 1)).collect()
}

fn step(kernel: &Kernel, knocks: &mut Knocks, step: &Step) -> Option<String> {
    let before = kernel.counters().unwrap();
    let verdict = kernel.try_frame(&step.frame, 1).unwrap();
    let (got, want) = (moved(&before, &kernel.counters().unwrap()), wanted(step));
    let told = heard(knocks);
    let is_right = verdict.dropped == step.drops() && got == want && told == step.tell;
    (!is_right).then(|| format!("{}: {verdict:?} {got:?} {told:?}, not {want:?} {:?}", step.name, step.tell))
}

fn run(room: &Room, script: &Script) -> Vec<String> {
    let (kernel, mut knocks, _sockets) = room.kernel(&script.setting);
    let mut wrong: Vec<String> = script.steps.iter().filter_map(|next| step(&kernel, &mut knocks, next)).collect();
    for (subject, hits) in &script.hits {
        let got = kernel.drops(&subject.parse().unwrap());
        if got != *hits {
            wrong.push(format!("hits of {subject}: {got}, not {hits}"));
        }
    }
    wrong.into_iter().map(|wrong| format!("{}: {wrong}", script.name)).collect()
}

#[test]
fn every_packet_of_the_table_gets_its_verdict_counters_and_records_in_the_kernel() {
    alone("the table of packets", |room| {
        let wrong: Vec<String> = scripts().iter().flat_map(|script| run(room, script)).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn twenty_thousand_damaged_packets_get_one_verdict_each() {
    alone("damaged packets", |room| {
        let frames: Vec<Vec<u8>> = scripts()
            .into_iter()
            .flat_map(|script| script.steps)
            .map(|step| step.frame)
            .filter(|frame| frame.len() >= FRAME_LEN_MIN)
            .collect();
        let bans = scripts().into_iter().flat_map(|script| script.setting.bans).collect();
        let (kernel, mut knocks, _sockets) = room.kernel(&Setting { bans, ..Setting::default() });
        let mut mutator = Mutator::new(1);
        let before = kernel.counters().unwrap();
        let mut dropped = 0;
        for _ in 0..DAMAGED {
            let index = mutator.below(frames.len());
            let frame = mutator.damage(&frames[index], FRAME_LEN_MIN);
            dropped += u64::from(kernel.try_frame(&frame, 1).unwrap().dropped);
            while knocks.next(now()).is_some() {}
        }
        let after = kernel.counters().unwrap();
        assert_eq!(after.packets - before.packets, u64::try_from(DAMAGED).unwrap());
        assert_eq!(after.dropped - before.dropped, dropped);
        assert_eq!((knocks.unreadable(), after.knocks_lost), (0, 0));
    });
}
