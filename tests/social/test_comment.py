import pytest

from commands.social.comment import AddComment, DeleteComment, EditComment
from domain.social.comment import (
    Comment,
    CommentAdded,
    CommentDeleted,
    CommentEdited,
    CommentEmpty,
    CommentExists,
    CommentNotFound,
)
from domain.social.post import (
    FOLLOWERS,
    Content,
    NotTheAuthor,
    Post,
    PostNotFound,
    PostUnpublished,
)
from domain.social.profile import MemberRequired, ProfileRequired
from projections.social.comment import comment as comment_shown
from projections.social.comment import comments_of
from projections.social.post import post
from tests.social.members import (
    ALICE,
    BOB,
    CAROL,
    COMMENT,
    JOINED,
    OTHER_POST,
    POST,
    alice,
    bob,
    carol,
    dave,
    deleted,
    drafted,
    published,
    service,
)


def comment_by(author):
    return CommentAdded(post_id=POST, author=author, text="Nice")


added = comment_by(BOB)
reworded = CommentEdited(text="Very nice")
removed = CommentDeleted(post_id=POST, by=BOB)
removed_by_host = CommentDeleted(post_id=POST, by=ALICE)

comments = {
    "new": [],
    "standing": [added],
    "edited": [added, reworded],
    "deleted": [added, removed],
}
restricted = drafted(Content(text="Hello", visibility=FOLLOWERS))
live = Post().fold([restricted, published()])
gone = Post().fold([restricted, published(), deleted(live=True)])

commands = {
    "add": lambda c, by, post, sees: c.add(by, "Nice", POST, post, follows=sees),
    "edit": lambda c, by, post, sees: c.edit(by, "Very nice", post, follows=sees),
    "delete": lambda c, by, post, sees: c.delete(by, post, follows=sees),
}
by_author = {
    "new": ([added], CommentNotFound, CommentNotFound),
    "standing": ([], [reworded], [removed]),
    "edited": ([], [], [removed]),
    "deleted": ([], CommentNotFound, []),
}
by_author_who_sees_the_post_no_more = {
    "new": (PostNotFound, CommentNotFound, CommentNotFound),
    "standing": (PostNotFound, CommentNotFound, [removed]),
    "edited": (PostNotFound, CommentNotFound, [removed]),
    "deleted": (PostNotFound, CommentNotFound, []),
}
by_the_posts_author = {
    "new": ([comment_by(ALICE)], CommentNotFound, CommentNotFound),
    "standing": (CommentExists, NotTheAuthor, [removed_by_host]),
    "edited": (CommentExists, NotTheAuthor, [removed_by_host]),
    "deleted": (CommentExists, CommentNotFound, []),
}
by_a_reader = {
    "new": ([comment_by(CAROL)], CommentNotFound, CommentNotFound),
    "standing": (CommentExists, NotTheAuthor, NotTheAuthor),
    "edited": (CommentExists, NotTheAuthor, NotTheAuthor),
    "deleted": (CommentExists, CommentNotFound, CommentNotFound),
}
by_an_outsider = dict.fromkeys(comments, (PostNotFound, CommentNotFound, CommentNotFound))


@pytest.mark.parametrize("state", comments)
@pytest.mark.parametrize("command", commands)
@pytest.mark.parametrize(
    ("by", "sees", "outcomes"),
    [
        (BOB, True, by_author),
        (BOB, False, by_author_who_sees_the_post_no_more),
        (ALICE, False, by_the_posts_author),
        (CAROL, True, by_a_reader),
        (CAROL, False, by_an_outsider),
    ],
    ids=["author", "blind author", "host", "reader", "outsider"],
)
def test_every_state_of_a_comment_answers_every_command_of_everybody(
    state, command, by, sees, outcomes
):
    comment = Comment().fold(comments[state])
    outcome = outcomes[state][list(commands).index(command)]
    if isinstance(outcome, list):
        assert commands[command](comment, by, live, sees) == outcome
    else:
        with pytest.raises(outcome):
            commands[command](comment, by, live, sees)


@pytest.mark.parametrize("state", comments)
@pytest.mark.parametrize("command", commands)
@pytest.mark.parametrize("by", [ALICE, BOB, CAROL])
def test_nothing_happens_below_a_deleted_post(state, command, by):
    with pytest.raises((PostNotFound, CommentNotFound)):
        commands[command](Comment().fold(comments[state]), by, gone, True)


def test_a_draft_is_not_commented_on():
    with pytest.raises(PostUnpublished):
        Comment().add(ALICE, "Nice", POST, Post().fold([drafted()]), follows=False)


def test_one_id_is_one_comment_on_one_post_with_one_text():
    comment = Comment().fold([added])
    with pytest.raises(CommentExists):
        comment.add(BOB, "Nice", OTHER_POST, live, follows=True)
    with pytest.raises(CommentExists):
        comment.add(BOB, "Awful", POST, live, follows=True)


def test_a_comment_says_something():
    with pytest.raises(CommentEmpty):
        Comment().add(BOB, " ", POST, live, follows=True)
    with pytest.raises(CommentEmpty):
        Comment().fold([added]).edit(BOB, "", live, follows=True)


def test_a_comment_is_added_edited_and_deleted(social):
    say = AddComment(comment_id=COMMENT, post_id=POST, text="Nice")
    social.given(JOINED | {POST: [drafted(), published()]})
    social.when(say, say, by=bob).then(added)
    social.when(AddComment(post_id=POST, text="Thanks"), by=alice)
    (first, second) = social.rows(comments_of(POST, None))
    assert (first["author"], first["text"], first["edited_at"]) == ("Bob", "Nice", None)
    assert (second["author"], second["text"]) == ("Alice", "Thanks")
    assert social.rows(post(POST, None))[0]["comments"] == 2

    social.when(EditComment(comment_id=COMMENT, text="Very nice"), by=bob).then(reworded)
    (shown,) = social.rows(comment_shown(COMMENT, None))
    assert (shown["text"], shown["version"]) == ("Very nice", 2)
    assert shown["edited_at"] >= shown["added_at"]

    social.when(DeleteComment(comment_id=COMMENT), by=carol).refused(NotTheAuthor)
    social.when(DeleteComment(comment_id=COMMENT), by=alice).then(removed_by_host)
    social.when(DeleteComment(comment_id=COMMENT), by=alice).then()
    assert [row["text"] for row in social.rows(comments_of(POST, None))] == ["Thanks"]
    assert social.rows(post(POST, None))[0]["comments"] == 1


def test_comments_are_for_the_audience_of_the_post(social):
    social.given(JOINED | {POST: [restricted, published()], COMMENT: [comment_by(ALICE)]})
    assert len(social.rows(comments_of(POST, ALICE))) == 1
    assert social.rows(comments_of(POST, CAROL)) == social.rows(comments_of(POST, None)) == []
    assert social.rows(comment_shown(COMMENT, CAROL)) == []
    social.when(AddComment(post_id=POST, text="Nice"), by=carol).refused(PostNotFound)
    social.when(EditComment(comment_id=COMMENT, text="Mine"), by=carol).refused(CommentNotFound)
    social.when(DeleteComment(comment_id=COMMENT), by=carol).refused(CommentNotFound)


def test_commenting_takes_a_profile_and_a_comment_that_is(social):
    social.given(JOINED | {POST: [drafted(), published()]})
    social.when(AddComment(post_id=POST, text="Nice"), by=dave).refused(ProfileRequired)
    social.when(AddComment(post_id=POST, text="Nice"), by=service).refused(MemberRequired)
    social.when(EditComment(comment_id=COMMENT, text="Nice"), by=bob).refused(CommentNotFound)
    social.when(DeleteComment(comment_id=COMMENT), by=bob).refused(CommentNotFound)
    social.when(DeleteComment(comment_id=COMMENT), by=service).refused(MemberRequired)


def test_a_deleted_post_takes_its_comments_with_it(social):
    social.given(JOINED | {POST: [drafted(), published()], COMMENT: [added]})
    social.given({POST: [deleted(live=True)]})
    assert social.rows(comments_of(POST, ALICE)) == []
    social.when(AddComment(post_id=POST, text="Nice"), by=bob).refused(PostNotFound)
    social.when(EditComment(comment_id=COMMENT, text="Nice!"), by=bob).refused(CommentNotFound)
