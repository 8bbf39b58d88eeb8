import asyncio
import contextvars
import gc
import itertools
import math
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from time import monotonic

import pytest
import torch

from nbdrag.editing.step import EditDiverged, Step
from nbdrag.runtime.runner import Outcome, Runner
from nbdrag.runtime.turns import FairLock

LONG = 30  # seconds; only a failing test waits that long


def step(index: int, loss: float = 1.0, done: bool = False) -> Step:
    return Step(ws=torch.full([2, 3], float(index)), index=index, loss=loss, done=done)


def edit(count: int, arrives: bool = True) -> Iterator[Step]:
    for i in range(1, count + 1):
        yield step(i, done=arrives and i == count)


def endless() -> Iterator[Step]:
    i = 0
    while True:
        yield step(i := i + 1)


class Held:
    """An edit that makes a step when it is told to."""

    def __init__(self) -> None:
        self.allowed, self.asked = threading.Semaphore(0), threading.Semaphore(0)
        self.index, self.closed = 0, False

    def __iter__(self) -> "Held":
        return self

    def __next__(self) -> Step:
        self.asked.release()
        assert self.allowed.acquire(timeout=LONG)
        self.index += 1
        return step(self.index)

    def close(self) -> None:
        self.closed = True

    def wait_until_asked(self, times: int) -> None:
        """Wait until so many more steps have been asked for; the last one is in progress then."""
        for _ in range(times):
            assert self.asked.acquire(timeout=LONG)


def run(edit: Iterator[Step], **options) -> Runner[Step]:
    runner = Runner(edit, lock=FairLock(), **options)
    runner.start()
    runner.join(LONG)
    return runner


# ------------------------------------------------------------------------------------ how it ends


def test_an_edit_runs_to_its_end_on_another_thread() -> None:
    steps, outcomes, threads = [], [], []

    def on_step(step: Step) -> None:
        steps.append(step.index)
        threads.append(threading.current_thread())

    runner = run(edit(5), on_step=on_step, on_end=outcomes.append)
    assert steps == [1, 2, 3, 4, 5]
    assert outcomes == [Outcome("done", 5, "Done after 5 steps.")] == [runner.outcome]
    assert runner.last_step.index == 5
    assert not runner.running
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


def test_an_edit_that_has_nothing_to_do_is_done() -> None:
    runner = run(iter(()))
    assert runner.outcome == Outcome("done", 0, "Done after 0 steps.")
    assert runner.last_step is None


def test_an_edit_that_runs_out_of_steps_says_so() -> None:
    outcome = run(edit(3, arrives=False)).outcome
    assert (outcome.reason, outcome.steps) == ("limit", 3)
    assert "3 steps, which is the limit" in outcome.message


def test_stop_ends_it_after_the_step_in_progress() -> None:
    held, ended = Held(), threading.Event()
    runner = Runner(held, lock=FairLock(), on_end=lambda _: ended.set())
    runner.start()
    held.allowed.release(2)
    held.wait_until_asked(3)
    assert runner.running
    runner.stop()  # returns though the step goes on
    assert runner.running
    held.allowed.release()
    assert ended.wait(LONG)
    assert runner.join(LONG) == Outcome("stopped", 3, "Stopped after 3 steps.")
    assert runner.last_step.index == 3
    assert held.closed


def test_stop_reaches_the_loop_at_once() -> None:
    """By the clock, once, and with room: the design asks for 100 ms."""
    started, times = threading.Event(), []
    for _ in range(5):
        runner = Runner(endless(), lock=FairLock(), on_step=lambda _: started.set())
        started.clear()
        runner.start()
        assert started.wait(LONG)
        before = monotonic()
        runner.stop()
        assert runner.join(LONG).reason == "stopped"
        times.append(monotonic() - before)
    assert sorted(times)[2] < 0.1


def test_stop_reaches_an_edit_that_waits_for_its_turn() -> None:
    lock = FairLock()
    lock.acquire()
    runner = Runner(endless(), lock=lock)
    runner.start()
    runner.stop()
    assert runner.join(LONG) == Outcome("stopped", 0, "Stopped after 0 steps.")
    lock.release()


def test_stop_before_the_start_and_after_the_end_is_harmless() -> None:
    runner = Runner(endless(), lock=FairLock())
    runner.stop()
    runner.start()
    assert runner.join(LONG).steps == 0
    runner.stop()
    assert runner.outcome.reason == "stopped"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_rolls_back_to_the_last_good_step(bad: float) -> None:
    def diverging() -> Iterator[Step]:
        yield step(1)
        yield step(2)
        yield step(3, loss=bad)
        pytest.fail("the edit went on after it diverged")

    shown = []
    runner = run(diverging(), on_step=lambda step: shown.append(step.index))
    assert shown == [1, 2]
    assert runner.last_step.index == 2
    assert (runner.outcome.reason, runner.outcome.steps) == ("failed", 2)
    assert runner.outcome.message == (
        "The loss is no longer a finite number. The picture is that of step 2."
    )


def test_a_latent_that_is_no_number_rolls_back_too() -> None:
    bad = Step(ws=torch.tensor([[1.0, math.nan]]), index=1, loss=1.0, done=True)
    runner = run(iter([bad]))
    assert runner.last_step is None
    assert runner.outcome.reason == "failed"
    assert "The picture is that of the start." in runner.outcome.message


def test_an_edit_that_says_it_diverged_is_quoted() -> None:
    def diverging() -> Iterator[Step]:
        yield step(1)
        raise EditDiverged("The gradient became NaN; lower the learning rate.")

    outcome = run(diverging()).outcome
    assert outcome.message == (
        "The gradient became NaN; lower the learning rate. The picture is that of step 1."
    )
    assert outcome.details == ""


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, SystemExit, KeyboardInterrupt])
def test_an_exception_ends_the_edit_and_nothing_else(kind: type[BaseException]) -> None:
    def broken() -> Iterator[Step]:
        yield step(1)
        raise kind("out of luck")

    runner = run(broken())
    assert runner.last_step.index == 1
    assert (runner.outcome.reason, runner.outcome.steps) == ("failed", 1)
    assert kind.__name__ in runner.outcome.message
    assert "out of luck" in runner.outcome.message
    assert "in broken" in runner.outcome.details


def test_a_broken_callback_ends_the_edit_but_keeps_its_step() -> None:
    def on_step(step: Step) -> None:
        if step.index == 2:
            raise ZeroDivisionError("by the callback")

    runner = run(endless(), on_step=on_step)
    assert runner.last_step.index == 2
    assert runner.outcome.reason == "failed"
    assert "ZeroDivisionError: by the callback" in runner.outcome.message


def test_a_broken_on_end_is_told_too() -> None:
    def on_end(outcome: Outcome) -> None:
        raise ZeroDivisionError("at the end")

    runner = run(edit(2), on_end=on_end)
    assert runner.outcome.reason == "failed"
    assert "on_end raised ZeroDivisionError: at the end" in runner.outcome.message


def test_an_ended_runner_keeps_nothing_of_the_edit_but_its_last_step() -> None:
    class Large:
        pass

    def holding() -> Iterator[Step]:
        large = Large()
        alive.append(weakref.ref(large))
        yield step(1)
        raise RuntimeError

    alive: list[weakref.ref[Large]] = []
    runner = run(holding())
    gc.collect()
    assert runner.outcome.reason == "failed"
    assert alive[0]() is None


# ---------------------------------------------------------------------------------- taking turns


def test_two_runners_take_turns_step_by_step() -> None:
    lock, order, inside = FairLock(), [], []

    def counted(name: str) -> Iterator[Step]:
        for i in range(1, 101):
            inside.append(name)
            assert len(inside) == 1, "two edits in one generator"
            # Hold the turn until the other one queues for the next, so that the order is the
            # lock's doing and not the scheduler's.
            for _ in range(100_000):
                if len(lock._queue) == 2 or len(order) in (0, 199) or other_ended(name):
                    break
                threading.Event().wait(0.0001)
            order.append(name)
            inside.remove(name)
            yield step(i, done=i == 100)

    def other_ended(name: str) -> bool:
        return runners["b" if name == "a" else "a"].outcome is not None

    runners = {name: Runner(counted(name), lock=lock) for name in "ab"}
    for runner in runners.values():
        runner.start()
    assert [runner.join(LONG).reason for runner in runners.values()] == ["done", "done"]
    # Both have 100 turns; after the start no one has two in a row.
    switches = sum(one != next_one for one, next_one in itertools.pairwise(order))
    assert len(order) == 200
    assert switches >= 195


def test_the_lock_is_free_during_callbacks() -> None:
    lock, entered = FairLock(), []

    def on_step(step: Step) -> None:
        with lock:
            entered.append(step.index)

    runner = Runner(edit(3), lock=lock, on_step=on_step)
    runner.start()
    assert runner.join(LONG).reason == "done"
    assert entered == [1, 2, 3]


# ------------------------------------------------------------------------- waiting and listening


def test_wait_from_an_event_loop() -> None:
    async def main() -> Outcome:
        runner = Runner(edit(20), lock=FairLock())
        runner.start()
        return await asyncio.wait_for(runner.wait(), LONG)

    assert asyncio.run(main()) == Outcome("done", 20, "Done after 20 steps.")


def test_who_cancels_the_wait_does_not_stop_the_edit() -> None:
    held = Held()
    runner = Runner(held, lock=FairLock())

    async def main() -> None:
        runner.start()
        waiting = asyncio.create_task(runner.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    held.allowed.release(2)
    held.wait_until_asked(3)
    assert runner.running
    runner.stop()
    held.allowed.release()
    assert runner.join(LONG).reason == "stopped"


def test_async_for_sees_every_step_it_has_time_for_and_the_last() -> None:
    held = Held()

    async def main() -> list[int]:
        seen = []
        runner = Runner(held, lock=FairLock())
        runner.start()
        held.allowed.release()
        async for step in runner:
            seen.append(step.index)
            if step.index == 5:
                runner.stop()
            held.allowed.release()
        assert seen[-1] == runner.last_step.index  # 5, or 6 if that had begun
        return seen

    assert asyncio.run(main())[:5] == [1, 2, 3, 4, 5]


def test_async_for_skips_what_passes_meanwhile() -> None:
    async def main() -> list[int]:
        runner = Runner(edit(100), lock=FairLock())
        runner.start()
        runner.join(LONG)
        return [step.index async for step in runner]

    assert asyncio.run(main()) == [100]


def test_several_loops_may_listen_and_one_may_leave() -> None:
    held = Held()
    runner = Runner(held, lock=FairLock())
    runner.start()
    results: dict[str, list[int]] = {"all": [], "two": []}
    ready = threading.Barrier(3)

    async def listen(name: str, most: int) -> None:
        steps = runner.__aiter__()
        ready.wait(LONG)
        async for step in steps:
            results[name].append(step.index)
            held.allowed.release()
            if len(results[name]) == most:
                break
        await steps.aclose()

    threads = [
        threading.Thread(target=lambda: asyncio.run(listen("all", 10**9))),
        threading.Thread(target=lambda: asyncio.run(listen("two", 2))),
    ]
    for thread in threads:
        thread.start()
    ready.wait(LONG)
    held.allowed.release()
    threads[1].join(LONG)
    runner.stop()
    held.allowed.release(100)
    threads[0].join(LONG)
    assert runner.join(LONG).reason == "stopped"
    assert len(results["two"]) == 2
    assert results["all"][-1] == runner.last_step.index
    assert runner._listeners == set()


def test_what_cannot_be_waited_for() -> None:
    runner = Runner(edit(1), lock=FairLock())
    with pytest.raises(RuntimeError, match="call start"):
        runner.join()
    with pytest.raises(RuntimeError, match="call start"):
        asyncio.run(runner.wait())
    held = Held()
    runner = Runner(held, lock=FairLock())
    runner.start()
    with pytest.raises(TimeoutError, match="still runs"):
        runner.join(timeout=0)
    with pytest.raises(RuntimeError, match="started before"):
        runner.start()
    runner.stop()
    held.allowed.release()
    runner.join(LONG)


def test_a_callback_that_waits_for_its_own_edit_is_told() -> None:
    runner = Runner(edit(2), lock=FairLock(), on_step=lambda _: runner.join())
    runner.start()
    assert "use stop() alone" in runner.join(LONG).message


# ------------------------------------------------------------------------------- surroundings


def test_the_worker_runs_in_a_copy_of_the_context() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    seen = []

    def looking() -> Iterator[Step]:
        seen.append(variable.get())
        variable.set("changed by the worker")
        yield step(1)

    given = contextvars.copy_context()
    given.run(variable.set, "given")
    run(looking(), context=given)
    variable.set("of the caller")
    run(looking())
    assert seen == ["given", "of the caller"]
    assert given[variable] == "given"
    assert variable.get() == "of the caller"


def test_the_speed_is_that_of_the_last_steps() -> None:
    runner = Runner(edit(1), lock=FairLock())
    assert runner.steps_per_s is None
    runner._times.extend([10.0, 10.5, 11.0])
    assert runner.steps_per_s == 2.0


def test_a_kernel_that_quits_ends_its_edits() -> None:
    code = """
        import torch
        from nbdrag.editing.step import Step
        from nbdrag.runtime.runner import Runner
        from nbdrag.runtime.turns import FairLock

        def endless():
            weight = torch.randn(64, 64, requires_grad=True)
            while True:
                (weight @ weight).sum().backward()
                yield Step(torch.zeros(1, 1), 1, 0.0, False)

        Runner(endless(), lock=FairLock(), on_end=lambda o: print(o.reason, flush=True)).start()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")
