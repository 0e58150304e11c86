"""Files are written whole or not at all, by one writer, which replaces files only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import is_replaced, remove_leftovers, write_atomically


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for data in (b"one", b"two", b""):
        write_atomically(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]
    assert is_replaced(file)
    assert not is_replaced(tmp_path / "nothing")


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "file"
    write_atomically(file, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"file: cannot be written \(No space left"):
        write_atomically(file, b"after")
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder" / "file", tmp_path / "link"
    file.write_bytes(b"before")
    link.symlink_to(file)
    write_atomically(link, b"after")
    assert link.is_symlink()
    assert file.read_bytes() == b"after"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "folder" / "new")
    write_atomically(dangling, b"new")
    assert (tmp_path / "folder" / "new").read_bytes() == b"new"


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    write_atomically(Path("/dev/null"), b"into nothing")
    assert Path("/dev/null").is_char_device()
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_atomically(link, b"into nothing")
    assert Path("/dev/null").is_char_device()
    assert not is_replaced(link)


def test_a_full_device_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"/dev/full: cannot be written"):
        write_atomically(Path("/dev/full"), b"too much")


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    data = bytes(range(256)) * 2**12  # more than a pipe holds
    write_atomically(pipe, data)
    reader.join()
    assert read == [data]
    assert pipe.is_fifo()


def test_what_is_no_place_for_bytes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        write_atomically(tmp_path, b"")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.relpath(tmp_path / "socket"))
        with pytest.raises(BadInput, match="is a socket"):
            write_atomically(tmp_path / "socket", b"")
        assert (tmp_path / "socket").is_socket()


_KILLED = """
import os, signal, sys
from compact_proofs.files.atomic import write_atomically
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(sys.argv[1], b"half")
"""

_SLOW = """
import os, sys
from compact_proofs.files.atomic import write_atomically
def wait(descriptor):
    print("writing", flush=True)
    sys.stdin.readline()
os.fsync = wait
write_atomically(sys.argv[1], b"slow")
"""


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """But not what another writer is still at."""
    file = tmp_path / "file"
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(file)])
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    slow = subprocess.Popen(
        [sys.executable, "-c", _SLOW, str(tmp_path / "slow")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert slow.stdout
    assert slow.stdout.readline() == "writing\n"
    assert not left.exists()  # the slow writer removed it
    assert len(list(tmp_path.iterdir())) == 1
    assert remove_leftovers(tmp_path) == []
    write_atomically(file, b"whole")
    slow.communicate("go on\n")
    assert slow.returncode == 0
    assert sorted(f.name for f in tmp_path.iterdir()) == ["file", "slow"]
    assert ((tmp_path / "slow").read_bytes(), file.read_bytes()) == (b"slow", b"whole")
    assert subprocess.run([sys.executable, "-c", _KILLED, str(file)]).returncode == -signal.SIGKILL
    assert len(remove_leftovers(tmp_path)) == 1
    assert file.read_bytes() == b"whole"
