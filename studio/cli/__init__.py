"""Run the studio from a shell: `news-studio COMMAND`. Only `main` is imported from outside.

main          Assemble the commands; entry point of `news-studio`.
_accounts     Manage accounts: `accounts list | invite | password | sign-out`.
_annotations  Export and import annotations: `annotations export | import`.
_backups      Back a workspace up, restore it, rebuild a lost database: `backup | restore | rebuild`.
_classify     Classify a sheet of titles: `classify`.
_common       Turn errors into one message and an exit code; options that several commands share.
_compare      Compare runs on the same titles: `compare`.
_data         Check data and freeze dataset versions: `check`, `freeze`.
_datasets     List, compare, export and describe frozen versions: `dataset list | diff | export | card`.
_drafts       Let a teacher model draft think chains: `drafts`.
_export       Export a model for another runtime, proven there: `export`.
_forgetting   Probe what fine-tuning made a model forget: `forgetting`.
_imports      Import titles, list imports, undo one: `import`.
_influence    Find the training rows behind wrong answers: `influence`.
_measuring    Measure a run further: `behaviour`, `calibrate`, `curve`.
_models       List, check and download base models: `models`.
_pairs        Collect, freeze and export preference pairs: `pairs list | freeze | export`.
_predictions  Import predictions of other programs, export those of runs: `predictions import | export`.
_release      Judge candidates, release them, go back: `release`, `releases`, `gate`, `sealed`.
_report       Write a report of a run or a comparison: `report`.
_run_records  List, show, name, note, tag, delete and restore runs: more of `news-studio runs`.
_runs         Manage runs and the machine: `up`, `runs`, `doctor`.
_sample       Sample several answers to every row, judged by their labels: `sample`.
_serving      Serve models over the OpenAI protocol: `serve`.
_status       Show the progress of a job on one line of stderr.
_tracking     Export runs to experiment trackers: more of `news-studio runs`.
_training     Train and evaluate a model: `train`, `evaluate`.
"""
