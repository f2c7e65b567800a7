"""Run jobs in a queue, one a device: order, devices, the job process, Ray.

_process      Run the job process of a workspace: `python -m studio.jobs._process HOME`.
_ray_cluster  Submit a run as a job to a Ray cluster, and follow it.
_scheduler    Schedule waiting jobs in their order, one a device, and watch their workers.
devices       List the devices of this machine, and assign them to jobs.
queue         Queue runs, wait for them, and keep a job process alive.
settings      Read the settings of the job process and of a Ray cluster from the environment.
"""
