import pytest

from commands.social.follow import UnfollowMember
from commands.social.post import CreatePost, DeletePost, EditPost, PublishPost
from domain.social.follow import Followed, follow_id
from domain.social.profile import MemberRequired
from projections.social.timeline import timeline
from tests.social.members import ALICE, BOB, CAROL, JOINED, POST, alice, bob, carol

FOLLOWING = JOINED | {
    follow_id(CAROL, ALICE): [Followed(follower=CAROL, followee=ALICE)],
    follow_id(CAROL, BOB): [Followed(follower=CAROL, followee=BOB)],
}


def say(text, **more):
    return CreatePost(text=text, publish=True, **more)


def texts(social, viewer=CAROL):
    return [row["text"] for row in social.rows(timeline(viewer))]


def test_the_timeline_shows_what_those_i_follow_published_the_latest_first(social):
    social.given(FOLLOWING)
    social.when(CreatePost(post_id=POST, text="Drafted first"), say("One"), by=alice)
    social.when(say("Two"), by=bob)
    social.when(say("My own"), by=carol)
    social.when(PublishPost(post_id=POST), by=alice)
    assert texts(social) == ["Drafted first", "Two", "One"]
    assert texts(social, ALICE) == []


def test_the_timeline_shows_each_post_to_its_audience_only(social):
    social.given(FOLLOWING)
    for visibility in ("public", "followers", "private"):
        social.when(say(visibility, visibility=visibility), by=alice)
    assert texts(social) == ["followers", "public"]


def test_unfollow_edit_and_delete_take_effect_at_once(social):
    social.given(FOLLOWING)
    social.when(say("One", post_id=POST), say("Two"), by=alice)
    social.when(say("Three"), by=bob)
    social.when(EditPost(post_id=POST, text="One, edited"), by=alice)
    assert texts(social) == ["Three", "Two", "One, edited"]
    social.when(DeletePost(post_id=POST), by=alice)
    assert texts(social) == ["Three", "Two"]
    social.when(UnfollowMember(member_id=ALICE), by=carol)
    assert texts(social) == ["Three"]


def test_pages_of_the_timeline_have_no_gap_and_no_repeat_while_posts_come_in(social):
    social.given(FOLLOWING)
    social.when(*(say(str(number)) for number in range(5)), by=alice)
    page = social.system.queries.page
    first, cursor = social.run(page(timeline(CAROL), 2))
    social.when(say("newer"), by=bob)
    second, cursor = social.run(page(timeline(CAROL), 2, cursor))
    third, cursor = social.run(page(timeline(CAROL), 2, cursor))
    assert [row["text"] for row in first + second + third] == ["4", "3", "2", "1", "0"]
    assert cursor is None


def test_only_a_member_has_a_timeline():
    with pytest.raises(MemberRequired):
        timeline(None)
