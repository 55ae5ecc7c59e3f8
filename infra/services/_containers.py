"""The services as containers, by Docker Compose."""

import hashlib
import os
import shutil
import subprocess

from infra.services._system import CHECKOUT, Unavailable

# Two checkouts have a set of containers and volumes each.
_PROJECT = "aorist-" + hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
_PROBE_SECONDS = 15
_START_SECONDS = 600  # images are fetched at the first start


def _compose(*words: str) -> list[str]:
    """Return the command line for `docker compose` on this checkout's containers."""
    return ["docker", "compose", "--project-name", _PROJECT, *words]


def answers() -> bool:
    """Say whether a Docker engine with Compose answers here."""
    return bool(shutil.which("docker")) and all(
        _run(probe, _PROBE_SECONDS).returncode == 0
        for probe in (["docker", "info"], ["docker", "compose", "version"])
    )


def start(service: str, **variables: str) -> None:
    """Start a service and wait until it is healthy. Raises `Unavailable` when it stays ill.

    `variables` are those that `compose.yaml` takes from the environment.
    """
    done = _run(_compose("up", "--detach", "--wait", service), _START_SECONDS, **variables)
    if done.returncode != 0:
        raise Unavailable(f"its container did not start: {done.stderr.strip()}")


def port(service: str, container_port: int) -> int:
    """Return the port of this machine that leads to a port of the service's container."""
    done = _run(_compose("port", service, str(container_port)), _PROBE_SECONDS)
    if done.returncode != 0:
        raise Unavailable(f"its container has no port {container_port}: {done.stderr.strip()}")
    return int(done.stdout.strip().rpartition(":")[2])


def running_port(service: str, container_port: int) -> int | None:
    """Return the port of a container that runs; None when none does."""
    try:
        return port(service, container_port)
    except Unavailable:
        return None


def run_inside(service: str, *words: str) -> str:
    """Run a program in the service's container and return its output."""
    done = _run(_compose("exec", "-T", service, *words), _PROBE_SECONDS)
    if done.returncode != 0:
        raise Unavailable(f"{words[0]} failed in its container: {done.stderr.strip()}")
    return done.stdout


def stop(service: str) -> bool:
    """Stop a service's container; False when it was not running."""
    running = _run(_compose("ps", "--quiet", service), _PROBE_SECONDS)
    if running.returncode != 0 or not running.stdout.strip():
        return False
    done = _run(_compose("stop", service), _START_SECONDS)
    if done.returncode != 0:
        raise Unavailable(f"its container did not stop: {done.stderr.strip()}")
    return True


def _run(command: list[str], seconds: int, **variables: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer in {seconds} s")
