"""`python -m api` is `aorist`."""

from api.cli import main

main()
