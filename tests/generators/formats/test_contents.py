"""Trees spelt out: tensors and facts by name."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.contents import PERSISTENT, Contents, contents, find_network
from nbdrag.generators.formats.records import Call, Global

A, B, C = torch.ones(1), torch.ones(2), torch.ones(3)


def module(parameters=(), buffers=(), modules=(), **facts):
    state = {
        "_parameters": dict(parameters),
        "_buffers": dict(buffers),
        "_modules": dict(modules),
        **facts,
    }
    return Call(PERSISTENT, ({"class_name": "Layer", "state": state},))


def test_every_level_is_part_of_the_name():
    found = contents({"a": {"b.c": A, "d": [B, {"e": C}]}, "n": 3, 7: A})
    assert found.tensors == {"a.b.c": A, "a.d.0": B, "a.d.1.e": C, "7": A}
    assert found.facts == {"n": 3}


def test_modules_are_spelt_out_as_in_a_state_dict():
    inner = module({"weight": A, "bias": None}, {"filter": B}, clamp=256, shape=[1, 3], kept=C)
    found = contents({"G": module(modules={"conv": inner}, img_channels=3)})
    assert found.tensors == {"G.conv.weight": A, "G.conv.filter": B}
    assert found.facts == {
        "G.class_name": "Layer",
        "G.img_channels": 3,
        "G.conv.class_name": "Layer",
        "G.conv.clamp": 256,
        "G.conv.shape": (1, 3),
    }


def test_plain_modules_and_objects_are_looked_through():
    linear = Call(
        Global("torch.nn.modules.linear", "Linear"),
        state={"_parameters": {"weight": A}, "_buffers": {}, "_modules": {}, "in_features": 1},
    )
    options = Call(Global("argparse", "Namespace"), state={"size": 64})
    settings = Call(Global("dnnlib.util", "EasyDict"), entries=[("clamp", None), ((1, 2), 3)])
    found = contents([linear, options, settings, {"x", "y"}])
    assert found.tensors == {"0.weight": A}
    assert found.facts["1.size"] == 64
    assert found.facts["2.clamp"] is None
    assert found.facts["0.in_features"] == 1


def test_levels_around_a_network_are_left_out():
    found = contents({"module.net": {"module": {"weight": A}}, "_orig_mod.bias": B})
    assert found.tensors == {"net.weight": A, "bias": B}


def test_numbers_of_numpy_are_facts_of_modules():
    found = contents(module({"strength": torch.tensor(0.5)}, gain=torch.tensor(2.0)))
    assert found.tensors.keys() == {"strength"}
    assert found.facts["gain"] == 2


def test_long_lists_are_passed_over():
    found = contents({"losses": [0.5] * 1_000_000, "steps": list(range(65)), "w": A})
    assert found.tensors == {"w": A}
    assert "losses" not in found.facts


def test_long_names_are_cut():
    tree = {"x" * 1000: {"y" * 1000: A}}
    assert contents({"a": tree}).tensors == {"a." + "x" * 198: A}


def test_trees_without_end_are_refused():
    endless: dict = {}
    endless["again"] = endless
    with pytest.raises(CheckpointError, match="nests more than 64 levels"):
        contents(endless)
    lists: list = []
    for _ in range(100):
        lists = [lists, lists]
    with pytest.raises(CheckpointError, match="no checkpoint of a generator does"):
        contents(lists)
    wide = {str(i): A for i in range(600_000)}
    with pytest.raises(CheckpointError, match="holds more than"):
        contents(wide)


def test_a_parent_that_a_module_knows_is_no_part_of_it():
    parent = module({"weight": A})
    parent.args[0]["state"]["_modules"]["child"] = module({"bias": B}, parent=[parent])
    assert contents(parent).tensors == {"weight": A, "child.bias": B}


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(A)
keys = st.text(max_size=5) | st.integers() | st.just((1, 2)) | st.binary(max_size=2)


def nodes(children):
    state = st.none() | st.dictionaries(st.text(max_size=12), children, max_size=3)
    pairs = st.lists(st.tuples(keys | st.lists(leaves, max_size=1), children), max_size=3)
    calls = st.builds(
        Call,
        st.just(PERSISTENT) | st.just(Global("dnnlib.util", "EasyDict")),
        st.lists(children, max_size=2).map(tuple),
        state=state | children,
        items=st.lists(children, max_size=2),
        entries=pairs,
    )
    return (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(keys, children, max_size=3)
        | st.sampled_from(["_parameters", "_buffers", "_modules"]).flatmap(
            lambda name: st.just({"_parameters": {}, "_buffers": {}, "_modules": {}}).flatmap(
                lambda base: children.map(lambda child: base | {name: child})
            )
        )
        | calls
    )


@given(st.recursive(leaves, nodes, max_leaves=30))
def test_any_tree_is_spelt_out_or_refused(tree):
    found = contents(tree)
    assert all(tensor is A for tensor in found.tensors.values())
    assert all(len(name) <= 200 for name in found.tensors)


# ------------------------------------------------------------------------------------ which network


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["G", "G_ema"], "G_ema"),
        (["g", "g_ema"], "g_ema"),
        (["generator", "generator_ema"], "generator_ema"),
        (["params", "params_ema"], "params_ema"),
        (["net.G", "ema.G"], "ema.G"),
        (["G", "Gs"], "Gs"),
        (["G", "schema"], "G"),
        (["one", "other"], "one"),
        (["", "other"], ""),
    ],
)
def test_the_average_is_preferred_to_the_training_copy(names, chosen):
    tensors = {f"{name}.const".lstrip("."): A for name in names}
    network = find_network(Contents(tensors), "const")
    assert network is not None
    assert network.name == chosen


def test_no_network_no_result():
    assert find_network(Contents({"G.constant": A}), "const") is None


def test_a_network_without_a_name_leaves_what_stands_beside_it():
    tensors = {"const": A, "other": B, "D.weight": C, "g_optim.state.0.exp_avg": C}
    network = find_network(Contents(tensors), "const")
    assert network is not None
    assert network.tensors == {"const": A, "other": B}
