"""Letters by SMTP (RFC 5321), beside the event loop, with a bound on everything."""

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from typing import ClassVar

import structlog

from commands.identity.letter import Answer, Mail, Outcome
from infra.mail.letters import Writing
from infra.settings import Settings

THREADS = 4
"""Letters on their way at once."""
ANSWER_S = 10.0
"""How long each answer of the server is waited for."""
LETTER_S = 60.0
"""How long a letter may take, the wait for a free thread included."""
PERMANENT = 500
"""The server's answers from here on are the same however often it is asked."""

log = structlog.get_logger("aorist.mail")


class _Refused(Exception):
    """The server will not take this letter, whenever it comes."""


class Smtp:
    """Hands each letter to a mail server, in a connection of its own."""

    PORT: ClassVar[type] = Mail

    def __init__(self, settings: Settings, writing: Writing) -> None:
        self._settings = settings
        self._writing = writing
        self._threads = ThreadPoolExecutor(THREADS, "mail")

    async def send(self, to: str, purpose: str, token: str) -> Answer:
        """Send the letter; whatever is wrong with the server is no fault of the letter's."""
        try:
            letter = self._writing.letter(to, purpose, token)
        except ValueError as error:
            return Answer(Outcome.REFUSED, _word(error))
        try:
            async with asyncio.timeout(LETTER_S):
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, self._hand_over, letter)
        except _Refused as refused:
            return Answer(Outcome.REFUSED, _word(refused.__cause__ or refused))
        except (OSError, smtplib.SMTPException) as error:  # a timeout is an OSError
            log.warning("mail server away", host=self._settings.smtp_host, error=_word(error))
            return Answer(Outcome.AWAY, _word(error))
        return Answer(Outcome.SENT)

    async def fault(self) -> str | None:
        """Return why no letter could be handed over now; None when one could."""

        def tried() -> None:
            self._connected().close()

        try:
            async with asyncio.timeout(LETTER_S):
                await asyncio.get_running_loop().run_in_executor(self._threads, tried)
        except (OSError, smtplib.SMTPException) as error:
            return _word(error)
        return None

    def _hand_over(self, letter: EmailMessage) -> None:
        server = self._connected()
        try:
            _give(server, letter)
        finally:
            # Whatever it says to that: a letter that it has taken is not sent again.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        chosen = self._settings
        place = chosen.smtp_host, chosen.smtp_port
        if chosen.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(*place, timeout=ANSWER_S, context=self._tls())
        else:
            server = smtplib.SMTP(*place, timeout=ANSWER_S)
        try:
            if chosen.smtp_security == "starttls":
                server.starttls(context=self._tls())
            if chosen.smtp_user:
                server.login(chosen.smtp_user, chosen.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.smtp_ca_file)


def _give(server: smtplib.SMTP, letter: EmailMessage) -> None:
    """Send a letter. Raises `_Refused` when it will never be taken."""
    try:
        server.send_message(letter)
    except smtplib.SMTPRecipientsRefused as error:
        if _code(error) >= PERMANENT:
            raise _Refused from error
        raise
    except smtplib.SMTPDataError as error:
        if error.smtp_code >= PERMANENT:
            raise _Refused from error
        raise
    except smtplib.SMTPNotSupportedError as error:
        raise _Refused from error  # the address needs SMTPUTF8, and it has none


def _code(error: smtplib.SMTPRecipientsRefused) -> int:
    return min(code for code, _ in error.recipients.values())


def _word(error: BaseException) -> str:
    """Return what went wrong without what the server said: that may name the receiver."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"SMTP {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"SMTP {_code(error)}"
    return type(error).__name__
