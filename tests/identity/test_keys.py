"""The folder of keys: made when needed, shared, and told what is wrong with it."""

from pathlib import Path

import pytest

from infra.clock import SystemClock
from infra.keys import MAX_KEYS, Keys, NoKeys, make_key

CLOCK = SystemClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_the_first_key_is_made_for_its_owner_alone(folder: Path) -> None:
    keys = Keys(folder, CLOCK)
    id, _ = keys.newest
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / f"{id}.pem").stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == [f"{id}.pem"]


def test_what_another_process_makes_or_removes_counts_at_once(folder: Path) -> None:
    keys = Keys(folder, CLOCK)
    first, _ = keys.newest
    for _ in range(5):
        made = make_key(folder, CLOCK.now())
        assert keys.newest[0] == made
        assert keys.public(first)
        (folder / f"{made}.pem").unlink()
        assert keys.public(made) is None


def test_a_folder_that_is_not_one_of_keys_is_told(folder: Path) -> None:
    keys = Keys(folder, CLOCK)
    assert keys.newest
    (folder / "mine.pem").write_text("")
    with pytest.raises(NoKeys, match=r"mine\.pem is not named for a time"):
        _ = keys.newest
    (folder / "mine.pem").rename(folder / "20260101T000000000000Z.pem")
    with pytest.raises(NoKeys, match="cannot be read as a key"):
        _ = keys.newest
    for path in folder.glob("2026*"):
        path.unlink()
    for _ in range(MAX_KEYS + 1):
        make_key(folder, CLOCK.now())
    with pytest.raises(NoKeys, match="more than 20; remove some"):
        _ = keys.newest
