import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.social.follow import Follow, Followed, FollowSelf, Unfollowed, follow_id
from tests.social.members import ALICE, BOB

followed = Followed(follower=ALICE, followee=BOB)
unfollowed = Unfollowed(follower=ALICE, followee=BOB)


@pytest.mark.parametrize(
    ("history", "follow", "unfollow"),
    [
        ([], [followed], []),
        ([followed], [], [unfollowed]),
        ([followed, unfollowed], [followed], []),
    ],
    ids=["never", "following", "ceased"],
)
def test_every_state_of_a_follow_answers_every_command(history, follow, unfollow):
    state = Follow().fold(history)
    assert state.follow(ALICE, BOB) == follow
    assert state.unfollow(ALICE, BOB) == unfollow


def test_nobody_follows_themselves():
    with pytest.raises(FollowSelf):
        Follow().follow(ALICE, ALICE)


def test_each_direction_of_a_pair_is_a_stream_of_its_own():
    assert follow_id(ALICE, BOB) == follow_id(ALICE, BOB)
    assert follow_id(ALICE, BOB) != follow_id(BOB, ALICE)


@given(st.lists(st.booleans(), max_size=20))
def test_following_many_times_is_following_as_last_said(switches):
    state = Follow()
    for on in switches:
        facts = state.follow(ALICE, BOB) if on else state.unfollow(ALICE, BOB)
        assert len(facts) <= 1
        state = state.fold(facts)
        assert state.active == on
