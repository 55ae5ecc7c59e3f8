import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.social.follow import FollowMember, UnfollowMember
from domain.social.follow import Follow, Followed, FollowSelf, Unfollowed, follow_id
from domain.social.profile import MemberRequired, ProfileNotFound, ProfileRequired
from projections.social.follow import followers, following
from projections.social.profile import profile
from tests.social.members import ALICE, BOB, CAROL, DAVE, JOINED, alice, bob, carol, dave, service

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


def test_following_twice_is_following_once(social):
    social.given(JOINED)
    social.when(FollowMember(member_id=BOB), FollowMember(member_id=BOB), by=alice)
    social.then(followed)
    (alices,), (bobs,) = social.rows(profile(ALICE)), social.rows(profile(BOB))
    assert (alices["followers"], alices["following"]) == (0, 1)
    assert (bobs["followers"], bobs["following"]) == (1, 0)


def test_followers_and_following_are_listed_the_latest_first(social):
    social.given(JOINED)
    social.when(FollowMember(member_id=CAROL), by=alice)
    social.when(FollowMember(member_id=CAROL), by=bob)
    social.when(FollowMember(member_id=BOB), by=alice)
    names = [(row["member_id"], row["name"]) for row in social.rows(followers(CAROL))]
    assert names == [(BOB, "Bob"), (ALICE, "Alice")]
    assert [row["name"] for row in social.rows(following(ALICE))] == ["Bob", "Carol"]
    assert social.rows(following(CAROL)) == []


def test_unfollowing_takes_the_follow_away_and_repeating_it_changes_nothing(social):
    social.given(JOINED | {follow_id(ALICE, BOB): [followed]})
    social.when(UnfollowMember(member_id=BOB), UnfollowMember(member_id=BOB), by=alice)
    social.then(unfollowed)
    assert social.rows(followers(BOB)) == []
    assert social.rows(profile(BOB))[0]["followers"] == 0
    social.when(FollowMember(member_id=BOB), by=alice).then(followed)
    assert social.rows(profile(BOB))[0]["followers"] == 1


def test_only_members_with_profiles_follow_each_other(social):
    social.given(JOINED)
    social.when(FollowMember(member_id=ALICE), by=alice).refused(FollowSelf)
    social.when(FollowMember(member_id=DAVE), by=carol).refused(ProfileNotFound)
    social.when(UnfollowMember(member_id=DAVE), by=carol).refused(ProfileNotFound)
    social.when(FollowMember(member_id=ALICE), by=dave).refused(ProfileRequired)
    social.when(FollowMember(member_id=ALICE), by=service).refused(MemberRequired)
    social.when(UnfollowMember(member_id=ALICE), by=service).refused(MemberRequired)
