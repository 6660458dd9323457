//! Answers to other nodes, in parts for which a message has room.

use bytes::Bytes;
use eio_cluster::Reply;
use eio_cluster::bus::NotPublished;

/// Tells another node all of this in one part, or in several if one would be too long. What is too long alone is shortened:
/// a client that says much must not silence the others.
pub(super) fn tell<T>(
    reply: &mut Reply,
    list: &mut [T],
    write: &dyn Fn(&[T]) -> Bytes,
    shorten: &dyn Fn(&mut T),
) -> Result<(), NotPublished> {
    let part = write(list);
    if part.len() <= reply.max_part() {
        return reply.part(&part);
    }
    match list {
        [] => {}
        [one] => shorten(one),
        list => {
            let (front, back) = list.split_at_mut(list.len() / 2);
            tell(reply, front, write, shorten)?;
            return tell(reply, back, write, shorten);
        }
    }
    reply.part(&write(list))
}
