"""What must hold over the whole log of the network, watched fact by fact."""

from collections.abc import Hashable
from uuid import UUID

from domain import Event, Watcher
from domain.social.comment import CommentAdded, CommentDeleted, CommentEdited
from domain.social.follow import Followed, Unfollowed, follow_id
from domain.social.like import Liked, Unliked, like_id
from domain.social.post import PostDeleted, PostDrafted, PostEdited, PostPublished
from domain.social.profile import ProfileCreated


def watch() -> list[Watcher]:
    """Return fresh watchers for one walk through the log."""
    return [FollowsAlternate(), LikesAlternate(), MembersHaveProfiles(), TextsLiveOnce()]


class _Alternating(Watcher):
    """Things that are switched on and off in turn, starting with on."""

    def __init__(self) -> None:
        super().__init__()
        self._on: set[Hashable] = set()

    def _switch(self, what: str, key: Hashable, *, on: bool) -> None:
        if (key in self._on) == on:
            self.breach(f"{what} {key} is switched {'on' if on else 'off'} twice in a row")
        if on:
            self._on.add(key)
        else:
            self._on.discard(key)


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

    def __init__(self) -> None:
        super().__init__()
        self._members: set[UUID] = set()

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        named: tuple[UUID, ...] = ()
        match fact:
            case ProfileCreated():
                if stream in self._members:
                    self.breach(f"profile {stream} is created twice")
                self._members.add(stream)
            case Followed(follower=follower, followee=followee):
                named = (follower, followee)
            case PostDrafted(author=author) | CommentAdded(author=author):
                named = (author,)
            case Liked(member_id=member):
                named = (member,)
        for member in named:
            if member not in self._members:
                self.breach(f"member {member} acts on stream {stream} without a profile")


class TextsLiveOnce(Watcher):
    """Posts and comments begin once, and nothing happens to them after their deletion.

    A post is published once, and its revisions are numbered without gaps.
    """

    name = "posts and comments live once"

    def __init__(self) -> None:
        super().__init__()
        self._revisions: dict[UUID, int] = {}
        self._published: set[UUID] = set()

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in. Revision 0 stands for deleted."""
        match fact:
            case PostDrafted() | CommentAdded():
                if stream in self._revisions:
                    self.breach(f"{fact.TOPIC}: stream {stream} begins twice")
                self._revisions[stream] = 1
            case PostEdited(revision=revision):
                self._require_alive(stream, fact)
                if revision != self._revisions.get(stream, 0) + 1:
                    self.breach(f"post {stream}: revision {revision} is out of turn")
                self._revisions[stream] = revision
            case PostPublished():
                self._require_alive(stream, fact)
                if stream in self._published:
                    self.breach(f"post {stream} is published twice")
                self._published.add(stream)
            case CommentEdited():
                self._require_alive(stream, fact)
            case PostDeleted() | CommentDeleted():
                self._require_alive(stream, fact)
                self._revisions[stream] = 0

    def _require_alive(self, stream: UUID, fact: Event) -> None:
        if not self._revisions.get(stream):
            self.breach(f"{fact.TOPIC}: stream {stream} is not alive")
