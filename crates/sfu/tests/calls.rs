//! Whole calls on the stage.

use std::time::Duration;

use sfu::Source::{Camera, Voice};
use sfu::{Command, EventKind, LeaveReason};
use testkit::stage::{ROOM, Stage, Weather};

const BOTH: [sfu::Source; 2] = [Voice, Camera];

#[test]
fn three_people_see_and_hear_each_other() {
    let mut stage = Stage::new(1, Weather::FAIR);
    for _ in 0..3 {
        stage.join(&BOTH);
    }
    stage.run(Duration::from_secs(5));
    for viewer in 0..3 {
        for publisher in (0..3).filter(|publisher| *publisher != viewer) {
            let sound = stage.heard(viewer, publisher, Voice);
            assert!(
                sound.packets > 200 && sound.missing() == 0,
                "{viewer} hears {publisher}: {}",
                sound.packets
            );
            let picture = stage.heard(viewer, publisher, Camera);
            assert!(picture.began_well && picture.pictures.len() > 100, "{viewer} sees {publisher}");
            assert_eq!(picture.missing(), 0);
        }
    }
    assert_eq!(stage.shard.stats().panics, 0);
}
