"""What the user reads when something is wrong: one line of advice, and an exit code."""

import difflib
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from latentmech.errors import BadInput, LatentmechError
from latentmech.run.questions import known_settings

INTERRUPTED = (130, 143, -1, 144)  # by Ctrl-C, by SIGTERM, and by submitit, which has put the job into the queue again


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def one_line(debug: bool = False) -> Iterator[None]:
    """Print errors that the user can act on as one line and exit with their code; SIGTERM is one of them."""
    try:
        with _terminable():
            yield
    except KeyboardInterrupt as stop:
        print("latentmech: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(143 if isinstance(stop, Terminated) else 130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = explain(error)
        print(f"latentmech: {message}", file=sys.stderr)
        sys.exit(code)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, once: what is then written about how it ended is not cut short."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return

    def end(number: int, frame: object) -> None:
        del frame
        signal.signal(number, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, before)


def explain(error: BaseException) -> tuple[str, int]:
    """One line of advice for an error, and the exit code."""
    chain = [error]
    while (inner := chain[-1].__cause__) is not None:
        chain.append(inner)
    for link in chain:
        if isinstance(link, LatentmechError):
            return str(link), link.exit_code
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _setting(" ".join(str(link) for link in chain)), BadInput.exit_code
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__}: {error} (in {where}; see all with debug=true)", 1


def _setting(message: str) -> str:
    """Hydra's several lines as one, with the names that come near what was typed."""
    text = " ".join(message.split())
    if found := re.search(r"Could not (?:override|append|find) '([^']+)'", text):
        near = difflib.get_close_matches(found[1], known_settings(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "--cfg job lists what there is"
        seen = "no such option" if "/" in found[1] else "no such setting"
        return f"{found[1]}: {seen}; {hint}"
    if found := re.search(r"Could not load '?schema/launcher/(\w+)", text):
        extra = "ray" if found[1] == "ray" else "launchers"
        return f"this launcher is a package that is not here; pip install 'latentmech[{extra}]'"
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{found[1]} is not set; give it on the command line: {found[1]}=..."
    if found := re.search(r"(Value '.*?' .*?) full_key: (\S+)", text):
        return f"{found[2]}: {found[1].rstrip()}; give a value of that type"
    return text
