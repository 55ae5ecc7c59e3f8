import json
import shutil

import pytest

from infra.discovery import discover
from tests.packages import commands, cut, expected, parse, read_index

INDEX = """\
Package: libc
Version: 2.36
Maintainer: Libc Team <LIBC@example.org>
Section: libs
Size: 2800000
Description: a library
 that everybody needs

Package: shell
Version: 5.2
Maintainer: Mona Shell, <mona@example.org>
Pre-Depends: libc (>= 2.36)
Depends: base-files (>= 2.1) | files:any, editor [amd64] | libc
Section: shells
Size: 1400000
Description: a shell

Package: editor
Version: 9.0
Maintainer: vic@example.org <vic@example.org>
Depends: libc, shell,
 not-there (<< 3)
Section: editors
Description: an editor

Package: files
Version: 1.0
Maintainer: Libc team <libc@example.org>
Depends: shell <!nocheck>
Section: admin
Size: 12

Package: shell
Version: 5.3
Maintainer: Somebody Else <else@example.org>
Description: the same shell from another archive
"""


def written(index, packages=None):
    return [line for stage in commands(parse(cut(index, packages))) for line in stage]


def of(lines, command):
    return [line for line in lines if line["command"] == command]


def test_the_counts_from_the_lines_are_those_scanned_from_the_index():
    lines = written(INDEX)
    assert expected(cut(INDEX)) == {
        "products": len(of(lines, "ListProduct")),
        "pieces": sum(line["fields"]["quantity"] for line in of(lines, "ReceiveStock")),
        "profiles": len(of(lines, "CreateProfile")),
        "follows": len(of(lines, "FollowMember")),
        "accounts": len(of(lines, "OpenAccount")),
        "orders": len(of(lines, "PlaceOrder")),
        "transfers": len(of(lines, "RequestTransfer")),
    }
    assert expected(cut(INDEX)) == {
        "products": 4,
        "pieces": 4000,
        "profiles": 3,
        "follows": 5,
        "accounts": 3,
        "orders": 0,
        "transfers": 6,
    }


def test_who_maintains_a_package_follows_who_maintains_what_it_depends_on():
    lines = written(INDEX)
    names = {line["actor"]: line["fields"]["name"] for line in of(lines, "CreateProfile")}
    assert {
        (names[line["actor"]], names[line["fields"]["member_id"]])
        for line in of(lines, "FollowMember")
    } == {
        ("Mona Shell", "Libc Team"),
        ("Mona Shell", "Nameless maintainer"),
        ("Nameless maintainer", "Libc Team"),
        ("Nameless maintainer", "Mona Shell"),
        ("Libc Team", "Mona Shell"),
    }


def test_no_address_gets_into_the_command_file():
    assert "example.org" not in json.dumps(written(INDEX)).lower()


def test_a_slice_takes_the_most_depended_upon():
    assert [package.name for package in parse(cut(INDEX, 2))] == ["libc", "shell"]


def _check(index, packages):
    lines = written(index, packages)
    assert lines == written(index, packages)
    assert len({line["key"] for line in lines}) == len(lines)
    assert all(len(line["key"]) <= 255 for line in lines)
    features = discover()
    for line in lines:
        handling = features.command(line["command"], line["context"])
        handling.command(**line["fields"])


def test_the_lines_are_commands_with_unique_keys_and_always_the_same():
    _check(INDEX, None)


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="needs a Debian package index")
def test_a_slice_of_this_machines_own_index_becomes_commands():
    index = read_index()
    if index.count("\nPackage: ") < 300:
        pytest.skip("this machine's package index is not loaded")
    slice = cut(index, 300)
    _check(slice, None)
    lines = written(slice)
    counts = expected(slice)
    assert counts["products"] == len(of(lines, "ListProduct")) == 300
    assert counts["profiles"] == len(of(lines, "CreateProfile"))
    assert counts["follows"] == len(of(lines, "FollowMember"))
    assert counts["orders"] == len(of(lines, "PlaceOrder"))
