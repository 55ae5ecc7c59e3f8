import pytest

from domain.social.profile import (
    MemberRequired,
    Profile,
    ProfileCreated,
    ProfileExists,
    ProfileNotFound,
    ProfileRequired,
    require_member,
    require_own_profile,
    require_profile,
)
from tests.social.members import ALICE

joined = ProfileCreated(name="Alice", bio="Reads")


def test_a_member_joins_with_a_name():
    assert Profile().create("Alice", "Reads") == [joined]


def test_joining_again_with_the_same_words_changes_nothing():
    assert Profile().fold([joined]).create("Alice", "Reads") == []


@pytest.mark.parametrize(("name", "bio"), [("Alicia", "Reads"), ("Alice", "Writes")])
def test_joining_again_with_other_words_is_refused(name, bio):
    with pytest.raises(ProfileExists):
        Profile().fold([joined]).create(name, bio)


def test_a_caller_who_is_no_user_is_no_member():
    with pytest.raises(MemberRequired):
        require_member(None)
    assert require_member(ALICE) == ALICE


def test_only_members_with_a_profile_act_and_are_dealt_with():
    with pytest.raises(ProfileRequired):
        require_own_profile(Profile(), ALICE)
    with pytest.raises(ProfileNotFound):
        require_profile(Profile(), ALICE)
    profile = Profile().fold([joined])
    require_own_profile(profile, ALICE)
    require_profile(profile, ALICE)
