"""Scan base models on this machine, and resolve a name to a folder."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from studio.contract import TemplateName
from studio.errors import ModelUnusable
from studio.modelfiles.folder_check import ModelReport
from studio.modelfiles.folder_check import check_model as check_model  # whoever chooses a model wants both
from studio.modelfiles.safetensors_headers import ModelProblem
from studio.modelfiles.settings import load_model_settings
from studio.models.locations import LocationSource, ModelLocation, list_locations
from studio.models.path_hints import not_found, tidy
from studio.workspace import BUNDLED_MODEL, BUNDLED_NAME, Workspace


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A base model that can be chosen by `name`; `bundled` is the one that ships."""

    name: str
    path: Path
    bundled: bool
    source: LocationSource
    architecture: str
    parameters: int
    size_bytes: int
    template: TemplateName
    problems: tuple[ModelProblem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of loading it."""
        return not any(problem.severity == "error" for problem in self.problems)


def find_models(workspace: Workspace) -> list[ModelEntry]:
    """Models to choose from: the bundled one, all of the workspace by name, the usable ones elsewhere.

    What others have left half done in their caches is no choice; in the workspace it is
    shown with what is wrong.
    """
    return [model for model in scan_models(workspace) if model.ok or model.source in ("bundled", "workspace")]


def scan_models(workspace: Workspace) -> list[ModelEntry]:
    """Every model on this machine that the studio knows to look for, broken ones included."""
    allowed = {each.path for each in load_model_settings(workspace).allowed}
    return [_base_model(name, place, allowed) for name, place in _named(list_locations(workspace))]


def resolve_model(workspace: Workspace, text: str) -> Path:
    """The folder that `bundled`, a name, or a path means.

    A name is one of `find_models`, or what a hub calls a model that is in its cache.

    Raises:
        ModelUnusable: there is none, or it cannot be loaded; with the first reason.
    """
    path = locate_model(workspace, text)
    report = check_model(path)
    if path in {each.path for each in load_model_settings(workspace).allowed}:
        report = report.allowing_unsafe()
    if report.errors:
        raise ModelUnusable(report.errors[0].message, remedy=report.errors[0].remedy)
    return path


def locate_model(workspace: Workspace, text: str) -> Path:
    """The folder or file that the text means, sound or not.

    Raises:
        ModelUnusable: it means none; with what was likely meant.
    """
    text = tidy(text)
    named = workspace.models / text
    if text == BUNDLED_NAME:
        return BUNDLED_MODEL
    if text and named.exists():
        return named
    path = Path(text).expanduser().absolute()
    if text and path.exists():
        return path
    places = list_locations(workspace)
    known = {name: place.path for name, place in _named(places)}
    # The first of several wins: a sound copy in one cache before a broken one in another.
    same = [place.path for place in places if place.name == text]
    sound = next((path for path in same if check_model(path).ok), None)
    found = known.get(text) if text in known and not same else sound or next(iter(same), None)
    if found is None:
        raise not_found(text, known)
    return found


def _named(places: list[ModelLocation]) -> list[tuple[str, ModelLocation]]:
    """Each place with a name that is its own: the plain one for the first, SOURCE:NAME for others."""
    count: Counter[str] = Counter()
    named = []
    for place in places:
        name = place.name if place.name not in count else f"{place.source}:{place.name}"
        if name in count:
            name = str(place.path)
        count[name] += 1
        named.append((name, place))
    return named


def _base_model(name: str, place: ModelLocation, allowed: set[Path]) -> ModelEntry:
    report: ModelReport = check_model(place.path)
    if place.path in allowed:
        report = report.allowing_unsafe()
    return ModelEntry(
        name=name,
        path=place.path,
        bundled=place.source == "bundled",
        source=place.source,
        architecture=report.architecture,
        parameters=report.parameters,
        size_bytes=report.size_bytes,
        template=report.template,
        problems=report.problems,
    )
