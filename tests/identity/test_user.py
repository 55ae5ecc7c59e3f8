"""Users: registered, changed, suspended, with roles."""

import pytest
from pydantic import ValidationError

from commands.identity.user import (
    About,
    ChangeEmail,
    ChangeUsername,
    GrantRole,
    PostalAddress,
    ReactivateUser,
    RevisePerson,
    RevokeRole,
    SuspendUser,
)
from domain import NotFound
from domain.identity.claim import EMAIL, USERNAME, EmailTaken, NameClaimed, NameReleased, claim_id
from domain.identity.letter import Letter
from domain.identity.user import (
    Address,
    EmailChanged,
    Person,
    PersonRevised,
    RoleGranted,
    RoleRevoked,
    User,
    UserExists,
    UserIsSuspended,
    UsernameChanged,
    UserNotFound,
    UserReactivated,
    UserRegistered,
    UserSuspended,
)
from projections.identity.user import all_users, user
from tests.identity.people import ADA, BEN, ada, ben, register

claimed, released = NameClaimed(user_id=ADA), NameReleased(user_id=ADA)


def known(*facts):
    """Ada, registered, with her claims, and what happened to her since."""
    return {
        ADA: [ada, *facts],
        claim_id(EMAIL, ada.email): [claimed],
        claim_id(USERNAME, ada.username): [claimed],
    }


def then(identity, *facts):
    """These are the new facts, those of letters aside."""
    assert not identity.refusals
    found = [fact for fact in identity.new_facts() if not fact.TOPIC.startswith(Letter.KIND)]
    assert found == list(facts)


def test_who_registers_has_both_names(identity):
    then(identity.when(register()), ada, claimed, claimed)


def test_registering_again_changes_nothing(identity):
    identity.given(known()).when(register()).then()


def test_registering_again_with_other_words_is_refused(identity):
    identity.given(known()).when(register(person=About(name="Eve"))).refused(UserExists)


def test_an_id_is_drawn_for_who_brings_none(identity):
    identity.when(register(None))
    (row,) = identity.rows(all_users())
    assert row["username"] == "ada"


def test_all_that_a_user_tells_is_kept(identity):
    at = PostalAddress(street="1 Loop Street", postcode="8001", city="Cape Town", country="ZA")
    about = About(name="Ada", bio="Counts", phone="+27215550100", address=at)
    identity.when(register(person=about))
    person = Person(
        name="Ada",
        bio="Counts",
        phone="+27215550100",
        address=Address(street="1 Loop Street", postcode="8001", city="Cape Town", country="ZA"),
    )
    registered = UserRegistered(username="ada", email="ada@example.org", person=person)
    then(identity, registered, claimed, claimed)
    assert identity.rows(user(ADA))["person"]["address"]["city"] == "Cape Town"


def test_a_new_address_is_claimed_and_the_old_one_released(identity):
    new = "ada@example.net"
    identity.given(known()).when(ChangeEmail(user_id=ADA, email=new))
    then(identity, EmailChanged(email=new), claimed, released)
    assert identity.rows(user(ADA))["email"] == new


def test_another_spelling_is_the_same_claim(identity):
    identity.given(known()).when(ChangeUsername(user_id=ADA, username="Ada"))
    identity.then(UsernameChanged(username="Ada"))


def test_the_address_of_another_user_is_refused_and_the_own_one_kept(identity):
    identity.given(known()).when(register(BEN, "ben"))
    identity.when(ChangeEmail(user_id=BEN, email="ADA@Example.org")).refused(EmailTaken)
    identity.when(register(None, "other", email=ben.email)).refused(EmailTaken)


def test_a_released_username_is_free_for_others(identity):
    identity.given(known()).when(ChangeUsername(user_id=ADA, username="lovelace"))
    identity.when(register(BEN, "ada", email=ben.email))
    assert {row["id"]: row["username"] for row in identity.rows(all_users())} == {
        ADA: "lovelace",
        BEN: "ada",
    }


def test_a_user_revises_the_whole(identity):
    identity.given(known()).when(RevisePerson(user_id=ADA, person=About(name="A. L.")))
    identity.then(PersonRevised(person=Person(name="A. L.")))
    assert identity.rows(user(ADA))["person"]["name"] == "A. L."


def test_a_suspended_user_changes_nothing(identity):
    identity.given(known()).when(SuspendUser(user_id=ADA, reason="fraud"))
    identity.then(UserSuspended(reason="fraud"))
    for command in (
        ChangeEmail(user_id=ADA, email="x@example.org"),
        ChangeUsername(user_id=ADA, username="lovelace"),
        RevisePerson(user_id=ADA, person=About(name="X")),
        GrantRole(user_id=ADA, role="teller"),
    ):
        identity.when(command).refused(UserIsSuspended)
    assert identity.rows(user(ADA))["suspended"] is True
    identity.when(ReactivateUser(user_id=ADA, reason="cleared"))
    identity.then(UserReactivated(reason="cleared"))
    assert identity.rows(user(ADA))["suspended"] is False


def test_roles_are_granted_and_revoked_by_facts(identity):
    identity.given(known()).when(GrantRole(user_id=ADA, role="risk officer"))
    identity.then(RoleGranted(role="risk officer"))
    assert [row["role"] for row in identity.rows(user(ADA))["roles"]] == ["risk officer"]
    assert identity.state(User, ADA).roles == ("risk officer",)
    identity.when(RevokeRole(user_id=ADA, role="risk officer"))
    identity.then(RoleRevoked(role="risk officer"))
    assert identity.rows(user(ADA))["roles"] == []


def test_a_suspended_user_can_lose_a_role(identity):
    history = known(RoleGranted(role="teller"), UserSuspended(reason="fraud"))
    identity.given(history).when(RevokeRole(user_id=ADA, role="teller"))
    identity.then(RoleRevoked(role="teller"))


@pytest.mark.parametrize(
    "command",
    [
        GrantRole(user_id=ADA, role="teller"),
        RevokeRole(user_id=ADA, role="teller"),
        SuspendUser(user_id=ADA, reason="x"),
        ReactivateUser(user_id=ADA, reason="x"),
    ],
)
def test_done_twice_it_is_done_once(identity, command):
    identity.given(known()).when(command)
    identity.when(command).then()


@pytest.mark.parametrize(
    "command",
    [
        ChangeEmail(user_id=BEN, email="x@example.org"),
        ChangeUsername(user_id=BEN, username="xyz"),
        RevisePerson(user_id=BEN, person=About(name="X")),
        SuspendUser(user_id=BEN, reason="x"),
        ReactivateUser(user_id=BEN, reason="x"),
        GrantRole(user_id=BEN, role="teller"),
        RevokeRole(user_id=BEN, role="teller"),
    ],
)
def test_nobody_is_changed_who_is_no_user(identity, command):
    identity.given(known()).when(command).refused(UserNotFound)


def test_nobody_is_shown_who_is_no_user(identity):
    with pytest.raises(NotFound):
        identity.rows(user(BEN))


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "ab"},
        {"username": ".ada"},
        {"username": "ada lovelace"},
        {"username": "ada\u200b"},
        {"username": "a" * 33},
        {"email": "ada"},
        {"email": "ada@example"},
        {"email": "a da@example.org"},
        {"email": "ada@@example.org"},
        {"email": f"{'a' * 65}@example.org"},
        {"email": f"a@{'b' * 250}.org"},
        {"person": {"name": "Ada", "phone": "030 901820"}},
        {"person": {"name": "Ada", "avatar": "javascript:alert(1)"}},
        {"person": {"name": ""}},
    ],
)
def test_what_names_nobody_is_no_command(fields):
    with pytest.raises(ValidationError):
        register(**fields)
