"""Turns a Debian package index into a command file for `aorist run`: real names, real shapes.

Every package is a product in stock, every maintainer a member of the network, a customer and the
holder of an account. Who maintains a package follows who maintains what it depends on. Orders and
transfers are drawn with a fixed seed, so one index always gives one file, byte for byte.

    python -m tests.packages --packages 500 > commands.jsonl      # the 500 most depended upon
    python -m tests.packages --index Packages --out commands.jsonl
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid5

NAMESPACE = UUID("a8f2bba4-c34a-4d70-a33d-fbe0b3c85f99")
SEED = 2449
STOCK = 1_000
"""Pieces received of each product: more than all orders together ask of one."""
PACKAGES_PER_ORDER = 10
TRANSFERS_PER_MEMBER = 2
MAX_LINES = 4
MAX_PIECES = 3
DEPOSIT = 1_000_00
"""Cents on each account at first: more than its transfers take away, whatever is drawn."""
MAX_TRANSFER = 20_00
CURRENCY = "EUR"

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """What the command file takes from one stanza of the index."""

    name: str
    version: str
    section: str
    summary: str
    size: int
    maintainer: str
    """The maintainer's address in lower case; it identifies, and never leaves this module."""
    maintainer_name: str
    depends: tuple[str, ...]

    @property
    def member(self) -> str:
        """The maintainer's id in the system."""
        return str(uuid5(NAMESPACE, f"member:{self.maintainer}"))


def read_index() -> str:
    """Return this machine's own index."""
    done = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True)
    return done.stdout.decode("utf-8")


def cut(index: str, packages: int | None = None) -> str:
    """Return the index with one stanza for each name, of the most depended upon packages only."""
    stanzas: dict[str, str] = {}
    for stanza in re.split(r"\n\s*\n", index.strip()):
        stanzas.setdefault(_fields(stanza)["Package"], stanza)
    if packages is None:
        names = list(stanzas)
    else:
        depended = Counter(
            name for stanza in stanzas.values() for name in set(_depends(_fields(stanza)))
        )
        names = sorted(stanzas, key=lambda name: -depended[name])[:packages]
    return "\n\n".join(stanzas[name] for name in names) + "\n"


def parse(index: str) -> list[Package]:
    """Return the packages of an index that was cut."""
    packages = []
    for stanza in index.strip().split("\n\n"):
        fields = _fields(stanza)
        name, _, rest = fields["Maintainer"].partition("<")
        mail = rest.partition(">")[0] or fields["Maintainer"]
        packages.append(
            Package(
                name=fields["Package"],
                version=fields["Version"],
                section=fields.get("Section", ""),
                summary=fields.get("Description", ""),
                size=int(fields.get("Size", "0")),
                maintainer=mail.strip().lower(),
                maintainer_name=_without_addresses(name),
                depends=_depends(fields),
            )
        )
    return packages


def commands(packages: list[Package]) -> Iterator[list[Line]]:
    """Yield the command file in stages; the lines of each need those of the stages before."""
    members = {package.member: package for package in reversed(packages)}
    random = Random(SEED)
    yield [_profile(package) for package in members.values()]
    yield [_listing(package) for package in packages]
    yield [_receipt(package) for package in packages]
    yield [_follow(follower, followee) for follower, followee in _follows(packages)]
    yield [_account(member) for member in members]
    yield [_deposit(member) for member in members]
    yield list(_orders(packages, members, random))
    yield list(_transfers(list(members), random))


def expected(index: str) -> dict[str, int]:
    """Return the counts that the read models must show, by plain scanning of an index.

    It shares nothing with the functions above but the index itself, on purpose.
    """
    owners, wants, package = {}, [], ""
    for line in re.sub(r"\n[ \t]+", " ", index).splitlines():
        field, _, value = line.partition(": ")
        if field == "Package":
            package = value.strip()
        elif field == "Maintainer":
            found = re.search(r"<(.+?)>", value)
            owners[package] = (found.group(1) if found else value).strip().lower()
        elif field in ("Depends", "Pre-Depends"):
            bare = re.sub(r"\(.*?\)|\[.*?\]|<.*?>|:\w+", "", value)
            wants += [(package, wanted.strip()) for wanted in re.split("[,|]", bare)]
    pairs = {(owners[a], owners[b]) for a, b in wants if b in owners}
    members = len(set(owners.values()))
    return {
        "products": len(set(re.findall(r"^Package: (.+)$", index, re.MULTILINE))),
        "pieces": STOCK * len(owners),
        "profiles": members,
        "follows": sum(follower != followee for follower, followee in pairs),
        "accounts": members,
        "orders": len(owners) // PACKAGES_PER_ORDER,
        "transfers": TRANSFERS_PER_MEMBER * members if members > 1 else 0,
    }


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields[name] += " " + line.strip()
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def _depends(fields: dict[str, str]) -> tuple[str, ...]:
    named = ",".join(fields.get(name, "") for name in ("Pre-Depends", "Depends"))
    choices = (choice.strip() for choice in re.split(r"[,|]", named))
    return tuple(re.split(r"[\s:(\[<]", choice)[0] for choice in choices if choice)


def _without_addresses(name: str) -> str:
    kept = " ".join(word for word in name.split() if "@" not in word)
    return kept.strip(" ,") or "Nameless maintainer"


def _id(kind: str, name: str) -> str:
    # Always the same, and yet in the form of a random id: computed ones are not free to choose.
    return str(UUID(bytes=uuid5(NAMESPACE, f"{kind}:{name}").bytes, version=4))


def _line(context: str, command: str, actor: str, key: str, fields: Line) -> Line:
    return {"context": context, "command": command, "fields": fields, "actor": actor, "key": key}


def _profile(package: Package) -> Line:
    fields = {"name": package.maintainer_name}
    return _line("social", "CreateProfile", package.member, f"profile:{package.member}", fields)


def _listing(package: Package) -> Line:
    fields = {
        "product_id": _id("product", package.name),
        "name": package.name,
        "description": package.summary,
        "category": package.section,
        "sku": package.name,
        "attributes": [{"name": "version", "value": package.version}],
        "price": max(1_00, package.size // 10_000),
        "currency": CURRENCY,
    }
    return _line("commerce", "ListProduct", package.member, f"product:{package.name}", fields)


def _receipt(package: Package) -> Line:
    fields = {
        "product_id": _id("product", package.name),
        "receipt_id": _id("receipt", package.name),
        "quantity": STOCK,
    }
    return _line("commerce", "ReceiveStock", package.member, f"stock:{package.name}", fields)


def _follows(packages: list[Package]) -> Iterable[tuple[str, str]]:
    members = {package.name: package.member for package in packages}
    pairs: dict[tuple[str, str], None] = {}
    for package in packages:
        for name in package.depends:
            if name in members and members[name] != package.member:
                pairs[package.member, members[name]] = None
    return pairs


def _follow(follower: str, followee: str) -> Line:
    return _line(
        "social", "FollowMember", follower, f"follow:{follower}:{followee}", {"member_id": followee}
    )


def _account(member: str) -> Line:
    fields = {
        "account_id": _id("account", member),
        "holder_id": member,
        "kind": "checking",
        "currency": CURRENCY,
    }
    return _line("banking", "OpenAccount", member, f"account:{member}", fields)


def _deposit(member: str) -> Line:
    fields = {
        "account_id": _id("account", member),
        "deposit_id": _id("deposit", member),
        "amount": DEPOSIT,
        "currency": CURRENCY,
    }
    return _line("banking", "DepositMoney", member, f"deposit:{member}", fields)


def _orders(packages: list[Package], members: dict[str, Package], random: Random) -> Iterator[Line]:
    ids = list(members)
    for number in range(len(packages) // PACKAGES_PER_ORDER):
        customer = random.choice(ids)
        wanted = random.sample(packages, min(len(packages), random.randint(1, MAX_LINES)))
        fields = {
            "order_id": _id("order", str(number)),
            "customer_id": customer,
            "lines": [
                {"product_id": _id("product", one.name), "quantity": random.randint(1, MAX_PIECES)}
                for one in wanted
            ],
            "address": {
                "recipient": members[customer].maintainer_name,
                "street": f"{random.randint(1, 200)} Archive Road",
                "postcode": f"{random.randint(10_000, 99_999)}",
                "city": "Mirror",
                "country": "DE",
            },
            "payment": {"kind": "card", "card_token": "tok_approve"},
        }
        yield _line("commerce", "PlaceOrder", customer, f"order:{number}", fields)


def _transfers(members: list[str], random: Random) -> Iterator[Line]:
    if len(members) < 2:
        return
    for place, member in enumerate(members):
        for number in range(TRANSFERS_PER_MEMBER):
            payee = members[place - random.randint(1, len(members) - 1)]
            fields = {
                "transfer_id": _id("transfer", f"{member}:{number}"),
                "source": _id("account", member),
                "target": _id("account", payee),
                "amount": random.randint(1, MAX_TRANSFER),
                "currency": CURRENCY,
            }
            yield _line("banking", "RequestTransfer", member, f"transfer:{member}:{number}", fields)


def main() -> None:
    """Write the command file, and what it must lead to on standard error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--index", type=Path, help="a Packages file; the machine's index if absent")
    parser.add_argument("--packages", type=int, help="only so many, the most depended upon")
    parser.add_argument("--out", type=Path, help="the command file; standard output if absent")
    asked = parser.parse_args()
    index = cut(
        asked.index.read_text(encoding="utf-8") if asked.index else read_index(), asked.packages
    )
    out = asked.out.open("w", encoding="utf-8") if asked.out else sys.stdout
    with out:
        for stage in commands(parse(index)):
            out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in stage)
    print(json.dumps(expected(index)), file=sys.stderr)


if __name__ == "__main__":
    main()
