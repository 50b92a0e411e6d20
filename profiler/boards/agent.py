"""On a board: answers what the laptop asks, one JSON line for each. Standard library alone, Python 3.9 and later.

Requests come on standard input, `{"id": 1, "do": "hello", ...}`; answers go to standard output, `{"id": 1, "ok": ...}`
or `{"id": 1, "error": "..."}`, and what a worker says on its way as `{"id": 1, "event": ...}`. When the laptop is gone,
standard input ends or falls silent, and so do the agent and its worker.
"""

import fcntl
import glob
import hashlib
import json
import mmap
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, TextIO

LONGEST_TEXT = 1 << 20
MOST_FILES = 4000
PROGRAM_S, LONGEST_PAUSE_S = 5.0, 60.0
LAST_WORDS = 4096
MEMORY_DISK = "/dev/shm"  # noqa: S108
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LOCK = "lock"

LONGEST_SILENCE_S = 120.0
"""A laptop says something every 20 seconds. One that sleeps, or has left its network, ends no connection."""

ENDING_S, PAUSE_S = 5.0, 0.1
"""For what was told to end, and between looks at whether it has."""


def anchor() -> Dict[str, int]:
    """This moment on the board's wall clock and on the clock of its stamps."""
    return {"wall_ns": time.time_ns(), "mono_ns": time.perf_counter_ns()}


def hello(asked: Dict[str, Any]) -> Dict[str, Any]:
    """What the laptop must know before it sends anything."""
    folder = os.path.expanduser(asked["folder"])
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    return {
        "python": platform.python_version(),
        "bits": 8 * struct.calcsize("P"),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "page_bytes": mmap.PAGESIZE,
        "folder": folder,
        "free_bytes": shutil.disk_usage(there).free,
        "cpus": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        "boot_id": (_text(BOOT_ID) or "").strip() or None,
        "anchor": anchor(),
    }


def texts(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Kernel files that these patterns below the root match, and what these programs print."""
    root = asked["root"]
    found: Dict[str, str] = {}
    for pattern in asked["patterns"]:
        for path in sorted(glob.glob(os.path.join(root, pattern)))[:MOST_FILES]:
            text = _text(path)
            if text is not None and len(found) < MOST_FILES:
                found[os.path.relpath(path, root)] = text
    for name, program in asked["programs"].items():
        text = _printed(program) if root == "/" else None
        if text is not None:
            found[name] = text
    return {"files": found, "anchor": anchor()}


def _text(path: str) -> Optional[str]:
    try:
        with open(path, "rb") as file:
            return file.read(LONGEST_TEXT).decode("utf-8", "replace")
    except OSError:
        return None


def _printed(program: Dict[str, Any]) -> Optional[str]:
    """All that a program prints, or its first line if it never ends by itself."""
    command, first_line = program["command"], program["first_line"]
    path = shutil.which(command[0])
    if path is None:
        return None
    try:
        process = subprocess.Popen(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    timer = threading.Timer(PROGRAM_S, process.kill)
    timer.start()
    assert process.stdout is not None
    try:
        printed = process.stdout.readline(LONGEST_TEXT) if first_line else process.stdout.read(LONGEST_TEXT)
    finally:
        timer.cancel()
        if first_line:
            process.kill()
        process.stdout.close()
        ended = process.wait()
    return printed.decode("utf-8", "replace") if first_line or ended == 0 else None


def modules(asked: Dict[str, Any]) -> Dict[str, Optional[str]]:
    """Versions of the packages that a worker would find, "" where one does not say; None for what is not there."""
    if asked["folder"] not in sys.path:
        sys.path.insert(0, asked["folder"])
    return {name: _version(name) if find_spec(name) is not None else None for name in asked["names"]}


def _version(module: str) -> str:
    names = {"llama_cpp": "llama-cpp-python", "onnxruntime_genai": "onnxruntime-genai"}
    try:
        return version(names.get(module, module))
    except PackageNotFoundError:
        return ""


def sha256(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Of a file: its hash, and how many bytes it has."""
    digest, size = hashlib.sha256(), 0
    with open(asked["path"], "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
            size += len(piece)
    return {"sha256": digest.hexdigest(), "bytes": size}


def sizes(asked: Dict[str, Any]) -> Dict[str, Optional[int]]:
    """How many bytes these files have; None for one that is not there."""
    return {path: os.path.getsize(path) if os.path.isfile(path) else None for path in asked["paths"]}


def cached(asked: Dict[str, Any]) -> Optional[float]:
    """The share of a build's pages that lie in the page cache; None where the kernel does not say."""
    share: Optional[float] = _own("page_cache", asked["code"]).cached_share(Path(asked["path"]))
    return share


def evict(asked: Dict[str, Any]) -> List[Any]:
    """Send a build out of the page cache: whether it went, and if not, why."""
    return list(_own("page_cache", asked["code"]).evict(Path(asked["path"])))


def _own(module: str, code: str) -> Any:
    """A module that the laptop uses for itself too, as it was copied here."""
    if code not in sys.path:
        sys.path.insert(0, code)
    return import_module("profiler.measure." + module)


def put(asked: Dict[str, Any]) -> bool:
    """A small text file, whole or not at all."""
    folder({"path": os.path.dirname(asked["path"])})
    part = asked["path"] + ".part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(asked["text"])
        os.replace(part, asked["path"])
    except OSError:
        if os.path.exists(part):
            os.unlink(part)
        raise
    return True


def folder(asked: Dict[str, Any]) -> bool:
    """A folder of our own, which nobody else may look into."""
    os.makedirs(asked["path"], mode=0o700, exist_ok=True)
    return True


def rename(asked: Dict[str, Any]) -> bool:
    """A file that has arrived gets its name."""
    os.replace(asked["path"], asked["to"])
    return True


def link(asked: Dict[str, Any]) -> bool:
    """Another name for a file beside it."""
    folder({"path": os.path.dirname(asked["path"])})
    if os.path.lexists(asked["path"]):
        os.unlink(asked["path"])
    os.symlink(asked["to"], asked["path"])
    return True


def unpack(asked: Dict[str, Any]) -> bool:
    """A wheel whose names the laptop has looked at takes the place of an earlier one; what describes it comes last."""
    target, info = asked["to"], asked["info"]
    part = os.path.join(target, ".unpacking")
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(asked["path"]) as wheel:
        wheel.extractall(part)
    with open(os.path.join(part, asked["mark"]), "w"):
        pass
    for earlier in glob.glob(os.path.join(glob.escape(target), info.partition("-")[0] + "-*.dist-info")):
        shutil.rmtree(earlier)
    for name in sorted(os.listdir(part), key=lambda name: name == info):
        place = os.path.join(target, name)
        if os.path.isdir(place):
            shutil.rmtree(place)
        os.replace(os.path.join(part, name), place)
    os.rmdir(part)
    os.unlink(asked["path"])
    return True


def forget(asked: Dict[str, Any]) -> bool:
    """One file goes."""
    os.unlink(asked["path"])
    return True


def remove(asked: Dict[str, Any]) -> bool:
    """Everything that edgeprof has put on this board."""
    folder = os.path.expanduser(asked["folder"])
    found = os.listdir(folder) if os.path.isdir(folder) else []
    shutil.rmtree(folder, ignore_errors=True)
    _forget_empty(os.path.dirname(folder))
    return found not in ([], [LOCK])


class Lock:
    """Measuring alone: a file that the kernel frees when its holder ends, however that ends."""

    def __init__(self) -> None:
        self._file: Optional[TextIO] = None

    def take(self, asked: Dict[str, Any]) -> Optional[float]:
        """None once it is held here, else for how many seconds another has held it.

        A holder with the same `word` is of the same run, left over from a link that broke: it is ended.
        """
        path = os.path.join(os.path.expanduser(asked["folder"]), LOCK)
        folder({"path": os.path.dirname(path)})
        give_up = time.monotonic() + ENDING_S
        while self._file is None:
            file = open(path, "a+", encoding="ascii")
            if _flock(file) and _is_at(path, file):
                self._file = _signed(file, asked["word"])
                break
            holder = _signature(file)
            file.close()
            if holder["word"] != asked["word"] or time.monotonic() > give_up:
                return float(max(0.0, time.monotonic() - holder["since"]))
            _end(holder["pid"])
        return None


def _flock(file: TextIO) -> bool:
    """Whether nobody else holds it. Some network disks have no locks: there nobody does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_at(path: str, file: TextIO) -> bool:
    """Whether the file is still the one of this name: who cleans a board removes it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False


def _signed(file: TextIO, word: str) -> TextIO:
    file.truncate(0)
    json.dump({"pid": os.getpid(), "since": time.monotonic(), "word": word}, file)
    file.flush()
    return file


def _signature(file: TextIO) -> Dict[str, Any]:
    """Who holds it and since when; somebody since now while that is being written."""
    file.seek(0)
    try:
        said = json.loads(file.read(LAST_WORDS))
        return {"pid": int(said["pid"]), "since": float(said["since"]), "word": said["word"]}
    except (ValueError, TypeError, KeyError):
        return {"pid": 0, "since": time.monotonic(), "word": None}


def _end(pid: int) -> None:
    try:
        if pid > 1:
            os.kill(pid, signal.SIGTERM)
    except OSError:
        pass
    time.sleep(PAUSE_S)


def _forget_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        pass  # others keep something there


class Sampling:
    """Texts of files and programs, read again and again in a thread of its own until they are asked for.

    Readings take `share` of a core: the dearer they are, the rarer.
    """

    def __init__(self, asked: Dict[str, Any]) -> None:
        root, self._programs = asked["root"], asked["programs"]
        self._paths = {name: os.path.join(root, name) for name in asked["files"]}
        self._every_s, self._share, self._most = asked["every_s"], asked["share"], asked["most"]
        self._at: List[int] = []
        self._texts: List[Dict[str, Optional[str]]] = []
        self._spent_ns = 0
        self._over = threading.Event()
        self._began_ns = time.perf_counter_ns()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        while True:
            began = time.perf_counter_ns()
            found = {name: _text(path) for name, path in self._paths.items()}
            found.update((name, _printed(program)) for name, program in self._programs.items())
            ended = time.perf_counter_ns()
            self._spent_ns += ended - began
            self._at.append((began + ended) // 2)
            self._texts.append(found)
            if len(self._at) > self._most:
                self._at, self._texts, self._every_s = self._at[::2], self._texts[::2], 2 * self._every_s
            paid_s = self._spent_ns / 1e9 / (len(self._at) or 1) / self._share
            if self._over.wait(min(LONGEST_PAUSE_S, max(self._every_s, paid_s))):
                return

    def end(self) -> Dict[str, Any]:
        """The readings, and the share of a core that they took."""
        self._over.set()
        self._thread.join()
        elapsed = max(1, time.perf_counter_ns() - self._began_ns)
        return {"at_ns": self._at, "texts": self._texts, "share": self._spent_ns / elapsed}


def _zeros(folder: Optional[str], size: int) -> str:
    """A new file, written in full: that its disk is full shows here, and not as a bus error in the worker."""
    handle, path = tempfile.mkstemp(prefix="edgeprof-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(size))
    except OSError as error:
        os.unlink(path)
        raise OSError(error.errno, error.strerror, os.path.dirname(path)) from None
    return path


class Work:
    """One worker, from its order to its end. What it says is handed on at once, and its stamps now and then."""

    def __init__(self, asked: Dict[str, Any], tell: Callable[[Any], None]) -> None:
        self._tell, self._look_s = tell, asked["look_s"]
        folder = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
        self._errors = tempfile.TemporaryFile()
        self._stamps = _zeros(folder, 8 * asked["words"])
        self._scratch = tempfile.mkdtemp(prefix="edgeprof-")
        order = dict(asked["order"], stamps=self._stamps, scratch=self._scratch)
        self._process = subprocess.Popen(
            [*asked["command"], asked["worker"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(
                {name: os.environ[name] for name in asked["kept"] if name in os.environ},
                **asked["environment"],
            ),
            start_new_session=True,
        )
        self._give(json.dumps(order).encode("ascii"))
        threading.Thread(target=self._look_on, daemon=True).start()

    def _give(self, order: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order)
            self._process.stdin.close()
        except BrokenPipeError:
            pass

    def _look_on(self) -> None:
        """Stamps while it works: the laptop's watchdog and its live view need them."""
        while self._process.poll() is None:
            time.sleep(self._look_s)
            self._tell({"words": self._words()})

    def _words(self) -> List[int]:
        try:
            with open(self._stamps, "rb") as file:
                content = file.read()
        except OSError:
            return []
        return list(struct.unpack("=%dq" % (len(content) // 8), content))

    def follow(self) -> Dict[str, Any]:
        """Hand on its lines until it has ended, and tell how it did. Nothing of it stays, told or not."""
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._tell({"line": line.decode("utf-8", "replace")})
            status = self._process.wait()
            self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - LAST_WORDS))
            said = self._errors.read().decode("utf-8", "replace")
            return {"status": status, "words": self._words(), "said": said, "anchor": anchor()}
        finally:
            if self._process.poll() is None:
                self.stop()
            os.unlink(self._stamps)
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the worker."""
        return self._process.pid

    def stop(self) -> None:
        """End it and whatever it has started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:
            pass


class Agent:
    """Answers in turn; a worker is followed in a thread, so that it can be stopped and the board be read meanwhile."""

    def __init__(self, results: TextIO) -> None:
        self._results, self._lock = results, threading.Lock()
        self._sampling: Optional[Sampling] = None
        self._work: Optional[Work] = None
        self._following: Optional[threading.Thread] = None
        self._waits_since: Optional[float] = None
        self._answers: Dict[str, Callable[[Dict[str, Any]], Any]] = {
            "hello": hello,
            "texts": texts,
            "modules": modules,
            "sha256": sha256,
            "sizes": sizes,
            "cached": cached,
            "evict": evict,
            "put": put,
            "folder": folder,
            "rename": rename,
            "unpack": unpack,
            "forget": forget,
            "link": link,
            "remove": remove,
            "anchor": lambda _: anchor(),
            "beat": lambda _: True,
            "hold": Lock().take,
            "mappers": self._mappers,
            "sample": self._sample,
            "sampled": self._sampled,
            "stop": self._stop,
        }

    def say(self, **fields: Any) -> None:
        """One line to the laptop."""
        with self._lock:
            self._results.write(json.dumps(fields) + "\n")
            self._results.flush()

    def answer(self, asked: Dict[str, Any]) -> None:
        """One request. An error of any kind is its answer."""
        if asked["do"] == "work":
            self._following = threading.Thread(target=self._works, args=(asked,), daemon=True)
            self._following.start()
            return
        try:
            self.say(id=asked["id"], ok=self._answers[asked["do"]](asked))
        except Exception as error:  # whatever went wrong there is told here
            self.say(id=asked["id"], error=f"{type(error).__name__}: {error}")

    def _works(self, asked: Dict[str, Any]) -> None:
        try:
            self._work = Work(asked, lambda event: self.say(id=asked["id"], event=event))
            self.say(id=asked["id"], ok=self._work.follow())
        except Exception as error:  # the same
            self.say(id=asked["id"], error=f"{type(error).__name__}: {error}")
        finally:
            self._work = None

    def _sample(self, asked: Dict[str, Any]) -> bool:
        self._sampled(asked)
        self._sampling = Sampling(asked)
        return True

    def _sampled(self, _: Dict[str, Any]) -> Any:
        found, self._sampling = self._sampling, None
        return found.end() if found is not None else None

    def _stop(self, _: Dict[str, Any]) -> bool:
        if self._work is not None:
            self._work.stop()
        return self._work is not None

    def _mappers(self, asked: Dict[str, Any]) -> Any:
        """Who else maps a build's files, beside us and the worker."""
        work, ours = self._work, {os.getpid()}
        if work is not None:
            ours.add(work.pid)
        return _own("mappers", asked["code"]).other_mappers(Path(asked["path"]), ours)

    def listen(self, lines: TextIO) -> None:
        """Answer until they end, or nothing is asked for too long."""
        threading.Thread(target=self._watch, daemon=True).start()
        self._waits_since = time.monotonic()
        for line in lines:
            self._waits_since = None
            self.answer(json.loads(line))
            self._waits_since = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(ENDING_S)
            since = self._waits_since
            if since is not None and time.monotonic() - since > LONGEST_SILENCE_S:
                os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """The laptop is gone: nothing goes on without it."""
        if self._work is not None:
            self._work.stop()
        if self._following is not None:
            self._following.join(ENDING_S)


def main() -> None:
    """Answer until standard input ends."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _leave)
    agent = Agent(results)
    try:
        agent.listen(sys.stdin)
    except BrokenPipeError:
        pass
    finally:
        agent.close()
        os._exit(0)  # what is left unsaid could wait for ever in a pipe that nobody reads


def _leave(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


if __name__ == "__main__":
    main()
