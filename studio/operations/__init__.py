"""Operate a studio: start it, diagnose it, demonstrate it, and say what to do next.

demo        Run the whole loop without a browser, on the bundled data and base model.
doctor      Diagnose the machine and the workspace: what is missing, and what to do about it.
next_step   Tell where a workspace stands in the loop, and which step comes next.
supervisor  Supervise web app and job process: `news-studio up`, kept alive until Ctrl-C.
waiting     Run a job and wait for its end; Ctrl-C cancels it.
"""
