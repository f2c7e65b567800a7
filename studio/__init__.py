"""Lead from raw titles to a measured classifier, and from each mistake back to its title.

The data flow, in words: a file is read into raw rows (formats), each row is judged (validation) against
the scheme (samples) and imported as a title (ingest) into the workspace (corpus, in the store). People label
and review titles (annotation), helped by suggestions, a teacher and quality findings. Decided titles are
frozen into a dataset version (datasets). A spec (training) on a version and a base model (models) becomes a
run folder (runs), which a job process starts (jobs) as a worker in `backend`. What comes back is scored
(evaluation), judged and released (gate, releases), answers over HTTP (serving), and leads from a wrong
answer to its title again.

Read from top to bottom; a package imports only from those below it, which import-linter holds:

    app          The entry script of the web app: navigation only.
    web_server   Serve the web app under its own names, to its own pages only.
    cli          The command line, `news-studio ...`.
    web          Who may enter; the entrance; the monitor.
    operations   Start, diagnose and demonstrate a studio; say what to do next.
    gate         A candidate judged by a rule saved before; its release.
    training     Presets, settings files, memory, learning rate, sweeps, curve health.
    classification  A sheet of titles, answered as a job.
    suggestions  A small classifier beside the annotators.
    quality      Decided titles that deserve a second look.
    chats        Conversations, several models at once, blind comparisons.
    teacher      A large model elsewhere drafts think chains.
    models       Base models by name: found, downloaded, resolved.
    evaluation   Scores, baselines, and the way back to the titles.
    jobs         The queue, the devices, the job process, Ray.
    serving      Model servers and their client.
    ingest       Rows into titles; imports and their undo.
    preferences  Decisions into preference pairs: collected, frozen, exported.
    runs         Run folders: made, read, steered.
    datasets     Frozen versions: splits, checks, files, diff, export.
    modelfiles   What a model folder's files say.
    annotation   Label, review, undo, history, bulk edits.
    accounts     Passwords, sessions, invitations; how a studio is entered.
    releases     The ledger of releases, and which one is in force.
    workspace    The folders and settings of one studio.
    validation   What is wrong with rows, and the safe repair.
    team         People, settings, pace, agreement, gold titles.
    corpus       Titles and their state; search; near duplicates.
    formats      Any file to raw rows.
    store        The SQLite database: opened, written, migrated.
    samples      Scheme, canonical form, title text, think chains.
    contract     What crosses to a worker: specs, events, results.
    system       Files, locks and processes of the operating system.
    messages     What is stored of a sentence: a code with arguments.
    stats        Wilson's interval, once.
    errors       The tree of errors, each with its remedy.
    language     Two languages side by side.

A package's own docstring lists its modules; a leading underscore means that only the package imports it.
No torch, no transformers, and no Streamlit but in the entry script.
"""
