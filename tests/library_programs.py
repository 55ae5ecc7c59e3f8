"""Programs that run in a copy of the source with the library in it."""

LIVE = '''
"""Lend a book over HTTP, look, wait for the deadline, look again."""

import asyncio, json, sys
import httpx
from api.http import make_app
from infra.logging import configure
from infra.settings import Settings
from infra.wiring import open_system

async def live(url):
    settings = Settings(database_url=url, development=True, log_level="error")
    configure(settings)
    system = await open_system(settings)
    transport = httpx.ASGITransport(make_app(system))
    member = "a11ce000-0000-7000-8000-000000000001"
    book = "b0000000-0000-7000-8000-000000000001"
    headers = {"Aorist-Actor": member}
    base = "http://t/api/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as c:
        lent = await c.post(f"/books/{book}/lend", json={"reader": member})
        projections = [r for r in system.readers if r.name == "library.book"]
        for reader in projections:
            await reader.step()
        system.queries.local = True
        loan = await c.get(lent.headers["Location"].removeprefix("/api/v1"))
        other = {**headers, "Aorist-Actor": "b0b00000-0000-7000-8000-000000000002"}
        refused = await c.post(f"/books/{book}/lend", json={"reader": book}, headers=other)
        old = await c.post("/profiles", json={"name": "Alice"})
        await system.settle()
        gone = await c.get(f"/books/{book}/loan")
    from infra.rebuilding.rebuild import rebuild
    log = system.logs["library"]
    (projecting,) = [p for p in system.features.projections if p.context == "library"]
    equal = await rebuild(projecting, log.store, system.codec, system.databases["library"])
    facts = [one.at.topic for one in await log.store.read(0, 10)]
    await system.close()
    print(json.dumps({
        "contexts": system.contexts, "lent": lent.status_code, "loan": loan.json(),
        "refused": [refused.status_code, refused.json()["code"]], "old": old.status_code,
        "gone": gone.status_code, "facts": facts, "equal": equal.equal,
    }))

asyncio.run(live(sys.argv[1]))
'''
START = '''
"""Start once for each change of a file, in a fork that has not loaded the library."""

import asyncio, gc, importlib, json, os, pathlib, sys
import alembic.command
from api.http import make_app
from infra.settings import Settings
from infra.wiring import open_system

for layer in ("domain", "commands", "projections", "sagas", "api"):
    for file in pathlib.Path(layer).rglob("*.py"):
        if not {"library", "cli", "__main__.py"} & {*file.parts}:
            name = ".".join(file.with_suffix("").parts)
            importlib.import_module(name.removesuffix(".__init__"))
assert not [name for name in sys.modules if ".library" in name]
gc.freeze()

async def start(url):
    system = await open_system(Settings(database_url=url))
    try:
        make_app(system)
    finally:
        await system.close()

def said(url):
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            asyncio.run(start(url))
            says = "it started"
        except Exception as error:
            says = f"{type(error).__name__}: {error}"
        os.write(write, says.encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read) as pipe:
        return pipe.read()

found = {}
for name, (file, was, becomes, _) in json.load(sys.stdin).items():
    path = pathlib.Path(file)
    text = path.read_text()
    if was not in text:
        sys.exit(f"{file} has no {was!r}")
    path.write_text(text.replace(was, becomes))
    found[name] = said(sys.argv[1])
    path.write_text(text)
print(json.dumps(found))
'''
COMMANDS = '''
"""Run the command line for each line of input, in a fork that has not loaded the library."""

import gc, json, os, sys
import api.cli._schemas
from api.cli import main, program

program()  # loads every verb
assert not [name for name in sys.modules if ".library" in name]
gc.freeze()

def ran(words):
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.dup2(write, 1)
        os.dup2(write, 2)
        sys.argv = ["aorist", *words]
        code = 1
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code or 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said

for line in sys.stdin:
    print(json.dumps(ran(json.loads(line))), flush=True)
'''
