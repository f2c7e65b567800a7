"""Operate a studio: supervise it, diagnose it, demonstrate it, and suggest the next step.

backup       Back a workspace up while people work.
database_copies  Copy the database every night, and list the copies.
demo         Run the whole loop without a browser, on the bundled data and base model.
doctor       Diagnose the machine and the workspace: what is missing, and what to do about it.
evaluations  Build the spec of an evaluation, of a model here or at an endpoint.
export_sizes  Estimate the size of an export, and read what earlier ones measured.
export_zip   Pack the folder of an export as a zip.
exports      Export a run or a model for another runtime, as a job.
health       Tell a monitor how the studio is: `/healthz`, `/metrics`.
next_step    Suggest the next step of the loop from the state of a workspace.
package_card  Write what a package says about its model.
rebuild      Rebuild a lost database from the frozen versions.
released     Find the released run.
restore      Restore a backup into an empty workspace.
sampling     Sample several answers to every row as a job.
supervisor   Supervise web app and job process: `news-studio up`, kept alive until Ctrl-C.
tracking     Export runs to experiment trackers: TensorBoard, MLflow.
waiting      Run a job and wait for its end; Ctrl-C cancels it.
"""
