import gc
import threading
import weakref

import pytest

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime import turns
from nbdrag.runtime.turns import FairLock, generator_lock


def small_generator() -> Generator:
    return Generator(StyleGAN2Config(8, z_dim=4, w_dim=4, mapping_layers=1, channel_base=32))


def test_a_generator_has_one_lock_and_takes_it_along() -> None:
    generator, other = small_generator(), small_generator()
    lock = generator_lock(generator)
    assert generator_lock(generator) is lock
    assert generator_lock(other) is not lock
    gone = weakref.ref(generator), weakref.ref(lock)
    del generator, lock
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_threads_get_one_and_the_same_lock() -> None:
    generator, found = small_generator(), []
    together = threading.Barrier(8)

    def look() -> None:
        together.wait()
        found.append(generator_lock(generator))

    in_threads(*[look] * 8)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_one_may_be_asked_for_while_another_is_being_made(monkeypatch) -> None:
    """As when an editor that is collected right then closes."""
    one, other = small_generator(), small_generator()

    class Interrupted(FairLock):
        def __init__(self) -> None:
            super().__init__()
            if not closed:
                closed.append(None)
                closed[0] = generator_lock(other)

    closed: list[FairLock | None] = []
    monkeypatch.setattr(turns, "FairLock", Interrupted)
    # A thread that hangs is no reason for the tests to hang.
    thread = threading.Thread(target=generator_lock, args=(one,), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert closed == [generator_lock(other)]
    assert generator_lock(one) is not generator_lock(other)


def test_first_come_first_served() -> None:
    lock, order = FairLock(), []
    lock.acquire()
    threads = []
    for count, name in enumerate("abcde", start=1):
        thread = threading.Thread(target=lambda name=name: take(lock, order, name))
        thread.start()
        threads.append(thread)
        until(lambda count=count: waiting(lock) == count)
    lock.release()
    for thread in threads:
        thread.join(10)
    assert order == list("abcde")


def test_who_gives_it_back_goes_to_the_end_of_the_queue() -> None:
    lock, order = FairLock(), []

    def take_many(name: str) -> None:
        for _ in range(50):
            with lock:
                # Not before the other one asks again, or has had all its turns.
                until(lambda: waiting(lock) == 1 or order.count(other[name]) == 50)
                order.append(name)

    other = {"a": "b", "b": "a"}
    in_threads(lambda: take_many("a"), lambda: take_many("b"))
    assert order == order[:2] * 50


def test_a_waiting_thread_can_be_called_off() -> None:
    lock, called_off, got = FairLock(), threading.Event(), []
    lock.acquire()
    thread = threading.Thread(target=lambda: got.append(lock.acquire(unless=called_off.is_set)))
    thread.start()
    until(lambda: waiting(lock) == 1)
    called_off.set()
    lock.wake()
    thread.join(10)
    assert got == [False]
    assert waiting(lock) == 0
    lock.release()
    assert lock.acquire(unless=lambda: False)


def test_called_off_beforehand_it_is_not_even_taken_when_free() -> None:
    lock = FairLock()
    assert not lock.acquire(unless=lambda: True)
    assert lock.acquire()


def test_an_interrupted_wait_leaves_the_queue_in_order() -> None:
    lock = FairLock()
    lock.acquire()

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lock.acquire(unless=interrupted)
    lock.release()
    with lock:
        assert waiting(lock) == 0


def take(lock: FairLock, order: list[str], name: str) -> None:
    with lock:
        order.append(name)


def waiting(lock: FairLock) -> int:
    return max(0, len(lock._queue) - 1)


def until(true) -> None:
    """Give other threads the processor until something holds."""
    give = threading.Event()
    for _ in range(100_000):
        if true():
            return
        give.wait(0.0001)
    raise TimeoutError


def in_threads(*functions) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
