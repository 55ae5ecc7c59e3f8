"""The first operator over HTTP: a page behind the link that the server prints, and its answer."""

from base64 import b64encode
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.permissions import EVERYONE, allow
from api.ports import logins_of, stranger
from api.routes import Routes
from commands import Name
from commands.identity.appointment import AppointFirstOperator
from commands.identity.password import Password
from commands.identity.user import Email, Username

PATH = "/first-operator"
MAX_CODE = 100
# The code stands behind the #: browsers send nothing of that, so no log of requests has it.
SCRIPT = """
document.querySelector("form").onsubmit = async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(event.target));
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({...fields, code: location.hash.slice(1)}),
  });
  const said = await answer.json();
  document.querySelector("output").textContent =
    answer.ok ? "You are the first operator. Log in at /api/v1/login." : said.detail;
};
"""
STYLE = "body{font:1rem system-ui;max-width:22rem;margin:3rem auto}input{width:100%;margin:.2rem 0}"
PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Aorist: the first operator</title>
<style>{STYLE}</style>
<h1>The first operator</h1>
<p>Operators grant roles to users. This link is good for one.</p>
<form>
<label>Name <input name="name" required></label>
<label>Username <input name="username" required autocomplete="username"></label>
<label>E-mail <input name="email" type="email" required></label>
<label>Password <input name="password" type="password" required minlength="8"
 autocomplete="new-password"></label>
<button>Become the first operator</button>
</form>
<p><output></output></p>
<script>{SCRIPT}</script>
</html>
"""


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_source(SCRIPT)}; style-src {_source(STYLE)}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class FirstOperator(BaseModel):
    """Who becomes the first operator, and the code that the server printed."""

    model_config = ConfigDict(extra="forbid")
    code: Annotated[SecretStr, Field(max_length=MAX_CODE)]
    username: Username
    email: Email
    name: Name
    password: Password


class Appointed(BaseModel):
    """The first operator's id."""

    user_id: UUID


routes = Routes(tags=["login"])


@routes.get(PATH, operation_id="first_operator_page", response_class=HTMLResponse)
@allow(EVERYONE)
async def first_operator_page() -> HTMLResponse:
    """Show the page on which the first operator registers."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@routes.post(PATH, operation_id="first_operator", status_code=201)
@allow(EVERYONE)
async def first_operator(request: Request, body: FirstOperator) -> Appointed:
    """Register the first operator, with the code that the server printed. It is good once."""
    logins = logins_of(request)
    command = AppointFirstOperator(
        username=body.username, email=body.email, name=body.name, password=body.password
    )
    code = body.code.get_secret_value()
    return Appointed(user_id=await logins.appoint(code, command, stranger(request)))
