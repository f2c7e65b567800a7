"""Operate a studio: supervise it, diagnose it, demonstrate it, and suggest the next step.

demo          Run the whole loop without a browser, on the bundled data and base model.
doctor        Diagnose the machine and the workspace: what is missing, and what to do about it.
evaluations   Build the spec of an evaluation, of a model here or at an endpoint.
export_sizes  Estimate the size of an export, and read what earlier ones measured.
export_zip    Pack the folder of an export as a zip.
exports       Export a run or a model for another runtime, as a job.
next_step     Suggest the next step of the loop from the state of a workspace.
package_card  Write what a package says about its model: card, changes, how to start it.
released      Find the run of the release in force.
supervisor    Supervise web app and job process: `news-studio up`, kept alive until Ctrl-C.
waiting       Run a job and wait for its end; Ctrl-C cancels it.
"""
