"""Standard output and standard error of a command, on which nothing but the command's own work decides the exit code."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any, TextIO

from compact_proofs.errors import PackageSkipped
from compact_proofs.files.untrusted import visible


def settle_streams() -> None:
    """Replace ``sys.stdout`` and ``sys.stderr``, before anything is printed.

    A reader that leaves early (``| head``) is no error: what it would have read goes nowhere. Characters that the terminal's
    encoding does not have are written as escapes. Warnings of this program are one line, without the place in its source.
    """
    sys.stdout, sys.stderr = _settled(sys.stdout), _settled(sys.stderr)
    warnings.formatwarning = _one_line


_as_python = warnings.formatwarning


def _one_line(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    if issubclass(category, PackageSkipped):
        return f"Warning: {visible(str(message))}\n"
    return _as_python(message, category, filename, lineno, line)


def _settled(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # closed, or replaced by a program that runs this one
        return stream
    raw = _Patient(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="backslashreplace", line_buffering=stream.line_buffering
    )


class _Patient(io.FileIO):
    """A file to which everything can be written, read or not."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(memoryview(data).cast("B"))
