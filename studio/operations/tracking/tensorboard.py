"""Write runs as TensorBoard event folders: a folder each, with curves, scores and hyperparameters.

The extra `tensorboard` alone writes them; neither TensorFlow nor torch is needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.operations.tracking.record import TrackedRun


def write_event_folders(tracked: Sequence[TrackedRun], out: Path) -> None:
    """Write each run into a folder of its id.

    Raises:
        ImportError: tensorboard is not installed.
    """
    # Here: an extra, and heavy.
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams import summary_v2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    def event(summary: Any, at: float, step: int = 0) -> Any:
        return event_pb2.Event(wall_time=at, step=step, summary=summary)

    def scalar(name: str, value: float) -> Any:
        return summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=name, simple_value=value)])

    for run in tracked:
        began = run.started.timestamp()
        ended = run.ended.timestamp() if run.ended else began
        last = max((point.step for point in run.points), default=0)
        writer = EventFileWriter(str(out / run.id))
        writer.add_event(
            event(summary_v2.hparams_pb(dict(run.params), trial_id=run.id, start_time_secs=began), began)
        )
        metrics = [summary_v2.Metric(name) for name in run.scores]
        writer.add_event(
            event(
                summary_v2.hparams_config_pb([summary_v2.HParam(name) for name in run.params], metrics), began
            )
        )
        writer.add_event(event(_text(summary_pb2, "tags", run.tags), began))
        for point in run.points:
            writer.add_event(event(scalar(point.metric, point.value), point.at.timestamp(), point.step))
        for name, value in run.scores.items():
            writer.add_event(event(scalar(name, value), ended, last))
        writer.close()


def _text(summary_pb2: Any, tag: str, values: Any) -> Any:
    """Build a text summary: a table of names and values."""
    from tensorboard.compat.proto import tensor_pb2, types_pb2

    rows = [f"| {name} | {value.replace('|', ' ').replace(chr(10), ' ')} |" for name, value in values.items()]
    text = "\n".join(["| tag | value |", "|---|---|", *rows])
    metadata = summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
    )
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[text.encode()])
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])
