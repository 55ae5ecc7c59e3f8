"""Who may import whom, and where what belongs; each failure says what to do instead."""

import ast
import importlib
from collections.abc import Iterable, Iterator

import grimp
import pytest

from domain import Event, State
from tests.source import CONTEXTS, LAYERS, ROOT, expect_none, imports, python_files, shown, tree

# What gives the same answer every time. Anything else comes into the domain as an argument.
PURE_MODULES = frozenset(
    "abc base64 bisect collections contextlib copy dataclasses datetime decimal enum fractions "
    "functools graphlib hashlib heapq itertools json math operator re string struct types typing "
    "unicodedata uuid domain msgspec".split()
)
IMPURE_MODULES = frozenset(
    "asyncio http io logging os pathlib random secrets shutil socket sqlite3 subprocess tempfile "
    "threading time urllib uuid_utils".split()
)
IMPURE_CALLS = frozenset(
    "datetime.now datetime.utcnow datetime.today date.today uuid.uuid1 uuid.uuid4 uuid.uuid7 "
    "uuid1 uuid4 uuid7 open input print".split()
)


def context_of(module: str) -> str | None:
    """Return the context that `<layer>.<context>…` belongs to; None for a module of no context."""
    words = module.split(".")
    return words[1] if len(words) > 1 and words[1] in CONTEXTS else None


def features(layer: str, context: str) -> set[str]:
    return {path.stem for path in (ROOT / layer / context).glob("*.py") if path.stem != "__init__"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*LAYERS, cache_dir=None)


def context_imports(graph: grimp.ImportGraph) -> Iterator[tuple[str, str, str]]:
    """Yield (module, imported module, the imported one's context)."""
    for module in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            if context := context_of(imported):
                yield module, imported, context


def test_contexts_know_nothing_of_each_other(graph: grimp.ImportGraph) -> None:
    expect_none(
        (
            f"{module} imports {imported}"
            for module, imported, context in context_imports(graph)
            if context_of(module) not in (None, context)
            and not (module.startswith("sagas.") and imported.startswith(("domain.", "commands.")))
        ),
        "let a saga follow one context's facts and send the other one's commands; "
        "only a saga may import from two contexts, and only their facts and commands.",
    )


def test_only_an_adapter_names_a_context_outside_of_it(graph: grimp.ImportGraph) -> None:
    met: dict[str, set[str]] = {}
    for module, _, context in context_imports(graph):
        if context_of(module) is None:
            met.setdefault(module, set()).add(context)
    expect_none(
        (
            f"{module} imports from {', '.join(sorted(contexts))}"
            for module, contexts in met.items()
            if not module.startswith("infra.") or len(contexts) > 1
        ),
        "find the context's files by walking the folder, as infra.discovery does. "
        "Only an adapter in infra may import a context: the one whose port it implements.",
    )


def test_no_list_of_contexts_is_kept() -> None:
    problems = []
    for path in (path for path in python_files(*LAYERS) if path.parent.name not in CONTEXTS):
        nodes = list(ast.walk(tree(path)))
        shown_only = {
            id(constant)
            for node in nodes
            if isinstance(node, ast.keyword) and node.arg == "examples"
            for constant in ast.walk(node)
        }
        problems += [
            f"{shown(path)}:{node.lineno} names the context {node.value!r}"
            for node in nodes
            if isinstance(node, ast.Constant) and node.value in CONTEXTS
            if id(node) not in shown_only
        ]
    expect_none(
        problems,
        "discover contexts by walking the folders: a new one is added by adding files only.",
    )


def test_a_context_folder_registers_nothing() -> None:
    expect_none(
        (
            f"{shown(path)} has code"
            for layer in (*LAYERS, "tests")
            for context in CONTEXTS
            for path in (ROOT / layer / context).glob("__init__.py")
            if any(not isinstance(node, ast.Expr) for node in tree(path).body)
        ),
        "leave a docstring only: a feature's file is found by being there.",
    )


def test_wiring_is_used_by_the_api_only(graph: grimp.ImportGraph) -> None:
    importers: Iterable[str] = ()
    if "infra.wiring" in graph.modules:
        importers = graph.find_modules_that_directly_import("infra.wiring")
    expect_none(
        (f"{module} imports infra.wiring" for module in importers if module.split(".")[0] != "api"),
        "take what you need as an argument; the composition root hands it over.",
    )


def test_the_domain_imports_nothing_but_pure_modules() -> None:
    expect_none(
        (
            f"{shown(path)} imports {module}"
            for path in python_files("domain")
            for module in imports(path)
            if module not in PURE_MODULES
        ),
        "take the value as an argument of the decide method; a handler gets it from a port.",
    )


def test_no_clock_chance_or_io_below_infra() -> None:
    below = python_files("domain", "commands", "sagas", "projections")
    impure_imports = (
        f"{shown(path)} imports {module}"
        for path in below
        for module in imports(path)
        if module in IMPURE_MODULES
    )
    impure_calls = (
        f"{shown(path)}:{node.lineno} calls {ast.unparse(node.func)}()"
        for path in below
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE_CALLS
    )
    expect_none(
        (*impure_imports, *impure_calls),
        "time and ids come from the ports Clock and Ids in a handler, and from the envelope in "
        "a projection; I/O belongs to an adapter in infra.",
    )


def test_a_feature_has_one_word_in_every_layer() -> None:
    problems = []
    for context in CONTEXTS:
        domain, commands, sagas, projections, api = (
            features(layer, context)
            for layer in ("domain", "commands", "sagas", "projections", "api")
        )
        needs = (
            ("commands", commands - domain, "domain"),
            ("sagas", sagas - domain, "domain"),
            ("projections", projections - domain - api, "domain or, being read-only, in api"),
            ("api", api - commands - projections, "commands or projections"),
        )
        problems += [
            f"{layer}/{context}/{word}.py has no {context}/{word}.py in {missing}"
            for layer, words, missing in needs
            for word in words
        ]
    expect_none(
        problems,
        "name the file for the aggregate whose commands, process or rows it holds, "
        "so that one word finds the whole feature.",
    )


def test_every_feature_has_its_tests() -> None:
    expect_none(
        (
            f"{context}.{word} has no tests/{context}/test_{word}.py"
            for context in CONTEXTS
            for layer in ("commands", "sagas", "projections", "api")
            for word in features(layer, context)
            if not any((ROOT / "tests" / context).glob(f"test_{word}*.py"))
        ),
        "write them in given / when / then; a long one may be split: test_<feature>_<part>.py.",
    )


@pytest.mark.parametrize("context", sorted(CONTEXTS))
def test_topics_begin_with_the_kind_of_their_state(context: str) -> None:
    kinds, topics, problems = set(), {}, []
    for word in sorted(features("domain", context)):
        module = importlib.import_module(f"domain.{context}.{word}")
        for thing in vars(module).values():
            if not isinstance(thing, type) or thing.__module__ != module.__name__:
                continue
            if issubclass(thing, State):
                kinds.add(thing.KIND)
                problems += [
                    f"{thing.__name__} in domain/{context}/{word}.py has KIND {thing.KIND!r}"
                    for kind in [f"{context}.{word}"]
                    if kind != thing.KIND
                ]
            elif issubclass(thing, Event):
                topics[thing.__name__] = thing.TOPIC
    problems += [
        f"{name} has topic {topic!r}, and no state of {context} has KIND {kind!r}"
        for name, topic in topics.items()
        if (kind := topic.rpartition(".")[0]) not in kinds
    ]
    expect_none(
        problems,
        "a state's KIND is '<context>.<file name>', a fact's TOPIC its state's KIND and one word "
        "more. Move the class if its topic is in use: a topic is for ever.",
    )
