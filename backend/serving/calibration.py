"""Read a run's calibration; compute the confidence of an answer, the top 3, and whether to abstain."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio.contract import AnswerCalibration, AnswerMode, CalibrationFile
from studio.errors import UnreadableFile
from studio.evaluation.calibration import calibrated_probabilities, confidence_of
from studio.language import say
from studio.system.documents import one_line, read_whole

log = logging.getLogger(__name__)

TOP = 3
Source = Literal["request", "server", "run"]


class StoredCalibration:
    """The calibration.json of a run, read again whenever it changes: a threshold counts once it is chosen.

    Raises:
        UnreadableFile: there is a file, and it is not what the studio writes. One that breaks later is
            logged, and the last good one counts on: to answer without a threshold would be worse.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._file: CalibrationFile | None = None
        self._read()

    def of(self, answer: AnswerMode) -> AnswerCalibration | None:
        """Return how the confidence of a way of answering is computed; None: nobody calibrated it."""
        try:
            self._read()
        except UnreadableFile as error:
            log.warning("%s", error)
        return self._file.answers.get(answer) if self._file else None

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            found = self._path.stat()
        except OSError:
            self._seen, self._file = None, None
            return
        seen = (found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._file = CalibrationFile.model_validate_json(read_whole(self._path))
        except (OSError, ValueError) as error:
            why = one_line(error)
            raise UnreadableFile(
                say(f"{self._path} 无法读取：{why}", f"{self._path} cannot be read: {why}"),
                remedy=say(
                    "请在评估页重新选定门槛，或删除这个文件。",
                    "Choose the threshold again on the Evaluate page, or delete the file.",
                ),
            ) from error


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one request's answers get their confidence, and below which they are refused.

    `threshold`: None: everything is answered. `source`: who set it.
    """

    fitted: AnswerCalibration | None
    threshold: float | None
    source: Source | None

    @staticmethod
    def of(fitted: AnswerCalibration | None, *, request: float | None, server: float | None) -> "Rule":
        """Decide which threshold counts: the request's before the server's before the run's."""
        chosen = fitted.threshold.confidence if fitted and fitted.threshold else None
        candidates: list[tuple[Source, float | None]] = [
            ("request", request),
            ("server", server),
            ("run", chosen),
        ]
        for source, threshold in candidates:
            if threshold is not None:
                return Rule(fitted=fitted, threshold=threshold, source=source)
        return Rule(fitted=fitted, threshold=None, source=None)

    def judge(self, category: str | None, probabilities: Mapping[str, float]) -> dict[str, Any]:
        """Compute the fields of a result that say how sure it is.

        Without a calibration the confidence is that of direct scoring, and there is none where a chain
        leads elsewhere: the probabilities are then another answer's.
        """
        top = calibrated_probabilities(self.fitted, probabilities) if self.fitted else probabilities
        confidence = self._confidence(category, probabilities)
        fields: dict[str, Any] = {
            "confidence": confidence,
            "calibrated": self.fitted is not None,
            "top3": [
                {"category": name, "probability": top[name]}
                for name in sorted(top, key=lambda name: -top[name])[:TOP]
            ],
        }
        if self.threshold is not None:
            # An answer that could not be read is no answer, however low the threshold.
            sure = category is not None and (confidence or 0.0) >= self.threshold
            fields["decision"] = "answer" if sure else "abstain"
        return fields

    def _confidence(self, category: str | None, probabilities: Mapping[str, float]) -> float | None:
        if category is None:
            return None
        if self.fitted:
            return confidence_of(self.fitted, category, probabilities)
        leads = category == max(probabilities, key=lambda name: probabilities[name])
        return probabilities[category] if leads else None
