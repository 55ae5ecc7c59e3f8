"""What the source says about a class and its fields, for whoever reads a schema instead."""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise


@cache
def field_docs(cls: type) -> dict[str, str]:
    """Return the sentences below the fields of a class, by field; bases included."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        docs |= _own(base)
    return docs


def class_doc(cls: type) -> str:
    """Return the docstring of a class; empty where it has none of its own."""
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "")


def _own(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # a class that no file has
        return {}
    body = next(node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
