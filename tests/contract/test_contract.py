"""The contract between studio and backend, and the tree of errors."""

import inspect

import pytest
from pydantic import ValidationError

from studio import errors
from studio.contract import (
    ClassifySpec,
    DownloadSpec,
    DraftSpec,
    EndpointSpec,
    EvaluateSpec,
    ExportSpec,
    PreviewSpec,
    RangeTestSpec,
    ServeSpec,
    SweepSpec,
    TrainSpec,
    event,
    run_spec,
)
from studio.errors import StudioError


@pytest.mark.parametrize(
    "spec",
    [
        TrainSpec,
        EvaluateSpec,
        ClassifySpec,
        EndpointSpec,
        ExportSpec,
        ServeSpec,
        PreviewSpec,
        DraftSpec,
        DownloadSpec,
        RangeTestSpec,
        SweepSpec,
    ],
)
def test_every_field_has_a_description(spec):
    assert all(field.description for field in spec.model_fields.values())


def test_an_unknown_field_is_refused():
    with pytest.raises(ValidationError, match="learning_rat"):
        TrainSpec(model_name_or_path="m", dataset_dir="d", learning_rat=1e-3)


def test_a_spec_survives_its_file():
    spec = TrainSpec(model_name_or_path="m", dataset_dir="d", lora_alpha=None)
    assert run_spec.validate_json(spec.model_dump_json()) == spec
    assert spec.scaling_alpha == 2 * spec.lora_rank


@pytest.mark.parametrize(
    "fields",
    [{"finetuning_type": "full", "loraplus_lr_ratio": 16}, {"finetuning_type": "full", "use_dora": True}],
)
def test_fields_that_exclude_each_other_are_refused_with_the_remedy(fields):
    with pytest.raises(ValidationError, match="remove them or choose lora"):
        TrainSpec(model_name_or_path="m", dataset_dir="d", **fields)


def test_an_event_is_known_by_its_name():
    assert event.validate_json('{"event": "held_out", "step": 1, "epoch": 0.5, "loss": 2.0}').loss == 2.0


def test_every_error_is_in_the_tree_that_the_module_draws():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, StudioError)]
    assert len(classes) > 8
    for error in classes:
        assert error.__name__ in (errors.__doc__ or ""), error


def test_an_error_is_a_problem_and_a_remedy():
    error = errors.PortInUse("Port 8501 is taken.", remedy="Choose another with --port.")
    assert str(error) == "Port 8501 is taken. Choose another with --port."
    assert error.exit_code == 1 and errors.InputError.exit_code == 2
