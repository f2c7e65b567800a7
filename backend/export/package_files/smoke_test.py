"""Compare this package's answers with those that the studio recorded: exit code 1 where one differs."""

import json
import sys
from pathlib import Path

from news_classifier import Classifier


def main() -> int:
    """Classify the titles of smoke_titles.json, and count what differs."""
    rows = json.loads((Path(__file__).with_name("smoke_titles.json")).read_text(encoding="utf-8"))
    with Classifier() as classifier:
        answers = classifier.classify([row["title"] for row in rows])
    wrong = 0
    for row, answer in zip(rows, answers, strict=True):
        if answer["category"] != row["category"]:
            wrong += 1
            print(f"{row['title']}: {answer['category']}, expected {row['category']}")
    print(f"{len(rows) - wrong} of {len(rows)} as expected")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
