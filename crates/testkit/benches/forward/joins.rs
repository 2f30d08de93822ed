//! What a join costs: until ICE and DTLS are up, and with all that it makes of others.

use std::time::Duration;

use sfu::RoomId;
use sfu::Source::{Camera, Voice};
use testkit::measure::Hall;

use crate::table::Table;
use crate::{ROUNDS, median};

pub(crate) fn measure(table: &mut Table) {
    for others in [1, 10, 40, 100] {
        let mut hall = Hall::new(true);
        // Rooms of two are made anew each time; large ones grow by one.
        if others > 1 {
            hall.fill(RoomId(1), others, &[Voice, Camera]);
        }
        let (mut own, mut all) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let room = RoomId(if others > 1 { 1 } else { 2 + round as u128 });
            if others == 1 {
                hall.fill(room, 1, &[Voice, Camera]);
            }
            let index = hall.prepare();
            hall.take_spent();
            hall.enter(index, room, &[Voice, Camera]);
            hall.run_until(Duration::from_secs(10), |hall| {
                hall.callers[index].as_ref().is_some_and(|caller| caller.connected)
            });
            let until_connected = hall.take_spent();
            hall.run(Duration::from_secs(1));
            own.push(until_connected.as_micros());
            all.push((until_connected + hall.take_spent()).as_micros());
        }
        let name = format!("join of a room of {others}");
        if others == 1 {
            table.judge(format!("{name}: until connected"), median(own) as f64 / 1e3, "ms", 1.0);
        } else {
            table.note(format!("{name}: until connected"), median(own) as f64 / 1e3, "ms");
        }
        table.note(format!("{name}: with the second that follows"), median(all) as f64 / 1e3, "ms");
    }
}
