"""Serve the forms by which people enter, join and leave.

    /enter          name and password, or the token of the link
    /enter/join     a new account, or a new password, by the code of an invitation
    /enter/leave    sign out, here or everywhere

Plain HTML without a script: nothing of the studio is loaded before somebody has entered. A form of
another site does not get here (`studio.web_server` compares origins), and gets no cookie (SameSite).
"""

import html
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TypeVar
from urllib.parse import parse_qs, urlencode

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from studio.accounts import invitations, sessions
from studio.accounts.access import cookie_of_token, is_token
from studio.accounts.passwords import SHORTEST
from studio.accounts.sign_in import TooSoon, sign_in
from studio.errors import StudioError
from studio.language import current_language, say
from studio.store import Store, open_store
from studio.team.people import LONGEST_NAME
from studio.web.access import ENTRANCE, Gate, client_address, cookie_header, cookie_in
from studio.workspace import current_settings

Found = TypeVar("Found")

_LARGEST_FORM = 16_384
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",  # the code of an invitation stands in the address
    "X-Content-Type-Options": "nosniff",
}
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2937; --ground: #f4f6f9; --card: #fff; --line: #8a93a3;
  --main: #2b5c9e; --on: #fff; --bad: #a32018; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --ground: #12171f; --card: #1d2530;
  --line: #6b7688; --main: #8db8f0; --on: #12171f; --bad: #ffb4ab; } }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 'Noto Sans SC', 'PingFang SC',
  'Microsoft YaHei', sans-serif; margin: 0; }
main { background: var(--card); border-radius: 8px; box-sizing: border-box; margin: 10vh auto 2rem;
  max-width: 26rem; padding: 1.5rem 2rem 2rem; width: calc(100% - 2rem); }
h1 { font-size: 1.3rem; } label { display: block; margin: .8rem 0 .2rem; }
input { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  box-sizing: border-box; color: inherit; font: inherit; padding: .5rem .6rem; width: 100%; }
button { background: var(--main); border: 0; border-radius: 6px; color: var(--on); cursor: pointer;
  font: inherit; font-weight: 600; margin-top: 1.2rem; padding: .55rem 1.2rem; }
button.second { background: none; color: var(--main); padding-left: 0; }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
[role=alert] { color: var(--bad); } a { color: var(--main); }
"""


class Entrance(Gate):
    """The forms of one studio."""

    def routes(self) -> list[Route]:
        """List the routes of the entrance."""
        enter = self.enter_by_token if self.mode == "token" else self.enter
        found = [Route(f"{self.base}{ENTRANCE}", enter, methods=["GET", "POST"])]
        if self.mode == "accounts":
            found.append(Route(f"{self.base}{ENTRANCE}/join", self.join, methods=["GET", "POST"]))
            found.append(Route(f"{self.base}{ENTRANCE}/leave", self.leave, methods=["GET", "POST"]))
        return found

    async def enter(self, request: Request) -> Response:
        """Ask for name and password, and begin a session."""
        form = await _form(request)
        where = _inside(form.get("next") or request.query_params.get("next"), self.base)
        fields = [_field("name", say("名字", "Name"), form.get("name", ""), autocomplete="username")]
        fields.append(
            _field("password", say("密码", "Password"), kind="password", autocomplete="current-password")
        )
        problem, status = "", 200
        if request.method == "POST":
            try:
                token = await self._with_store(
                    lambda db: sign_in(
                        db,
                        form.get("name", ""),
                        form.get("password", ""),
                        address=client_address(request.scope),
                        agent=request.headers.get("user-agent", ""),
                    )
                )
                return self._entered(request, where, token)
            except StudioError as error:
                problem, status = error.problem, 429 if isinstance(error, TooSoon) else 403
        return _page(say("登录", "Sign in"), fields, {"next": where}, problem=problem, status=status)

    async def enter_by_token(self, request: Request) -> Response:
        """Ask for the token of the link that `up` printed."""
        form = await _form(request)
        where = _inside(form.get("next") or request.query_params.get("next"), self.base)
        problem = ""
        if request.method == "POST":
            if is_token(self.workspace, form.get("token", "").strip()):
                return self._entered(request, where, cookie_of_token(self.workspace))
            problem = say("令牌不对。", "This is not the token.")
        hint = say(
            "请打开启动时终端里显示的链接，或把其中 token= 后面的内容贴在这里。",
            "Open the link that the terminal showed at the start, or paste what follows token= in it.",
        )
        fields = [_field("token", say("令牌", "Token"), kind="password", autocomplete="off")]
        status = 403 if problem else 200
        return _page(
            say("打开工作区", "Open the studio"),
            fields,
            {"next": where},
            problem=problem,
            hint=hint,
            status=status,
        )

    async def join(self, request: Request) -> Response:
        """Ask for a name and a password, and make the account that an invitation promises."""
        form = await _form(request)
        code = form.get("code") or request.query_params.get("code", "")
        problem, status = "", 200
        whose = None
        try:
            if request.method == "POST":
                name = await self._with_store(
                    lambda db: invitations.accept(
                        db, code, name=form.get("name", ""), password=form.get("password", "")
                    )
                )
                address, agent = client_address(request.scope), request.headers.get("user-agent", "")
                token = await self._with_store(
                    lambda db: sessions.begin_session(db, name, address=address, agent=agent)
                )
                return self._entered(request, f"{self.base}/", token)
            if code:
                whose = await self._with_store(lambda db: invitations.name_of_code(db, code))
        except StudioError as error:
            problem, status = f"{error.problem}{error.remedy}", 403
        fields = [_field("code", say("邀请码", "Invitation code"), code, autocomplete="off")]
        if whose is None:
            label = say("您的名字（大家看得到）", "Your name, which the others see")
            fields.append(
                _field("name", label, form.get("name", ""), autocomplete="username", most=LONGEST_NAME)
            )
        label = say(f"密码，至少 {SHORTEST} 个字符", f"Password, at least {SHORTEST} characters")
        fields.append(_field("password", label, kind="password", autocomplete="new-password"))
        title = say("加入", "Join") if whose is None else say(f"{whose}：新密码", f"{whose}: a new password")
        return _page(title, fields, {}, problem=problem, status=status)

    async def leave(self, request: Request) -> Response:
        """Ask whether to sign out here or everywhere, and do it."""
        form = await _form(request)
        if request.method == "GET":
            everywhere = say("在所有设备上退出", "Sign out everywhere")
            return _page(say("退出登录", "Sign out"), [], {}, second=("everywhere", everywhere))
        token = cookie_in(request.scope, self.cookie)

        def end(db: Store) -> None:
            name = sessions.name_of(db.conn, token)
            if name and "everywhere" in form:
                sessions.end_sessions(db, name)
            sessions.end_session(db, token)

        await self._with_store(end)
        self.found.clear()
        answer = RedirectResponse(f"{self.base}{ENTRANCE}", status_code=303, headers=_HEADERS)
        answer.raw_headers.append(cookie_header(self.cookie, "", request.scope, seconds=0))
        return answer

    def _entered(self, request: Request, where: str, cookie: str) -> Response:
        answer = RedirectResponse(where, status_code=303, headers=_HEADERS)
        answer.raw_headers.append(cookie_header(self.cookie, cookie, request.scope))
        return answer

    async def _with_store(self, work: Callable[[Store], Found]) -> Found:
        def use() -> Found:
            with closing(open_store(self.workspace.database)) as db:
                return work(db)

        return await anyio.to_thread.run_sync(use)


async def _form(request: Request) -> Mapping[str, str]:
    """Read a form of a few fields, and choose the language of the answer; {} for a GET, or one too large."""
    asked = request.query_params.get("lang")
    preferred = request.headers.get("accept-language", "")
    setting = current_settings().lang
    current_language.set(
        "en" if asked == "en" or (asked != "zh" and _prefers_english(preferred, setting)) else "zh"
    )
    if request.method != "POST":
        return {}
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}


def _prefers_english(header: str, setting: str) -> bool:
    first = header.partition(",")[0].strip().lower()
    if first.startswith("zh"):
        return False
    return first.startswith("en") or setting == "en"


def _inside(where: str | None, base: str) -> str:
    """Return where to go next, if it is an address of this studio; else its first page."""
    where = where or ""
    # A browser reads // and /\ as the beginning of another host's address.
    is_ours = where.startswith("/") and not where.startswith("//") and "\\" not in where and where.isascii()
    return where if is_ours and where.isprintable() else f"{base}/"


def _field(
    name: str, label: str, value: str = "", *, kind: str = "text", autocomplete: str, most: int = 200
) -> str:
    attributes = {
        "id": name,
        "name": name,
        "type": kind,
        "value": value,
        "autocomplete": autocomplete,
        "maxlength": str(most),
    }
    written = " ".join(f'{key}="{html.escape(text)}"' for key, text in attributes.items())
    return f'<label for="{name}">{html.escape(label)}</label><input {written} required>'


def _page(
    title: str,
    fields: list[str],
    hidden: Mapping[str, str],
    *,
    problem: str = "",
    hint: str = "",
    second: tuple[str, str] | None = None,
    status: int = 200,
) -> Response:
    """Write a form. Everything that comes from elsewhere is escaped."""
    lang = "zh-CN" if current_language.get() == "zh" else "en"
    kept = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in hidden.items()
    )
    other, other_name = ("en", "English") if lang == "zh-CN" else ("zh", "中文")
    query = urlencode({**hidden, "lang": other})
    parts = [
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)} - News Studio</title><style>{_STYLE}</style><main>",
        f"<h1>News Studio<br>{html.escape(title)}</h1>",
        f"<p>{html.escape(hint)}</p>" if hint else "",
        f'<p role="alert">{html.escape(problem)}</p>' if problem else "",
        f'<form method="post">{kept}{"".join(fields)}<button>{html.escape(title)}</button>',
        f'<br><button class="second" name="{second[0]}" value="1">{html.escape(second[1])}</button>'
        if second
        else "",
        f'</form><p><a href="?{html.escape(query)}" lang="{other}">{other_name}</a></p></main></html>',
    ]
    return HTMLResponse("".join(parts), status_code=status, headers=_HEADERS)
