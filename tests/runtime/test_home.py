import asyncio
import threading

from nbdrag.runtime.home import HomeThread

LONG = 60  # seconds; only a failing test waits that long


def call_elsewhere(home: HomeThread, called: list[threading.Thread]) -> None:
    other = threading.Thread(target=home.call, args=(lambda: called.append(here()),))
    other.start()
    other.join(LONG)


def here() -> threading.Thread:
    return threading.current_thread()


def test_at_home_it_is_called_at_once() -> None:
    called: list[threading.Thread] = []
    HomeThread().call(lambda: called.append(here()))
    assert called == [here()]


def test_from_elsewhere_the_loop_calls_it_at_home() -> None:
    called: list[threading.Thread] = []

    async def main() -> None:
        home = HomeThread()
        call_elsewhere(home, called)
        assert called == []
        await asyncio.sleep(0)

    asyncio.run(main())
    assert called == [here()]


def test_without_a_loop_or_after_its_end_nothing_is_called() -> None:
    called: list[threading.Thread] = []

    async def main() -> HomeThread:
        return HomeThread()

    for home in (HomeThread(), asyncio.run(main())):
        call_elsewhere(home, called)
    assert called == []
