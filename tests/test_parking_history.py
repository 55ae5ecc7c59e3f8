"""A fact that was parked goes into the history where it belongs, when it is retried."""

from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from commands import Caller
from commands.social.follow import FollowMember, UnfollowMember
from commands.social.profile import CreateProfile
from infra.rebuilding.rebuild import rebuild
from projections.social.profile import profile
from tests.parking import Faulty, parked, retried
from tests.scenario import Scenario
from tests.stores import STORES, Stores
from tests.test_readers import reader_of

MEMBERS = [UUID(int=number) for number in (1, 2, 3)]
READER = "social.profile"
pairs = st.tuples(st.integers(0, 2), st.integers(0, 2)).filter(lambda pair: pair[0] != pair[1])


def joined(scenario: Scenario) -> None:
    for member in MEMBERS:
        scenario.send(CreateProfile(name="m"), by=Caller(actor=str(member)))


def toggled(scenario: Scenario, toggles: list[tuple[int, int]]) -> None:
    """Follow, or unfollow who is followed already."""
    following: set[tuple[int, int]] = set()
    for one, other in toggles:
        known = (one, other) in following
        command = (UnfollowMember if known else FollowMember)(member_id=MEMBERS[other])
        scenario.send(command, by=Caller(actor=str(MEMBERS[one])))
        following ^= {(one, other)}


def follow(scenario: Scenario) -> None:
    reader = reader_of(scenario.system, READER)
    while scenario.run(reader.step()):
        pass


def equal_to_a_rebuild(scenario: Scenario) -> list[str]:
    system = scenario.system
    (projecting,) = [p for p in system.features.projections if p.name == READER]
    log, database = system.logs["social"], system.databases["social"]
    return scenario.run(rebuild(projecting, log.store, system.codec, database)).differences


def test_a_late_follow_counts_from_its_own_position_on(social: Scenario) -> None:
    joined(social)
    toggled(social, [(0, 1), (2, 1)])
    faulty = Faulty(reader_of(social.system, READER), {4})
    follow(social)
    assert social.rows(profile(MEMBERS[1]))[0]["followers"] == 1
    faulty.positions.clear()
    retried(social)
    assert social.rows(profile(MEMBERS[1]))[0]["followers"] == 2
    assert equal_to_a_rebuild(social) == []


@pytest.mark.parametrize("store", STORES)
@hypothesis_settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    toggles=st.lists(pairs, min_size=1, max_size=12),
    faults=st.sets(st.integers(1, 15), min_size=1, max_size=3),
)
def test_with_its_history_parked_and_retried_equals_never_parked(
    all_stores: Stores, store: str, toggles: list[tuple[int, int]], faults: set[int]
) -> None:
    settings = all_stores.settings(store).model_copy(update={"reader_tries": 1})
    scenario = Scenario(settings, "social")
    try:
        joined(scenario)
        toggled(scenario, toggles)
        faulty = Faulty(reader_of(scenario.system, READER), faults)
        follow(scenario)
        faulty.positions.clear()
        while parked(scenario):
            handled = sum(one.handled for one in retried(scenario))
            assert handled, "nothing moves any more"
        assert equal_to_a_rebuild(scenario) == []
    finally:
        scenario.close()
