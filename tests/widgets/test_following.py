"""The picture follows a hand that holds a handle, and what it did is one edit."""

import threading
from collections.abc import Callable

import pytest
import torch

from nbdrag.editing import latent_drift
from nbdrag.editing.auto_draggan import auto_drag, auto_drag_batch, masked_picture
from nbdrag.editing.latent_drift import Asked
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit
from nbdrag.widgets import following
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from tests.editing.predictors import tiny_predictor
from tests.widgets.line import Line
from tests.widgets.watching import ENDLESS, PAIRS, Steps, finish, left_half, state

LIMIT = 60.0  # seconds; a limit, not a pause
NEAR = ((8.0, 8.0, 11.0, 9.0),)
FAR = ((8.0, 8.0, 30.0, 28.0),)


@pytest.fixture(scope="module")
def predictor(generator: Generator) -> LatentPredictor:
    return tiny_predictor(generator)


@pytest.fixture
def following_session(session: Session, predictor: LatentPredictor) -> Session:
    session.set_predictor(predictor)
    session.set_follow(True)
    session.set_drag_method("auto_drag_refined")
    session.set_options({"refine": 2, "learning_rate": 0.02})
    return session


class Passes:
    """Sees the pictures that are shown in passing; can make their maker wait."""

    def __init__(self, session: Session, *, held_up: bool = False) -> None:
        self.pictures: list[Picture] = []
        self.news = threading.Condition()
        self.go_on = threading.Event()
        if not held_up:
            self.go_on.set()
        session.listen(Listener(on_pass=self))

    def __call__(self, picture: Picture) -> None:
        with self.news:
            self.pictures.append(picture)
            self.news.notify_all()

    def wait_for(self, points: object) -> Picture:
        """The picture of these points."""
        with self.news:
            found = lambda: [p for p in self.pictures if p.points == points]  # noqa: E731
            assert self.news.wait_for(found, LIMIT)
            return found()[0]


def expected(session: Session, points: tuple, start: torch.Tensor) -> torch.Tensor:
    """Latent of one pass, by another way through the package."""
    handles, targets = [pair[:2] for pair in points], [pair[2:] for pair in points]
    told = auto_drag_batch(
        session.generator, start[None], [handles], [targets], predictor=session.work.predictor
    )
    return told[0, -1]


def image(session: Session, ws: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return session.generator.synthesis(ws[None]).image[0]


# ----------------------------------------------------------------------------------------- holding


def test_every_move_is_one_pass_from_the_start(following_session: Session) -> None:
    session, passes = following_session, Passes(following_session)
    before, start = state(session), session.ws
    for points in (NEAR, FAR, PAIRS, NEAR):
        passes.pictures.clear()
        session.hold(points)
        seen = passes.wait_for(points)
        torch.testing.assert_close(seen.image, image(session, expected(session, points, start)))
    session.let_go()
    after = state(session)
    assert after.pop("still_version") == before.pop("still_version") + 1
    for one in (before, after):
        one["snapshot"].pop("revision")
    assert after == before


def test_the_newest_wish_wins(following_session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come while a pass is made, the next pass is of the last one."""
    session, passes = following_session, Passes(following_session)
    made, entered, go_on = [], threading.Event(), threading.Event()

    def slowly(held: object, wish: following.Wanted, options: object) -> torch.Tensor:
        made.append(wish.points)
        entered.set()
        assert go_on.wait(LIMIT)
        return told(held, wish, options)

    told = following.told
    monkeypatch.setattr(following, "told", slowly)
    first = threading.Thread(target=session.hold, args=[NEAR])
    first.start()
    assert entered.wait(LIMIT)
    held = session._held
    others = []
    for x in range(12, 24):
        points = ((8.0, 8.0, float(x), 9.0),)
        others.append(threading.Thread(target=session.hold, args=[points]))
        others[-1].start()
        while held.wish.points != points:  # it has said what it wants
            threading.Event().wait(0.001)
    go_on.set()
    for thread in [first, *others]:
        thread.join(LIMIT)
    assert made == [NEAR, points]
    assert [picture.points for picture in passes.pictures] == made
    session.let_go()


def test_the_first_features_are_made_once(
    following_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, passes = following_session, Passes(following_session)
    starts = []
    network = type(session.generator.synthesis)

    def counted(self: object, *args: object, until: int | None = None, **keys: object) -> object:
        starts.append(until)
        return forward(self, *args, until=until, **keys)

    forward = network.forward
    monkeypatch.setattr(network, "forward", counted)
    for points in (NEAR, ((8.0, 8.0, 12.0, 9.0),), ((8.0, 8.0, 13.0, 9.0),)):
        session.hold(points)
        passes.wait_for(points)
    assert starts.count(16) == 1  # the predictor's block; the others are pictures
    session.let_go()


def test_the_drift_is_told_once_for_the_same_handles(
    following_session: Session, predictor: LatentPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, passes = following_session, Passes(following_session)
    told, start = [], session.ws

    def counted(own: LatentPredictor, asked: Asked, **keys: bool) -> torch.Tensor:
        told.append(asked.handles.tolist())
        return drift(own, asked, **keys)

    drift = latent_drift.drift
    monkeypatch.setattr(latent_drift, "drift", counted)
    for points in (NEAR, ((8.0, 8.0, 12.0, 9.0),), ((9.0, 8.0, 12.0, 9.0),), PAIRS):
        session.hold(points)
        seen = passes.wait_for(points)
        torch.testing.assert_close(seen.image, image(session, expected(session, points, start)))
    handles = [[list(pair[:2]) for pair in points] for points in (NEAR, [(9.0, 8.0)], PAIRS)]
    assert told == [[each] for each in handles]
    session.set_options({"steady": False, "refine": 2})
    passes.pictures.clear()
    session.hold(NEAR)
    unsteady = passes.wait_for(NEAR).image
    assert (unsteady - image(session, expected(session, NEAR, start))).abs().max() > 1e-3
    assert len(told) == 3
    session.let_go()


def test_the_mask_is_kept(following_session: Session) -> None:
    session, passes = following_session, Passes(following_session)
    session.set_mask(left_half())
    start = session.ws
    session.hold(NEAR)
    seen = passes.wait_for(NEAR)
    latent = expected(session, NEAR, start)
    whole = masked_picture(session.generator, latent, start, left_half())
    torch.testing.assert_close(seen.image, whole)
    torch.testing.assert_close(seen.image[:, :, 16:], image(session, start)[:, :, 16:])
    session.let_go()


# ------------------------------------------------------------------------------------ letting it go


def test_a_gesture_is_one_edit(following_session: Session, predictor: LatentPredictor) -> None:
    session, passes, steps = following_session, Passes(following_session), Steps(following_session)
    session.set_points(PAIRS[:1])
    start, still = session.ws, session.album.still(session.album.current)
    for points in (NEAR, FAR):
        session.hold(points)
        passes.wait_for(points)
    session.release(FAR)
    finish(session)
    change = session.album.current.change
    assert isinstance(change, Edit)
    assert (change.wish.method, change.wish.points) == ("auto_drag", FAR)
    told = auto_drag(
        session.generator,
        start,
        [FAR[0][:2]],
        [FAR[0][2:]],
        options=session.options,
        predictor=predictor,
    )
    (*_, last) = told
    assert (last.ws.equal(session.ws), change.steps) == (True, last.index)
    # Four hops of three steps; those before the answer were not shown.
    assert [step.index for step in steps.taken] == list(range(12, last.index + 1))
    assert session.recipe().replay(session.generator, predictor=predictor).equal(session.ws)
    assert len(session.entries) == 2
    session.undo()
    assert session.ws.equal(start)
    assert session.album.still(session.album.current) == still
    assert session.points == PAIRS[:1]
    session.redo()
    assert session.ws.equal(last.ws)
    assert session.points[0][2:] == FAR[0][2:]


def test_without_refinement_if_one_pass_is_chosen(following_session: Session) -> None:
    session, start = following_session, following_session.ws
    session.set_drag_method("auto_drag")
    session.hold(NEAR)
    session.release()
    finish(session)
    assert session.ws.equal(expected(session, NEAR, start))
    session.set_drag_method("drag")
    session.release(PAIRS)  # which nothing was held for
    finish(session)
    change = session.album.current.change
    assert isinstance(change, Edit)
    assert change.wish.options["refine"] == 2


def test_what_is_let_go_is_shown_no_more(following_session: Session) -> None:
    line = Line(following_session)
    page = line.page()
    first = page.wait_for(lambda m: m["kind"] == "frame" and m["final"])
    assert page.ask("hold", points=NEAR)[0]["ok"]
    moving, _ = page.latest("frame")
    assert not moving["final"]
    assert (moving["points"], moving["step"]) == ([NEAR[0]], None)
    assert page.ask("let_go")[0]["ok"]
    back = page.wait_for(lambda m: m["kind"] == "frame" and m["final"])
    assert back[1] == first[1]
    assert page.ask("let_go")[0]["ok"]  # nothing is held any more
    assert page.ask("release", points=NEAR)[0]["ok"]
    finish(following_session)
    assert len(following_session.entries) == 2
    line.wire.close()


def test_nothing_is_released_that_is_not_held(following_session: Session) -> None:
    before = state(following_session)
    following_session.release()
    following_session.let_go()
    assert state(following_session) == before


@pytest.mark.parametrize(
    "command",
    [
        lambda session: session.sample(5, 0.7),
        lambda session: session.start(),
        lambda session: session.set_follow(False),
        lambda session: session.close(),
    ],
)
def test_whatever_moves_the_picture_lets_it_go(
    following_session: Session, command: Callable[[Session], object]
) -> None:
    session, passes = following_session, Passes(following_session)
    session.set_points(PAIRS)
    session.hold(NEAR)
    passes.wait_for(NEAR)
    before = session.still_version
    command(session)
    if session.runner is not None:
        finish(session)
    assert session.still_version > before
    assert session._held is None


def test_a_command_that_fails_puts_the_start_back(following_session: Session) -> None:
    session, passes = following_session, Passes(following_session)
    session.hold(NEAR)
    passes.wait_for(NEAR)
    before = session.still_version
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()
    assert session.still_version == before + 1


def test_holding_ends_a_running_edit_and_keeps_it(
    running: Session, predictor: LatentPredictor
) -> None:
    running.stop()
    finish(running)
    running.set_predictor(predictor)
    running.set_options(ENDLESS)
    running.start()
    runner = running.runner
    passes = Passes(running)
    running.hold(NEAR)
    passes.wait_for(NEAR)
    assert (runner.outcome.reason, running.running) == ("stopped", False)
    assert running._held.ws.equal(running.ws)
    running.let_go()


# --------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("command", ["hold", "release"])
@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([[8, 8, 20, 12], [8.5, 8.5, 4, 4]], r"handles\[0\] and handles\[1\] are 0.71 pixels"),
        ([[8, 8, 33, 12]], r"points\[0\] has its target at \(33, 12\), outside the picture"),
        ([], "handles is empty"),
        ("here", "points holds <U4 values"),
    ],
)
def test_what_is_bad_leaves_the_picture_as_it_was(
    following_session: Session, command: str, points: object, complaint: str
) -> None:
    before = state(following_session)
    with pytest.raises(ValueError, match=complaint):
        getattr(following_session, command)(points)
    assert state(following_session) == before


def test_a_bad_release_puts_the_start_back(following_session: Session) -> None:
    session, passes = following_session, Passes(following_session)
    session.hold(NEAR)
    passes.wait_for(NEAR)
    before = session.still_version
    with pytest.raises(ValueError, match="outside the picture"):
        session.release([[8, 8, 33, 12]])
    assert (session.still_version, session._held) == (before + 1, None)


def test_without_a_predictor_it_says_how_to_train_one(session: Session) -> None:
    before = state(session)
    for command in (lambda: session.set_follow(True), lambda: session.hold(NEAR)):
        with pytest.raises(ValueError, match=r"python -m nbdrag\.training\.auto_draggan"):
            command()
    with pytest.raises(ValueError, match="follow is 1; expected True or False"):
        session.set_follow(1)
    assert state(session) == before


def test_a_pass_that_fails_is_told_and_taken_back(
    following_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = following_session
    before = session.still_version
    monkeypatch.setattr(following, "seen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        session.hold(NEAR)
    assert (session._held, session.still_version) == (None, before + 1)


def test_a_page_that_comes_up_anew_holds_nothing(following_session: Session) -> None:
    line, passes = Line(following_session), Passes(following_session)
    page = line.page()
    assert page.ask("set_follow", follow=False)[0]["ok"]
    assert page.ask("set_follow", follow=True)[0]["ok"]
    assert page.snapshot["follow"] is True
    assert page.ask("hold", points=NEAR)[0]["ok"]
    passes.wait_for(NEAR)
    again = line.page()
    again.wait_for(lambda m: m["kind"] == "frame" and m["final"])
    assert following_session._held is None
    line.wire.close()


def test_undo_right_after_a_release_takes_the_gesture_and_no_more(
    following_session: Session,
) -> None:
    session = following_session
    session.sample(4, 0.7)
    start, steps = session.ws, Steps(session)
    generator_lock(session.generator).acquire()
    session.release(NEAR)  # whose first step has to wait
    undoing = threading.Thread(target=session.undo)
    undoing.start()
    undoing.join(LIMIT)
    generator_lock(session.generator).release()
    assert not undoing.is_alive()
    assert (session.running, steps.taken, session.ws.equal(start)) == (False, [], True)
