"""Following and unfollowing, by the calling member."""

from uuid import UUID

from commands import Caller, Log, Receipt, command, handles
from commands.social.profile import member_with_profile
from domain.social.follow import Follow, follow_id
from domain.social.profile import Profile, require_profile


@command
class FollowMember:
    """Follow `member_id`."""

    member_id: UUID


@command
class UnfollowMember:
    """Cease to follow `member_id`."""

    member_id: UUID


@handles(FollowMember)
async def follow_member(c: FollowMember, log: Log, by: Caller) -> Receipt:
    """Follow somebody who has joined."""
    follower = await member_with_profile(log, by)
    require_profile(await log.load(Profile, c.member_id), c.member_id)
    return await log.change(
        Follow, follow_id(follower, c.member_id), lambda f: f.follow(follower, c.member_id)
    )


@handles(UnfollowMember)
async def unfollow_member(c: UnfollowMember, log: Log, by: Caller) -> Receipt:
    """Cease to follow somebody who has joined."""
    follower = await member_with_profile(log, by)
    require_profile(await log.load(Profile, c.member_id), c.member_id)
    return await log.change(
        Follow, follow_id(follower, c.member_id), lambda f: f.unfollow(follower, c.member_id)
    )


async def follows(log: Log, follower: UUID, followee: UUID | None) -> bool:
    """Tell whether one member follows another now; nobody follows nobody."""
    if followee is None or followee == follower:
        return False
    return (await log.load(Follow, follow_id(follower, followee))).active
