"""Damaged trees, in which anything may be anything: a generator, or an error that says why."""

import contextlib
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdrag.generators.checkpoint import account_for, check_values
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import recognise
from nbdrag.generators.formats.records import Call, Global
from nbdrag.generators.formats.torchfile import read_inert
from tests.generators.formats.states import SMALL, make_state
from tests.generators.formats.writing import nvidia_module, nvidia_pickle
from tests.generators.formats.writing_rosinality import (
    encoder_file,
    openmmlab_file,
    rosinality_file,
)
from tests.generators.formats.writing_tensorflow import tensorflow_networks, tensorflow_pickle

WRITERS = {
    "NVIDIA": lambda s, path: nvidia_pickle({"G_ema": nvidia_module(s, SMALL)}, path),
    "TensorFlow": lambda s, path: tensorflow_pickle(tensorflow_networks(s, SMALL), path),
    "rosinality": rosinality_file,
    "e4e": encoder_file,
    "OpenMMLab": openmmlab_file,
}

ANYTHING = [
    None,
    True,
    -1,
    1 << 59,
    float("nan"),
    "",
    "lrelu",
    b"bytes",
    memoryview(b"more bytes"),
    [],
    [1, 3, 3, 1],
    (),
    {},
    {"weight": torch.ones(2)},
    set(),
    Global("dnnlib.util", "EasyDict"),
    Call(Global("argparse", "Namespace"), state={"size": 4}),
    torch.ones(()),
    torch.zeros(0),
    torch.zeros(0, 0, 0, 0),
    torch.ones(3, 4, 4),
    torch.ones(1, 1, 1, 1, 1),
    torch.ones(2, dtype=torch.int64),
    torch.full((8, 8), float("nan")),
    torch.ones(5000),
]


@pytest.fixture(scope="module", params=WRITERS)
def tree(request, tmp_path_factory) -> object:
    path: Path = tmp_path_factory.mktemp("tree") / "x"
    WRITERS[request.param](make_state(SMALL), path)
    return read_inert(path)


def places(node: object) -> list[tuple[object, object]]:
    """Everywhere something could be put in place of something: containers and keys."""
    found: list[tuple[object, object]] = []
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Call):
            waiting += [*node.args, node.state]
            found += [(node, "args"), (node, "state"), (node, "entries")]
        elif isinstance(node, dict):
            waiting += node.values()
            found += [(node, key) for key in node]
        elif isinstance(node, list):
            waiting += node
            found += [(node, i) for i in range(len(node))]
        elif isinstance(node, tuple):
            waiting += node
    return found


def copied(node: object) -> object:
    """Copy containers, so that the tree stays as it is; tensors are never changed."""
    if isinstance(node, Call):
        return Call(
            node.function,
            copied(node.args),
            dict(node.kwargs),
            copied(node.state),
            copied(node.items),
            copied(node.entries),
        )
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(map(copied, node))
    return node


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_damaged_trees_are_refused_or_read(tree, data):
    damaged = copied(tree)
    for _ in range(data.draw(st.integers(1, 3))):
        where = places(damaged)
        if not where:
            break
        container, key = where[data.draw(st.integers(0, len(where) - 1))]
        thing = copied(data.draw(st.sampled_from(ANYTHING)))
        if isinstance(container, Call):
            if key == "args":
                container.args = (thing,)
            elif key == "state":
                container.state = thing
            else:
                container.entries = [("conv_clamp", thing)]
        elif data.draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            container[key] = thing
    try:
        found = recognise(damaged)
        account_for(Path("x"), found)
        finite = all(tensor.float().isfinite().all() for tensor in found.weights.values())
        with contextlib.nullcontext() if finite else pytest.warns(UserWarning, match="not finite"):
            check_values(Path("x"), found)
    except CheckpointError as error:
        message = str(error)
    else:
        message = repr(found.config)
    assert message
