"""The benchmark of all ways to drag, in miniature: its cases, its rows on disk, its sums."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from benchmarks import drag_methods
from benchmarks._drag_cases import APART, FLOW_POINTS, apart, landmark_case, reconstruction_case
from benchmarks._drag_sums import GRID, decay_summary, landmark_summary
from benchmarks._rows import measured, read
from benchmarks.drag_methods import Method, methods, predicted, run, stay
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.editing.latent_predictor_file import save_predictor
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import frechet_distance
from nbdrag.toonfaces.reader import Reader, load_reader


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


# ------------------------------------------------------------------------------------------ cases


def test_one_five_and_all_are_asked_of_the_same_portrait(generator, reader) -> None:
    one, five, every = (landmark_case(generator, reader, 4, count) for count in (1, 5, None))
    assert torch.equal(one.ws, every.ws)
    assert torch.equal(one.mask, every.mask)
    assert [len(case.handles) for case in (one, five)] == [1, 5]
    assert len(every.handles) >= 10
    assert every.landmarks[:5].tolist() == five.landmarks.tolist()
    assert torch.equal(every.handles[:1], one.handles)
    with torch.no_grad():
        seen = reader(one.image).landmarks[0, every.landmarks]
    torch.testing.assert_close(seen, every.handles)
    assert torch.cdist(every.handles, every.handles).fill_diagonal_(9).min() >= APART
    again = landmark_case(generator, reader, 4, 5)
    assert torch.equal(again.targets, five.targets)
    assert not torch.equal(landmark_case(generator, reader, 5, 1).ws, one.ws)


def test_places_too_near_to_one_before_are_left_out() -> None:
    places = torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [9.0, 9.0], [9.0, 9.9]])
    assert apart(places, torch.tensor([1, 0, 2, 4, 3])).tolist() == [1, 4]
    assert apart(places, torch.tensor([3, 2, 0, 1])).tolist() == [3, 2, 0]


def test_an_answer_is_the_picture_whose_flow_was_given(generator, reader) -> None:
    moved, asked = [], []
    for seed in range(4):
        case = reconstruction_case(generator, seed)
        assert case.handles.shape == case.targets.shape == (FLOW_POINTS, 2)
        assert case.mask is None
        for points in (case.handles, case.targets):
            assert ((points >= 0) & (points <= 128)).all()
        before, after = reader(case.image).landmarks, reader(case.answer).landmarks
        moved.append((before - after).norm(dim=-1).mean().item())
        asked.append((case.targets - case.handles).norm(dim=1).mean().item())
    assert max(moved) > 2
    # Where landmarks go farther, so do the points.
    assert torch.tensor(asked).argsort().tolist()[-1] == torch.tensor(moved).argsort().tolist()[-1]


# ------------------------------------------------------------------------------------ rows on disk


def test_rows_are_measured_but_once(tmp_path: Path) -> None:
    asked = []

    def measure(test: int) -> dict[str, float]:
        asked.append(test)
        return {"x": test / 3}

    path = tmp_path / "deep" / "way.jsonl"
    assert [row["x"] for row in measured(path, {"r": (1, 2)}, 3, measure)] == [0, 1 / 3, 2 / 3]
    text = path.read_text()
    path.write_text(text[: text.rindex("{") + 5])  # broken off in the last row
    rows = measured(path, {"r": (1, 2)}, 4, measure)
    assert [row["test"] for row in rows] == [0, 1, 2, 3]
    assert asked == [0, 1, 2, 2, 3]
    assert len(measured(path, {"r": (1, 2)}, 2, measure)) == 2
    assert path.read_text().count("\n") == 5


def test_rows_of_other_settings_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "way.jsonl"
    measured(path, {"rate": 1}, 3, lambda test: {})
    assert read(path, {"rate": 2}) is None
    assert len(measured(path, {"rate": 2}, 1, lambda test: {})) == 1
    assert len(read(path, {"rate": 2})) == 1
    path.write_text("nonsense\n")
    assert read(path, {"rate": 2}) is None
    assert read(tmp_path / "none", {}) is None


# ------------------------------------------------------------------------------------------- sums


def test_a_line_of_the_table_is_of_means_and_of_the_distance_of_features() -> None:
    source = torch.Generator().manual_seed(0)
    features, before = torch.randn(2, 40, 6, generator=source).double().round(decimals=4)
    rows = [
        {"distance": i, "outside": 0.5, "steps": 2 * i, "seconds": 1, "features": f}
        for i, f in enumerate(features.tolist())
    ]
    found = landmark_summary(rows, [{"features": f} for f in before.tolist()])
    assert (found["tests"], found["mean_distance"], found["median_distance"]) == (40, 19.5, 20)
    assert (found["steps"], found["change_outside_mask"], found["seconds"]) == (39, 0.5, 1)
    assert found["fid"] == pytest.approx(frechet_distance(features, before), abs=1e-3)
    few = landmark_summary(rows[:5], [{"features": f} for f in before.tolist()])
    assert few["fid"] is None  # as many rows as columns mean nothing


def test_what_is_left_holds_until_the_next_step_and_after_the_last() -> None:
    rows = [
        {"seconds": [GRID[1], GRID[3] * 0.99], "left": [0.5, 0.2]},
        {"seconds": [GRID[-1] * 2], "left": [0.0]},
    ]
    left = decay_summary(rows)["left"]
    assert left[:5] == [1, 0.75, 0.75, 0.6, 0.6]
    assert left[-1] == 0.6


# -------------------------------------------------------------------------------- in miniature


def test_methods_are_of_one_kind_and_know_what_they_depend_on(generator) -> None:
    found = methods(generator)
    assert next(iter(found)) == "no edit"
    assert {"FreeDrag", "DragGAN"} <= set(found)
    settings = {name: method.settings(generator) for name, method in found.items()}
    assert len({json.dumps(each) for each in settings.values()}) == len(found)
    assert settings["DragGAN"]["options"]["max_steps"] == drag_methods.LIMIT


def test_a_predictor_is_used_as_it_was_trained(generator, tmp_path: Path) -> None:
    config = dataclasses.replace(PredictorConfig.for_generator(generator), steps=2)
    predictor = LatentPredictor(config, generator.content_hash)
    for regularize, name in ((0, "n = 2, no regularizer"), (1, "n = 2")):
        options = {"regularize": regularize} | ({"steady": 1} if regularize else {})
        training = {"options": options, "steps": 70, "minutes": 1.5}
        path = tmp_path / f"{regularize}.safetensors"
        save_predictor(predictor, path, {"training": json.dumps(training)})
        found, method, how = predicted(generator, path)
        assert (found, how) == (name, {"training_steps": 70, "minutes": 1.5})
        assert method.options.regularize == bool(regularize)
        assert method.options.steady == bool(regularize)
        last, *_ = run(method, generator, landmark_case(generator, load_reader(), 1, 1))
        assert last.index % 2 == 0


def test_masks_are_heeded_blended_or_kept_back(generator, reader) -> None:
    case = landmark_case(generator, reader, 2, 1)
    given: list[torch.Tensor | None] = []

    def elsewhere(generator, ws, handles, targets, mask):
        given.append(mask)
        return stay(generator, ws + 0.1, handles, targets, mask)

    pictures = {
        mask: run(Method(elsewhere, mask=mask), generator, case)[1]
        for mask in ("heeded", "blended", "none")
    }
    assert [mask is None for mask in given] == [False, False, True]
    assert torch.equal(pictures["heeded"], pictures["none"])
    outside = (pictures["blended"] - case.image)[..., ~case.mask].abs()
    assert outside.max() < 1e-4
    assert (pictures["blended"] - case.image)[..., case.mask].abs().mean() > 0.01
    settings = [Method(stay, mask=mask).settings(generator) for mask in pictures]
    assert "mask" not in settings[0]  # so that rows measured before there was a choice are good
    assert settings[1] != settings[2]


def test_no_edit_leaves_all_as_it_is(generator, reader) -> None:
    case = landmark_case(generator, reader, 1, 5)
    last, image, _ = run(Method(stay), generator, case)
    torch.testing.assert_close(image, case.image, atol=1e-4, rtol=0)
    torch.testing.assert_close(last.distances, (case.targets - case.handles).norm(dim=1))


def test_the_command_writes_tables_and_goes_on(
    generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(*_: object) -> dict[str, Method]:
        options = DragOptions.for_generator(generator).updated({"max_steps": 2})
        edit = drag_methods.partial(drag_methods.drag, options=options)
        return {"no edit": Method(stay), "DragGAN": Method(edit, options)}

    monkeypatch.setattr(drag_methods, "methods", few)
    monkeypatch.setattr(drag_methods, "RADII", (2,))
    monkeypatch.setattr(drag_methods, "SHOWN", (3,))
    out = tmp_path / "out.json"
    command = f"x --tests 2 --work {tmp_path / 'work'} --images-to {tmp_path} --out {out}"
    tables = "landmarks reconstruction patch decay sheet"
    for _ in range(2):
        monkeypatch.setattr("sys.argv", [*command.split(), "--tables", *tables.split()])
        drag_methods.main()
        results = json.loads(out.read_text())
        assert set(results["landmarks"]) == {"1", "5", "all"}
        for table in results["landmarks"].values():
            assert table["no edit"]["tests"] == table["DragGAN"]["tests"] == 2
            assert table["DragGAN"]["steps"] <= 2
            assert table["DragGAN, no mask"]["tests"] == 2
        assert set(results["reconstruction"]) == {"no edit", "DragGAN"}
        assert set(results["patch"]) == {"no edit", "2"}
        assert all(map(math.isfinite, results["decay"]["ways"]["DragGAN"]["left"]))
        # A second time nothing is dragged.
        monkeypatch.setattr(drag_methods, "run", lambda *_: pytest.fail("measured again"))
        tables = "landmarks reconstruction patch"
    assert {"drag-methods.jpg", "drag-methods-decay.png"} <= {p.name for p in tmp_path.iterdir()}

    # Elsewhere, where nothing lies of the others, their figures stay; a way that is gone goes.
    results["landmarks"]["5"] |= {"gone": {}, "DragGAN": {"tests": 7}}
    out.write_text(json.dumps(results))
    monkeypatch.undo()
    monkeypatch.setattr(drag_methods, "methods", few)
    asked = ["--tables", "landmarks", "--points", "5", "--methods", "no edit"]
    elsewhere = ["--work", str(tmp_path / "elsewhere")]
    monkeypatch.setattr("sys.argv", [*command.split(), *elsewhere, *asked])
    drag_methods.main()
    kept = json.loads(out.read_text())["landmarks"]
    assert set(kept) == {"1", "5", "all"}
    assert set(kept["5"]) == {"no edit", "DragGAN", "DragGAN, no mask"}
    assert kept["5"]["DragGAN"] == {"tests": 7}
