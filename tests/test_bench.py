"""The benchmark runs: what it measures is no matter here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from tests.bench.__main__ import main
from tests.source import ROOT
from tests.stores import POSTGRES_VARIABLE

MAX_S = 120


def bench(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `make bench`'s program."""
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=MAX_S,
        check=False,
    )


def asked(*words: object, **environment: str) -> Result:
    """Run it in this process: for what it says before it measures."""
    program = typer.Typer()
    program.command()(main)
    return CliRunner().invoke(program, [*map(str, words)], env=environment)


def test_a_quick_run_prints_a_table_and_writes_every_round(tmp_path: Path) -> None:
    file = tmp_path / "results" / "bench.json"
    done = bench("--quick", "--only", "hot,embedded", "--rounds", 2, "--out", file)
    assert done.returncode == 0, done.stderr
    for word in ("figure", "ours", "reference", "ratio", "target", "met", "hot", "≥ 0.5"):
        assert word in done.stdout
    written = json.loads(file.read_text())
    assert [figure["name"] for figure in written["figures"]] == ["hot", "embedded"]
    for figure in written["figures"]:
        for side in (figure["ours"], figure["reference"]):
            rates = [measured["rate"] for measured in written["raw"][side["contender"]]]
            assert len(rates) == 2
            assert 0 < side["low"] == min(rates) <= side["median"] <= side["high"] == max(rates)
        assert figure["ratio"] == figure["ours"]["median"] / figure["reference"]["median"]
        assert figure["met"] == (figure["ratio"] >= figure["target"]["at_least"])
    assert written["broken"] == {}
    assert written["machine"]["postgres"]["fsync"] == "on"
    assert written["sizes"]["accounts"] > 0


def test_it_lists_its_figures_and_knows_no_others() -> None:
    listed = asked("--list")
    assert "appends-library" in listed.stdout
    unknown = asked("--only", "ends")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "no figure is called ends" in unknown.stderr


def test_it_measures_nothing_on_a_server_that_may_lose_what_it_commits(tmp_path: Path) -> None:
    careless = f"{os.environ[POSTGRES_VARIABLE]}?options=-csynchronous_commit%3Doff"
    file = tmp_path / "bench.json"
    done = asked("--quick", "--only", "hot", "--out", file, **{POSTGRES_VARIABLE: careless})
    assert done.exit_code == 2
    assert "synchronous_commit = off" in done.stderr
    assert not file.exists()
