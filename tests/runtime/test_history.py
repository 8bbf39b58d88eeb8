import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nbdrag.runtime.history import Entry, History
from nbdrag.runtime.wishes import Edit, Given, Sampled, Start, Wish

LIMIT = 6

pairs = st.lists(st.tuples(*[st.floats(0, 32)] * 4), max_size=3)
masks = st.none() | st.integers(1, 2**16 - 1).map(
    lambda bits: np.array([bits >> i & 1 for i in range(16)], dtype=bool).reshape(4, 4)
)
starts = st.builds(Sampled, st.integers(0, 9), st.floats(0, 1)) | st.builds(Given)


class HistoryModel(RuleBasedStateMachine):
    """A history beside the plainest thing that behaves like one: a list and an index."""

    @initialize(start=starts)
    def begin(self, start: Start) -> None:
        self.count = 0
        self.history = History(start, self.new_ws(), limit=LIMIT)
        self.model: list[Entry] = list(self.history.entries)
        self.at = 0
        self.ids = {self.history.current.id}

    def new_ws(self) -> torch.Tensor:
        self.count += 1
        return torch.full([2, 3], float(self.count))

    def added(self, entry: Entry) -> None:
        assert entry.id not in self.ids
        self.ids.add(entry.id)
        self.model = [*self.model[: self.at + 1], entry][-LIMIT:]
        self.at = len(self.model) - 1

    @rule(start=starts, points=pairs, mask=masks)
    def start_anew(self, start: Start, points, mask) -> None:
        ws = self.new_ws()
        entry = self.history.add_start(start, ws, points=points, mask=mask, thumbnail=b"t")
        assert (entry.change, entry.points, entry.thumbnail) == (start, tuple(points), b"t")
        assert entry.ws.equal(ws)
        self.added(entry)

    @rule(steps=st.integers(1, 9), points=pairs, mask=masks)
    def edit(self, steps: int, points, mask) -> None:
        edit = Edit(Wish("drag", {}, points, mask), steps, self.new_ws())
        entry = self.history.add_edit(edit, points=points, mask=mask)
        assert entry.change is edit
        assert entry.ws.equal(edit.ws)
        self.added(entry)

    @rule(points=pairs, mask=masks)
    def annotate(self, points, mask) -> None:
        before = self.history.current
        after = self.history.annotate(points=points, mask=mask)
        assert after is self.history.current
        assert after.points == tuple(points)
        assert (after.mask is None) == (mask is None)
        assert (after.id, after.label, after.change) == (before.id, before.label, before.change)
        self.model[self.at] = after

    @rule()
    def undo(self) -> None:
        if self.at == 0:
            with pytest.raises(ValueError, match="nothing to undo"):
                self.history.undo()
        else:
            self.at -= 1
            assert self.history.undo() is self.model[self.at]

    @rule()
    def redo(self) -> None:
        if self.at == len(self.model) - 1:
            with pytest.raises(ValueError, match="nothing to redo"):
                self.history.redo()
        else:
            self.at += 1
            assert self.history.redo() is self.model[self.at]

    @rule(index=st.integers(-3, LIMIT + 3))
    def go_to(self, index: int) -> None:
        if 0 <= index < len(self.model):
            self.at = index
            assert self.history.go_to(index) is self.model[index]
        else:
            with pytest.raises(ValueError, match=f"index is {index}; expected 0 to"):
                self.history.go_to(index)

    @precondition(lambda self: hasattr(self, "model"))
    @invariant()
    def they_agree(self) -> None:
        assert self.history.entries == tuple(self.model)
        assert self.history.cursor == self.at
        assert self.history.current is self.model[self.at]
        assert len(self.model) <= LIMIT

    @precondition(lambda self: hasattr(self, "model"))
    @invariant()
    def the_recipe_leads_from_the_last_start_to_the_cursor(self) -> None:
        recipe = self.history.recipe("toonfaces", "0123")
        first = self.history.start
        assert first <= self.at
        assert recipe.ws.equal(self.model[first].ws)
        if isinstance(self.model[first].change, Edit):
            assert first == 0
            assert recipe.start == Given()
        else:
            assert recipe.start == self.model[first].change
        assert list(recipe.edits) == [entry.change for entry in self.model[first + 1 : self.at + 1]]
        assert all(isinstance(edit, Edit) for edit in recipe.edits)


HistoryModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestHistory = HistoryModel.TestCase


def test_labels_say_what_led_here() -> None:
    ws = torch.zeros(2, 3)
    history = History(Sampled(7, 0.7), ws)
    history.add_edit(Edit(Wish("drag"), 1, ws))
    history.add_edit(Edit(Wish("drag"), 57, ws))
    history.add_start(Given(), ws)
    labels = [entry.label for entry in history.entries]
    assert labels == ["seed 7", "drag, 1 step", "drag, 57 steps", "latent"]


def test_nobody_can_write_to_what_is_remembered() -> None:
    ws, mask = torch.zeros(2, 3), np.ones((4, 4), dtype=bool)
    entry = History(Given(), ws, mask=mask).current
    ws += 1
    mask[:] = False
    assert entry.ws.eq(0).all()
    assert entry.mask.all()
    with pytest.raises(ValueError, match="read-only"):
        entry.mask[0, 0] = False


def test_memory_is_bounded() -> None:
    history = History(Given(), torch.zeros(2, 3), limit=3)
    alive: weakref.WeakSet[Entry] = weakref.WeakSet()
    for i in range(1000):
        edit = Edit(Wish("drag", mask=np.ones((8, 8), dtype=bool)), 1, torch.full([2, 3], float(i)))
        alive.add(history.add_edit(edit, thumbnail=bytes(1000)))
    gc.collect()
    assert len(alive) == len(history.entries) == 3
    assert history.recipe("", "").start == Given()
    assert len(history.recipe("", "").edits) == 2


def test_a_limit_must_leave_something_to_undo() -> None:
    with pytest.raises(ValueError, match="limit is 1; expected 2 or more"):
        History(Given(), torch.zeros(2, 3), limit=1)


@pytest.mark.parametrize("index", [0.5, "0", None, float("nan")])
def test_an_index_is_a_whole_number(index: object) -> None:
    history = History(Given(), torch.zeros(2, 3))
    history.add_start(Given(), torch.ones(2, 3))
    with pytest.raises(ValueError, match="expected 0 to 1, a whole number"):
        history.go_to(index)  # type: ignore[arg-type]
    assert history.cursor == 1
    history.go_to(np.int64(0))
    assert type(history.cursor) is int
