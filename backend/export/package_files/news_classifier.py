"""Classify titles with the GGUF model beside this file, in a llama.cpp inside this process.

The score of a category is the probability of its whole text after an empty think chain, end included;
the confidence is calibrated where there is a calibration.json. Needs nothing but `requirements.txt`.

    with Classifier() as classifier:
        print(classifier.classify(["国足客场2比1逆转"]))
"""

import json
import math
import os
import urllib.request
from pathlib import Path
from typing import Any

import xllamacpp

HERE = Path(__file__).resolve().parent
SLOTS = 4
CONTEXT = 1024
TOPS = 40


class Classifier:
    """A model that classifies titles, until it is closed; `address` is that of its llama.cpp server."""

    def __init__(self, folder: Path = HERE) -> None:
        self._prompt = json.loads((folder / "prompt.json").read_text(encoding="utf-8"))
        self._calibration = _calibration(folder / "calibration.json")
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(folder / self._prompt["model"])
        parameters.model_alias = {self._prompt["name"]}
        parameters.n_parallel, parameters.port, parameters.n_ctx = SLOTS, 0, SLOTS * CONTEXT
        parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
        parameters.cpuparams_batch.n_threads = parameters.cpuparams.n_threads
        parameters.warmup = False
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)
        self.address = str(self._server.listening_address)
        # Never through a proxy: the server is in this process.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server."""
        self._server = None

    @property
    def name(self) -> str:
        """What the model calls itself."""
        return str(self._prompt["name"])

    def classify(self, titles: list[str], threshold: float | None = None) -> list[dict[str, Any]]:
        """Classify titles: category, confidence, and the probability of each category, in their order.

        Args:
            titles: one line each.
            threshold: confidence below which the decision is to abstain; None: the package's own, if it
                has one.
        """
        return [self._classify(title, threshold) for title in titles]

    def _classify(self, title: str, threshold: float | None) -> dict[str, Any]:
        probabilities = self._calibrated(self._log_scores(title))
        category = max(probabilities, key=lambda name: probabilities[name])
        result = {"title": title, "category": category, "confidence": probabilities[category]}
        own = (self._calibration.get("threshold") or {}).get("confidence")
        if (limit := own if threshold is None else threshold) is not None:
            result["decision"] = "answer" if probabilities[category] >= limit else "abstain"
        return {**result, "probabilities": probabilities}

    def _calibrated(self, scores: dict[str, float]) -> dict[str, float]:
        temperature = self._calibration.get("temperature", 1.0)
        bias = self._calibration.get("bias", {})
        # The scores of a title are log probabilities once they are normalized.
        scaled = {
            name: value / temperature + bias.get(name, 0.0) for name, value in _normalized(scores).items()
        }
        return {name: math.exp(value) for name, value in _normalized(scaled).items()}

    def _log_scores(self, title: str) -> dict[str, float]:
        """Add up the log probabilities of each category's tokens; common beginnings are asked for once."""
        prefix = self._tokens(title) + self._prompt["direct"]
        paths = {tuple(row[:at]) for row in self._prompt["categories"].values() for at in range(len(row))}
        known: dict[tuple[int, ...], dict[int, float]] = {}
        for length in range(max(map(len, paths)) + 1):
            now = sorted(path for path in paths if len(path) == length)
            known |= dict(zip(now, self._next([[*prefix, *path] for path in now]), strict=True))
        return {
            name: sum(
                self._value(known[tuple(row[:at])], [*prefix, *row[:at]], token)
                for at, token in enumerate(row)
            )
            for name, row in self._prompt["categories"].items()
        }

    def _value(self, tops: dict[int, float], prompt: list[int], token: int) -> float:
        """Return a token's log probability; one that is not among the likeliest is forced to be told."""
        if token not in tops:
            tops |= self._next([prompt], logit_bias=[[token, 100.0]])[0]
        return tops[token]

    def _next(self, prompts: list[list[int]], **fields: Any) -> list[dict[int, float]]:
        """Read the log probabilities of the likeliest next tokens, and of the one that was chosen."""
        body = {"n_predict": 1, "n_probs": TOPS, "temperature": 0.0, "repeat_penalty": 1.0, **fields}
        told = self.post("/completion", {"prompt": prompts, **body})
        found = []
        for one in sorted(told if isinstance(told, list) else [told], key=lambda one: int(one["index"])):
            place = one["completion_probabilities"][0]
            found.append({each["id"]: each["logprob"] for each in [*place["top_logprobs"], place]})
        return found

    def _tokens(self, title: str) -> list[int]:
        """Tokenize the prompt about a title; a mark of the model in it, such as `<think>`, stays text."""
        before, after = self._prompt["before"], self._prompt["after"]
        title = " ".join(title.split())
        if not title:
            raise ValueError("a title is blank")
        if not any(mark in title for mark in self._prompt["marks"]):
            return self._tokenize(before + title + after, special=True)
        return [
            *self._tokenize(before, special=True),
            *self._tokenize(title, special=False),
            *self._tokenize(after, special=True),
        ]

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        body = {"content": text, "add_special": False, "parse_special": special}
        return list(self.post("/tokenize", body)["tokens"])

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send a request to the llama.cpp server inside this process."""
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with self._opener.open(request, timeout=600) as answer:
            return json.load(answer)


def _calibration(file: Path) -> dict[str, Any]:
    """Read how direct scores are calibrated; nothing where the package has no calibration."""
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["answers"].get("direct") or {}
    return found


def _normalized(scores: dict[str, float]) -> dict[str, float]:
    highest = max(scores.values())
    total = highest + math.log(sum(math.exp(value - highest) for value in scores.values()))
    return {name: value - total for name, value in scores.items()}
