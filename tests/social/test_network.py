"""Random lives of a small network, beside a model of it that is too simple to be wrong."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import Caller
from commands.social.comment import AddComment, DeleteComment
from commands.social.follow import FollowMember, UnfollowMember
from commands.social.like import LikePost, UnlikePost
from commands.social.post import CreatePost, DeletePost, EditPost, PublishPost
from commands.social.profile import CreateProfile
from domain import Refused
from domain.social.invariants import watch
from infra.rebuilding.rebuild import rebuild
from projections.social.comment import comments_of
from projections.social.follow import followers, following
from projections.social.like import likes_of
from projections.social.post import post, posts_of
from projections.social.profile import profile
from projections.social.timeline import timeline

MEMBERS = 3
POSTS = 3
VISIBILITIES = ("public", "followers", "private")


@dataclass
class Written:
    author: UUID
    visibility: str
    life: str = "draft"


@dataclass
class Network:
    """What should be, kept as plain sets; every question is answered by going through them."""

    follows: set[tuple[UUID, UUID]] = field(default_factory=set)
    likes: set[tuple[UUID, UUID]] = field(default_factory=set)
    comments: dict[UUID, tuple[UUID, UUID]] = field(default_factory=dict)
    posts: dict[UUID, Written] = field(default_factory=dict)
    published: list[UUID] = field(default_factory=list)

    def sees(self, viewer: UUID | None, id: UUID) -> bool:
        written = self.posts.get(id)
        if written is None or written.life == "deleted":
            return False
        if viewer == written.author:
            return True
        return written.life == "published" and (
            written.visibility == "public"
            or (written.visibility == "followers" and (viewer, written.author) in self.follows)
        )

    def is_open(self, viewer: UUID, id: UUID) -> bool:
        return self.sees(viewer, id) and self.posts[id].life == "published"

    def apply(self, act: str, by: UUID, whom: UUID, id: UUID, visibility: str) -> bool:
        """Do it; return whether it was allowed."""
        written = self.posts.get(id)
        own = written is not None and written.author == by and written.life != "deleted"
        match act:
            case "follow" if by != whom:
                self.follows.add((by, whom))
            case "unfollow":
                self.follows.discard((by, whom))
            case "write" if written is None:
                self.posts[id] = Written(by, visibility)
            case "publish" if written and own:
                if written.life == "draft":
                    self.published.append(id)
                written.life = "published"
            case "edit" if written and own:
                written.visibility = visibility
            case "delete" if written and written.author == by:
                written.life = "deleted"
            case "like" if self.is_open(by, id):
                self.likes.add((by, id))
            case "unlike" if self.is_open(by, id) or (
                (by, id) in self.likes and written and written.life == "published"
            ):
                self.likes.discard((by, id))
            case _:
                return False
        return True

    def comment(self, by: UUID, id: UUID, comment: UUID) -> bool:
        if self.is_open(by, id):
            self.comments[comment] = (by, id)
            return True
        return False

    def timeline(self, viewer: UUID) -> list[UUID]:
        """The naive query: everything published, newest first, by those followed, that is seen."""
        return [
            id
            for id in reversed(self.published)
            if (viewer, self.posts[id].author) in self.follows and self.sees(viewer, id)
        ]


ACTS = {
    "follow": lambda whom, id, visibility: FollowMember(member_id=whom),
    "unfollow": lambda whom, id, visibility: UnfollowMember(member_id=whom),
    "write": lambda whom, id, visibility: CreatePost(
        post_id=id, text=str(uuid4()), visibility=visibility
    ),
    "publish": lambda whom, id, visibility: PublishPost(post_id=id),
    "edit": lambda whom, id, visibility: EditPost(post_id=id, visibility=visibility),
    "delete": lambda whom, id, visibility: DeletePost(post_id=id),
    "like": lambda whom, id, visibility: LikePost(post_id=id),
    "unlike": lambda whom, id, visibility: UnlikePost(post_id=id),
}
members = st.integers(0, MEMBERS - 1)
acts = st.tuples(
    st.sampled_from([*ACTS, "comment", "uncomment"]),
    members,
    members,
    st.integers(0, POSTS - 1),
    st.sampled_from(VISIBILITIES),
)
# Every life begins with somebody who is followed and has published something: what matters
# happens around that, and chance alone seldom gets there.
PROLOGUE = [
    ("follow", 1, 0, 0, "public"),
    ("follow", 2, 0, 0, "public"),
    ("write", 0, 0, 0, "followers"),
    ("publish", 0, 0, 0, "public"),
    ("write", 0, 0, 1, "public"),
    ("like", 1, 0, 0, "public"),
    ("comment", 2, 0, 0, "public"),
]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(life=st.lists(acts, max_size=25))
def test_counters_lists_and_timelines_equal_those_of_the_plain_model(social, life):
    # One system serves all examples: each has members and posts of its own.
    people = [uuid4() for _ in range(MEMBERS)]
    ids = [uuid4() for _ in range(POSTS)]
    network = Network()
    for person in people:
        assert accepted(social, CreateProfile(name="Somebody"), person)
    for act, by, whom, number, visibility in PROLOGUE + life:
        live(social, network, act, people[by], people[whom], ids[number], visibility)
    social.settle()
    for person in people:
        check_member(social, network, person)
    for id in network.posts:
        for viewer in (*people, None):
            check_post(social, network, viewer, id)
    check_log(social)


def test_every_projection_of_the_network_is_the_same_when_rebuilt(social):
    people = [uuid4() for _ in range(MEMBERS)]
    ids = [uuid4() for _ in range(POSTS)]
    network = Network()
    for person in people:
        assert accepted(social, CreateProfile(name="Somebody"), person)
    for act, by, whom, number, visibility in (
        *PROLOGUE,
        ("edit", 0, 0, 0, "public"),
        ("unfollow", 1, 0, 0, "public"),
        ("unlike", 1, 0, 0, "public"),
        ("uncomment", 2, 0, 0, "public"),
        ("like", 2, 0, 0, "public"),
        ("delete", 0, 0, 1, "public"),
    ):
        live(social, network, act, people[by], people[whom], ids[number], visibility)
        social.settle()
    system = social.system
    for projecting in system.features.projections:
        if projecting.context == "social":
            log, database = system.logs["social"], system.databases["social"]
            compared = social.run(rebuild(projecting, log.store, system.codec, database))
            assert compared.equal, compared.differences


def accepted(social, command, by: UUID) -> bool:
    try:
        social.run(social.system.dispatch(command, Caller(actor=str(by))))
    except Refused:
        return False
    return True


def live(social, network, act, by, whom, id, visibility):
    if act == "comment":
        comment = uuid4()
        say = AddComment(comment_id=comment, post_id=id, text="Nice")
        assert accepted(social, say, by) == network.comment(by, id, comment)
    elif act == "uncomment":
        mine = [comment for comment, (author, _) in network.comments.items() if author == by]
        for comment in mine[:1]:
            below = network.posts[network.comments[comment][1]]
            allowed = below.life == "published"
            assert accepted(social, DeleteComment(comment_id=comment), by) == allowed
            if allowed:
                del network.comments[comment]
    else:
        command = ACTS[act](whom, id, visibility)
        assert accepted(social, command, by) == network.apply(act, by, whom, id, visibility), act


def check_member(social, network, person):
    (shown,) = social.rows(profile(person))
    follow_me = {a for a, b in network.follows if b == person}
    i_follow = {b for a, b in network.follows if a == person}
    mine = {id for id, written in network.posts.items() if written.author == person}
    live = {id for id in mine if network.posts[id].life == "published"}
    assert (shown["followers"], shown["following"], shown["posts"]) == (
        len(follow_me),
        len(i_follow),
        len(live),
    )
    assert {row["member_id"] for row in social.rows(followers(person))} == follow_me
    assert {row["member_id"] for row in social.rows(following(person))} == i_follow
    assert [row["id"] for row in social.rows(timeline(person))] == network.timeline(person)
    assert {row["id"] for row in social.rows(posts_of(person, None))} == {
        id for id in mine if network.sees(None, id)
    }


def check_post(social, network, viewer, id):
    rows = social.rows(post(id, viewer))
    assert bool(rows) == network.sees(viewer, id)
    likers = {who for who, liked in network.likes if liked == id}
    commented = {comment for comment, (_, below) in network.comments.items() if below == id}
    if rows:
        assert (rows[0]["likes"], rows[0]["comments"]) == (len(likers), len(commented))
    else:
        likers, commented = set(), set()
    assert {row["member_id"] for row in social.rows(likes_of(id, viewer))} == likers
    assert {row["id"] for row in social.rows(comments_of(id, viewer))} == commented


def check_log(social):
    watchers = watch()
    for fact, at in social.facts():
        for watcher in watchers:
            watcher.see(at.stream, fact)
    assert [breach for watcher in watchers for breach in watcher.breaches()] == []
