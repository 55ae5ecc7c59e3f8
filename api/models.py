"""The form of a query's answer, from the columns that it selects."""

from typing import Any

from pydantic import BaseModel, Field, create_model

from projections import Detail, Listing, MinorUnits, One


class MoneyShown(BaseModel):
    """An amount in minor units: 1250 EUR is 12.50 euros."""

    amount: int = Field(examples=[1250])
    currency: str = Field(examples=["EUR"])


def answer_model(name: str, example: One | Listing | Detail) -> type[BaseModel]:
    """Return the model of what a query function answers."""
    if isinstance(example, Listing):
        page: dict[str, Any] = {
            "items": (list[_row_model(f"{name}Item", example.select)], ...),  # type: ignore[misc]
            "next": (str | None, None),
        }
        return create_model(f"{name}Page", **page)
    if isinstance(example, Detail):
        lists: dict[str, Any] = {
            key: (list[_row_model(f"{name}{camel(key)}", rows)], ...)  # type: ignore[misc]
            for key, rows in example.lists.items()
        }
        return create_model(name, __base__=_row_model(f"{name}Row", example.select), **lists)
    return _row_model(name, example)


def _row_model(name: str, query: One) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for column in query.selected_columns:
        nullable = getattr(column, "nullable", True)
        fields[column.name] = (_type(column) | None if nullable else _type(column), ...)
    return create_model(name, **fields)


def _type(column: Any) -> Any:
    if isinstance(column.type, MinorUnits):
        return MoneyShown
    try:
        found = column.type.python_type
    except NotImplementedError:
        return Any
    return Any if found in (dict, list) else found


def camel(name: str) -> str:
    """Return a name of words as one of a class."""
    return "".join(part.title() for part in name.split("_"))
