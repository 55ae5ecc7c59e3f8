import pytest

from domain.social.post import (
    FOLLOWERS,
    PRIVATE,
    PUBLIC,
    Content,
    NotTheAuthor,
    Post,
    PostEmpty,
    PostExists,
    PostNotFound,
    PostUnpublished,
    Status,
    may_see,
)
from tests.social.members import ALICE, BOB, deleted, drafted, edited, hello, hidden, published

histories = {
    "new": [],
    "draft": [drafted()],
    "edited draft": [drafted(), edited(2, hidden, live=False)],
    "published": [drafted(), published()],
    "edited": [drafted(), published(), edited(2, hidden, live=True)],
    "deleted draft": [drafted(), deleted(live=False)],
    "deleted": [drafted(), published(), deleted(live=True)],
}
commands = {
    "create": lambda p: p.create(ALICE, hello, publish=False),
    "create published": lambda p: p.create(ALICE, hello, publish=True),
    "create otherwise": lambda p: p.create(ALICE, hidden, publish=False),
    "publish": lambda p: p.publish(ALICE),
    "edit": lambda p: p.edit(ALICE, visibility=PRIVATE),
    "delete": lambda p: p.delete(ALICE),
}
outcomes = {
    "new": [
        [drafted()],
        [drafted(), published()],
        [drafted(hidden)],
        PostNotFound,
        PostNotFound,
        PostNotFound,
    ],
    "draft": [
        [],
        [published()],
        PostExists,
        [published()],
        [edited(2, hidden, live=False)],
        [deleted(live=False)],
    ],
    "edited draft": [
        [],
        [published(2)],
        PostExists,
        [published(2)],
        [],
        [deleted(live=False)],
    ],
    "published": [
        [],
        [],
        PostExists,
        [],
        [edited(2, hidden, live=True)],
        [deleted(live=True)],
    ],
    "edited": [[], [], PostExists, [], [], [deleted(live=True)]],
    "deleted draft": [[], [], PostExists, PostNotFound, PostNotFound, []],
    "deleted": [[], [], PostExists, PostNotFound, PostNotFound, []],
}


@pytest.mark.parametrize("history", histories)
@pytest.mark.parametrize("command", commands)
def test_every_state_of_a_post_answers_every_command_of_its_author(history, command):
    post = Post().fold(histories[history])
    outcome = outcomes[history][list(commands).index(command)]
    if isinstance(outcome, list):
        assert commands[command](post) == outcome
    else:
        with pytest.raises(outcome):
            commands[command](post)


@pytest.mark.parametrize("history", histories)
@pytest.mark.parametrize("visibility", [PUBLIC, FOLLOWERS, PRIVATE])
@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("act", [Post.publish, Post.edit, Post.delete])
def test_a_stranger_changes_nothing_and_learns_of_what_they_see_only(
    history, visibility, follows, act
):
    post = Post().fold(histories[history])
    post = post.replace(content=Content(text="Hello", visibility=visibility))
    seen = may_see(post, BOB, follows=follows)
    with pytest.raises(NotTheAuthor if seen else PostNotFound):
        act(post, BOB, follows=follows)


def test_an_id_that_belongs_to_somebody_elses_post_is_refused():
    with pytest.raises(PostExists):
        Post().fold([drafted()]).create(BOB, hello, publish=False)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("visibility", [PUBLIC, FOLLOWERS, PRIVATE, "unheard-of"])
def test_the_audience_of_a_post(status, visibility):
    post = Post(
        status=status,
        author=None if status is Status.NEW else ALICE,
        content=Content(text="Hello", visibility=visibility),
    )
    alive = status in (Status.DRAFT, Status.PUBLISHED)
    live = status is Status.PUBLISHED
    assert may_see(post, ALICE, follows=False) == alive
    assert may_see(post, BOB, follows=True) == (live and visibility in (PUBLIC, FOLLOWERS))
    assert may_see(post, BOB, follows=False) == (live and visibility == PUBLIC)
    assert may_see(post, None, follows=False) == (live and visibility == PUBLIC)
    assert may_see(post, None, follows=True) == (live and visibility == PUBLIC)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_post_says_something(text):
    with pytest.raises(PostEmpty):
        Post().create(ALICE, Content(text=text), publish=False)
    with pytest.raises(PostEmpty):
        Post().fold([drafted()]).edit(ALICE, text=text)


def test_media_alone_are_enough_for_a_post():
    picture = Content(text="", media=("media/1",))
    assert Post().create(ALICE, picture, publish=False) == [drafted(picture)]


def test_an_edit_keeps_what_it_does_not_name():
    content = Content(text="Hello", media=("media/1",), visibility=FOLLOWERS)
    post = Post().fold([drafted(content)])
    assert post.edit(ALICE, text="Hi") == [
        edited(2, Content(text="Hi", media=("media/1",), visibility=FOLLOWERS), live=False)
    ]
    assert post.edit(ALICE, media=()) == [
        edited(2, Content(text="Hello", visibility=FOLLOWERS), live=False)
    ]
    assert post.edit(ALICE) == []


def test_a_draft_is_open_to_nobody_and_a_published_post_to_its_audience():
    draft = Post().fold([drafted()])
    with pytest.raises(PostUnpublished):
        draft.require_open(ALICE, follows=False)
    with pytest.raises(PostNotFound):
        draft.require_open(BOB, follows=True)
    Post().fold([drafted(), published()]).require_open(BOB, follows=False)
