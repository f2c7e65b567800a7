"""Drafts wait for a person; what nobody accepted is never frozen, and nothing is imported twice."""

import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.annotation import annotations, autosave
from studio.cli.main import app
from studio.contract import Drafted, DraftSpec
from studio.corpus.titles import get_title
from studio.datasets.versions import freeze
from studio.errors import InputError, StalePress, TeacherUnavailable, WorkspaceBusy
from studio.ingest.importer import import_text
from studio.jobs import queue as jobs
from studio.serving.servers import ensure_server
from studio.teacher import drafts
from studio.teacher import runs as teacher_runs
from studio.teacher.endpoints import travels_in_the_clear
from studio.teacher.key import key_place, read_key
from studio.teacher.keys import remove_key, save_key
from studio.teacher.prompts import clean_answer, estimate
from studio.team import people, rights
from studio.workspace import BUNDLED_MODEL, SAMPLE_RUN
from tests.support.samples import CHAIN, SCHEME, new_store
from tests.support.tiny_runs import end_everything, wait_until
from tests.support.tiny_teacher import Teacher, well
from tests.support.titles import next_waiting

TITLES = ["主队绝杀", "女排夺冠", "马拉松开跑", "央行降息", "油价下调"]
LATER = "9999"


@pytest.fixture
def home(tmp_path):
    db, workspace = new_store(tmp_path / "home")
    yield db, workspace
    end_everything(workspace)


@pytest.fixture
def labelled(home):
    """Five labelled titles without a chain."""
    db, _ = home
    import_text(db, "\n".join(TITLES), SCHEME)
    return [
        annotations.annotate(db, t.id, category="体育", author="ann", seen_revision=t.revision)
        for t in next_waiting(db, limit=len(TITLES))
    ]


@pytest.fixture
def teacher():
    server = Teacher()
    yield server
    server.close()


def spec(url="http://127.0.0.1:9/v1", **settings):
    return DraftSpec(base_url=url, model="tiny", concurrency=1, attempts=1, **settings)


def prepared(workspace):
    return runs.prepare_job(workspace, spec(), files={"titles.jsonl": b""})


def write(job, titles, chain=CHAIN, end="\n"):
    with (job.folder / "drafts.jsonl").open("a") as file:
        for title in titles:
            line = Drafted(
                title_id=title.id,
                decision_id=title.decision_id,
                title=title.text,
                category="体育",
                chain=chain,
                remarks=("chain_short",),
            )
            file.write(line.model_dump_json() + end)


def drafted(db, workspace, titles):
    """Make a run that drafted these titles, and import its drafts."""
    job = prepared(workspace)
    write(job, titles)
    drafts.take_in(db, workspace)
    return [drafts.pending_draft(db, title.id) for title in titles]


def test_lines_are_imported_once_while_the_run_goes_on(home, labelled):
    db, workspace = home
    job = prepared(workspace)
    write(job, labelled[:2])
    write(job, labelled[2:3], end="")
    assert drafts.take_in(db, workspace) == 2
    assert drafts.take_in(db, workspace) == 0
    (job.folder / "drafts.jsonl").open("a").write("\n")
    assert drafts.take_in(db, workspace) == 1
    assert drafts.count_pending(db) == 3


def test_failed_torn_and_foreign_lines_are_left_out(home, labelled):
    db, workspace = home
    job = prepared(workspace)
    write(job, labelled[:1], chain=None)
    (job.folder / "drafts.jsonl").open("a").write('{"title_id": 1, "chai\n')
    foreign = json.loads((job.folder / "drafts.jsonl").read_text().splitlines()[0])
    foreign |= {"title": "别的库里的标题", "chain": CHAIN}
    (job.folder / "drafts.jsonl").open("a").write(json.dumps(foreign) + "\n")
    write(job, labelled[1:2])
    assert drafts.take_in(db, workspace) == 1


def test_a_draft_is_no_chain_until_it_is_accepted(home, labelled):
    db, workspace = home
    first, *_ = drafted(db, workspace, labelled)
    version = freeze(db, workspace, "news", eval_share=0.4, author="a", scheme=SCHEME)
    assert CHAIN.encode() not in b"".join(version.files.values())
    drafts.accept(
        db, first.id, category="体育", chain=first.chain, author="ann", seen_revision=labelled[0].revision
    )
    later = freeze(db, workspace, "news", eval_share=0.4, author="a", scheme=SCHEME)
    assert b"".join(later.files.values()).decode().count(CHAIN) == 1


def test_accepted_edited_and_rejected_are_counted_apart(home, labelled):
    db, workspace = home
    one, two, three, *_ = drafted(db, workspace, labelled)
    for draft, title, chain in ((one, labelled[0], CHAIN), (two, labelled[1], CHAIN + "就这样。")):
        drafts.accept(db, draft.id, category="体育", chain=chain, author="ann", seen_revision=title.revision)
    drafts.reject(db, three.id, author="ann")
    counts = drafts.draft_outcomes(db, one.run_id)
    assert (counts.accepted, counts.edited, counts.rejected, counts.waiting) == (1, 1, 1, 2)
    assert get_title(db, labelled[1].id).chain == CHAIN + "就这样。"
    assert get_title(db, labelled[2].id).chain is None


def test_an_undone_acceptance_brings_the_draft_back(home, labelled):
    db, workspace = home
    (draft,) = drafted(db, workspace, labelled[:1])
    drafts.accept(
        db, draft.id, category="体育", chain=CHAIN, author="ann", seen_revision=labelled[0].revision
    )
    assert drafts.pending_draft(db, labelled[0].id) is None
    annotations.undo(db, author="ann")
    assert drafts.pending_draft(db, labelled[0].id) == draft


def test_a_draft_for_an_earlier_decision_waits_no_more(home, labelled):
    db, workspace = home
    (draft,) = drafted(db, workspace, labelled[:1])
    title = labelled[0]
    annotations.annotate(db, title.id, category="娱乐", author="ann", seen_revision=title.revision)
    assert drafts.pending_draft(db, title.id) is None
    with pytest.raises(StalePress):
        drafts.reject(db, draft.id, author="ann")


def test_two_people_cannot_review_one_draft(home, labelled):
    db, workspace = home
    (draft,) = drafted(db, workspace, labelled[:1])
    drafts.reject(db, draft.id, author="ann")
    with pytest.raises(StalePress):
        drafts.accept(
            db, draft.id, category="体育", chain=CHAIN, author="bo", seen_revision=labelled[0].revision
        )
    assert get_title(db, labelled[0].id).chain is None


def test_the_next_draft_is_the_first_that_nobody_else_has(home, labelled):
    db, workspace = home
    drafted(db, workspace, labelled)
    db.execute("insert into leases (author, title_id, expires_at) values ('bo', ?, 'A')", [labelled[0].id])
    db.conn.commit()
    assert drafts.next_pending(db, author="ann", now="0").id == labelled[1].id
    assert drafts.next_pending(db, author="ann", now="B").id == labelled[0].id
    assert drafts.next_pending(db, author="bo", now="0").id == labelled[0].id


def test_drafts_and_their_outcomes_are_append_only(home, labelled):
    db, workspace = home
    (draft,) = drafted(db, workspace, labelled[:1])
    drafts.reject(db, draft.id, author="ann")
    for statement in ("update drafts set chain = 'x'", "delete from draft_verdicts"):
        with pytest.raises(Exception, match="append-only"):
            db.execute(statement)


def test_the_lookups_of_the_label_page_use_an_index(home):
    db, _ = home
    queries = ["select title_id from pending_drafts order by title_id limit 1",
               "select 1 from drafts where title_id = 1",
               "select text from typed_drafts where author = 'a' and title_id = 1"]  # fmt: skip
    for query in queries:
        plan = " ".join(row[3] for row in db.execute(f"explain query plan {query}").fetchall())
        assert "TEMP B-TREE" not in plan and ("SEARCH" in plan or "SCAN pending_drafts" in plan)


def test_a_run_through_the_queue_a_kill_and_a_resume_draft_every_title_once(home, labelled, teacher):
    db, workspace = home
    teacher.behave = lambda number, body: well(number, body) if number <= 2 else "stall"
    titles = drafts.titles_without_chain(db, limit=10)
    job = teacher_runs.start(db, workspace, spec(teacher.url, revise=False), titles, SCHEME)
    wait_until(lambda: len(teacher.requests) == 3, seconds=60)
    with pytest.raises(WorkspaceBusy):
        teacher_runs.start(db, workspace, spec(teacher.url), titles, SCHEME)
    assert runs.list_runs(workspace)[0].recorded
    runs.cancel(workspace, job.id)
    assert jobs.wait_for_job(workspace, job.id).state == "cancelled"
    teacher.behave = well
    second = teacher_runs.resume(
        db, workspace, runs.get_job(workspace, job.id), spec(teacher.url, revise=False), SCHEME
    )
    assert jobs.wait_for_job(workspace, second.id).state == "done"
    drafts.take_in(db, workspace)
    assert drafts.count_pending(db) == len(TITLES)
    assert drafts.count_without_chain(db) == 0
    assert teacher_runs.outcome(second).drafted == 3
    with pytest.raises(InputError):
        teacher_runs.resume(db, workspace, second, spec(teacher.url), SCHEME)


def test_the_estimate_counts_characters_and_the_bill_real_tokens(home, labelled):
    db, _ = home
    titles = drafts.titles_without_chain(db, limit=2)
    one, two = (estimate(titles[:n], SCHEME, prompt_price=1, completion_price=2) for n in (1, 2))
    assert 800 < one.prompt_tokens < 3000
    assert one.price == pytest.approx((one.prompt_tokens + 2 * one.completion_tokens) / 1e6)
    assert two.prompt_tokens > 1.9 * one.prompt_tokens


@pytest.mark.parametrize(
    "text",
    [
        CHAIN,
        f"<think>\n{CHAIN}\n</think>\n\n体育",
        f"<think>The user wants a chain.</think>\n\n{CHAIN}",
        f"The user wants a chain.</think>{CHAIN}",
        f"“{CHAIN.replace('“', '「').replace('”', '」')}”".replace("「", "‘").replace("」", "’"),
        f"```text\n{CHAIN}\n```",
        f"思维链：{CHAIN}",
        CHAIN.replace("。“绝杀”", "。\n\n“绝杀”"),
    ],
)
def test_an_answer_is_unwrapped(text):
    plain = clean_answer(text).replace("‘", "“").replace("’", "”").replace("。 ", "。")
    assert plain == CHAIN


def test_a_chain_that_begins_and_ends_with_quotes_keeps_them():
    chain = "“绝杀”说的是比赛，归“体育”"
    assert clean_answer(chain) == chain


@pytest.mark.parametrize(
    "address",
    ["", "ftp://a/v1", "not an address", "https://user:pass-word@host/v1", "https://h/v1?api_key=pass-word", "http://[::1"],
)  # fmt: skip
def test_an_unusable_address_is_one_message_that_does_not_repeat_it(home, address):
    with pytest.raises(InputError) as caught:
        teacher_runs.draft_spec(home[1], base_url=address, model="m")
    assert "pass-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "clear"),
    [("http://host/v1", True), ("https://host/v1", False), ("http://127.0.0.1:1/v1", False)],
)
def test_plain_http_beyond_this_machine_is_noticed(address, clear):
    assert travels_in_the_clear(address) is clear


def test_the_key_is_a_private_file_that_can_be_removed(home, monkeypatch):
    _, workspace = home
    assert key_place(workspace.teacher_key, "https://h/v1") is None
    save_key(workspace, " sk-secret \n", "https://h/v1")
    assert workspace.teacher_key.stat().st_mode & 0o777 == 0o600
    written = teacher_runs.draft_spec(workspace, base_url="https://h/v1", model="m").model_dump_json()
    assert "sk-secret" not in written and key_place(workspace.teacher_key, "https://H:443") == "file"
    remove_key(workspace, "https://h/v1")
    assert not workspace.teacher_key.exists()
    monkeypatch.setenv("NEWS_STUDIO_TEACHER_KEY", "sk-other")
    found = teacher_runs.draft_spec(workspace, base_url="https://h/v1", model="m")
    assert (found.key_file, found.key_env) == (None, "NEWS_STUDIO_TEACHER_KEY")


OTHERS = ["http://h/v1", "https://h:8443/v1", "https://h.evil.example/v1", "https://evil.example/https://h/v1",
          "https://h@evil.example/v1", "", "h", "https://h\u3002evil.example"]  # fmt: skip


@pytest.mark.parametrize("address", OTHERS)
def test_a_key_is_of_one_address(home, address):
    _, workspace = home
    save_key(workspace, "sk-secret", "https://h/v1")
    assert key_place(workspace.teacher_key, address) is None
    with pytest.raises(TeacherUnavailable) as refused:
        read_key(workspace.teacher_key, address)
    assert "secret" not in str(refused.value)
    assert read_key(workspace.teacher_key, "https://H/other/path") == "sk-secret"


def test_a_page_sends_the_environments_key_to_the_named_address_only(home, monkeypatch):
    db, workspace = home
    person = people.sign_in(db, "boss")
    monkeypatch.setenv("NEWS_STUDIO_TEACHER_KEY", "sk-other")
    monkeypatch.setattr(rights, "_person_of_session", lambda: person)
    spec = {"base_url": "https://h/v1", "model": "m"}
    assert teacher_runs.draft_spec(workspace, **spec).key_env is None
    monkeypatch.setenv("NEWS_STUDIO_TEACHER_URL", "https://h")
    assert teacher_runs.draft_spec(workspace, **spec).key_env == "NEWS_STUDIO_TEACHER_KEY"
    assert teacher_runs.draft_spec(workspace, base_url="https://evil/v1", model="m").key_env is None


def test_a_bare_key_of_an_older_studio_is_not_sent_anywhere(home):
    _, workspace = home
    workspace.teacher_key.write_text("sk-old")
    assert key_place(workspace.teacher_key, "https://h/v1") is None
    save_key(workspace, "sk-new", "https://h/v1")
    assert read_key(workspace.teacher_key, "https://h/v1") == "sk-new"


@pytest.mark.parametrize("key", ["", "sk secret", "密钥", "sk\nsecret"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(home, key):
    with pytest.raises(InputError) as caught:
        save_key(home[1], key, "https://h/v1")
    assert "secret" not in str(caught.value)
    assert not list(home[1].home.glob("*teacher*"))


def test_typed_text_is_its_author_s_and_goes_when_forgotten(home, labelled):
    db, _ = home
    title = labelled[0].id
    revision = labelled[0].revision
    for text in ("写", "写了一半"):
        autosave.keep(db, author="ann", title_id=title, seen_revision=revision, category="体育", text=text)
    autosave.keep(db, author="ann", title_id=title, seen_revision=1, category="体育", text="太晚了")
    assert autosave.kept(db, author="ann", title_id=title).text == "写了一半"
    assert autosave.kept(db, author="bo", title_id=title) is None
    autosave.forget(db, author="ann", title_id=title)
    assert autosave.kept(db, author="ann", title_id=title) is None


def test_the_command_estimates_without_a_request_and_drafts_when_given_an_endpoint(home, labelled, teacher):
    db, workspace = home
    only = CliRunner().invoke(app, ["drafts", "--limit", "2", "--json", "--home", str(workspace.home)])
    assert json.loads(only.stdout)["titles"] == 2 and not teacher.requests
    arguments = ["drafts", "--base-url", teacher.url, "--model", "tiny", "--completion-price", "10"]
    done = CliRunner().invoke(app, [*arguments, "--limit", "2", "--json", "--home", str(workspace.home)])
    document = json.loads(done.stdout)
    assert (document["drafted"], document["failed"]) == (2, [])
    assert document["cost"]["price"] == pytest.approx(document["cost"]["completion_tokens"] / 1e5)
    assert drafts.count_pending(db) == 2


def test_the_command_reports_what_is_wrong_with_the_endpoint(home, labelled, teacher):
    teacher.behave = lambda number, body: "404"
    arguments = ["--base-url", teacher.url, "--model", "tiny", "--home", str(home[1].home)]
    done = CliRunner().invoke(app, ["drafts", *arguments])
    assert done.exit_code == 1 and "没有模型" in done.stderr and "办法" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not (BUNDLED_MODEL / "config.json").exists(), reason="data/base_model is not there")
def test_our_own_server_can_stand_in_for_the_teacher(home, labelled):
    db, workspace = home
    adapter = next((SAMPLE_RUN / "checkpoints").glob("step_*"))
    url = ensure_server(workspace, model=BUNDLED_MODEL, adapter=adapter, name="ours")
    settings = {"model": "ours", "temperature": 0, "max_tokens": 160, "revise": False}
    found = DraftSpec(base_url=f"{url}/v1", **settings)
    job = teacher_runs.start(db, workspace, found, drafts.titles_without_chain(db, limit=2), SCHEME)
    assert jobs.wait_for_job(workspace, job.id).is_over
    assert teacher_runs.outcome(runs.get_job(workspace, job.id)).drafted == 2, runs.read_log(job)
    drafts.take_in(db, workspace)
    assert drafts.pending_draft(db, labelled[0].id).model == "ours"
