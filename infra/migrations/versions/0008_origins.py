"""From where somebody did something beside commands: the address and the program."""

from infra.migrations import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    run_script("0008_origins")
