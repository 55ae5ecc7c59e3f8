"""What a process that a test starts has loaded already: every feature, and every verb."""

from api.cli import program
from infra.discovery import discover

discover()
program()
