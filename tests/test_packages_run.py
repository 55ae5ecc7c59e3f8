"""A slice of a real package index through `aorist run`: the read models have what the index has."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from api.cli import program
from infra.settings import Settings
from infra.wiring import open_system
from projections import metadata
from tests.packages import commands, cut, expected, parse, read_index
from tests.stores import Stores
from tests.test_packages import INDEX

SLICE = 60
COUNTED = {
    "products": "commerce.products",
    "profiles": "social.profiles",
    "follows": "social.follows",
    "accounts": "banking.accounts",
    "orders": "commerce.orders",
    "transfers": "banking.transfers",
}


def lines_of(slice: str) -> list[Any]:
    return [line for stage in commands(parse(slice)) for line in stage]


def written(lines: list[Any], folder: Path) -> Path:
    file = folder / "commands.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def run(url: str, file: Path) -> str:
    result = CliRunner().invoke(program(), ["--database-url", url, "run", str(file)])
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def found(settings: Settings) -> dict[str, Any]:
    async def count() -> dict[str, Any]:
        system = await open_system(settings)
        counts = {}
        for name, table in COUNTED.items():
            database = system.databases[table.partition(".")[0]]
            query = select(func.count()).select_from(metadata.tables[table])
            async with database.read() as connection:
                counts[name] = (await connection.execute(query)).scalar_one()
        stock = metadata.tables["commerce.stock"]
        async with system.databases["commerce"].read() as connection:
            total = select(func.sum(stock.c.on_hand), func.count())
            counts["on_hand"], counts["stocked"] = (await connection.execute(total)).one()
        await system.close()
        return counts

    return asyncio.run(count())


def ordered(lines: list[Any]) -> int:
    return sum(
        part["quantity"]
        for line in lines
        if line["command"] == "PlaceOrder"
        for part in line["fields"]["lines"]
    )


def index_of_this_machine() -> str:
    index = read_index() if shutil.which("apt-cache") else ""
    return index if index.count("\nPackage: ") >= SLICE else INDEX


@pytest.mark.parametrize("read", [lambda: INDEX, index_of_this_machine], ids=["small", "real"])
def test_the_read_models_have_what_the_index_has(
    all_stores: Stores, store: str, read: Any, tmp_path: Path
) -> None:
    slice, settings = cut(read(), SLICE), all_stores.settings(store)
    lines = lines_of(slice)
    file = written(lines, tmp_path)
    first = run(settings.database_url, file)
    counts = expected(slice)
    pieces = counts.pop("pieces")
    assert found(settings) == {
        **counts,
        "stocked": counts["products"],
        "on_hand": pieces - ordered(lines),
    }
    assert " 0 refused" in first
    assert f"{len(lines)} repeated" in run(settings.database_url, file)
