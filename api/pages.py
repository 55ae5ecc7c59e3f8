"""Pages for people without a program: a form behind a link whose secret stands behind its #."""

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from html import escape
from json import dumps

from fastapi.responses import HTMLResponse

# Browsers send nothing of what is behind the #, so no log of requests has the secret.
SCRIPT = """
document.querySelector("form").onsubmit = async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(event.target));
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({...fields, SECRET: location.hash.slice(1)}),
  });
  const said = answer.ok ? DONE : (await answer.json()).detail;
  document.querySelector("output").textContent = said;
};
"""
STYLE = "body{font:1rem system-ui;max-width:22rem;margin:3rem auto}input{width:100%;margin:.2rem 0}"


@dataclass(frozen=True, slots=True)
class Input:
    """A field of the form."""

    name: str
    label: str
    kind: str = "text"
    autocomplete: str = ""
    shortest: int = 1

    def html(self) -> str:
        """Return it as HTML."""
        more = f' autocomplete="{self.autocomplete}"' if self.autocomplete else ""
        more += f' minlength="{self.shortest}"'
        return f'<label>{self.label} <input name="{self.name}" type="{self.kind}" required{more}>'


@dataclass(frozen=True)
class Page:
    """A page with one form, which it posts to its own address as JSON."""

    title: str
    text: str
    button: str
    done: str
    """What is said when it worked; else the problem's detail is."""
    secret: str
    """The field of the body that takes what is behind the #."""
    fields: tuple[Input, ...] = ()

    @cached_property
    def _script(self) -> str:
        return SCRIPT.replace("SECRET", dumps(self.secret)).replace("DONE", dumps(self.done))

    @cached_property
    def _html(self) -> str:
        inputs = "\n".join(f"{one.html()}</label>" for one in self.fields)
        return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Aorist: {escape(self.title)}</title>
<style>{STYLE}</style>
<h1>{escape(self.title)}</h1>
<p>{escape(self.text)}</p>
<form>
{inputs}
<button>{escape(self.button)}</button>
</form>
<p><output></output></p>
<script>{self._script}</script>
</html>
"""

    @cached_property
    def _policy(self) -> str:
        return (
            f"default-src 'none'; script-src {_source(self._script)}; "
            f"style-src {_source(STYLE)}; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )

    def answer(self) -> HTMLResponse:
        """Return the answer that shows it."""
        return HTMLResponse(self._html, headers={"Content-Security-Policy": self._policy})


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
