"""Rows that the one writer of a table has written, so that it need not look them up again."""

from itertools import islice

from sqlalchemy import Table

from infra.rows.rowsets import Key, Row


class Known:
    """Rows that were written and that nobody else changes, so that they need no looking up.

    For the one writer of a shadow; `forget` them whenever their transaction is not committed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        """Rows kept for each table; those touched last."""
        self._rows: dict[Table, dict[Key, Row]] = {}

    def of(self, table: Table) -> dict[Key, Row]:
        """Return the rows of a table; from now on they are kept."""
        return self._rows.setdefault(table, {})

    def keep(self, table: Table, now: dict[Key, Row | None]) -> None:
        """Take in rows as they are now. Those that are only ever inserted are of no use."""
        rows = self._rows.get(table)
        if rows is None:
            return
        for key, row in now.items():
            rows.pop(key, None)
            if row is not None:
                rows[key] = row
        for key in list(islice(rows, max(0, len(rows) - self._limit))):
            del rows[key]

    def forget(self) -> None:
        """Know nothing any more."""
        for rows in self._rows.values():
            rows.clear()
