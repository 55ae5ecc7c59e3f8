"""A mail server on the loopback address, which answers as it is told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import HOST, certificate


@dataclass
class PostOffice:
    """Takes letters, one at a time."""

    tls: ssl.SSLContext | None = None
    answers: dict[str, str] = field(default_factory=dict)
    """By verb, what is said instead of what is usual; an empty one breaks the connection off."""
    offers: tuple[str, ...] = ("SMTPUTF8", "8BITMIME")
    heard: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["PostOffice"]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        greeting = self.answers.get("connect", "220 ready")
        if not greeting:
            await reader.read()  # silent until the other side goes away
            return
        say(greeting)
        while line := await reader.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            self.heard.append(f"{verb} {rest}".strip())
            verb = verb.lower()
            usual = {"ehlo": "", "starttls": "220 go on", "auth": "235 in", "data": "354 go on"}
            answer = self.answers.get(verb, usual.get(verb, "250 so be it"))
            if verb == "ehlo" and not answer:
                offers = [*self.offers, *(["STARTTLS"] if self.tls else []), "AUTH PLAIN"]
                answer = "\r\n".join([*(f"250-{one}" for one in ("here", *offers)), "250 HELP"])
            if not answer:
                return
            say(answer)
            if verb == "quit":
                return
            if verb == "starttls" and self.tls and answer.startswith("2"):
                await writer.start_tls(self.tls)
            if verb == "data" and answer.startswith("3"):
                letter = await reader.readuntil(b"\r\n.\r\n")
                said = self.answers.get("letter", "250 taken")
                if said.startswith("2"):
                    self.taken.append(letter)
                say(said)


def secured(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server of this address shows, and the file that vouches for it."""
    made = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.both)
    return context, made.public
