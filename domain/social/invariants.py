"""What must hold over the whole log of the network, watched fact by fact."""

from uuid import UUID

from domain import Event, Watcher
from domain.social.comment import CommentAdded, CommentDeleted, CommentEdited
from domain.social.follow import Followed, Unfollowed, follow_id
from domain.social.like import Liked, Unliked, like_id
from domain.social.post import PostDeleted, PostDrafted, PostEdited, PostPublished
from domain.social.profile import ProfileCreated


def watch() -> list[Watcher]:
    """Return fresh watchers for one walk through the log."""
    return [
        FollowsAlternate(),
        FollowersCounted(),
        LikesAlternate(),
        MembersHaveProfiles(),
        TextsLiveOnce(),
    ]


class _Alternating(Watcher):
    """Things that are switched on and off in turn, starting with on."""

    def _switch(self, what: str, key: object, *, on: bool) -> None:
        if self.knows("on", key) == on:
            self.breach(f"{what} {key} is switched {'on' if on else 'off'} twice in a row")
        if on:
            self.keep(1, "on", key)
        else:
            self.forget("on", key)


class FollowsAlternate(_Alternating):
    """Each pair follows and unfollows in turn, on its own stream; nobody follows themselves."""

    name = "follows alternate"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        if not isinstance(fact, Followed | Unfollowed):
            return
        self._switch("follow", stream, on=isinstance(fact, Followed))
        if fact.follower == fact.followee:
            self.breach(f"follow {stream}: member {fact.follower} follows themselves")
        if stream != follow_id(fact.follower, fact.followee):
            self.breach(f"follow {stream} is not the stream of its pair")


class FollowersCounted(Watcher):
    """A member's counters, moved by one with each fact, equal the distinct pairs that follow.

    It counts as the read model does. That its rows say the same is the drift audit's to find out.
    """

    name = "follower counters equal distinct followers"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        if not isinstance(fact, Followed | Unfollowed):
            return
        step = 1 if isinstance(fact, Followed) else -1
        pair = ("pair", fact.follower, fact.followee)
        distinct = step if self.knows(*pair) != (step > 0) else 0
        if step > 0:
            self.keep(1, *pair)
        else:
            self.forget(*pair)
        for counter, member in (("following", fact.follower), ("followers", fact.followee)):
            counted = self.add(step, counter, member)
            truly = self.add(distinct, "distinct", counter, member)
            self.require(
                step == distinct,
                f"member {member}: {counter} is counted as {counted}, and is {truly}",
            )


class LikesAlternate(_Alternating):
    """Each member likes and unlikes a post in turn, on the pair's own stream."""

    name = "likes alternate"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        if not isinstance(fact, Liked | Unliked):
            return
        self._switch("like", stream, on=isinstance(fact, Liked))
        if stream != like_id(fact.member_id, fact.post_id):
            self.breach(f"like {stream} is not the stream of its member and post")


class MembersHaveProfiles(Watcher):
    """Whoever writes, likes or is followed has joined before, once."""

    name = "members have profiles"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        named: tuple[UUID, ...] = ()
        match fact:
            case ProfileCreated():
                if self.knows("member", stream):
                    self.breach(f"profile {stream} is created twice")
                self.keep(1, "member", stream)
            case Followed(follower=follower, followee=followee):
                named = (follower, followee)
            case PostDrafted(author=author) | CommentAdded(author=author):
                named = (author,)
            case Liked(member_id=member):
                named = (member,)
        for member in named:
            if not self.knows("member", member):
                self.breach(f"member {member} acts on stream {stream} without a profile")


class TextsLiveOnce(Watcher):
    """Posts and comments begin once, and nothing happens to them after their deletion.

    A post is published once, and its revisions are numbered without gaps.
    """

    name = "posts and comments live once"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in. Revision 0 stands for deleted."""
        match fact:
            case PostDrafted() | CommentAdded():
                if self.knows("revision", stream):
                    self.breach(f"{fact.TOPIC}: stream {stream} begins twice")
                self.keep(1, "revision", stream)
            case PostEdited(revision=revision):
                self._require_alive(stream, fact)
                if revision != self.number("revision", stream) + 1:
                    self.breach(f"post {stream}: revision {revision} is out of turn")
                self.keep(revision, "revision", stream)
            case PostPublished():
                self._require_alive(stream, fact)
                if self.knows("published", stream):
                    self.breach(f"post {stream} is published twice")
                self.keep(1, "published", stream)
            case CommentEdited():
                self._require_alive(stream, fact)
            case PostDeleted() | CommentDeleted():
                self._require_alive(stream, fact)
                self.keep(0, "revision", stream)

    def _require_alive(self, stream: UUID, fact: Event) -> None:
        if not self.number("revision", stream):
            self.breach(f"{fact.TOPIC}: stream {stream} is not alive")
