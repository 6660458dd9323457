//! Answers to other nodes, in parts for which a message has room.

use bytes::Bytes;
use eio_cluster::Reply;
use eio_cluster::bus::NotPublished;

/// Tells another node all of this in one part, or in several if one would be too long. What is too long alone is shortened:
/// a client that says much must not silence the others. Waits for room, and lets others have their turn.
pub(super) async fn tell<T: Send>(
    reply: &mut Reply,
    list: &mut [T],
    write: &(dyn Fn(&[T]) -> Bytes + Sync),
    shorten: &(dyn Fn(&mut T) + Sync),
) -> Result<(), NotPublished> {
    let mut rest = vec![list];
    while let Some(list) = rest.pop() {
        let mut part = write(list);
        if part.len() > reply.max_part() {
            match list {
                [] => {}
                [one] => {
                    shorten(one);
                    part = write(list);
                }
                list => {
                    let (front, back) = list.split_at_mut(list.len() / 2);
                    rest.extend([back, front]);
                    continue;
                }
            }
        }
        reply.send(&part).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}
