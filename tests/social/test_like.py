import pytest

from commands.social.like import LikePost, UnlikePost
from domain import Event
from domain.social.follow import Followed, Unfollowed, follow_id
from domain.social.like import Like, Liked, Unliked
from domain.social.post import FOLLOWERS, Content, Post, PostNotFound, PostUnpublished
from domain.social.profile import MemberRequired, ProfileRequired
from projections.social.like import likes_of
from projections.social.post import post
from tests.social.members import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    JOINED,
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

liked = Liked(member_id=BOB, post_id=POST)
unliked = Unliked(member_id=BOB, post_id=POST)
restricted = drafted(Content(text="Hello", visibility=FOLLOWERS))

posts: dict[str, list[Event]] = {
    "missing": [],
    "draft": [restricted],
    "published": [restricted, published()],
    "deleted": [restricted, published(), deleted(live=True)],
}


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("history", posts)
def test_every_state_of_a_like_and_its_post_answers_every_command(history, active, follows):
    like = Like(active=active)
    post = Post().fold(posts[history])
    if history == "published" and follows:
        assert like.like(BOB, POST, post, follows=True) == ([] if active else [liked])
        assert like.unlike(BOB, POST, post, follows=True) == ([unliked] if active else [])
        return
    with pytest.raises(PostNotFound):
        like.like(BOB, POST, post, follows=follows)
    if history == "published" and active:  # seen once, and no more
        assert like.unlike(BOB, POST, post, follows=False) == [unliked]
    else:
        with pytest.raises(PostNotFound):
            like.unlike(BOB, POST, post, follows=follows)


def test_a_draft_is_not_liked_even_by_its_author():
    with pytest.raises(PostUnpublished):
        Like().like(ALICE, POST, Post().fold([drafted()]), follows=False)


def test_a_like_is_on_or_off():
    assert Like().fold([liked]) == Like(active=True)
    assert Like().fold([liked, unliked]) == Like()


def test_liking_twice_is_liking_once(social):
    social.given(JOINED | {POST: [drafted(), published()]})
    social.when(LikePost(post_id=POST), LikePost(post_id=POST), by=bob).then(liked)
    social.when(LikePost(post_id=POST), by=carol)
    assert [row["name"] for row in social.rows(likes_of(POST, DAVE))] == ["Carol", "Bob"]
    assert social.rows(post(POST, None))[0]["likes"] == 2

    social.when(UnlikePost(post_id=POST), UnlikePost(post_id=POST), by=bob).then(unliked)
    assert [row["member_id"] for row in social.rows(likes_of(POST, None))] == [CAROL]
    assert social.rows(post(POST, None))[0]["likes"] == 1


def test_a_like_does_not_move_the_version_of_the_post(social):
    social.given(JOINED | {POST: [drafted(), published()]})
    social.when(LikePost(post_id=POST), by=bob)
    assert social.rows(post(POST, None))[0]["version"] == 2


def test_only_the_audience_likes_a_post_and_a_like_may_be_taken_back_from_outside(social):
    pair = follow_id(BOB, ALICE)
    social.given(JOINED | {POST: [restricted, published()]})
    social.when(LikePost(post_id=POST), by=bob).refused(PostNotFound)
    social.given({pair: [Followed(follower=BOB, followee=ALICE)]})
    social.when(LikePost(post_id=POST), by=bob).then(liked)
    social.given({pair: [Unfollowed(follower=BOB, followee=ALICE)]})
    assert social.rows(likes_of(POST, BOB)) == []
    social.when(LikePost(post_id=POST), by=bob).refused(PostNotFound)
    social.when(UnlikePost(post_id=POST), by=bob).then(unliked)
    social.when(UnlikePost(post_id=POST), by=bob).refused(PostNotFound)


def test_liking_takes_a_profile_and_a_published_post(social):
    social.given(JOINED | {POST: [drafted(), published()]})
    social.when(LikePost(post_id=POST), by=dave).refused(ProfileRequired)
    social.when(LikePost(post_id=POST), by=service).refused(MemberRequired)
    social.when(UnlikePost(post_id=POST), by=service).refused(MemberRequired)
    social.given({POST: [deleted(live=True)]})
    social.when(LikePost(post_id=POST), by=bob).refused(PostNotFound)
    social.when(LikePost(post_id=POST), by=alice).refused(PostNotFound)
