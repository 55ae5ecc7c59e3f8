"""Adding, editing and deleting comments, by the calling member."""

from uuid import UUID

from commands import Caller, ChosenId, Ids, Log, Receipt, Text, command, handles
from commands.social.post import look_at
from commands.social.profile import member_with_profile
from domain.social.comment import Comment
from domain.social.post import Post
from domain.social.profile import require_member


@command
class AddComment:
    """Comment on a post that the caller sees."""

    comment_id: ChosenId | None = None
    post_id: UUID
    text: Text


@command
class EditComment:
    """Replace the text of the caller's own comment."""

    comment_id: UUID
    text: Text


@command
class DeleteComment:
    """Take away the caller's own comment, or one on the caller's post."""

    comment_id: UUID


@handles(AddComment)
async def add_comment(c: AddComment, log: Log, ids: Ids, by: Caller) -> Receipt:
    """Add it once."""
    await member_with_profile(log, by)
    member, post, follows = await look_at(log, c.post_id, by)
    return await log.change(
        Comment,
        c.comment_id or ids.new(),
        lambda state: state.add(member, c.text, c.post_id, post, follows=follows),
    )


@handles(EditComment)
async def edit_comment(c: EditComment, log: Log, by: Caller) -> Receipt:
    """Replace the text."""
    member, post, follows = await look_below(log, c.comment_id, by)
    return await log.change(
        Comment, c.comment_id, lambda state: state.edit(member, c.text, post, follows=follows)
    )


@handles(DeleteComment)
async def delete_comment(c: DeleteComment, log: Log, by: Caller) -> Receipt:
    """Delete once."""
    member, post, follows = await look_below(log, c.comment_id, by)
    return await log.change(
        Comment, c.comment_id, lambda state: state.delete(member, post, follows=follows)
    )


async def look_below(log: Log, comment_id: UUID, by: Caller) -> tuple[UUID, Post, bool]:
    """Return the acting member, the comment's post, and whether they follow the post's author."""
    # A comment never moves to another post, so this read cannot be overtaken.
    comment = await log.load(Comment, comment_id)
    return await look_at(log, comment.require_post(require_member(by.user)), by)
