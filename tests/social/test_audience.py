"""Who may see a post, asked of every route that shows one, or anything below one."""

from itertools import product
from uuid import uuid4

from domain.social.comment import CommentAdded
from domain.social.follow import Followed, Unfollowed, follow_id
from domain.social.like import Liked, like_id
from domain.social.post import (
    FOLLOWERS,
    PRIVATE,
    PUBLIC,
    Content,
    Post,
    PostDeleted,
    PostDrafted,
    PostEdited,
    PostPublished,
    Status,
    may_see,
)
from domain.social.profile import ProfileCreated
from projections.social.comment import comment, comments_of
from projections.social.like import likes_of
from projections.social.post import history, post, posts_of
from projections.social.timeline import timeline

MEMBERS = AUTHOR, FOLLOWER, FORMER, STRANGER = tuple(uuid4() for _ in range(4))
VIEWERS = {
    "author": AUTHOR,
    "follower": FOLLOWER,
    "former follower": FORMER,
    "stranger": STRANGER,
    "somebody without a profile": uuid4(),
    "nobody known": None,
}
VISIBILITIES = (PUBLIC, FOLLOWERS, PRIVATE)
published = PostPublished(author=AUTHOR, revision=1)


def drafted(content):
    return PostDrafted(author=AUTHOR, content=content)


LIVES = {
    "draft": lambda content: [drafted(content)],
    "published": lambda content: [drafted(content), published],
    # What it was before must not matter: it was open to all, and was narrowed.
    "published and edited": lambda content: [
        drafted(Content(text="Before")),
        published,
        PostEdited(author=AUTHOR, revision=2, content=content, published=True),
    ],
    "deleted": lambda content: [
        drafted(content),
        published,
        PostDeleted(author=AUTHOR, published=True),
    ],
    "deleted draft": lambda content: [
        drafted(content),
        PostDeleted(author=AUTHOR, published=False),
    ],
}


def posts_of_every_kind():
    """Yield a post's id, its facts, and its comment's id, for each visibility and life."""
    for visibility, life in product(VISIBILITIES, LIVES):
        content = Content(text=f"{visibility} {life}", visibility=visibility)
        yield uuid4(), LIVES[life](content), uuid4()


def test_every_route_shows_a_post_to_its_audience_and_to_nobody_else(social):
    social.given({member: [ProfileCreated(name="Somebody")] for member in MEMBERS})
    social.given(
        {
            follow_id(who, AUTHOR): [Followed(follower=who, followee=AUTHOR)]
            for who in (FOLLOWER, FORMER)
        }
    )
    social.given({follow_id(FORMER, AUTHOR): [Unfollowed(follower=FORMER, followee=AUTHOR)]})
    posts = list(posts_of_every_kind())
    for post_id, facts, comment_id in posts:
        if published not in facts:
            social.given({post_id: facts})
            continue
        social.given(
            {
                post_id: facts[:2],
                comment_id: [CommentAdded(post_id=post_id, author=AUTHOR, text="Hear, hear")],
                like_id(AUTHOR, post_id): [Liked(member_id=AUTHOR, post_id=post_id)],
            }
        )
        if facts[2:]:
            social.given({post_id: facts[2:]})
    for name, viewer in VIEWERS.items():
        check_every_route(social, posts, name, viewer)


def check_every_route(social, posts, name, viewer):
    follows = viewer == FOLLOWER
    listed = {row["id"] for row in social.rows(posts_of(AUTHOR, viewer))}
    home = {row["id"] for row in social.rows(timeline(viewer))} if viewer else set()
    for post_id, facts, comment_id in posts:
        state = Post().fold(facts)
        seen = may_see(state, viewer, follows=follows)
        live = seen and state.status is Status.PUBLISHED
        assert {
            "get": bool(social.rows(post(post_id, viewer))),
            "list": post_id in listed,
            "history": bool(social.rows(history(post_id, viewer))),
            "timeline": post_id in home,
            "comments": bool(social.rows(comments_of(post_id, viewer))),
            "comment": bool(social.rows(comment(comment_id, viewer))),
            "likes": bool(social.rows(likes_of(post_id, viewer))),
        } == {
            "get": seen,
            "list": seen,
            "history": seen,
            "timeline": live and follows,
            "comments": live,
            "comment": live,
            "likes": live,
        }, f"{name} of {state}"
