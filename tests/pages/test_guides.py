"""The guides are there in both languages, with pictures that exist and links that lead somewhere."""

import re

import pytest

from pages.sections.guides.guide import GUIDES, NAMES, Picture, parts, read_guide
from studio.language import speaking
from tests.support.pages import open_page

FILES = sorted(GUIDES.glob("*.md"))


def test_every_guide_is_there_in_both_languages():
    assert {file.name for file in FILES} == {f"{name}{end}" for name in NAMES for end in (".md", ".zh.md")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_links_and_pictures_lead_to_files_and_five_minutes_are_enough(file):
    text = file.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    assert targets and all((file.parent / target).is_file() for target in targets)
    # A thousand characters of Chinese, or 700 words of English, in five minutes.
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) < 1200 and len(re.findall(r"[A-Za-z]{2,}", text)) < 700


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_a_guide_is_split_into_texts_and_pictures(name, lang):
    with speaking(lang):
        found = parts(read_guide(name))
    pictures = [part for part in found if isinstance(part, Picture)]
    assert len(pictures) == (0 if name == "questions" else 1) and all(
        part.path.is_file() and part.alt for part in pictures
    )
    texts = "".join(part for part in found if not isinstance(part, Picture))
    assert "<picture" not in texts and ".md)" not in texts and "English](" not in texts


def test_a_link_opens_the_guide_that_it_names(workspace):
    app = open_page("guides", guide="operator")
    assert "news-studio up" in "".join(element.value for element in app.markdown) and not app.exception
