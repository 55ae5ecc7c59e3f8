"""Writing, publishing, editing and deleting the calling member's posts."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from commands import Caller, ChosenId, Ids, Log, Name, Receipt, Text, command, handles
from commands.social.follow import follows
from commands.social.profile import member_with_profile
from domain.social.post import PUBLIC, Content, Post
from domain.social.profile import require_member

MAX_MEDIA = 20
"""How many media one post refers to."""

Media = Annotated[tuple[Name, ...], Field(max_length=MAX_MEDIA)]
Visibility = Literal["public", "followers", "private"]


@command
class CreatePost:
    """Draft a post, and publish it at once when `publish` is set."""

    post_id: ChosenId | None = None
    text: Text = ""
    media: Media = ()
    visibility: Visibility = PUBLIC
    publish: bool = False


@command
class PublishPost:
    """Show a draft to its audience."""

    post_id: UUID


@command
class EditPost:
    """Replace what is given of a post's content; what is left out stays."""

    post_id: UUID
    text: Text | None = None
    media: Media | None = None
    visibility: Visibility | None = None


@command
class DeletePost:
    """Take a post away for good."""

    post_id: UUID


@handles(CreatePost)
async def create_post(c: CreatePost, log: Log, ids: Ids, by: Caller) -> Receipt:
    """Write the first revision."""
    author = await member_with_profile(log, by)
    content = Content(text=c.text, media=c.media, visibility=c.visibility)
    return await log.change(
        Post, c.post_id or ids.new(), lambda p: p.create(author, content, publish=c.publish)
    )


@handles(PublishPost)
async def publish_post(c: PublishPost, log: Log, by: Caller) -> Receipt:
    """Publish once."""
    member, _, follows = await look_at(log, c.post_id, by)
    return await log.change(Post, c.post_id, lambda p: p.publish(member, follows=follows))


@handles(EditPost)
async def edit_post(c: EditPost, log: Log, by: Caller) -> Receipt:
    """Add a revision."""
    member, _, follows = await look_at(log, c.post_id, by)
    return await log.change(
        Post,
        c.post_id,
        lambda p: p.edit(
            member, text=c.text, media=c.media, visibility=c.visibility, follows=follows
        ),
    )


@handles(DeletePost)
async def delete_post(c: DeletePost, log: Log, by: Caller) -> Receipt:
    """Delete once."""
    member, _, follows = await look_at(log, c.post_id, by)
    return await log.change(Post, c.post_id, lambda p: p.delete(member, follows=follows))


async def look_at(log: Log, post_id: UUID, by: Caller) -> tuple[UUID, Post, bool]:
    """Return the acting member, the post, and whether the member follows its author."""
    member = require_member(by.user)
    post = await log.load(Post, post_id)
    return member, post, await follows(log, member, post.author)
