# fuzz.py: `./run check fuzz`: files of every kind that the product reads, damaged again and again, each read by a process that is
# watched: it must neither crash nor hang nor take more memory than it is given. Nothing but the standard library.
import collections
import os
import random
import re
import resource
import select
import signal
import subprocess
import sys
import threading
import time

import mutations
import seeds

# Per file. Seconds are the process's own, so that a busy machine fails nothing; memory is what lies in RAM.
SECONDS, WAIT, MEMORY, ADDRESSES = 20, 300, 600 << 20, 6 << 30
PIXELS = 1 << 20
# By what a process may have grown after thousands of files: what is allocated and not freed, of which caches are a part. Looked at after so many files.
GROWTH, LOOK = 8 << 20, 500
# What libvips says of what outlives it.
ALIVE = re.compile(r"^\d+ objects alive|^\d+ VipsArea alive|^memory: [1-9]\d* allocations|^files: [1-9]\d* open|Sanitizer")
WRITTEN = ("png", "tif", "jpg", "webp", "jp2", "gif", "png", "tif", "jpg", "jxl")


class Reader:
    """A process of the product that reads the files it is told."""

    def __init__(self, acuity, scratch, sanitized, perturbs=True):
        self.scratch = scratch
        self.errors = open(os.path.join(scratch, "errors.txt"), "w+b")
        # Freed memory is overwritten, so that whoever looks at it again notices. A report of the sanitizer is a crash.
        # libvips counts what is still alive when the process ends.
        environment = os.environ | {"MALLOC_PERTURB_": "165" if perturbs else "0", "VIPS_CONCURRENCY": "1", "ACUITY_MODELS": "", "VIPS_LEAK": "1"}
        self.memory = MEMORY * (4 if sanitized else 1)

        def limits():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # The sanitizer's shadow is larger than any limit.
            if not sanitized:
                resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))

        self.process = subprocess.Popen([acuity, "probe", "--pixels", str(PIXELS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=limits,
                                        env=environment, bufsize=0)
        self.files, self.early, self.grown = 0, None, 0
        if self.answer() != "ready":
            raise RuntimeError(f"acuity probe does not start: {self.complaint()}")

    def of_proc(self, name, field):
        try:
            with open(f"/proc/{self.process.pid}/{name}") as file:
                return field(file.read())
        except OSError:  # No /proc on this system, or no process any more.
            return 0

    def status(self, key):
        return self.of_proc("status", lambda text: next((int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(key)), 0))

    def seconds(self):
        def used(text):
            words = text.rsplit(")", 1)[1].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        return self.of_proc("stat", used)

    def answer(self):
        """A line, or None where the process has ended, or True where it is still at it."""
        start, begun, line = self.seconds(), time.monotonic(), b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], 1)
            if ready:
                more = os.read(self.process.stdout.fileno(), 65536)
                if not more:
                    self.process.wait()
                    return None
                line += more
            elif self.seconds() - start > SECONDS or time.monotonic() - begun > WAIT:
                return True
        return line.decode(errors="replace").strip()

    def read(self, kind, path, again):
        """What was answered, and the fault, if there is one."""
        try:  # The highest use of memory is counted from here on.
            with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
                file.write("5")
        except OSError:
            pass
        start = self.seconds()
        try:
            self.process.stdin.write("\t".join([kind, path] + ([again] if again else [])).encode() + b"\n")
            answer = self.answer()
        except BrokenPipeError:
            self.process.wait()
            answer = None
        self.files += 1
        self.took, self.peak = self.seconds() - start, self.status("VmHWM")
        if answer is None:
            code = self.process.returncode
            return "", f"crash ({signal.Signals(-code).name if code < 0 else f'exit {code}'}): {self.complaint()}"
        if answer is True:
            return "", f"hang: not read after {SECONDS} s"
        if self.peak > self.memory:
            return answer, f"memory: {self.peak >> 20} MB"
        if "\\n" in answer or answer in ("refused", "refused "):
            return answer, f"message: {answer[:200]}"
        return answer, None

    def look(self):
        """Measures by what the process has grown since its first files; the sanitizer has its own way to find leaks."""
        if self.files % LOOK or self.process.poll() is not None:
            return
        self.process.stdin.write(b"memory\n")
        answer = self.answer()
        if isinstance(answer, str):
            self.early = int(answer) if self.early is None else self.early
            self.grown = int(answer) - self.early

    def complaint(self):
        self.errors.seek(0)
        lines = [line for line in self.errors.read().decode(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if "ERROR: AddressSanitizer" in line or "Fatal error" in line or "Crash" in line]
        return (telling or lines[-1:] or ["nothing said"])[0][:300]

    def end(self):
        """Lets the process end by itself; what was left behind, in words, if anything was."""
        left = None
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
                self.process.wait(WAIT)
                self.errors.seek(0)
                counted = [line for line in self.errors.read().decode(errors="replace").splitlines() if ALIVE.search(line)]
                if counted or self.process.returncode != 0:
                    left = "leak: " + (", ".join(counted) or self.complaint()) + f" after {self.files} files"
            except subprocess.TimeoutExpired:
                left = "hang: does not end"
        self.process.kill()
        self.process.wait()
        self.errors.close()
        return left


def kinds(folder):
    """(kind, path) of every seed."""
    found = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            stem, extension = name.rsplit(".", 1)
            if os.path.basename(place) == "pictures":
                kind = "picture"
            elif extension in ("safetensors", "pth"):
                kind = "shard" if stem == "shard" else "weights"
            else:
                kind = {"card": "card", "manifest": "manifest", "list": "list"}.get(stem, "recipe")
            found.append((kind, os.path.join(place, name)))
    return sorted(found)


def check_fuzz(acuity, line, folder, root, minutes=2.0, seed=1, sanitized=False):
    for name in ("pictures", "weights", "texts"):
        os.makedirs(os.path.join(folder, "seeds", name))
    missing = seeds.pictures(acuity, os.path.join(folder, "seeds/pictures"))
    seeds.weights(os.path.join(folder, "seeds/weights"), root)
    seeds.texts(acuity, os.path.join(folder, "seeds/texts"), root)
    if missing:
        print("check fuzz: cannot be made here, and so is not damaged:", ", ".join(sorted(missing)), file=sys.stderr)
    files = [(kind, path, open(path, "rb").read()) for kind, path in kinds(os.path.join(folder, "seeds"))]
    kept = os.path.join(root, ".build/fuzz")
    deadline, lock = time.monotonic() + minutes * 60, threading.Lock()
    counter = iter(range(1 << 60))
    faults, counts, tops, said = [], collections.Counter(), {"seconds": (0, ""), "memory": (0, "")}, []

    def fault(reason, name, data):
        os.makedirs(kept, exist_ok=True)
        path = os.path.join(kept, name)
        with open(path, "wb") as file:
            file.write(data)
        faults.append(reason.split(":")[0].split(" ")[0])
        print(f"check fuzz: {path}: {reason}", file=sys.stderr, flush=True)

    def work(number):
        scratch = os.path.join(folder, f"worker{number}")
        os.makedirs(scratch)
        reader = Reader(acuity, scratch, sanitized)
        while time.monotonic() < deadline:
            with lock:
                index = next(counter)
            # First every seed as it is: those must be read.
            dice = random.Random(f"{seed}/{index}")
            kind, source, data = files[index] if index < len(files) else dice.choice(files)
            stem, extension = os.path.basename(source).rsplit(".", 1)
            if index >= len(files):
                others = [other for _, path, other in files if path.endswith("." + extension)]
                data = mutations.mutated(dice, extension, data, dice.choice(others))
            place = os.path.join(scratch, kind)
            os.makedirs(place, exist_ok=True)
            path = os.path.join(place, "mutant." + ("jsonl" if kind == "manifest" else extension))
            with open(path, "wb") as file:
                file.write(data)
            if kind == "card":  # A card without weights is passed over.
                open(os.path.join(place, "mutant.safetensors"), "wb").write(b"x")
            again = os.path.join(scratch, "again." + dice.choice(WRITTEN)) if kind == "picture" and dice.random() < 0.3 else None
            answer, reason = reader.read(kind, path, again)
            if reason and reason.startswith("memory") and not sanitized:
                # Overwriting freed memory also touches what decoders ask for and never use, such as a huge canvas.
                plain = Reader(acuity, scratch, sanitized, perturbs=False)
                reason, reader.peak = plain.read(kind, path, again)[1], plain.peak
                plain.end()
            if index < len(files) and not reason and not answer.startswith("read") and stem not in REFUSED:
                reason = f"sound, but {answer}"
            name = f"{seed}-{index}-{stem}.{extension}"
            with lock:
                counts[answer.split(" ")[0]] += 1
                tops["seconds"], tops["memory"] = max(tops["seconds"], (reader.took, name)), max(tops["memory"], (reader.peak, name))
                if reason:
                    fault(reason, name, data)
            if reader.process.poll() is not None or (reason and reason.startswith(("hang", "memory"))):
                reader.process.kill()
                reader.end()
                reader = Reader(acuity, scratch, sanitized)
                continue
            reader.look()
            if not sanitized and reader.grown > GROWTH:
                with lock:
                    fault(f"leak: {reader.grown >> 20} MB more after {reader.files} files, this the last of them", name, data)
                reader.end()
                reader = Reader(acuity, scratch, sanitized)
        grown.append(reader.grown)
        left = reader.end()
        if left:
            faults.append("leak")
            print(f"check fuzz: {left}", file=sys.stderr, flush=True)

    def guarded(number):
        try:
            work(number)
        except Exception as error:  # The check must not pass because its own thread died.
            said.append(error)

    grown = []
    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(min(4, os.cpu_count() or 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in said:
        faults.append("own error")
        print(f"check fuzz: {error!r}", file=sys.stderr)
    total = sum(counts.values())
    kinds_of = collections.Counter(faults)
    print(f"check fuzz: slowest {tops['seconds'][1]}, {tops['seconds'][0]:.1f} s; largest {tops['memory'][1]}, {tops['memory'][0] >> 20} MB; "
          f"processes grew by {', '.join(f'{value / 1e6:.1f} MB' for value in grown)}", file=sys.stderr)
    line(f"{total} damaged files of {len(files)} kinds, {minutes:g} minutes, seed {seed}" + (", address sanitizer" if sanitized else ""),
         f"{', '.join(f'{count} × {name}' for name, count in kinds_of.items()) or 'no fault'}; {counts['read']} read, {counts['refused']} refused; "
         f"at most {tops['seconds'][0]:.1f} s, {tops['memory'][0] / 1e6:.0f} MB",
         f"no crash, no leak, ≤ {SECONDS} s, ≤ {MEMORY * (4 if sanitized else 1) / 1e6:.0f} MB", not faults and counts["read"] > total / 50 and counts["refused"] > total / 50)


# Sound, but libvips does not read TIFFs of doubles.
REFUSED = {"double"}
