"""Turn a file or a folder of labelled titles into a dataset folder that can be evaluated.

    evaluation_files/<hash>/    eval.json, dataset_info.json, categories.toml; safe to delete

Named by content: the same rows are the same folder, so that evaluations of one file can be compared.
"""

from pathlib import Path

from studio.datasets.files import file_hash, write_scheme
from studio.errors import InputError
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.reader import read_rows
from studio.formats.sharegpt import canonical_blocks, conversation, json_bytes
from studio.language import say
from studio.samples.canonical import write_answer, write_question
from studio.samples.scheme import Scheme
from studio.system.atomic import in_one_step
from studio.validation.rows import judge_rows
from studio.workspace import Workspace

EVALUATION_FILES = "evaluation_files"


def evaluation_folder(
    workspace: Workspace, path: Path, scheme: Scheme, choices: FileChoices = UNDECIDED
) -> Path:
    """Write the labelled rows of a file, or of the files of a folder, as a dataset folder; return it.

    Any form that can be imported is read. Rows whose answer is none of the categories cannot be scored and
    are left out. `choices` is what a person said about the file.

    Raises:
        UnreadableFile: the file cannot be read.
        InputError: it has no labelled title, or does not say which column is which.
    """
    judged = judge_rows(read_rows(path, scheme=scheme, choices=choices).rows, scheme)
    rows = [
        {
            "conversations": conversation(
                write_question(scheme.prompt, each.title),
                write_answer((each.answer.chain if each.answer else None) or "", each.category),
            )
        }
        for each in judged
        if each.category and each.title
    ]
    if not rows:
        raise InputError(
            say(
                f"{path.name} 里没有一条标题带有这些类别的答案。",
                f"{path.name} has no title whose answer is one of the categories.",
            ),
            remedy=say(
                "评估要有标准答案：文件里要有标题列和类别列，或对话样本。",
                "An evaluation needs right answers: a column of titles and one of categories, or samples.",
            ),
        )
    files = {
        "eval.json": json_bytes(rows),
        "categories.toml": write_scheme(scheme).encode(),
        "dataset_info.json": json_bytes({"eval": {"file_name": "eval.json", **canonical_blocks()}}),
    }
    digest = file_hash(b"\0".join(files[name] for name in sorted(files)))
    folder = workspace.home / EVALUATION_FILES / digest[:16]
    for name, content in files.items():
        if not (folder / name).is_file():
            with in_one_step(folder / name) as draft:
                draft.write_bytes(content)
    return folder
