"""Every error that a user can fix, each with its remedy.

StudioError
├── InputError            unusable arguments, an unreadable file or folder
│   ├── UnreadableFile    missing, empty, truncated, wrong encoding or shape
│   │   └── DatabaseUnusable  the workspace's database is lost, corrupt, newer or read-only
│   └── ModelUnusable     a model folder that cannot be loaded, and why
├── NothingToFreeze       no decided title, or a split that would be empty
├── NotAllowed            the person's role does not cover this step
├── FreezeRefused         errors among the decided titles, or warnings that nobody accepted
├── GateNotPassed         a candidate failed its gate, or not all of it was measured
├── NotComparable         evaluations have different rows, and how many they share
├── StalePress            a key was pressed for a title that was decided anew
├── RunFailed             a worker ended without its result
├── JobProcessUnavailable the job process ends again and again
├── ClusterUnavailable    the Ray cluster does not answer, or Ray is not installed
├── ServerUnavailable     the model server does not start or does not answer
├── DownloadFailed        a model could not be fetched from the hub, or is not fetched at all
├── TeacherUnavailable    an endpoint refuses every request or does not answer
├── WorkspaceBusy         another process holds what this one needs
│   └── PortInUse         the port belongs to another program
├── DiskFull              nothing was lost, but nothing more can be written
└── NotWritable           the system refuses to read or write a file: permission, or a read-only disk
"""


class StudioError(Exception):
    """A problem the user can fix: what happened, then what to do."""

    exit_code = 1

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class InputError(StudioError):
    """An argument, file or folder cannot be used as it is."""

    exit_code = 2


class UnreadableFile(InputError):
    """A file is missing, empty, truncated, wrongly encoded or wrongly shaped.

    `code` is the problem code of `news-studio check`.
    """

    def __init__(self, problem: str, *, remedy: str, code: str = "unreadable") -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code


class DatabaseUnusable(UnreadableFile):
    """The workspace's database is lost, corrupt, of a newer studio or another program, or read-only."""


class ModelUnusable(InputError):
    """A model folder cannot be loaded."""


class NothingToFreeze(StudioError):
    """A version needs decided titles in both of its splits."""


class NotAllowed(StudioError):
    """The person's role does not cover this step."""


class FreezeRefused(StudioError):
    """Freezing needs a repair first or, where `can_accept`, somebody who accepts the warnings.

    `reasons` has one line for each error or warning.
    """

    def __init__(self, problem: str, *, remedy: str, reasons: tuple[str, ...], can_accept: bool) -> None:
        super().__init__(problem, remedy=remedy)
        self.reasons = reasons
        self.can_accept = can_accept


class GateNotPassed(StudioError):
    """A candidate did not pass its gate; `reasons` has one line for each line of the gate."""

    def __init__(self, problem: str, *, remedy: str, reasons: tuple[str, ...]) -> None:
        super().__init__(problem, remedy=remedy)
        self.reasons = reasons


class NotComparable(StudioError):
    """Evaluations have different rows; `common` of them are shared, on which they can be compared."""

    def __init__(self, problem: str, *, remedy: str, common: int) -> None:
        super().__init__(problem, remedy=remedy)
        self.common = common


class StalePress(StudioError):
    """The title on screen is no longer in the state that the person saw."""


class RunFailed(StudioError):
    """A worker ended without reaching its result."""


class JobProcessUnavailable(StudioError):
    """The job process ends again and again, so that nothing that waits is started."""


class ClusterUnavailable(StudioError):
    """The Ray cluster refuses or does not answer, or the extra is not installed."""


class ServerUnavailable(StudioError):
    """The model server does not start or does not answer."""


class TeacherUnavailable(StudioError):
    """An endpoint, a teacher's or one that is evaluated, refuses every request or does not answer."""


class DownloadFailed(StudioError):
    """A model could not be fetched from the hub, or is refused before anything is fetched."""


class WorkspaceBusy(StudioError):
    """Another process holds what this one needs."""


class PortInUse(WorkspaceBusy):
    """The port belongs to another program."""


class DiskFull(StudioError):
    """The disk is full; what was written before is intact."""


class NotWritable(StudioError):
    """The system refuses to read or write a file: no permission, a read-only disk, too long a name."""
