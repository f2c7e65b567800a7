"""Run the studio from a shell: `news-studio COMMAND`. Only `main` is imported from outside.

main       Put the commands together; entry of `news-studio`.
_common    Turn errors into one message and an exit code; options that several commands share.
_data      Commands on data: check, freeze.
_datasets  Commands on frozen versions: `dataset list | diff | export | card | preview`.
_drafts    Let a teacher draft think chains: `drafts`.
_imports   Import titles, list imports, undo one: `import`.
_models    List, check and download base models: `models`.
_runs      Commands on runs and the machine: up, runs, doctor.
_status    Show the progress of a job on one line of stderr.
_training  Train, evaluate and serve a model: `train`, `evaluate`, `serve`.
"""
