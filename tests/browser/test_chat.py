"""Stop an answer half way, edit the question, ask again, come back by the address: in Chromium."""

import pytest
from playwright.sync_api import expect

from studio import runs
from studio.serving import servers
from tests.support.browser import CHROMIUM, settle
from tests.support.tiny_runs import TINY_SERVER

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]


def test_a_stopped_answer_is_kept_edited_and_asked_again(shared_studio, workspace, page):
    (recorded,) = runs.list_runs(workspace)  # what the page begins with
    model, adapter = runs.trained_model(recorded)
    servers.ensure_server(
        workspace,
        model=model,
        adapter=adapter,
        template=recorded.spec.template,
        name=recorded.id,
        command=TINY_SERVER,
    )
    shared_studio.serve(workspace.home).open(page, "try_it")
    page.get_by_role("tab", name="对话").click()
    settle(page)
    box = page.locator(".st-key-chat-input textarea")
    box.fill("hang 住的问题")
    box.press("Enter")
    messages = page.get_by_test_id("stChatMessage")
    expect(messages).to_have_count(2)
    expect(messages.last).to_contain_text("hang 住的问题")
    page.get_by_role("button", name="停止").click()
    expect(messages.last.get_by_text("已停止")).to_be_visible()
    settle(page)
    expect(messages.last).to_contain_text("hang 住的问题")
    messages.first.get_by_role("button", name="复制、修改").click()
    settle(page)
    page.locator(".st-key-chat-edit-0-0-user textarea").fill("改过的问题")
    page.get_by_role("button", name="改写并重新提问").click()
    expect(messages.last.get_by_role("button", name="重新生成")).to_be_visible()
    settle(page)
    expect(messages).to_have_count(2)
    expect(messages.last).to_contain_text("改过的问题")
    page.get_by_role("button", name="重新生成").click()
    settle(page)
    page.goto(page.url)
    settle(page)
    page.get_by_role("tab", name="对话").click()
    settle(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("改过的问题")
    page.get_by_role("button", name="撤销").click()
    settle(page)
    page.get_by_role("button", name="撤销").click()
    settle(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("hang 住的问题")
