"""Nobody gets at anything of a studio, by any path and any protocol, before having proved who they are."""

import http.client
import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.parse

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from studio.accounts.access import access_token
from studio.workspace import open_workspace
from tests.support.tiny_runs import end_everything, wait_until
from tests.support.web_process import ROOT, free_port

GOOD = "three unrelated 青蛙"
MAIN = "from studio.cli.main import main; main()"
PATHS = [
    "/",
    "/label",
    "/team?annotator=admin",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/script-health-check",
    "/_stcore/upload_file/x/y",
    "/media/0123456789abcdef.csv",
    "/static/js/index.js",
    "/component/x/index.html",
    "/app/static/x",
    "/metrics",
    "/healthz",
    "/enterprise",
    "/_stcore/healthy",
    "//enter",
    "/x/../enter",
    "/%2e%2e/label",
]


class Studio:
    """A studio that `up` has started, and a browser's jar for its cookie."""

    def __init__(self, home, port, told):
        self.home, self.port, self.told = home, port, told
        self.cookie = ""

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if body is not None:
            body = urllib.parse.urlencode(body)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        answer.text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer

    def send(self, path, **fields):
        answer = self.ask(path, "POST", fields, Origin=f"http://127.0.0.1:{self.port}")
        if set_cookie := answer.headers.get("set-cookie"):
            self.cookie = set_cookie.partition(";")[0]
        return answer

    def opens_a_page(self):
        """Whether the WebSocket over which every page works opens."""
        try:
            with connect(
                f"ws://127.0.0.1:{self.port}/_stcore/stream",
                sock=socket.create_connection(("127.0.0.1", self.port)),
                additional_headers={"Cookie": self.cookie} if self.cookie else {},
                proxy=None,
                open_timeout=60,
            ):
                return True
        except InvalidStatus as refused:
            assert refused.response.status_code == 403
            return False


def studio(home, *options):
    port = free_port()
    command = [sys.executable, "-c", MAIN, "up", "--home", str(home), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
        try:
            told = up.stdout.readline()
            if "--accounts" in options:
                told += up.stdout.readline()
            yield Studio(home, port, told)
        finally:
            up.terminate()
            up.wait(60)
    end_everything(open_workspace(home))


@pytest.fixture(scope="module")
def by_account(tmp_path_factory):
    yield from studio(tmp_path_factory.mktemp("accounts"), "--accounts", "--name", "news.example")


@pytest.fixture(scope="module")
def by_token(tmp_path_factory):
    yield from studio(tmp_path_factory.mktemp("token"))


@pytest.fixture(autouse=True)
def no_cookie(request):
    yield
    for name in ("by_account", "by_token"):
        if name in request.fixturenames:
            request.getfixturevalue(name).cookie = ""


@pytest.mark.parametrize("which", ["by_account", "by_token"])
def test_a_stranger_gets_nothing_but_the_entrance(which, request):
    stranger = request.getfixturevalue(which)
    for cookie in ("", f"a=b; c; news_studio_{stranger.port}=x"):
        stranger.cookie = cookie
        for path in PATHS:
            for method in ("GET", "POST", "PUT"):
                answer = stranger.ask(path, method)
                assert answer.status in (303, 401), (method, path, answer.status)
                assert answer.status == 401 or answer.headers["location"].startswith("/enter?next=")
        assert not stranger.opens_a_page()
    stranger.cookie = ""
    assert stranger.ask("/metrics", Authorization="Bearer x").status == 303
    shown = stranger.ask("/enter")
    assert shown.status == 200 and "script" not in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]


def test_the_first_admin_joins_by_the_terminals_link_and_stays_signed_in(by_account):
    path = re.search(r"/enter/join\?code=\S+", by_account.told)[0]
    form = by_account.ask(path)
    code = path.partition("code=")[2]
    assert form.status == 200 and code in form.text
    weak = by_account.send("/enter/join", code=code, name="主编", password="1234567890")
    assert weak.status == 403 and 'role="alert"' in weak.text
    joined = by_account.send("/enter/join", code=code, name="主编", password=GOOD)
    assert joined.status == 303 and joined.headers["location"] == "/"
    flags = joined.headers["set-cookie"]
    assert "HttpOnly" in flags and "SameSite=Lax" in flags and "Secure" not in flags
    assert by_account.ask("/").status == 200 and by_account.opens_a_page()
    assert by_account.ask("/metrics").status == 200
    assert by_account.send("/enter/join", code=code, name="乙", password=GOOD).status == 403


def test_signing_in_and_out(by_account):
    wrong = by_account.send("/enter", name="主编", password="wrong", next="/")
    assert wrong.status == 403 and "wrong" not in wrong.text
    entered = by_account.send("/enter", name="主编", password=GOOD, next="/label?title=3")
    assert (entered.status, entered.headers["location"]) == (303, "/label?title=3")
    kept = by_account.cookie
    assert by_account.opens_a_page()
    assert by_account.send("/enter/leave").status == 303
    by_account.cookie = kept
    assert not by_account.opens_a_page() and by_account.ask("/label").status == 303


def test_guesses_wait(by_account):
    statuses = [by_account.send("/enter", name="nobody", password=f"guess {n}").status for n in range(6)]
    assert statuses[:3] == [403] * 3 and 429 in statuses


def test_the_form_leads_to_no_other_site_and_writes_no_markup(by_account):
    for away in (
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\r\nX: y",
        "",
    ):
        shown = by_account.ask("/enter?" + urllib.parse.urlencode({"next": away}))
        assert 'name="next" value="/"' in shown.text, away
    markup = '"><script>alert(1)</script>'
    shown = by_account.send("/enter", name=markup, password="x", next="/")
    assert "<script" not in shown.text and "&lt;script" in shown.text
    shown = by_account.ask("/enter/join?" + urllib.parse.urlencode({"code": markup}))
    assert "<script" not in shown.text
    assert by_account.ask("/enter", "POST", {"name": "x" * 100_000}).status in (200, 403)


def test_a_form_of_another_site_is_refused(by_account):
    fields = {"name": "主编", "password": GOOD}
    answer = by_account.ask("/enter", "POST", fields, Origin="http://evil.example")
    assert answer.status == 403 and "set-cookie" not in answer.headers


def test_a_proxy_on_this_computer_says_who_asks_and_that_it_is_by_tls(by_account):
    fields = {"name": "主编", "password": GOOD, "next": "/"}
    answer = by_account.ask(
        "/enter", "POST", fields,
        Host="news.example", Origin="https://news.example", X_Forwarded_Proto="https", X_Forwarded_For="1.2.3.4, 203.0.113.9",
    )  # fmt: skip
    assert answer.status == 303 and answer.headers["set-cookie"].endswith("; Secure")
    listed = subprocess.run(
        [sys.executable, "-c", MAIN, "accounts", "list", "--json", "--home", str(by_account.home)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "203.0.113.9" in listed and "1.2.3.4" not in listed


def test_the_form_speaks_the_readers_language(by_account):
    assert 'lang="zh-CN"' in by_account.ask("/enter", Accept_Language="zh-CN,zh;q=0.9").text
    assert "Sign in" in by_account.ask("/enter", Accept_Language="en-US,en;q=0.9").text
    assert "登录" in by_account.ask("/enter?lang=zh", Accept_Language="en-US").text


def test_the_link_of_the_terminal_opens_the_studio_once_and_then_the_cookie_does(by_token):
    link = re.search(r"http://\S+token=[\w-]+", by_token.told)[0]
    path = link.partition(str(by_token.port))[2]
    opened = by_token.ask(f"/label?title=3&{path.partition('?')[2]}")
    assert (opened.status, opened.headers["location"]) == (303, "/label?title=3")
    by_token.cookie = opened.headers["set-cookie"].partition(";")[0]
    assert by_token.ask("/label").status == 200 and by_token.opens_a_page()
    by_token.cookie = ""
    assert by_token.ask("/?token=wrong").status == 303
    token = access_token(open_workspace(by_token.home))
    assert by_token.ask("/metrics", Authorization=f"Bearer {token}").status == 200
    assert by_token.send("/enter", token="wrong").status == 403
    assert by_token.send("/enter", token=token).status == 303 and by_token.opens_a_page()


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{tls} ssl; server_name news.example;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    {location}
  }}
}}
"""


def guide_location(port):
    """The block that docs/operations.md tells an operator to write."""
    text = (ROOT / "docs/operations.md").read_text()
    block = re.search(r"^location /studio/ \{.*?^\}", text, re.MULTILINE | re.DOTALL)[0]
    return block.replace("127.0.0.1:8501", f"127.0.0.1:{port}")


@pytest.mark.skipif(
    not shutil.which("nginx") or not shutil.which("openssl"), reason="nginx or openssl is absent"
)
def test_behind_a_proxy_with_tls_under_a_path(tmp_path):
    """As the guide says: the form, the cookie, a page and its WebSocket, through nginx."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=news.example -addext subjectAltName=DNS:news.example"
    subprocess.run(
        [*make.split(), "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    options = ("--accounts", "--name", "news.example", "--base-path", "studio")
    for own in studio(tmp_path / "home", *options):
        tls = free_port()
        written = NGINX.format(folder=tmp_path, tls=tls, location=guide_location(own.port))
        (tmp_path / "nginx.conf").write_text(written)
        with subprocess.Popen(["nginx", "-c", tmp_path / "nginx.conf", "-p", tmp_path]) as proxy:
            try:
                code = re.search(r"code=(\S+)", own.told)[1]
                through_proxy(tls, code, ssl.create_default_context(cafile=tmp_path / "cert.pem"))
            finally:
                proxy.terminate()


def through_proxy(tls, code, trust):
    wait_until(lambda: not isinstance(attempt(lambda: socket.create_connection(("127.0.0.1", tls))), OSError))

    def ask(method, path, cookie="", **fields):
        with (
            socket.create_connection(("127.0.0.1", tls)) as plain,
            trust.wrap_socket(plain, server_hostname="news.example") as sock,
        ):
            connection = http.client.HTTPConnection("news.example")
            connection.sock = sock
            headers = {"Origin": "https://news.example", "Accept": "text/html", "Cookie": cookie}
            body = urllib.parse.urlencode(fields)
            connection.request(method, f"/studio{path}", body, headers)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer

    asked = ask("GET", "/label")
    assert (asked.status, asked.headers["location"]) == (303, "/studio/enter?next=%2Fstudio%2Flabel")
    joined = ask("POST", "/enter/join", code=code, name="主编", password=GOOD)
    assert (joined.status, joined.headers["location"]) == (303, "/studio/")
    assert "Secure" in joined.headers["set-cookie"]
    cookie = joined.headers["set-cookie"].partition(";")[0]
    shown = ask("GET", "/label", cookie)
    assert shown.status == 200 and "<script" in shown.text
    for headers, opens in (({"Cookie": cookie}, True), ({}, False)):
        with socket.create_connection(("127.0.0.1", tls)) as sock:
            opened = attempt(
                lambda sock=sock, headers=headers: connect(
                    "wss://news.example/studio/_stcore/stream", sock=sock, ssl=trust,
                    origin="https://news.example", additional_headers=headers, proxy=None,
                ).close()
            )  # fmt: skip
            assert (opened is None) == opens, opened


def attempt(act):
    """Return the error of an act; what it returns otherwise."""
    try:
        return act()
    except (OSError, InvalidStatus) as error:
        return error


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_computers_are_not_served_without_accounts(tmp_path, address):
    asked = subprocess.run(
        [sys.executable, "-c", MAIN, "up", "--home", str(tmp_path), "--port", str(free_port()), "--host", address],
        capture_output=True, text=True,
    )  # fmt: skip
    assert asked.returncode == 2 and "--accounts" in asked.stderr


def test_the_web_process_itself_refuses_too(tmp_path):
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "studio/web_server.py",
        "--server.port",
        str(free_port()),
    ]
    ended = subprocess.run(
        [*command, "--server.address", "0.0.0.0"], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={"STUDIO_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert ended.returncode == 2 and "without accounts" in ended.stderr
