"""How settings are told whose values are secrets, or have some inside."""

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr
from sqlalchemy import URL, make_url

HIDDEN = "***"
PARAMETERS = frozenset({"password", "sslpassword"})
"""What a PostgreSQL URL may have behind its question mark that is not shown."""


def is_secret(settings: type[BaseModel], name: str) -> bool:
    """Tell whether a setting is a secret, or may have one inside: a URL has its password."""
    field = settings.model_fields.get(name)
    return field is not None and (field.annotation is SecretStr or name.endswith(("_url", "_urls")))


def texts(value: object) -> Iterator[str]:
    """Yield the texts in a value that was given for a setting, the longest first."""
    inside = list(value.values()) if isinstance(value, dict) else value
    if isinstance(inside, list | tuple):
        yield from sorted((text for one in inside for text in texts(one)), key=len, reverse=True)
    elif value:
        yield str(value)


def shown_url(url: URL | str) -> str:
    """Return a URL as it may be shown: without its password, wherever that stands in it."""
    parsed = make_url(url)
    hidden = {name: HIDDEN for name in parsed.query if name.lower() in PARAMETERS}
    shown = parsed.set(query={**parsed.query, **hidden}).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", HIDDEN)


def without_password(value: object) -> object:
    """Return a setting's value as it may be shown: URLs without their password."""
    if isinstance(value, dict):
        return {key: without_password(item) for key, item in value.items()}
    return shown_url(value) if isinstance(value, str) and "://" in value else value


def require_store(url: object) -> None:
    """Raise `ValueError`, without the URL, for what is the URL of no store."""
    if not str(url).startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("that names no known store; use sqlite:///FILE or postgresql://…")
    try:
        make_url(str(url))
    except Exception:  # noqa: BLE001 - whatever it says, it says with the value
        raise ValueError(
            "that is no URL; percent-encode what is in a name or a password, and is no letter"
        ) from None
