//! Whether a forwarded packet costs the same on 1, 2 and 4 shards: the server's own media threads, over real sockets.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use server::media::{MediaConfig, MediaPool, StartedMedia};
use sfu::Source::{self, Camera};
use sfu::{Command, EventKind, ParticipantId, RoomId};
use str0m::config::DtlsCert;
use testkit::measure::{Caller, profile};
use testkit::stage::server_certificate;

use crate::table::Table;
use crate::{ROUNDS, median};

/// Shards are added for rooms that are added.
const ROOMS_OF_A_SHARD: usize = 2;
/// The same rooms on more shards: a thread that has many takes more at once, and each packet costs it less.
const SAME_ROOMS: usize = 8;
/// The first is what the others are compared with.
const SHARDS: [u8; 3] = [1, 2, 4];
/// What one of them costs differs from round to round by a fifth.
const SHARD_ROUNDS: usize = 2 * ROUNDS - 1;
/// One who publishes, and listeners.
const IN_ROOM: usize = 11;
const FRAMES: usize = 40;
/// Figures are told once a second.
const TOLD: Duration = Duration::from_millis(1_200);

pub(crate) fn measure(table: &mut Table) {
    let cores = Cores::found();
    for (load, target) in [(Load::Grows, Some(1.15)), (Load::Stays, None)] {
        let mut towns: Vec<Town> =
            SHARDS.map(|shards| Town::new(shards, load.rooms(shards), &cores)).into_iter().collect();
        towns.iter_mut().for_each(Town::fill);
        // In turn, so that a machine that becomes slower does so for all of them.
        let mut costs = SHARDS.map(|_| Vec::new());
        for _ in 0..SHARD_ROUNDS {
            for (index, costs) in costs.iter_mut().enumerate() {
                costs.push(forward(&mut towns, index));
            }
        }
        let costs = costs.map(median);
        for ((town, shards), cost) in towns.iter().zip(SHARDS).zip(costs) {
            town.started.pool.stop();
            let name = format!("{shards} shards, {} rooms on {} of them", town.rooms, town.used);
            table.note(format!("{name}: a forwarded packet"), cost as f64, "ns");
            let ratio = cost as f64 / costs[0] as f64;
            match target {
                _ if shards == 1 => {}
                Some(target) => table.judge(format!("{name}: ratio to one shard"), ratio, "", target),
                None => table.note(format!("{name}: ratio to one shard"), ratio, ""),
            }
        }
    }
    cores.take(&cores.all);
}

/// Returns ns per forwarded packet in one of the towns, of all that its threads do meanwhile.
fn forward(towns: &mut [Town], index: usize) -> u64 {
    idle(towns, TOLD);
    let before = towns[index].told();
    for _ in 0..FRAMES {
        towns[index].publish();
        idle(towns, Duration::from_millis(33));
    }
    idle(towns, TOLD);
    towns[index].cost_since(&before)
}

/// Lets time pass for everybody.
fn idle(towns: &mut [Town], time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if !towns.iter_mut().fold(false, |busy, town| town.turn() | busy) {
            // The threads on trial need the processor more than the one that waits for them.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What more shards get to do.
#[derive(Clone, Copy)]
enum Load {
    Grows,
    Stays,
}

impl Load {
    fn rooms(self, shards: u8) -> usize {
        match self {
            Self::Grows => ROOMS_OF_A_SHARD * usize::from(shards),
            Self::Stays => SAME_ROOMS,
        }
    }
}

/// The callers have a core of their own, and the media threads the others: what callers do is not weighed, and where they run should not
/// depend on how many threads there are.
struct Cores {
    all: CpuSet,
    threads: CpuSet,
    callers: CpuSet,
}

impl Cores {
    fn found() -> Self {
        let all = sched_getaffinity(None).unwrap();
        let (mut threads, mut callers) = (all, CpuSet::new());
        let last = (0..CpuSet::MAX_CPU).rfind(|core| all.is_set(*core)).unwrap();
        callers.set(last);
        if all.count() > 1 {
            threads.unset(last);
        }
        Self { all, threads, callers }
    }

    /// For this thread, and those that it starts from now on.
    fn take(&self, cores: &CpuSet) {
        sched_setaffinity(None, cores).unwrap();
    }
}

/// Rooms on all shards, and everybody in them, in real time.
struct Town {
    started: StartedMedia,
    server: SocketAddr,
    callers: Vec<Caller>,
    sockets: Vec<UdpSocket>,
    by_id: BTreeMap<ParticipantId, usize>,
    rooms: usize,
    /// Shards that forwarded something.
    used: usize,
}

impl Town {
    fn new(shards: u8, rooms: usize, cores: &Cores) -> Self {
        let config = MediaConfig {
            shards,
            dtls_1_3: false,
            listen_udp: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            listen_tcp: Vec::new(),
            advertise_port: None,
            advertise: Vec::new(),
            stun: Vec::new(),
        };
        cores.take(&cores.threads);
        let started = MediaPool::start(&config, [3; 32]).unwrap();
        cores.take(&cores.callers);
        let server = started.bound[0];
        let (callers, sockets, by_id) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { started, server, callers, sockets, by_id, rooms, used: 0 }
    }

    fn fill(&mut self) {
        let crypto = sfu::provider().unwrap();
        let made = server_certificate();
        let identity = DtlsCert { certificate: made.certificate, private_key: made.private_key };
        for index in 0..self.rooms * IN_ROOM {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            let (id, address) = (ParticipantId(index as u128 + 1), socket.local_addr().unwrap());
            let keys = (&crypto, identity.clone());
            let mut caller = Caller::new(id, address, self.server, keys, Instant::now());
            let sources: &[Source] = if index % IN_ROOM == 0 { &[Camera] } else { &[] };
            let offer = caller.offer(sources);
            let profile = profile(&caller, false);
            self.callers.push(caller);
            self.sockets.push(socket);
            self.by_id.insert(id, index);
            let room = room_of(index);
            let join = Command::Join {
                room,
                participant: id,
                incarnation: 1,
                profile,
                muted: sfu::Sources::default(),
            };
            self.started.pool.send(room, join).unwrap();
            self.started.pool.send(room, offer).unwrap();
            self.turn();
        }
        let patience = Instant::now() + Duration::from_secs(30);
        while !self.callers.iter().all(|caller| caller.connected) {
            assert!(Instant::now() < patience, "everybody is connected in time");
            self.turn();
        }
        for _ in 0..FRAMES {
            self.publish();
            idle(std::slice::from_mut(self), Duration::from_millis(33));
        }
    }

    fn cost_since(&mut self, before: &[(u64, Duration)]) -> u64 {
        let after = self.told();
        let forwarded: u64 = after.iter().zip(before).map(|(after, before)| after.0 - before.0).sum();
        let cpu: Duration = after.iter().zip(before).map(|(after, before)| after.1 - before.1).sum();
        self.used = after.iter().filter(|(forwarded, _)| *forwarded > 0).count();
        assert!(forwarded > 0, "something is forwarded");
        cpu.as_nanos() as u64 / forwarded
    }

    fn told(&self) -> Vec<(u64, Duration)> {
        let figures = self.started.pool.figures();
        figures.iter().map(|figures| (figures.stats.forwarded, figures.cpu)).collect()
    }

    /// A picture in every room.
    fn publish(&mut self) {
        for publisher in (0..self.callers.len()).step_by(IN_ROOM) {
            let mut out = Vec::new();
            self.callers[publisher].publish(Instant::now(), Camera, &mut out);
            self.send(publisher, &out);
        }
    }

    /// Returns whether there was anything to do.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        let mut buffer = [0; 2_048];
        for index in 0..self.callers.len() {
            let (now, mut out) = (Instant::now(), Vec::new());
            while let Ok(length) = self.sockets[index].recv(&mut buffer) {
                self.callers[index].take_datagram(now, &buffer[..length], &mut out);
                busy = true;
            }
            if self.callers[index].deadline <= now {
                self.callers[index].wake(now, &mut out);
            }
            self.send(index, &out);
        }
        while let Ok(event) = self.started.events.try_recv() {
            let index = self.by_id[&event.participant];
            match event.kind {
                EventKind::Answer { sdp, .. } => self.callers[index].take_answer(&sdp),
                EventKind::Offer { id, sdp, .. } => {
                    if let Some(answer) = self.callers[index].take_offer(id, &sdp) {
                        self.started.pool.send(room_of(index), answer).unwrap();
                    }
                }
                EventKind::Left(reason) => panic!("left: {reason:?}"),
                _ => {}
            }
            let mut out = Vec::new();
            self.callers[index].wake(Instant::now(), &mut out);
            self.send(index, &out);
            busy = true;
        }
        busy
    }

    fn send(&self, index: usize, datagrams: &[Vec<u8>]) {
        for contents in datagrams {
            let _ = self.sockets[index].send_to(contents, self.server);
        }
    }
}

fn room_of(index: usize) -> RoomId {
    RoomId((index / IN_ROOM) as u128)
}
