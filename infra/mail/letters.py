"""What is in a letter: a few plain sentences and a link. The token is behind the link's #."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid, parseaddr
from typing import NamedTuple

from domain.identity.letter import LIFETIMES, RESET, VERIFY

PAGES = {VERIFY: "/api/v1/verify-email", RESET: "/api/v1/reset-password"}
"""Where the links lead, below the public URL."""


class Text(NamedTuple):
    """A letter's words; `{link}` and `{hours}` are filled in."""

    subject: str
    body: str


TEXTS = {
    VERIFY: Text(
        "Confirm your e-mail address",
        """\
Somebody, hopefully you, gave this address at Aorist. To confirm that it is yours, open

{link}

within {hours} hours. If it was not you, do nothing: nobody can use your address without this link.
""",
    ),
    RESET: Text(
        "Choose another password",
        """\
Somebody, hopefully you, asked for another password at Aorist. To choose one, open

{link}

within {hours} hour. It ends all your logins. If it was not you, do nothing: your password stays.
""",
    ),
}


class Writing:
    """Writes letters."""

    def __init__(self, sender: str, public_url: str) -> None:
        self._sender = sender
        self._public_url = public_url.rstrip("/")

    def letter(self, to: str, purpose: str, token: str) -> EmailMessage:
        """Return a letter. Raises `ValueError` for an address that no header can say."""
        words, hours = TEXTS[purpose], int(LIFETIMES[purpose].total_seconds() // 3600)
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = self._sender, to, words.subject
        message["Date"] = datetime.now(UTC)
        domain = parseaddr(self._sender)[1].rpartition("@")[2]
        message["Message-ID"] = make_msgid(domain=domain or None)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
        link = f"{self._public_url}{PAGES[purpose]}#{token}"
        message.set_content(words.body.format(link=link, hours=hours), cte="8bit")
        return message
