"""Exports answer in their own runtime as the checkpoint does, and one that was sabotaged is caught."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from backend.data.labelled_rows import labelled_rows
from backend.data.rows import dataset_scheme
from backend.data.templates import Renderer
from backend.export.__main__ import LARGEST_FLOAT32, export, merging_dtype
from backend.export.gguf import write_gguf
from backend.export.merging import load_merged, save_merged
from backend.export.ollama import modelfile
from backend.export.proof import checkpoint_answers, mcnemar_p, prove_folder, prove_gguf
from backend.worker import RunFolder, work_in
from studio.contract import ExportReport, ExportSpec
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.llama_cpp import needs_llama_cpp
from tests.support.merged_model import RECORDED_ADAPTER
from tests.support.templates import renderer as bound
from tests.support.tiny_models import result_of, save_tiny_model, write_run

SCHEME = dataset_scheme(BUNDLED_DATASET)
ROWS = labelled_rows(BUNDLED_DATASET, "eval", SCHEME)[0][:6]


def exported(tmp_path, format_, quant="f16", **fields):
    """Run the worker in this process; return the target folder and its report."""
    fields = {"proof_titles": 6, "adapter_name_or_path": RECORDED_ADAPTER, **fields}
    spec = ExportSpec(
        model_name_or_path=BUNDLED_MODEL, format=format_, quant=quant, target=tmp_path / "out",
        dataset_dir=BUNDLED_DATASET, **fields,
    )  # fmt: skip
    run = write_run(tmp_path / "run", spec)
    work_in(RunFolder(run), export)
    assert result_of(run).status == "done", result_of(run).message
    return spec.target, ExportReport.model_validate_json((spec.target / "export.json").read_bytes())


@needs_llama_cpp
def test_the_bundled_model_goes_to_q8_0_with_a_modelfile_and_is_proven(tmp_path):
    folder, report = exported(tmp_path, "ollama", "q8_0", name="news")
    proof = report.proof
    assert proof.proven and proof.runtime.startswith("xllamacpp") and proof.same_prompt
    assert (proof.titles, proof.same_category) == (6, 6) and proof.texts == 6
    assert set(report.files) == {"news-q8_0.gguf", "Modelfile"} and report.repetition_penalty == 1.2
    assert sorted(path.name for path in folder.iterdir()) == ["Modelfile", "export.json", "news-q8_0.gguf"]
    text = (folder / "Modelfile").read_text(encoding="utf-8")
    assert "FROM ./news-q8_0.gguf" in text and 'PARAMETER stop "<｜end▁of▁sentence｜>"' in text
    assert "PARAMETER repeat_penalty 1.2" in text and "PARAMETER repeat_last_n 24" in text


def test_safetensors_are_sharded_opened_and_without_tokens_that_the_model_lacks(tmp_path):
    folder, report = exported(tmp_path, "safetensors", "bf16", max_shard_gb=0.008)
    assert report.proof.proven and report.proof.same_prompt and report.proof.same_category == 6
    assert len(list(folder.glob("*.safetensors"))) > 2
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == 12000 and max(tokenizer("a<|endoftext|>b")["input_ids"]) < 12000
    written = tokenizer.apply_chat_template(
        [{"role": "user", "content": "新闻分类：标题"}], tokenize=False, add_generation_prompt=True
    )
    assert written.endswith("<｜Assistant｜><think>\n")
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [1]


def test_an_adapter_is_taken_along_as_it_is(tmp_path):
    folder, report = exported(tmp_path, "adapter", proof_titles=2)
    assert report.proof.proven and (report.proof.same_category, report.proof.same_text) == (2, 2)
    assert (folder / "adapter_model.safetensors").read_bytes() == (
        RECORDED_ADAPTER / "adapter_model.safetensors"
    ).read_bytes()


def test_without_titles_nothing_is_proven(tmp_path):
    _, report = exported(tmp_path, "safetensors", "f32", proof_titles=0)
    assert not report.proof.proven and report.proof.cause == "no_titles"


def test_a_folder_that_holds_something_is_left_alone_and_a_cancel_leaves_nothing(tmp_path):
    spec = ExportSpec(
        model_name_or_path=BUNDLED_MODEL, format="safetensors", quant="f32", target=tmp_path / "out",
        dataset_dir=BUNDLED_DATASET, proof_titles=0,
    )  # fmt: skip
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    work_in(RunFolder(write_run(tmp_path / "run", spec)), export)
    assert (
        result_of(tmp_path / "run").status == "failed" and "已有文件" in result_of(tmp_path / "run").message
    )
    other = spec.model_copy(update={"target": tmp_path / "new"})
    (write_run(tmp_path / "second", other) / "cancel").touch()
    work_in(RunFolder(tmp_path / "second"), export)
    assert result_of(tmp_path / "second").status == "cancelled"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run", "second"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The merged bundled model on disk, its renderer, and its answers."""
    folder = tmp_path_factory.mktemp("merged") / "model"
    model, renderer = load_merged(BUNDLED_MODEL, RECORDED_ADAPTER, "auto", torch.float32)
    save_merged(model, renderer, folder, max_shard_gb=4)
    return folder, renderer, checkpoint_answers(model, renderer, SCHEME, [row.title for row in ROWS])


def rewrite(file, change):
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def wrong_template(folder):
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text().replace("<think>\\n", ""))


def wrong_end(folder):
    """The end of an answer is taken for another token, as with a base model's `<|endoftext|>`."""
    rewrite(folder / "tokenizer_config.json", lambda config: config.update(eos_token="<｜▁pad▁｜>"))
    rewrite(folder / "generation_config.json", lambda config: config.update(eos_token_id=[2]))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    for token in tokenizer["added_tokens"]:
        # llama.cpp knows the usual names of end tokens and would mend it.
        if token["id"] == 1:
            token["content"], token["special"] = "<unused>", False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def untied_head(folder):
    """The tied head is taken for a matrix of its own, which nobody trained."""
    rewrite(folder / "config.json", lambda config: config.update(tie_word_embeddings=False))
    file = folder / "model.safetensors"
    weights = load_file(file)
    embedding = weights["model.embed_tokens.weight"]
    save_file(weights | {"lm_head.weight": embedding.roll(1, dims=0).contiguous()}, file, {"format": "pt"})


@needs_llama_cpp
@pytest.mark.parametrize(
    ("sabotage", "cause"),
    [(None, ""), (wrong_template, "template"), (wrong_end, "end_token"), (untied_head, "weights")],
)
def test_a_sabotaged_gguf_is_caught_and_the_cause_named(checkpoint, tmp_path, sabotage, cause):
    folder, renderer, before = checkpoint
    folder = shutil.copytree(folder, tmp_path / "model")
    if sabotage:
        sabotage(folder)
    write_gguf(folder, tmp_path / "out.gguf", "f16")
    proof = prove_gguf(tmp_path / "out.gguf", before, ROWS, SCHEME, renderer, "f16")
    assert (proof.cause, proof.proven) == (cause, not cause)
    assert proof.first_difference is None or proof.first_difference[1] != proof.first_difference[2]


@pytest.mark.parametrize(("sabotage", "cause"), [(wrong_template, "template"), (untied_head, "weights")])
def test_a_sabotaged_folder_is_caught_and_the_cause_named(checkpoint, tmp_path, sabotage, cause):
    folder, renderer, before = checkpoint
    folder = shutil.copytree(folder, tmp_path / "model")
    sabotage(folder)
    proof = prove_folder(folder, None, before, ROWS, SCHEME, renderer, "f32")
    assert (proof.cause, proof.proven) == (cause, False)


def go_template(text, *, system, prompt):
    """Fill in what `modelfile` writes: one `if`, and the fields."""
    (template,) = re.findall(r'TEMPLATE """(.*?)"""', text, re.DOTALL)
    found = re.fullmatch(
        r"{{ if \.System }}(.*){{ else }}(.*){{ end }}{{ \.Response }}(.*)", template, re.DOTALL
    )
    part = found[1] if system else found[2]
    return part.replace("{{ .System }}", system).replace("{{ .Prompt }}", prompt), found[3]


@pytest.mark.parametrize("system", ["", "只答类别。"])
@pytest.mark.parametrize("name", ["deepseekr1", "qwen", "qwen3", "default"])
def test_the_template_of_a_modelfile_is_the_trained_one(name, system):
    renderer = bound(name)
    text = modelfile(renderer, "m.gguf", penalty=1.0, context=2048, adds_bos=False)
    messages = [{"role": "system", "content": system}] * bool(system) + [{"role": "user", "content": "标题"}]
    prompt = renderer.prompt(messages)
    asked, end = go_template(text, system=system, prompt="标题")
    assert asked == prompt + renderer.open_thought(prompt)
    assert renderer.answer("体育", prompt) == f"体育{end}"
    assert "repeat_penalty" not in text


def test_a_beginning_token_that_the_runtime_adds_is_not_written_twice(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(save_tiny_model(tmp_path / "tiny"))
    renderer = Renderer(tokenizer, "deepseekr1")
    once = modelfile(renderer, "m.gguf", penalty=1.0, context=512, adds_bos=True)
    assert renderer.bos not in once
    assert renderer.bos in modelfile(renderer, "m.gguf", penalty=1.0, context=512, adds_bos=False)


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (1, 0, 1.0), (6, 0, 0.03125), (9, 1, 0.021484375)]
)
def test_the_exact_p_of_mcnemar(lost, gained, p):
    assert mcnemar_p(lost, gained) == mcnemar_p(gained, lost) == pytest.approx(p)


@pytest.mark.parametrize(("size", "dtype"), [(1000, torch.float32), (LARGEST_FLOAT32 + 1, torch.bfloat16)])
def test_a_large_model_is_merged_in_16_bit(tmp_path, size, dtype):
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(size)  # a sparse file
    assert merging_dtype(tmp_path) == dtype
