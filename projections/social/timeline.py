"""The home timeline: what the people I follow published, read from the posts when asked for."""

from uuid import UUID

from sqlalchemy import select

from domain.social.profile import require_member
from projections import Listing
from projections.social.post import audience, posts, shown_to


def timeline(viewer: UUID | None) -> Listing:
    """The published posts of those the caller follows, the latest first.

    Ordered by when they were published, so that a page's cursor stays where it was. Raises
    `MemberRequired` for a caller who is no member.
    """
    member = require_member(viewer)
    followed = select(audience.c.author_id).where(audience.c.follower_id == member)
    # Drafts need no mention: only their authors see them, and nobody follows themselves.
    rows = shown_to(member).where(posts.c.author_id.in_(followed))
    return Listing(rows, by=(posts.c.position,), descending=True)
