//! What is kept has bounds, and goes when its time is over.

use super::*;

#[test]
fn what_is_kept_is_bounded_in_number_and_in_bytes_and_the_oldest_goes_first() {
    let mut world = World::new(&Recovery::new().max_packets(5).max_sessions(3));
    for packet in 0..100 {
        world.log(packet, &["me"], &[]);
    }
    assert_eq!(world.history.usage().0.0, 5);
    let trails: Vec<_> = (0..5).map(|_| world.history.begin(room("me"), None).unwrap()).collect();
    for trail in &trails {
        world.history.save(trail.clone(), "kept", 1, world.now);
    }
    let is_kept = |trail: &Trail| world.history.restore(trail.pid(), None, world.now).is_some();
    assert_eq!(trails.iter().map(is_kept).collect::<Vec<_>>(), [false, false, true, true, true]);

    let mut world = World::new(&Recovery::new().max_bytes(10_000));
    for packet in 0..1000 {
        world.log(packet, &["a room of some twenty"], &[]);
    }
    let (packets, _, bytes) = world.history.usage().0;
    assert!((9_500..=10_000).contains(&bytes), "{bytes}");
    assert!(packets < 10_000 / (10 + 21 + size_of::<Target>()), "{packets}");
    // One that is larger than all is not kept, and nothing before it.
    let offset = world.history.offsets().next();
    world.history.log(&offset, Recipients::Target(target(&[], &[])), 0, 10_000, world.now);
    assert_eq!(world.history.usage().0, (0, 0, 0));
}

#[test]
fn the_bytes_of_sockets_are_bounded_with_the_names_of_their_rooms_and_the_oldest_goes_first() {
    let mut world = World::new(&Recovery::new().max_bytes(100_000));
    let trails: Vec<_> = (0..20).map(|_| world.history.begin(room("me"), None).unwrap()).collect();
    for (number, trail) in trails.iter().enumerate() {
        if number % 2 == 0 {
            world.history.joined(trail, &room(&"r".repeat(10_000)));
        }
        let length = if number % 2 == 0 { 0 } else { 10_000 };
        world.history.save(trail.clone(), "kept", length, world.now);
    }
    let (sessions, _, bytes) = world.history.usage().1;
    assert!(sessions == 9 && (90_000..=100_000).contains(&bytes), "{sessions} sessions, {bytes} bytes");
    let is_kept = |trail: &Trail| world.history.restore(trail.pid(), None, world.now).is_some();
    assert_eq!(trails.iter().rev().map(is_kept).take_while(|is_kept| *is_kept).count(), 9);
    assert_eq!(world.history.usage().1, (0, 0, 0));
    // One that takes more than all may take is not kept, and none before it.
    world.leave();
    world.history.save(trails[0].clone(), "kept", 100_000, world.now);
    assert_eq!(world.history.usage().1, (0, 0, 0));
}

#[test]
fn an_idle_namespace_gives_its_memory_back_at_the_times_that_it_names() {
    let mut world = World::new(&Recovery::new().max_disconnection(seconds(60)));
    assert_eq!(world.history.expire(world.now), None);
    for packet in 0..1000 {
        world.log(packet, &["me"], &[]);
        world.trail = world.history.begin(room("me"), None).unwrap();
        world.leave();
    }
    let due = world.history.expire(world.now).unwrap();
    assert_eq!(due, world.now + seconds(60) + Duration::from_nanos(1));
    let later = world.history.expire(due).unwrap();
    assert_eq!(world.history.usage().1, (0, 0, 0));
    assert_eq!(later, world.now + seconds(120) + Duration::from_nanos(1));
    assert_eq!(world.history.expire(later), None);
    assert_eq!(world.history.usage(), ((0, 0, 0), (0, 0, 0)));
}

#[test]
fn sessions_that_come_and_go_leave_no_trace() {
    let mut world = World::new(&Recovery::new());
    for _ in 0..10_000 {
        world.leave();
        assert!(world.restore(None).is_some());
    }
    assert_eq!(world.history.usage(), ((0, 0, 0), (0, 0, 0)));
    assert_eq!(world.history.expire(world.now), None);
}
