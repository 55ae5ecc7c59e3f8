"""Joining the network, and being known in it."""

from uuid import UUID

from commands import Caller, Log, Name, Receipt, Text, command, handles
from domain.social.profile import Profile, require_member, require_own_profile


@command
class CreateProfile:
    """Give the calling member a profile; its id is the member's own."""

    name: Name
    bio: Text = ""


@handles(CreateProfile)
async def create_profile(c: CreateProfile, log: Log, by: Caller) -> Receipt:
    """Create it once."""
    return await log.change(Profile, require_member(by.user), lambda p: p.create(c.name, c.bio))


async def member_with_profile(log: Log, by: Caller) -> UUID:
    """Return the acting member; refuse one who has not joined yet."""
    member = require_member(by.user)
    require_own_profile(await log.load(Profile, member), member)
    return member
