"""`python -m infra.services start|stop [NAME …]`: the services of this folder, on this machine."""

import fcntl
import importlib
import os
import pkgutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType

import infra.services
from infra.services import _containers
from infra.services._system import FOLDER, Running, Unavailable


def services(names: Collection[str] = ()) -> Iterator[tuple[str, ModuleType]]:
    """Yield the services by name: the files beside this one, helpers left out; or those named.

    Raises `Unavailable` for a name that no file has.
    """
    found = [module.name for module in pkgutil.iter_modules(infra.services.__path__)]
    known = [name for name in found if not name.startswith("_")]
    for name in names:
        if name not in known:
            raise Unavailable(f"no service is called {name!r}; there are {', '.join(known)}")
    for name in known:
        if not names or name in names:
            yield name, importlib.import_module(f"infra.services.{name}")


def start(names: Collection[str]) -> None:
    """Start services, and write where they are to `.services/env`."""
    containers = _containers.answers()
    variables = _written() if names else {}
    for name, service in services(names):
        running = _contained(name, service) if containers else None
        try:
            running = running or service.start()
        except Unavailable as reason:
            raise Unavailable(f"{name}: {reason}") from reason
        print(f"{name}: {running.how}, on port {running.port}")
        variables |= service.environment(running)
    _write("".join(f"{name}={value}\n" for name, value in variables.items()))
    print(f"where they are, for Aorist and its tests ({FOLDER / 'env'}):")
    for name, value in variables.items():
        print(f"  {name}={value}")


def stop(names: Collection[str]) -> None:
    """Stop services, whichever way they were started. Data stays."""
    containers = _containers.answers()
    for name, service in services(names):
        stopped = [service.stop(), containers and _containers.stop(name)]
        print(f"{name}: {'stopped' if any(stopped) else 'was not running'}")


def _contained(name: str, service: ModuleType) -> Running | None:
    """Run a service in a container; None where that fails, such as for want of its image."""
    try:
        _containers.start(name, **_variables(name, service))
        service.prepare(partial(_containers.run_inside, name))
        port = _containers.port(name, service.CONTAINER_PORT)
    except Unavailable as reason:
        print(f"{name}: {reason}\n{name}: trying this system's packages instead", flush=True)
        return None
    return Running(port, service.PASSWORD, "running in a container")


def _variables(name: str, service: ModuleType) -> dict[str, str]:
    """Return what `compose.yaml` needs to be told about a service."""
    if not hasattr(service, "container_variables"):
        return {}
    told = _containers.running_port(name, service.CONTAINER_PORT)
    variables: dict[str, str] = service.container_variables(told)
    return variables


def _written() -> dict[str, str]:
    """Return the variables of an earlier start."""
    path = FOLDER / "env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines)


def _write(text: str) -> None:
    # It holds a password.
    descriptor = os.open(FOLDER / "env.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    (FOLDER / "env.new").replace(FOLDER / "env")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let a second call in this checkout wait for the first."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(words: list[str]) -> int:
    """Run the verb and return the exit status."""
    verbs = {"start": start, "stop": stop}
    if not words or words[0] not in verbs:
        print("usage: python -m infra.services start|stop [NAME …]", file=sys.stderr)
        return 2
    try:
        with _one_at_a_time():
            verbs[words[0]](words[1:])
    except (Unavailable, OSError) as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
