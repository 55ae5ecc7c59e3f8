"""kcat, with which the mirror is read by hand: a client of Kafka that shares no line with ours."""

import shutil
from pathlib import Path

from infra.services._system import Unavailable, apt_install

DEBIAN_SCRIPT = """
apt-get update
apt-get install -y --no-install-recommends kcat
"""


def kcat() -> Path:
    """Return the program; installed on first use. Raises `Unavailable`."""
    if found := shutil.which("kcat"):
        return Path(found)
    if not shutil.which("apt-get"):
        raise Unavailable("kcat was not found on the PATH. Install it (macOS: brew install kcat).")
    apt_install(DEBIAN_SCRIPT, "kcat")
    if found := shutil.which("kcat"):
        return Path(found)
    raise Unavailable("kcat was installed, and is not on the PATH")
