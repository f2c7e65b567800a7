"""The pages of the web app: what a person sees and presses.

A page is a thin file whose name is its address; it draws a header and calls its sections. A run of a page
goes from top to bottom: `studio.app` draws the sidebar and finds the page; the page asks the session for
workspace, store and person, draws its header, and lets its sections draw and call the services of `studio`.
A press runs a callback first, then the page again; fragments run alone. No page knows SQL, torch or a worker.

    home      Show where the workspace stands and the next step; import titles.
    label     Label one title at a time, by a digit or with a think chain.
    drafts    Let a teacher model draft think chains.
    review    Adjudicate disputes and flags, spot-check the rest.
    titles    Find titles, read their history, edit many at once.
    check     Validate a file row by row and repair a copy of it.
    datasets  Freeze dataset versions, compare them, download their files.
    pairs     Collect preference pairs from decisions, and freeze them.
    quality   Answer the findings of the quality scan; see the coverage.
    models    List, verify and download base models.
    train     Start training runs and watch them.
    runs      List every run; compare settings and curves, tag, delete and restore.
    evaluate  Read scores and the titles behind them; evaluate again.
    compare   Compare two runs and more: the verdict, what was fixed and what broke.
    release   Judge a candidate at a gate, release it, go back to an earlier release.
    export    Take a model along: format, size, cost, proof.
    try_it    Classify titles and chat with a model.
    guides    Show the guides of docs/guides, five minutes for each kind of reader.
    team      See people, their pace and agreement; set roles and settings.
    sections  What each page draws, one package a page; no page imports another's.
    shared    What several pages use: session, feedback, names, elements, charts.
"""
