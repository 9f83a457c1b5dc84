"""What can go wrong, by whose hand it is put right. Each error is one line of advice and an exit code.

A message gives the value seen, where it came from, what was expected and what to do next.
"""


class LatentmechError(Exception):
    """A failure that the user can act on; `run` prints it as one line and exits with `exit_code`."""

    exit_code = 1


class BadInput(LatentmechError):
    """A setting or an input file is not what it must be."""

    exit_code = 2


class IntegrityError(LatentmechError):
    """Something on disk, or its identity, is not what its record says."""

    exit_code = 3


class ResourceError(LatentmechError):
    """Disk, memory, network or a permission is missing."""

    exit_code = 4
