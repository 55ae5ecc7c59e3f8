import pytest

from domain import MAX_BREACHES, Event
from domain.social.comment import CommentAdded, CommentDeleted, CommentEdited
from domain.social.follow import Followed, Unfollowed, follow_id
from domain.social.invariants import watch
from domain.social.like import Liked, Unliked, like_id
from domain.social.profile import ProfileCreated
from tests.social.members import (
    ALICE,
    BOB,
    COMMENT,
    DAVE,
    POST,
    deleted,
    drafted,
    edited,
    hidden,
    published,
)

PAIR = follow_id(BOB, ALICE)
LIKE = like_id(BOB, POST)
joined = [(ALICE, ProfileCreated(name="Alice")), (BOB, ProfileCreated(name="Bob"))]
followed = Followed(follower=BOB, followee=ALICE)
unfollowed = Unfollowed(follower=BOB, followee=ALICE)
liked = Liked(member_id=BOB, post_id=POST)
unliked = Unliked(member_id=BOB, post_id=POST)
commented = CommentAdded(post_id=POST, author=BOB, text="Nice")
uncommented = CommentDeleted(post_id=POST, by=BOB)


def breaches(*history):
    watchers = watch()
    for stream, fact in (*joined, *history):
        for watcher in watchers:
            watcher.see(stream, fact)
    return {watcher.name: watcher.breaches() for watcher in watchers if watcher.breaches()}


def test_a_lawful_history_has_no_breach():
    assert not breaches(
        (PAIR, followed),
        (PAIR, unfollowed),
        (PAIR, followed),
        (POST, drafted()),
        (POST, edited(2, hidden, live=False)),
        (POST, published(2)),
        (LIKE, liked),
        (LIKE, unliked),
        (COMMENT, commented),
        (COMMENT, CommentEdited(text="Very nice")),
        (COMMENT, uncommented),
        (POST, deleted(live=True)),
    )


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("follows alternate", [(PAIR, followed), (PAIR, followed)]),
        ("follows alternate", [(PAIR, unfollowed)]),
        ("follows alternate", [(POST, followed)]),
        (
            "follows alternate",
            [(follow_id(BOB, BOB), Followed(follower=BOB, followee=BOB))],
        ),
        ("likes alternate", [(LIKE, liked), (LIKE, liked)]),
        ("likes alternate", [(LIKE, unliked)]),
        ("likes alternate", [(POST, liked)]),
        ("members have profiles", [(ALICE, ProfileCreated(name="Alice"))]),
        ("members have profiles", [(POST, drafted(author=DAVE))]),
        (
            "members have profiles",
            [(follow_id(BOB, DAVE), Followed(follower=BOB, followee=DAVE))],
        ),
        (
            "members have profiles",
            [(like_id(DAVE, POST), Liked(member_id=DAVE, post_id=POST))],
        ),
        ("posts and comments live once", [(POST, published())]),
        ("posts and comments live once", [(POST, drafted()), (POST, drafted())]),
        ("posts and comments live once", [(POST, drafted()), (POST, published())] * 2),
        (
            "posts and comments live once",
            [(POST, drafted()), (POST, published()), (POST, published())],
        ),
        (
            "posts and comments live once",
            [(POST, drafted()), (POST, edited(3, hidden, live=False))],
        ),
        (
            "posts and comments live once",
            [(POST, drafted()), (POST, deleted(live=False)), (POST, published())],
        ),
        ("posts and comments live once", [(COMMENT, CommentEdited(text="Nice"))]),
        (
            "posts and comments live once",
            [(COMMENT, commented), (COMMENT, uncommented), (COMMENT, uncommented)],
        ),
    ],
)
def test_a_breach_is_named(name, history: list[tuple[object, Event]]):
    named = breaches(*history)
    assert name in named
    assert set(named) - {name} <= {"follower counters equal distinct followers"}


def test_a_counter_that_counts_a_follower_twice_is_named_with_both_figures():
    found = breaches((PAIR, followed), (PAIR, followed), (PAIR, unfollowed))
    assert found["follower counters equal distinct followers"] == [
        f"member {BOB}: following is counted as 2, and is 1",
        f"member {ALICE}: followers is counted as 2, and is 1",
    ]


def test_a_log_full_of_breaches_is_not_listed_in_full():
    found = breaches(*[(PAIR, followed)] * (MAX_BREACHES + 10))
    assert len(found["follows alternate"]) == MAX_BREACHES
