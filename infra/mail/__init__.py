"""The post: letters by SMTP, or into a folder."""

from infra.mail.folder import Folder
from infra.mail.letters import Writing
from infra.mail.smtp import Smtp
from infra.settings import Settings


def post(settings: Settings) -> Folder | Smtp:
    """Return what sends letters: a mail server when one is set, else a folder keeps them."""
    writing = Writing(settings.mail_from, settings.public_url)
    return Smtp(settings, writing) if settings.smtp_host else Folder(settings.mail_folder, writing)
