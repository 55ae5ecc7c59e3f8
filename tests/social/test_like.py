import pytest

from domain.social.like import Like, Liked, Unliked
from domain.social.post import FOLLOWERS, Content, Post, PostNotFound, PostUnpublished
from tests.social.members import ALICE, BOB, POST, deleted, drafted, published

liked = Liked(member_id=BOB, post_id=POST)
unliked = Unliked(member_id=BOB, post_id=POST)
restricted = drafted(Content(text="Hello", visibility=FOLLOWERS))

posts = {
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
