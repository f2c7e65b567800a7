"""Exports answer in their own runtime as the checkpoint does, and one that was sabotaged is caught."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from backend.data.labelled_rows import labelled_rows
from backend.data.rows import dataset_scheme
from backend.data.templates import Renderer
from backend.export.__main__ import export
from backend.export.answers import Questions, checkpoint_answers
from backend.export.gguf import write_gguf
from backend.export.merging import load_merged, save_merged
from backend.export.ollama import modelfile
from backend.export.proof import prove_folder, prove_gguf
from backend.export.weights import LARGEST_FLOAT32, MergedWeights, is_large, write_safetensors
from backend.modeling.loading import load_model
from backend.worker import RunFolder, work_in
from studio.contract import ExportReport, ExportSpec
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.llama_cpp import needs_llama_cpp
from tests.support.merged_model import RECORDED_ADAPTER
from tests.support.templates import renderer as bound
from tests.support.tiny_models import result_of, save_tiny_model, write_run

SCHEME = dataset_scheme(BUNDLED_DATASET)
ROWS = labelled_rows(BUNDLED_DATASET, "eval", SCHEME)[0][:6]
QUESTIONS = Questions(titles=[row.title for row in ROWS], scheme=SCHEME, chain_tokens=64)


def exported(tmp_path, format_, quant="f16", **fields):
    """Run the worker in this process; return the target folder and its report."""
    files = fields.pop("files", {})
    fields = {"proof_titles": 6, "proof_chains": 0, "adapter_name_or_path": RECORDED_ADAPTER, **fields}
    spec = ExportSpec(
        model_name_or_path=BUNDLED_MODEL, format=format_, quant=quant, target=tmp_path / "out",
        dataset_dir=BUNDLED_DATASET, **fields,
    )  # fmt: skip
    run = write_run(tmp_path / "run", spec)
    for name, content in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(content)
    work_in(RunFolder(run), export)
    assert result_of(run).status == "done", result_of(run).message
    return spec.target, ExportReport.model_validate_json((spec.target / "export.json").read_bytes())


@needs_llama_cpp
def test_the_bundled_model_goes_to_q8_0_with_a_modelfile_and_is_proven(tmp_path):
    folder, report = exported(tmp_path, "ollama", "q8_0", name="news", proof_chains=3)
    proof = report.proof
    assert proof.proven and proof.runtime.startswith("xllamacpp") and proof.same_prompt
    assert (proof.titles, proof.same_category, proof.texts) == (6, 6, 3)
    assert 0 < proof.nmse < 1e-3 and report.tensor_types["Q8_0"] == 43 and not report.fallbacks
    without, with_penalty = proof.chains
    assert (without.penalty, with_penalty.penalty) == (1.0, 1.2)
    assert without.ended_before < with_penalty.ended_before == with_penalty.ended_after == 3
    names = ["Modelfile", "export.json", "news-q8_0.gguf", "proof.json", "proof.md"]
    assert sorted(path.name for path in folder.iterdir()) == names and report.repetition_penalty == 1.2
    text = (folder / "Modelfile").read_text(encoding="utf-8")
    assert "FROM ./news-q8_0.gguf" in text and 'PARAMETER stop "<｜end▁of▁sentence｜>"' in text
    assert "PARAMETER repeat_penalty 1.2" in text and "PARAMETER repeat_last_n 24" in text
    readable = (folder / "proof.md").read_text(encoding="utf-8")
    assert "# 导出的核对" in readable and "# Proof of the export" in readable and "1.2" in readable


def test_safetensors_are_sharded_opened_and_without_tokens_that_the_model_lacks(tmp_path):
    folder, report = exported(tmp_path, "safetensors", "bf16", max_shard_gb=0.008, proof_chains=1)
    assert report.proof.proven and report.proof.same_prompt and report.proof.same_category == 6
    assert len(list(folder.glob("*.safetensors"))) > 2
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == 12000 and max(tokenizer("a<|endoftext|>b")["input_ids"]) < 12000
    written = tokenizer.apply_chat_template(
        [{"role": "user", "content": "新闻分类：标题"}], tokenize=False, add_generation_prompt=True
    )
    assert written.endswith("<｜Assistant｜><think>\n")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["chat_template"] == (folder / "chat_template.jinja").read_text()
    decoding = json.loads((folder / "generation_config.json").read_text())
    assert (decoding["eos_token_id"], decoding["repetition_penalty"]) == ([1], 1.2)


@pytest.mark.parametrize(("quant", "below"), [("nf4", 13.5e6), ("int8", 17e6)])
def test_few_bits_in_safetensors_load_again_and_are_proven(tmp_path, quant, below):
    folder, report = exported(tmp_path, "safetensors", quant)
    assert report.proof.proven and report.proof.runtime.startswith("transformers")
    assert report.proof.same_category >= 5 and report.bytes < below
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert config["load_in_4bit" if quant == "nf4" else "load_in_8bit"] is True
    assert not (folder / ".merged").exists()


def test_an_adapter_is_taken_along_as_it_is(tmp_path):
    folder, report = exported(tmp_path, "adapter", "f32", proof_titles=2, proof_chains=1)
    assert report.proof.proven and (report.proof.same_category, report.proof.same_text) == (2, 1)
    assert (folder / "adapter_model.safetensors").read_bytes() == (
        RECORDED_ADAPTER / "adapter_model.safetensors"
    ).read_bytes()
    assert json.loads((folder / "generation_config.json").read_text())["repetition_penalty"] == 1.2


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


class CancelledInProof(RunFolder):
    """A run folder in which somebody presses cancel while the export answers in its own runtime."""

    @property
    def cancel_requested(self):
        events = self.path / "metrics.jsonl"
        return events.exists() and '"done":2' in events.read_text()


@needs_llama_cpp
def test_a_cancel_in_the_middle_of_the_proof_leaves_nothing(tmp_path):
    spec = ExportSpec(
        model_name_or_path=BUNDLED_MODEL, format="gguf", quant="q4_0", target=tmp_path / "out",
        dataset_dir=BUNDLED_DATASET, proof_titles=2, proof_chains=1,
    )  # fmt: skip
    work_in(CancelledInProof(write_run(tmp_path / "run", spec)), export)
    assert result_of(tmp_path / "run").status == "cancelled"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python that has what a package's requirements.txt names, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    import xllamacpp

    own = Path(xllamacpp.__file__).parent
    (
        folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / own.name
    ).symlink_to(own)
    return folder / "bin" / "python"


@needs_llama_cpp
def test_a_package_runs_in_a_bare_python_and_its_smoke_test_fails_where_an_answer_differs(
    tmp_path, bare_python
):
    files = {"package/card.en.md": "# card", "package/licenses/base.txt": "a licence"}
    folder, report = exported(tmp_path, "package", "q8_0", proof_titles=24, proof_chains=0, files=files)
    assert report.proof.proven and (folder / "licenses" / "base.txt").is_file()
    assert (folder / "requirements.txt").read_text().startswith("xllamacpp==")
    titles = json.loads((folder / "smoke_titles.json").read_text())
    assert len(titles) == 20 and len({row["category"] for row in titles}) > 1
    environment = {"PATH": os.defpath}

    def smoke():
        return subprocess.run(
            [bare_python, "-I", "-c", "import sys; sys.path.insert(0, '.'); import smoke_test as s; sys.exit(s.main())"],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    done = smoke()
    assert (done.returncode, done.stdout) == (0, "20 of 20 as expected\n"), done.stderr
    titles[3]["category"] = next(name for name in SCHEME.names if name != titles[3]["category"])
    (folder / "smoke_titles.json").write_text(json.dumps(titles))
    assert smoke().returncode == 1
    scored = subprocess.run(
        [bare_python, "-c", "from news_classifier import Classifier as C\nprint(C().classify(['国足客场2比1逆转', 'a<think>b']))"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    first, marked = eval(scored.stdout)
    assert first["category"] == "体育" and sum(marked["probabilities"].values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The merged bundled model on disk, its renderer, and its answers."""
    folder = tmp_path_factory.mktemp("merged") / "model"
    model, renderer = load_merged(BUNDLED_MODEL, RECORDED_ADAPTER, "auto", torch.float32)
    weights = MergedWeights(BUNDLED_MODEL, RECORDED_ADAPTER)
    save_merged(weights, BUNDLED_MODEL, renderer, folder, torch.float32, max_shard_gb=4)
    return folder, renderer, checkpoint_answers(model, renderer, QUESTIONS)


def trained_adapter(folder, **options):
    """An adapter of every linear layer of the bundled model, with random weights."""
    torch.manual_seed(0)
    model = get_peft_model(
        load_model(BUNDLED_MODEL, dtype=torch.float32),
        LoraConfig(
            task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False, **options
        ),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.01)
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


@pytest.mark.parametrize(
    "options",
    [None, {"use_dora": True}, {"use_rslora": True}, {"modules_to_save": ["norm", "embed_tokens"], "ensure_weight_tying": True}],
    ids=["recorded", "dora", "rslora", "whole modules"],
)  # fmt: skip
def test_streamed_weights_are_those_that_peft_merges_as_a_whole(tmp_path, options):
    adapter = RECORDED_ADAPTER if options is None else trained_adapter(tmp_path / "adapter", **options)
    expected = load_model(BUNDLED_MODEL, adapter, dtype=torch.float32).state_dict()
    weights = MergedWeights(BUNDLED_MODEL, adapter)
    assert set(weights.names) == set(expected) - {"lm_head.weight"}
    write_safetensors(weights, tmp_path, torch.float32, max_shard_gb=0.01)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    shards = {name: load_file(tmp_path / name) for name in set(index["weight_map"].values())}
    assert len(shards) > 3 and index["metadata"]["total_size"] == sum(
        value.nbytes for shard in shards.values() for value in shard.values()
    )
    for name, file in index["weight_map"].items():
        assert torch.equal(shards[file][name], expected[name].float()), name


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


def wrong_end_of_generation(folder):
    rewrite(folder / "generation_config.json", lambda config: config.update(eos_token_id=[2]))


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
    proof, _ = prove_gguf(tmp_path / "out.gguf", before, ROWS, QUESTIONS, renderer, "f16", penalty=1.2)
    assert (proof.cause, proof.proven) == (cause, not cause)
    assert proof.first_divergence is None or differs(proof.first_divergence)
    if cause == "template":
        found = proof.first_divergence
        assert found.prompt_before.endswith("<think>\n") and not found.prompt_after.endswith("<think>\n")


def differs(found):
    """Both streams are the same up to the position that is named, and not there."""
    before, after, at = found.tokens_before, found.tokens_after, found.at
    return before[:at] == after[:at] and before[at : at + 1] != after[at : at + 1]


@pytest.mark.parametrize(
    ("sabotage", "cause"),
    [(wrong_template, "template"), (wrong_end_of_generation, "end_token"), (untied_head, "weights")],
)
def test_a_sabotaged_folder_is_caught_and_the_cause_named(checkpoint, tmp_path, sabotage, cause):
    folder, renderer, before = checkpoint
    folder = shutil.copytree(folder, tmp_path / "model")
    sabotage(folder)
    proof, _ = prove_folder(folder, None, before, ROWS, QUESTIONS, renderer, "f32", penalty=1.2)
    assert (proof.cause, proof.proven) == (cause, False)
    assert proof.first_divergence is None or differs(proof.first_divergence)


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


@pytest.mark.parametrize(("size", "large"), [(1000, False), (LARGEST_FLOAT32 + 1, True)])
def test_a_large_model_is_held_in_16_bit(tmp_path, size, large):
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(size)  # a sparse file
    assert is_large(tmp_path) == large
