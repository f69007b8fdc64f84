"""What a container left to say when it ended: its termination message. Source: kuberuntime_container.go."""

import json
from pathlib import Path

MAX_FILE, MAX_LOG, MAX_LINES = 4096, 2048, 80
_TAIL = 256 * 1024


def message(file: Path, policy: str, log: Path, exit_code: int) -> str:
    """The file's text; where it is empty, and the policy says so, the end of the log of a failed container."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_FILE).decode(errors="replace")
    except OSError:
        text = ""
    if text or policy != "FallbackToLogsOnError" or exit_code == 0:
        return text
    return log_tail(log)


def log_tail(log: Path) -> str:
    """The last lines of a Docker json log."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(stream.tell() - _TAIL, 0))
            lines = stream.read().splitlines()
    except OSError:
        return ""
    texts = []
    for line in lines[-MAX_LINES:]:
        try:
            texts.append(json.loads(line)["log"])
        except (ValueError, KeyError):  # the first line of the piece was cut in half
            continue
    return "".join(texts)[-MAX_LOG:]
