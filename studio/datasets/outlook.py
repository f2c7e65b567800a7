"""Tell what a freeze would take before it writes: chains that are missing, categories that are thin."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.datasets.files import SPLITS
from studio.datasets.splits import SplitOptions, split_titles
from studio.datasets.versions import Chainless, count_by_category, earlier_rows, seal, titles_to_freeze
from studio.language import say
from studio.samples.scheme import Scheme
from studio.samples.title_text import Split
from studio.stats import rows_for_half_width
from studio.store import Store


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a freeze would take, before it writes.

    `without_chain` counts the decided titles that have no think chain. `thin` are the categories whose
    evaluation rows are too few for the interval asked for, with their numbers; `needed` rows would do.
    """

    rows: Mapping[Split, int]
    without_chain: int
    thin: Mapping[str, int]
    needed: int
    half_width: float

    @property
    def sentences(self) -> list[str]:
        """What a person should know before the version is written."""
        told = []
        if self.without_chain:
            told.append(
                say(
                    f"{self.without_chain} 条已定标题没有思维链：照样收进去，会被训练成直接回答。",
                    f"{self.without_chain} decided titles have no think chain: taken as they are, they are"
                    " trained as direct answers.",
                )
            )
        if self.thin:
            points = f"{100 * self.half_width:g}"
            told.append(
                say(
                    f"评估集里太少，得不到 ±{points} 个百分点的区间（召回率 80 % 时要 {self.needed} 条）："
                    + "、".join(f"{name} {count}" for name, count in self.thin.items())
                    + "。",
                    f"Too few evaluation rows for an interval of ±{points} points, which takes"
                    f" {self.needed} at a recall of 80 %: "
                    + ", ".join(f"{name} {count}" for name, count in self.thin.items())
                    + ".",
                )
            )
        return told

    def to_json(self) -> dict[str, Any]:
        """Build the entry `outlook` of `news-studio freeze --json`."""
        return {**asdict(self), "rows": dict(self.rows), "thin": dict(self.thin)}


def freeze_outlook(
    db: Store,
    name: str,
    *,
    eval_share: float | None = None,
    seed: int = 42,
    eval_titles: Sequence[str] = (),
    resplit: bool = False,
    sealed_share: float | None = None,
    chainless: Chainless = "keep",
    half_width: float = 0.1,
    scheme: Scheme,
) -> Outlook:
    """Compute what `freeze` with these arguments would take, without writing.

    Args:
        half_width: of the 95 % interval that is wanted for each category's recall, 0 to 1.
    """
    titles = titles_to_freeze(db, chainless)
    options = SplitOptions(eval_share=eval_share, seed=seed, eval_titles=tuple(eval_titles), resplit=resplit)
    sealing = seal(db, titles, options, sealed_share)
    splits = split_titles(sealing.rest, *earlier_rows(db, name), options).splits if sealing.rest else {}
    needed = rows_for_half_width(half_width)
    counts = count_by_category(splits.get("eval", []))
    return Outlook(
        rows={split: len(splits.get(split, [])) for split in SPLITS},
        without_chain=sum(not title.chain for title in titles),
        thin={
            category: counts.get(category, 0) for category in scheme.names if counts.get(category, 0) < needed
        },
        needed=needed,
        half_width=half_width,
    )
