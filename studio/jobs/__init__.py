"""Run jobs in a queue, one a device: order, devices, the job process, Ray.

    _process      Run the job process of a workspace: `python -m studio.jobs._process HOME`.
    _ray_cluster  Submit a run as a job to a Ray cluster, and follow it.
    _scheduler    Schedule waiting jobs in their order, one a device, and watch their workers.
    devices       List the devices of this machine, and assign them to jobs.
    queue         Submit runs, wait for them, and keep a job process alive.
    settings      Read the settings of the job process and of a Ray cluster from the environment.

The run folders are the queue, and there is no other. A run waits from the moment its folder has a
spec.json; its order and the device it asks for are in its run.json, its state follows from its files,
and the lock of `alive` tells whether a worker lives. `submit` starts the job process or, when one lives,
touches jobs.lock. The job process polls that file's mtime five times a second (one fstat) and reads the
run folders when it changed, when a worker ended, and every `look_seconds`. So a wake-up can be lost, with
whoever is killed before it, but never a run. When idle it releases the lock and reads the folders once
more: a run that was submitted just before found the lock held and relies on that.

Decision: no queue library. huey was one, with queue.db (an older workspace still has the file; nothing
reads it), and only delivered wake-ups. As the scheduler it would be a second truth beside the folders:

- It deletes a message when a consumer takes it and has no acknowledgement: what runs when the consumer is
  killed is lost (huey issues 571, 598, 844). Here workers outlive the job process, and the next watches them.
- A priority is fixed when a message is sent; to reorder is to revoke and send again (Result.reschedule).
  Here people move waiting runs up and down.
- Its consumers are alike and share one queue (issue 671). Here a job asks for one device, for several GPUs
  at once, for a Ray cluster or for none, and jobs behind one that waits may pass it.
- A message waits or is gone. A run can be paused before and after it began, go on from a checkpoint, and
  be a member of a sweep, which is not scheduled by itself.

celery, rq and dramatiq want a broker, and have the last three in common with huey. Cluster schedulers (Slurm,
Ray) know devices but are services of their own; where there is a Ray cluster, runs are handed to it.
"""
