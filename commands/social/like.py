"""Liking and unliking posts, by the calling member."""

from uuid import UUID

from commands import Caller, Log, Receipt, command, handles
from commands.social.post import look_at
from commands.social.profile import member_with_profile
from domain.social.like import Like, like_id


@command
class LikePost:
    """Like a post that the caller sees."""

    post_id: UUID


@command
class UnlikePost:
    """Take a like back."""

    post_id: UUID


@handles(LikePost)
async def like_post(c: LikePost, log: Log, by: Caller) -> Receipt:
    """Like once."""
    await member_with_profile(log, by)
    member, post, follows = await look_at(log, c.post_id, by)
    return await log.change(
        Like,
        like_id(member, c.post_id),
        lambda state: state.like(member, c.post_id, post, follows=follows),
    )


@handles(UnlikePost)
async def unlike_post(c: UnlikePost, log: Log, by: Caller) -> Receipt:
    """Take the like back once."""
    member, post, follows = await look_at(log, c.post_id, by)
    return await log.change(
        Like,
        like_id(member, c.post_id),
        lambda state: state.unlike(member, c.post_id, post, follows=follows),
    )
