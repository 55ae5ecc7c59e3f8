import pytest

from commands.social.post import CreatePost, DeletePost, PublishPost
from commands.social.profile import CreateProfile
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
from projections.social.profile import profile
from tests.social.members import ALICE, JOINED, OTHER_POST, POST, alice, service

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


def test_a_created_profile_is_shown_with_empty_counters(social):
    social.when(CreateProfile(name="Alice", bio="Reads"), by=alice).then(joined)
    (shown,) = social.rows(profile(ALICE))
    assert shown.pop("joined_at") <= social.clock.now()
    assert shown == {
        "id": ALICE,
        "name": "Alice",
        "bio": "Reads",
        "followers": 0,
        "following": 0,
        "posts": 0,
        "version": 1,
    }
    social.when(CreateProfile(name="Alice", bio="Reads"), by=alice).then()
    social.when(CreateProfile(name="Alicia"), by=alice).refused(ProfileExists)


def test_a_service_has_no_profile(social):
    social.when(CreateProfile(name="Import"), by=service).refused(MemberRequired)


def test_published_posts_are_counted_until_they_are_deleted(social):
    social.given(JOINED)

    def counted():
        return social.rows(profile(ALICE))[0]["posts"]

    social.when(CreatePost(post_id=POST, text="Hello"), by=alice)
    assert counted() == 0
    social.when(PublishPost(post_id=POST), by=alice)
    assert counted() == 1
    social.when(CreatePost(post_id=OTHER_POST, text="Hello"), by=alice)
    social.when(DeletePost(post_id=POST), DeletePost(post_id=OTHER_POST), by=alice)
    assert counted() == 0
