# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What ring/mutants/run and sim/mutants/run have in common: how a list is read, a mutant made and all are told of."""
import contextlib
import re
import resource
import signal
import subprocess
import tomllib


def listed(file, names):
    mutants = tomllib.loads(file.read_text())["mutant"]
    return [each for each in mutants if not names or each["name"] in names]


def stale(sources, mutant):
    """Why it can't be made, or nothing."""
    path = sources / mutant["file"]
    found = path.read_text().count(mutant["old"]) if path.exists() else 0
    return "" if found == 1 else f"stale: its text is found {found} times in {mutant['file']}"


@contextlib.contextmanager
def made(sources, mutant):
    path = sources / mutant["file"]
    text = path.read_text()
    path.write_text(text.replace(mutant["old"], mutant["new"]))
    try:
        yield
    finally:
        path.write_text(text)


def run(scratch, command, seconds, failure):
    """What a failure looks like in what it writes, or how it ends otherwise, or nothing.

    It may use so many seconds of a processor: none of these programs waits for anything but that, and
    on a busy machine one that ends would seem not to.
    """
    def bound():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    done = subprocess.run(command, cwd=scratch, text=True, capture_output=True, preexec_fn=bound)
    if -done.returncode in (signal.SIGXCPU, signal.SIGKILL):
        return "it never ends"
    if done.returncode < 0:
        return f"it crashes with signal {-done.returncode}"
    found = re.search(failure, done.stdout, re.M)
    return found[0] if found else ""


def judge_all(mutants, sources, judge):
    """How many were noticed and how many not; judge(mutant), of one that is made, tells whether, and what it saw."""
    passed = failed = 0
    for mutant in mutants:
        why = stale(sources, mutant)
        noticed, what = (False, why) if why else judge(mutant)
        passed, failed = passed + noticed, failed + (not noticed)
        if what:
            print(f"{mutant['name']:28} {what}", flush=True)
    return passed, failed


def judge_texts(mutants, sources):
    return judge_all(mutants, sources, lambda _: (True, ""))


def report(passed, failed):
    """The exit status: a run that judged nothing has failed."""
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0
