"""Whatever form a file has, its titles come in as titles, and only what a person decided comes in as decided."""

import json
from contextlib import closing

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from openpyxl import Workbook

from studio.errors import StudioError
from studio.formats.choices import FileChoices, UnclearFile
from studio.formats.columns import Columns
from studio.ingest.importer import import_path
from studio.store import open_store
from tests.support.samples import SCHEME, write_json

TITLES = {
    "青年队点球大战淘汰东道主": "体育",
    "央行下调存款准备金率半个百分点": "经济",
    "新款折叠屏手机铰链寿命翻倍": "科技",
    "古装剧收官，主演发长文告别角色": "娱乐",
    "高校公布强基计划入围线": "教育",
    "体检查出结节，医生说先别慌": "健康",
}
PAIRS = list(TITLES.items())
INDEX = {"体育": 4, "经济": 1, "科技": 2, "娱乐": 3, "教育": 5, "健康": 6}
ENGLISH = {
    "体育": "sports",
    "经济": "finance",
    "科技": "tech",
    "娱乐": "entertainment",
    "教育": "edu",
    "健康": "health",
}


def imported(folder, name, content, *, choices=FileChoices(), means=None):  # noqa: B008
    """Import a file into a new store: the report, and category (None: waiting) by title."""
    path = folder / name
    if isinstance(content, Workbook):
        content.save(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8", newline="")
    with closing(open_store(folder / f"{name}.db")) as db:
        report = import_path(db, path, SCHEME, choices=choices, means=means)
        rows = db.query("select text, status, category from current_titles")
        return report, {row["text"]: row["category"] for row in rows}


def lines(form, pairs=PAIRS, heading=None):
    body = [form.format(title=title, category=category) for title, category in pairs]
    return "\n".join([*([heading] if heading else []), *body]) + "\n"


def jsonl(make):
    return "".join(json.dumps(make(*pair), ensure_ascii=False) + "\n" for pair in PAIRS)


def sheet(*rows, titles=()):
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    for name, other in titles:
        extra = book.create_sheet(name)
        for row in other:
            extra.append(list(row))
    return book


DECIDED = {
    "tab without heading": ("a.txt", lines("{title}\t{category}")),
    "tab, category first": ("a.txt", lines("{category}\t{title}")),
    "tab with heading": ("a.txt", lines("{title}\t{category}", heading="标题\t类别")),
    "tab with unknown heading": ("a.txt", lines("{title}\t{category}", heading="bt\tlb")),
    "Excel's Unicode text": ("a.txt", lines("{title}\t{category}", heading="标题\t类别").encode("utf-16")),
    "GBK with tabs": ("a.txt", lines("{title}\t{category}", heading="标题\t类别").encode("gbk")),
    "commas in a csv without heading": ("a.csv", lines('"{title}",{category}')),
    "half-width commas in a text": ("a.txt", lines("{title},{category}")),
    "full-width commas": ("a.csv", lines("{title}，{category}", heading="标题，类别")),
    "full-width commas in a text, category first": ("a.txt", lines("{category}，{title}")),
    "bars": ("a.csv", lines("{title}|{category}", heading="title|label")),
    "bars in a text": ("a.txt", lines("{title} | {category}")),
    "two bars": ("a.txt", lines("{title}||{category}")),
    "semicolons": ("a.txt", lines("{title};{category}", heading="标题;类别")),
    "sep=;": ("a.csv", "sep=;\n" + lines("{title};{category}", heading="标题;类别")),
    "sep=; without heading": ("a.csv", "sep=;\n" + lines("{title};{category}")),
    "Hive": ("a.txt", lines("{title}\x01{category}")),
    "a Markdown table": ("a.txt", "| 标题 | 类别 |\n| --- | --- |\n" + lines("| {title} | {category} |")),
    "a space": ("a.txt", lines("{category} {title}")),
    "a colon": ("a.txt", lines("{category}：{title}")),
    "brackets": ("a.txt", lines("【{category}】{title}")),
    "brackets behind": ("a.txt", lines("{title}（{category}）")),
    "hyphen behind": ("a.txt", lines("{title} - {category}")),
    "fastText": ("a.txt", lines("__label__{category} {title}")),
    "fastText with commas": ("a.txt", lines("__label__{category} , {title}")),
    "fastText in a csv": ("a.csv", lines("__label__{category}\t{title}")),
    "a caption above the heading": ("a.csv", "第三季度标注\n\n" + lines('"{title}",{category}', heading="标题,类别")),
    "two lines above the heading": ("a.csv", "标注表,\n2026-01-02,\n" + lines('"{title}",{category}', heading="标题,类别")),
    "windows line ends": ("a.csv", lines('"{title}",{category}', heading="标题,类别").replace("\n", "\r\n")),
    "old mac line ends": ("a.csv", lines('"{title}",{category}', heading="标题,类别").replace("\n", "\r")),
    "pandas with its index": ("a.csv", ",标题,类别\n" + "".join(f'{n},"{t}",{c}\n' for n, (t, c) in enumerate(PAIRS))),
    "BOM and capitals": ("a.csv", "\ufeff" + lines('"{title}",{category}', heading="Title,Label")),
    "zero-width signs": ("a.csv", lines('"{title}",\u200b{category}\ufeff', heading="标题,类别\u200b")),
    "Label Studio CSV": (
        "a.csv",
        "annotation_id,annotator,choice,created_at,id,lead_time,text,updated_at\n"
        + "".join(f'{n},1,{c},2026-01-02T03:04:05Z,{n},2.1,"{t}",2026-01-02T03:04:05Z\n' for n, (t, c) in enumerate(PAIRS)),
    ),
    "Label Studio CSV with a control of its own": (
        "a.tsv",
        "annotation_id\tannotator\tnews_topic\tid\tlead_time\ttext\n"
        + "".join(f'{n}\t1\t"{{""choices"": [""{c}""]}}"\t{n}\t2.1\t{t}\n' for n, (t, c) in enumerate(PAIRS)),
    ),
    "Label Studio JSON-MIN": (
        "a.json",
        json.dumps([{"id": n, "text": t, "choice": c, "annotator": 1, "annotation_id": n} for n, (t, c) in enumerate(PAIRS)]),
    ),
    "Label Studio JSON": (
        "a.json",
        json.dumps(
            [
                {
                    "id": n,
                    "data": {"text": t, "url": "http://a/b"},
                    "annotations": [
                        {"was_cancelled": False, "result": [{"type": "choices", "from_name": "c", "value": {"choices": [c]}}]},
                        {"was_cancelled": True, "result": [{"type": "choices", "from_name": "c", "value": {"choices": ["国际"]}}]},
                    ],
                    "predictions": [{"result": [{"value": {"choices": ["国内"]}, "from_name": "c"}]}],
                }
                for n, (t, c) in enumerate(PAIRS)
            ]
        ),
    ),
    "Label Studio with a second control": (
        "a.json",
        json.dumps(
            [
                {
                    "data": {"title": t},
                    "annotations": [
                        {
                            "result": [
                                {"from_name": "mood", "value": {"choices": ["中性"]}},
                                {"from_name": "topic", "value": {"choices": [c]}},
                            ]
                        }
                    ],
                }
                for t, c in PAIRS
            ]
        ),
    ),
    "doccano": ("a.jsonl", jsonl(lambda t, c: {"id": 1, "text": t, "label": [c], "Comments": []})),
    "doccano with data": ("a.jsonl", jsonl(lambda t, c: {"id": 1, "data": t, "label": [c]})),
    "doccano CSV": ("a.csv", lines('1,"{title}",{category}', heading="id,data,label")),
    "Prodigy with options": (
        "a.jsonl",
        jsonl(
            lambda t, c: {
                "text": t,
                "options": [{"id": "k", "text": c}, {"id": "x", "text": "国内"}],
                "accept": ["k"],
                "answer": "accept",
                "_task_hash": 1,
            }
        ),
    ),
    "Prodigy": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label": c, "answer": "accept", "_input_hash": 1})),
    "Argilla 1": (
        "a.json",
        json.dumps([{"text": t, "annotation": c, "prediction": [["国内", 0.9]], "status": "Validated"} for t, c in PAIRS]),
    ),
    "Argilla 2, flat": (
        "a.jsonl",
        jsonl(
            lambda t, c: {
                "id": "x",
                "status": "completed",
                "text": t,
                "label.responses": [c],
                "label.responses.users": ["u"],
                "label.responses.status": ["submitted"],
                "label.suggestion": "国内",
                "label.suggestion.score": 0.9,
            }
        ),
    ),
    "Argilla 2": (
        "a.json",
        json.dumps(
            [
                {
                    "fields": {"text": t},
                    "responses": {"label": [{"value": c, "user_id": "u", "status": "submitted"}]},
                    "suggestions": {"label": {"value": "国内"}},
                    "status": "completed",
                }
                for t, c in PAIRS
            ]
        ),
    ),
    "Argilla feedback": (
        "a.jsonl",
        jsonl(lambda t, c: {"text": t, "label": [{"user_id": "u", "value": c, "status": "submitted"}], "label-suggestion": "国内"}),
    ),
    "spaCy's cats": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label": {c: 1.0, "国内": 0.0}})),
    "list of one": ("a.json", json.dumps([{"title": [t], "category": [c]} for t, c in PAIRS])),
    "nested keys": ("a.json", json.dumps([{"_id": 1, "_source": {"title": t, "category": c}} for t, c in PAIRS])),
    "index and its name": ("a.jsonl", jsonl(lambda t, c: {"sentence": t, "label": INDEX[c], "label_desc": c})),
    "rows under one key": ("a.json", json.dumps({"version": 1, "data": [{"title": t, "category": c} for t, c in PAIRS]})),
    "RECORDS": ("a.json", json.dumps({"RECORDS": [{"title": t, "category": c} for t, c in PAIRS]})),
    "columns of lists": ("a.json", json.dumps({"标题": list(TITLES), "类别": list(TITLES.values())})),
    "pandas, columns": ("a.json", pandas.DataFrame(PAIRS, columns=["标题", "类别"]).to_json()),
    "pandas, split": ("a.json", pandas.DataFrame(PAIRS, columns=["标题", "类别"]).to_json(orient="split")),
    "pandas, index": ("a.json", pandas.DataFrame(PAIRS, columns=["标题", "类别"]).to_json(orient="index")),
    "lists of cells": ("a.json", json.dumps([["标题", "类别"], *map(list, PAIRS)])),
    "a list under the name jsonl": ("a.jsonl", json.dumps([{"title": t, "category": c} for t, c in PAIRS], indent=1)),
    "prompt before the title": ("a.csv", lines('"新闻分类：{title}",{category}', heading="标题,类别")),
    "prompt twice": ("a.csv", lines('"新闻分类：新闻分类:{title}",{category}', heading="标题,类别")),
    "Alpaca, prompt in the input": (
        "a.json",
        json.dumps([{"instruction": "请分类", "input": f"新闻分类：{t}", "output": c} for t, c in PAIRS]),
    ),
    "TRL": ("a.jsonl", jsonl(lambda t, c: {"prompt": f"新闻分类：{t}", "completion": c})),
    "TRL with messages": (
        "a.jsonl",
        jsonl(
            lambda t, c: {
                "prompt": [{"role": "user", "content": f"新闻分类：{t}"}],
                "completion": [{"role": "assistant", "content": [{"type": "text", "text": c}]}],
            }
        ),
    ),
    "TRL preference": ("a.jsonl", jsonl(lambda t, c: {"prompt": f"新闻分类：{t}", "chosen": c, "rejected": "国内"})),
    "TRL preference, prompt inside": (
        "a.jsonl",
        jsonl(
            lambda t, c: {
                "chosen": [{"role": "user", "content": f"新闻分类：{t}"}, {"role": "assistant", "content": c}],
                "rejected": [{"role": "user", "content": f"新闻分类：{t}"}, {"role": "assistant", "content": "国内"}],
            }
        ),
    ),
    "R1, thought in a column": (
        "a.jsonl",
        jsonl(lambda t, c: {"input": f"新闻分类：{t}", "reasoning_content": "因为", "content": c, "repo_name": "x"}),
    ),
    "medical-o1": ("a.json", json.dumps([{"Question": f"新闻分类：{t}", "Complex_CoT": "因为", "Response": c} for t, c in PAIRS])),
    "ms-swift": ("a.jsonl", jsonl(lambda t, c: {"query": f"新闻分类：{t}", "response": c})),
    "XTuner": ("a.json", json.dumps([{"conversation": [{"system": "s", "input": f"新闻分类：{t}", "output": c}]} for t, c in PAIRS])),
    "title, label and reasoning": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label": c, "reasoning": "因为"})),
    "a later column named better": ("a.csv", lines('很长的正文,"{title}",{category}', heading="content,title,category")),
    "a model's guess beside": ("a.csv", lines('"{title}",国内,{category}', heading="标题,预测类别,类别")),
    "xlsx with a caption": ("a.xlsx", sheet(["第三季度"], [], ["标题", "类别"], *PAIRS)),
    "xlsx without heading": ("a.xlsx", sheet(*PAIRS)),
    "xlsx with an empty first sheet": ("a.xlsx", sheet(titles=[("数据", [["标题", "类别"], *PAIRS])])),
    "xlsx with a cover sheet": ("a.xlsx", sheet(["说明"], ["本表由编辑部维护"], titles=[("数据", [["标题", "类别"], *PAIRS])])),
}  # fmt: skip


@pytest.mark.parametrize("name", DECIDED)
def test_titles_and_their_categories_are_read_from_every_form(tmp_path, name):
    report, found = imported(tmp_path, *DECIDED[name])
    assert found == TITLES
    assert (report.rows, report.decided, len(report.refused)) == (6, 6, 0)


UNKNOWN = {
    "THUCNews": ("a.txt", lambda t, c: f"{t}\t{INDEX[c]}"),
    "index first": ("a.txt", lambda t, c: f"{INDEX[c]}\t{t}"),
    "index in a csv": ("a.csv", lambda t, c: f'"{t}",{INDEX[c]}'),
    "TNEWS": (
        "a.json",
        lambda t, c: json.dumps({"label": "102", "label_desc": f"news_{ENGLISH[c]}", "sentence": t, "keywords": "词,词"}),
    ),
    "Toutiao": ("a.txt", lambda t, c: f"65517_!_101_!_news_{ENGLISH[c]}_!_{t}_!_词,词"),
    "sections of a site": ("a.csv", lambda t, c: f'"{t}",{c}频道'),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_foreign_labels_wait_and_are_mapped_once_for_all(tmp_path, name):
    file, row = UNKNOWN[name]
    content = "\n".join(row(*pair) for pair in PAIRS) + "\n"
    report, found = imported(tmp_path, file, content)
    assert found == dict.fromkeys(TITLES)
    assert (report.waiting, sum(label.count for label in report.unknown_labels)) == (6, 6)
    means = {
        label.label: next(
            c for c in INDEX if label.label in (str(INDEX[c]), f"news_{ENGLISH[c]}", f"{c}频道")
        )
        for label in report.unknown_labels
    }
    assert all(label.proposal in (None, means[label.label]) for label in report.unknown_labels)
    (tmp_path / "again").mkdir()
    report, found = imported(tmp_path / "again", file, content, means=means)
    assert found == TITLES
    assert not report.unknown_labels


UNDECIDED_ROWS = {
    "Prodigy, rejected": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label": c, "answer": "reject", "_input_hash": 1})),
    "Prodigy, ignored": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label": c, "answer": "ignore", "_input_hash": 1})),
    "Prodigy as a table": ("a.csv", lines('"{title}",{category},reject', heading="text,label,answer")),
    "cancelled in Label Studio": (
        "a.json",
        json.dumps(
            [
                {"data": {"text": t}, "annotations": [{"was_cancelled": True, "result": [{"value": {"choices": [c]}, "from_name": "c"}]}]}
                for t, c in PAIRS
            ]
        ),
    ),
    "only predicted in Label Studio": (
        "a.json",
        json.dumps(
            [{"data": {"text": t}, "annotations": [], "predictions": [{"result": [{"value": {"choices": [c]}, "from_name": "c"}]}]} for t, c in PAIRS]
        ),
    ),
    "discarded in Argilla": (
        "a.jsonl",
        jsonl(lambda t, c: {"text": t, "label.responses": [c], "label.responses.status": ["discarded"], "label.suggestion": c}),
    ),
    "suggested in Argilla": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label.responses": None, "label.suggestion": c})),
    "a table with a state": ("a.csv", lines('"{title}",{category},已驳回', heading="标题,类别,审核状态")),
    "a flag of deletion": ("a.csv", lines('"{title}",{category},true', heading="标题,类别,is_deleted")),
    "not valid": ("a.csv", lines('"{title}",{category},否', heading="标题,类别,是否有效")),
    "KTO, not wanted": ("a.jsonl", jsonl(lambda t, c: {"prompt": f"新闻分类：{t}", "completion": c, "label": False})),
    "a guess alone": ("a.csv", lines('"{title}",{category},', heading="标题,预测类别,类别")),
    "a model's label": ("a.csv", lines('"{title}",{category},0.7', heading="标题,model_label,置信度")),
    "missing, in the words of programs": ("a.csv", "".join(f'"{t}",{w}\n' for (t, _), w in zip(PAIRS, ("nan", "None", "null", "", "NaN", "#N/A"), strict=True)).join(["标题,类别\n", ""])),
    "several in a cell": ("a.csv", lines('"{title}","{category},社会"', heading="标题,类别")),
    "several by a bar": ("a.csv", lines('"{title}",{category}|社会', heading="标题,类别")),
    "several in a list": ("a.jsonl", jsonl(lambda t, c: {"text": t, "label": [c, "社会"]})),
    "several as text of a list": ("a.csv", lines("\"{title}\",\"['{category}', '社会']\"", heading="标题,类别")),
    "traditional": ("a.csv", "标题,类别\n" + "".join(f'"{t}",{w}\n' for (t, _), w in zip(PAIRS, ("體育", "經濟", "數碼", "娛樂", "校园", "醫療"), strict=True))),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDECIDED_ROWS)
def test_what_nobody_decided_waits_under_its_whole_title(tmp_path, name):
    _, found = imported(tmp_path, *UNDECIDED_ROWS[name])
    assert found == dict.fromkeys(TITLES)


LISTS = {
    "titles with commas": "股市大涨，成交额破万亿\n台风来了，学校停课\n",
    "one comma in each": "开盘大涨,成交额破万亿\n台风来了,学校停课\n高铁提速,票价不变\n",
    "titles with spaces": "退役军人创业大赛 收官\n女排姑娘 逆转夺冠\n孩子发烧 要不要捂汗\n",
    "titles that begin with a category once": "体育：女排夺冠\n央行宣布降准\n孩子发烧要不要捂汗\n",
    "titles with bars": "专访|他为什么离开\n央行宣布降准\n深度|一条河的三十年\n孩子发烧怎么办\n",
    "titles with colons": "外媒：央行降准\n专家：股市向好\n教育部：高考时间不变\n",
    "quotation marks": '"双十一"退货率创新高\n“A&B”两家公司合并\n',
    "numbers in front": "5个城市上榜\n12306升级\n2024年高考\n",
}


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_titles_stays_one(tmp_path, name, suffix):
    if suffix == ".csv" and name == "one comma in each":
        pytest.skip("two cells in every row of a csv are a table without a category")
    content = LISTS[name] if suffix == ".txt" else f"标题\n{LISTS[name]}"
    _, found = imported(tmp_path, f"a{suffix}", content)
    assert list(found) == LISTS[name].splitlines()


def test_the_numbers_of_a_list_are_taken_off(tmp_path):
    _, found = imported(tmp_path, "a.txt", "1. 女排夺冠\n2. 央行降准\n3. 孩子发烧\n")
    assert list(found) == ["女排夺冠", "央行降准", "孩子发烧"]


QUESTIONS = {
    "half the lines": ("a.txt", "女排夺冠，体育\n央行宣布降准，股市大涨\n孩子发烧，健康\n高考放榜，分数线公布，教育\n台风，停课\n"),
    "two columns of text": ("a.csv", "甲,乙\n" + "".join(f'"{t}","{t[::-1]}"\n' for t in TITLES)),
    "two columns of categories": ("a.csv", "标题,初审,复审\n" + "".join(f'"{t}",{c},{c}\n' for t, c in PAIRS)),
    "two controls": (
        "a.json",
        json.dumps(
            [
                {
                    "data": {"title": t},
                    "annotations": [
                        {"result": [{"from_name": "甲", "value": {"choices": [c]}}, {"from_name": "乙", "value": {"choices": ["社会"]}}]}
                    ],
                }
                for t, c in PAIRS
            ]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_uncertain_is_asked_with_the_choices(tmp_path, name):
    file, content = QUESTIONS[name]
    with pytest.raises(UnclearFile) as caught:
        imported(tmp_path, file, content)
    options = caught.value.options
    assert len(options) >= 2
    assert all(option.arguments.startswith("--") for option in options)
    for option in options:
        report, _ = imported(tmp_path, file, content, choices=option.choices)
        assert report.rows


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("标题,类别\n" + "".join(f'{c},"{t}"\n' for t, c in PAIRS), "title_column_doubtful"),
        ("标题,类别\n" + "同一个标题,体育\n" * 6, "title_column_doubtful"),
        ("名称,数量\n" + "".join(f"{n},{n}\n" for n in range(6)), "missing_key"),
    ],
    ids=["categories", "all equal", "no text"],
)
def test_a_title_column_without_titles_is_refused(tmp_path, content, code):
    try:
        _, found = imported(tmp_path, "a.csv", content)
    except StudioError as error:
        assert error.code == code
        return
    assert found == TITLES  # the other column holds them


@pytest.mark.parametrize("separator", ["||", "；", "：", " - ", " ", "|"])
def test_a_line_with_two_categories_is_told_and_the_others_are_read(tmp_path, separator):
    rows = [f"{title.replace('，', '')}{separator}{category}" for title, category in PAIRS]
    report, found = imported(tmp_path, "a.txt", "\n".join([*rows, f"央行降准{separator}经济{separator}体育"]))
    assert found == {title.replace("，", ""): category for title, category in PAIRS}
    assert [row["row"] for row in report.refused] == [7]


MORE = [("女排三局横扫对手", "体育"), ("小学增开劳动课", "教育")]


@pytest.mark.parametrize("separator", ["；", "：", " - ", "="])
@pytest.mark.parametrize("is_first", [False, True])
def test_an_empty_cell_beside_the_category_is_no_part_of_the_title(tmp_path, separator, is_first):
    def line(title, category):
        return separator.join([category, title] if is_first else [title, category])

    pairs = [*((title.replace("，", ""), category) for title, category in PAIRS), *MORE]
    rows = [line(*pair) for pair in pairs]
    odd = f"{separator}经济{separator}央行降准" if is_first else f"央行降准{separator}经济{separator}"
    lone = f"政治{separator}" if is_first else f"{separator}政治"
    report, found = imported(tmp_path, "a.txt", "\n".join([*rows, odd.strip(), lone.strip()]))
    refused = [row["row"] for row in report.refused]
    assert refused[-1] == len(rows) + 2
    # Where every sign separates, an empty cell in front is told as a row of another width.
    assert found == {**dict(pairs), **({} if len(rows) + 1 in refused else {"央行降准": "经济"})}
    assert len(refused) == 1 or (is_first and separator == "；")


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ("开盘大涨,成交额破万亿,经济", "开盘大涨,成交额破万亿"),
        ("高校公布强基计划入围线", "高校公布强基计划入围线"),
    ],
)
def test_a_row_of_another_width_waits_whole(tmp_path, row, title):
    report, found = imported(tmp_path, "a.csv", f"标题,类别\n女排夺冠,体育\n{row}\n")
    assert found == {"女排夺冠": "体育", title: None}
    assert report.waiting == 1


@pytest.mark.parametrize("row", ["甲,乙,丙", "甲,乙,丙,丁"])
def test_a_row_that_cannot_be_put_together_is_told(tmp_path, row):
    report, found = imported(tmp_path, "a.csv", f"标题,类别\n女排夺冠,体育\n{row}\n")
    assert found == {"女排夺冠": "体育"}
    assert [refused["row"] for refused in report.refused] == [2]


def test_nested_columns_are_chosen_by_their_paths(tmp_path):
    rows = [{"doc": {"heads": [{"t": t}], "meta": {"k": c}}} for t, c in PAIRS]
    choices = FileChoices(columns=Columns(title="doc.heads.0.t", category="doc.meta.k"))
    _, found = imported(tmp_path, "a.json", json.dumps(rows), choices=choices)
    assert found == TITLES


def test_a_sheet_is_chosen_by_name_or_number(tmp_path):
    book = sheet(["标题"], ["别的标题"], titles=[("数据", [["标题", "类别"], *PAIRS])])
    for wanted in ("数据", "2"):
        _, found = imported(tmp_path, f"{wanted}.xlsx", book, choices=FileChoices(sheet=wanted))
        assert found == TITLES


def test_merged_cells_are_filled_downwards(tmp_path):
    book = sheet(["类别", "标题"], ["体育", "女排夺冠"], [None, "男篮晋级"], ["经济", "央行降准"])
    book.active.merge_cells("A2:A3")
    _, found = imported(tmp_path, "a.xlsx", book)
    assert found == {"女排夺冠": "体育", "男篮晋级": "体育", "央行降准": "经济"}


def test_a_formula_without_its_value_is_told(tmp_path):
    report, found = imported(
        tmp_path, "a.xlsx", sheet(["标题", "类别"], ['="女排"&"夺冠"', "体育"], ["央行降准", "经济"])
    )
    assert found == {"央行降准": "经济"}
    assert [row["row"] for row in report.refused] == [1]


def test_html_of_a_crawler_is_decoded_and_is_one_title(tmp_path):
    content = "“A&amp;B”两家公司合并\n“A&B”两家公司合并\n业内：&quot;双十一&quot;退货\n<em>台风</em>路径\n&amp;lt;主角&amp;gt;登场\n"
    report, found = imported(tmp_path, "a.txt", content)
    assert list(found) == ["“A&B”两家公司合并", '业内："双十一"退货', "台风路径", "<主角>登场"]
    assert report.merged == 1


def test_titles_that_differ_in_a_sign_are_two(tmp_path):
    titles = ["-5℃的早晨", "5℃的早晨", "C#入门", "C入门", "*ST金科", "ST金科", "$5亿", "5亿"]
    report, found = imported(tmp_path, "a.txt", "\n".join(titles))
    assert (list(found), report.merged) == (titles, 0)


def test_class_names_come_with_the_data(tmp_path):
    names = list(INDEX)
    features = {"features": {"text": {"dtype": "string"}, "label": {"names": names, "_type": "ClassLabel"}}}
    table = pyarrow.table({"text": list(TITLES), "label": [names.index(c) for c in TITLES.values()]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": features})})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    _, found = imported(tmp_path, "a.parquet", (tmp_path / "b.parquet").read_bytes())
    assert found == TITLES


def test_class_names_lie_beside_a_list(tmp_path):
    (tmp_path / "class.txt").write_text(
        "\n".join(["国内", "经济", "科技", "娱乐", "体育", "教育", "健康"]), encoding="utf-8"
    )
    content = "".join(f"{t}\t{INDEX[c]}\n" for t, c in PAIRS)
    _, found = imported(tmp_path, "a.txt", content)
    assert found == TITLES


def test_a_broken_line_is_told_and_the_rest_comes_in(tmp_path):
    content = jsonl(lambda t, c: {"标题": t, "类别": c}).splitlines()
    content[2] = content[2][:20]
    report, found = imported(tmp_path, "a.jsonl", "\n".join(content))
    assert len(found) == 5
    assert [row["row"] for row in report.refused] == [3]


def test_an_import_without_one_title_leaves_no_batch(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"title": 1}\n{"title": 2}\n', encoding="utf-8")
    with closing(open_store(tmp_path / "a.db")) as db:
        with pytest.raises(StudioError, match="1"):
            import_path(db, tmp_path / "a.jsonl", SCHEME)
        assert db.execute("select state from imports").fetchall() == [("cancelled",)]


def test_unused_columns_are_told_loudly_where_they_hold_categories(tmp_path):
    report, _ = imported(tmp_path, "a.csv", lines('"{title}",{category},', heading="标题,栏目名,类别"))
    assert any("栏目名" in note for note in report.notes)


def save_to_disk(folder, titles):
    """Write what `datasets` 4 saves: an arrow stream with the features in its schema, and the state."""
    names = list(INDEX)
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": names, "_type": "ClassLabel"},
    }
    table = pyarrow.table({"text": list(titles), "label": [names.index(c) for c in titles.values()]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    folder.mkdir(parents=True)
    name = "data-00000-of-00001.arrow"
    with (
        pyarrow.OSFile(str(folder / name), "wb") as sink,
        pyarrow.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    write_json(
        folder / "state.json", {"_data_files": [{"filename": name}], "_fingerprint": "a", "_split": None}
    )
    write_json(folder / "dataset_info.json", {"citation": "", "features": features, "splits": None})


def test_a_data_set_that_was_saved_to_disk_is_read_with_its_class_names(tmp_path):
    save_to_disk(tmp_path / "one", TITLES)
    write_json(tmp_path / "two" / "dataset_dict.json", {"splits": ["train", "test"]})
    save_to_disk(tmp_path / "two" / "train", dict(PAIRS[:4]))
    save_to_disk(tmp_path / "two" / "test", dict(PAIRS[4:]))
    for folder in ("one", "two"):
        with closing(open_store(tmp_path / f"{folder}.db")) as db:
            import_path(db, tmp_path / folder, SCHEME)
            found = db.query("select text, category, split from current_titles")
            titles = {row["text"]: (row["category"], row["split"]) for row in found}
        assert {title: category for title, (category, _) in titles.items()} == TITLES
        if folder == "two":
            assert [split for _, split in titles.values()] == ["train"] * 4 + ["eval"] * 2


@pytest.mark.parametrize("name", ["../outside.arrow", "/etc/passwd", "..", 7])
def test_a_saved_data_set_that_names_files_elsewhere_is_refused(tmp_path, name):
    write_json(tmp_path / "set" / "state.json", {"_data_files": [{"filename": name}]})
    with closing(open_store(tmp_path / "a.db")) as db, pytest.raises(StudioError, match=r"state\.json"):
        import_path(db, tmp_path / "set", SCHEME)


def test_a_hub_repository_is_read_by_the_names_of_its_files(tmp_path):
    (tmp_path / "data").mkdir()
    for split, pairs in (("train", PAIRS[:4]), ("test", PAIRS[4:])):
        frame = pandas.DataFrame(pairs, columns=["text", "label"])
        frame.to_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    with closing(open_store(tmp_path / "a.db")) as db:
        import_path(db, tmp_path, SCHEME)
        assert {row["text"]: row["category"] for row in db.query("select * from current_titles")} == TITLES
