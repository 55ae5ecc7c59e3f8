"""Verbs load what they need when they run."""

import subprocess
import sys

from tests.source import ROOT, expect_none

HEAVY = ("avro", "crc32c", "fastapi", "fastavro", "kafka", "uvicorn")
LOADED = f"""
import sys
from api.cli import program
program()
print(*(name for name in {HEAVY} if name in sys.modules))
"""


def test_what_few_verbs_need_is_loaded_by_them_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expect_none(done.stdout.split(), "import it in the function of the verb that needs it.")
