"""What psycopg raises, as the log's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from infra.database import first_line
from infra.log.port import LogError, Rejected, Taken, Unavailable

REFUSED_VALUES = (
    errors.DataError,
    errors.IntegrityError,
    errors.ProgramLimitExceeded,  # too large for an index
    errors.RaiseException,  # by a trigger of whoever operates the database
    UnicodeError,
    OverflowError,
)
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.TransactionTimeout,
    PoolTimeout,
    OSError,
)


@contextmanager
def told() -> Iterator[None]:
    """Raise what psycopg raises as the log's own errors."""
    try:
        yield
    except REFUSED_VALUES as error:
        refusal = Taken if isinstance(error, errors.UniqueViolation) else Rejected
        raise refusal(f"the store refused a value: {first_line(error)}") from error
    except AWAY as error:
        raise Unavailable(f"PostgreSQL does not answer: {first_line(error)}") from error
    except psycopg.Error as error:
        raise LogError(f"PostgreSQL refused the statement: {first_line(error)}") from error
