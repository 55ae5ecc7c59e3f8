from typing import Any

import pytest
from pydantic import ValidationError

from commands.social.post import MAX_MEDIA, CreatePost, DeletePost, EditPost, PublishPost
from domain import Event
from domain.social.follow import Followed, follow_id
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
from domain.social.profile import MemberRequired, ProfileRequired
from infra.loading import IdTaken
from projections.social.post import history, post, posts_of
from tests.social.members import (
    ALICE,
    BOB,
    JOINED,
    POST,
    alice,
    bob,
    dave,
    deleted,
    drafted,
    edited,
    hello,
    hidden,
    published,
    service,
)

histories: dict[str, list[Event]] = {
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
outcomes: dict[str, list[Any]] = {
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


def test_a_post_is_drafted_published_edited_and_deleted(social):
    social.given(JOINED)
    social.when(CreatePost(post_id=POST, text="Hello"), by=alice).then(drafted())
    assert social.rows(post(POST, ALICE))[0]["status"] == "draft"
    assert social.rows(post(POST, BOB)) == []

    social.when(PublishPost(post_id=POST), by=alice).then(published())
    (shown,) = social.rows(post(POST, BOB))
    assert (shown["author"], shown["text"], shown["media"]) == ("Alice", "Hello", [])
    assert (shown["status"], shown["version"], shown["edited_at"]) == ("published", 2, None)
    assert shown["published_at"] >= shown["drafted_at"]

    social.when(EditPost(post_id=POST, visibility="private"), by=alice)
    social.then(edited(2, hidden, live=True))
    assert social.rows(post(POST, BOB)) == []
    assert social.rows(post(POST, ALICE))[0]["revision"] == 2

    social.when(DeletePost(post_id=POST), DeletePost(post_id=POST), by=alice)
    social.then(deleted(live=True))
    assert social.rows(post(POST, ALICE)) == social.rows(history(POST, ALICE)) == []


def test_a_post_is_published_at_once_when_asked_to(social):
    social.given(JOINED)
    say = CreatePost(post_id=POST, text="Hello", publish=True)
    social.when(say, say, by=alice).then(drafted(), published())


def test_the_author_lists_drafts_and_others_do_not(social):
    social.given(JOINED)
    social.when(CreatePost(text="First"), CreatePost(text="Second", publish=True), by=alice)
    social.when(CreatePost(text="Third", visibility="followers", publish=True), by=alice)

    def texts(viewer):
        return [row["text"] for row in social.rows(posts_of(ALICE, viewer))]

    assert texts(ALICE) == ["Third", "Second", "First"]
    assert texts(BOB) == texts(None) == ["Second"]


def test_everybody_sees_the_revisions_that_were_for_them(social):
    social.given(JOINED)
    social.when(CreatePost(post_id=POST, text="Draft"), by=alice)
    social.when(EditPost(post_id=POST, text="Public"), PublishPost(post_id=POST), by=alice)
    social.when(EditPost(post_id=POST, text="Secret", visibility="private"), by=alice)
    assert social.rows(history(POST, BOB)) == []
    social.when(EditPost(post_id=POST, text="Again", visibility="public"), by=alice)

    def texts(viewer):
        return [(row["revision"], row["text"]) for row in social.rows(history(POST, viewer))]

    assert texts(ALICE) == [(1, "Draft"), (2, "Public"), (3, "Secret"), (4, "Again")]
    assert texts(BOB) == texts(None) == [(2, "Public"), (4, "Again")]


def test_others_change_nothing_and_learn_of_what_they_see_only(social):
    restricted = drafted(Content(text="Hello", visibility=FOLLOWERS))
    social.given(JOINED | {POST: [restricted, published()]})
    for command in (
        PublishPost(post_id=POST),
        EditPost(post_id=POST, text="Mine"),
        DeletePost(post_id=POST),
    ):
        social.when(command, by=bob).refused(PostNotFound)
        social.when(command, by=service).refused(MemberRequired)
    social.given({follow_id(BOB, ALICE): [Followed(follower=BOB, followee=ALICE)]})
    social.when(EditPost(post_id=POST, text="Mine"), by=bob).refused(NotTheAuthor)
    social.when(DeletePost(post_id=POST), by=bob).refused(NotTheAuthor)


def test_writing_takes_a_profile_and_an_id_of_ones_own(social):
    social.given(JOINED | {POST: [drafted()]})
    social.when(CreatePost(text="Hello"), by=dave).refused(ProfileRequired)
    social.when(CreatePost(text="Hello"), by=service).refused(MemberRequired)
    social.when(CreatePost(post_id=POST, text="Hello"), by=bob).refused(PostExists)
    social.when(CreatePost(post_id=ALICE, text="Hello"), by=bob).refused(IdTaken)
    social.when(CreatePost(text=" "), by=alice).refused(PostEmpty)


def test_commands_refuse_what_no_post_can_be():
    with pytest.raises(ValidationError, match="version 5"):
        CreatePost(post_id=follow_id(ALICE, BOB), text="Hello")
    with pytest.raises(ValidationError):
        CreatePost(text="Hello", visibility="friends")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        CreatePost(text="Hello", media=("media/1",) * (MAX_MEDIA + 1))
