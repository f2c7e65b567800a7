"""Scan base models on this machine, and resolve a name to a folder."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from studio.contract import TemplateName
from studio.errors import ModelUnusable
from studio.modelfiles.folder_check import ModelReport
from studio.modelfiles.folder_check import check_model as check_model  # callers who choose a model want both
from studio.modelfiles.safetensors_headers import ModelProblem
from studio.modelfiles.settings import load_model_settings
from studio.models.locations import LocationSource, ModelLocation, list_locations
from studio.models.path_hints import not_found, tidy
from studio.system.documents import one_line, typed_path
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
        """Whether it can be loaded: no problem is an error."""
        return not any(problem.severity == "error" for problem in self.problems)


def find_models(workspace: Workspace) -> list[ModelEntry]:
    """List the models to choose from: the bundled one, all of the workspace, the usable ones elsewhere.

    An incomplete model in a shared cache is not offered; in the workspace it is listed
    with its problems.
    """
    return [model for model in scan_models(workspace) if model.ok or model.source in ("bundled", "workspace")]


def scan_models(workspace: Workspace) -> list[ModelEntry]:
    """Scan every location on this machine for models, broken ones included."""
    allowed = {each.path for each in load_model_settings(workspace).allowed}
    return [_base_model(name, location, allowed) for name, location in _named(list_locations(workspace))]


def resolve_model(workspace: Workspace, text: str) -> Path:
    """Resolve `bundled`, a name or a path to a model folder, and check it.

    A name is one of `find_models`, or the hub's id of a model that is in its cache.

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
    """Resolve a text to a model folder or file, without checking it.

    Raises:
        ModelUnusable: nothing matches; suggests what was likely meant.
    """
    text = tidy(text)
    named = typed_path(str(workspace.models / text))
    if text == BUNDLED_NAME:
        return BUNDLED_MODEL
    if text and named.exists():
        return named
    path = typed_path(text)
    if text and path.exists():
        return path
    locations = list_locations(workspace)
    known = {name: location.path for name, location in _named(locations)}
    # The first of several wins: a sound copy in one cache before a broken one in another.
    same = [location.path for location in locations if location.name == text]
    sound = next((path for path in same if check_model(path).ok), None)
    found = known.get(text) if text in known and not same else sound or next(iter(same), None)
    if found is None:
        raise not_found(one_line(text, 200), known)
    return found


def _named(locations: list[ModelLocation]) -> list[tuple[str, ModelLocation]]:
    """Give each location a unique name: the plain one to the first, SOURCE:NAME to others."""
    count: Counter[str] = Counter()
    named = []
    for location in locations:
        name = location.name if location.name not in count else f"{location.source}:{location.name}"
        if name in count:
            name = str(location.path)
        count[name] += 1
        named.append((name, location))
    return named


def _base_model(name: str, location: ModelLocation, allowed: set[Path]) -> ModelEntry:
    report: ModelReport = check_model(location.path)
    if location.path in allowed:
        report = report.allowing_unsafe()
    return ModelEntry(
        name=name,
        path=location.path,
        bundled=location.source == "bundled",
        source=location.source,
        architecture=report.architecture,
        parameters=report.parameters,
        size_bytes=report.size_bytes,
        template=report.template,
        problems=report.problems,
    )
