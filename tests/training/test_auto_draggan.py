"""Training a predictor: what drags are made of, what is learnt of them, and that it goes on."""

import dataclasses
import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nbdrag.editing import latent_drift
from nbdrag.editing.latent_drift import Asked
from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.editing.latent_predictor_file import load_predictor, save_predictor
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import load_reader
from nbdrag.training import auto_draggan, auto_draggan_drags
from nbdrag.training import auto_draggan_landmarks as landmarks
from nbdrag.training.auto_draggan import (
    Training,
    falling,
    main,
    tell,
    train,
)
from nbdrag.training.auto_draggan_drags import (
    ASKED_WEIGHT,
    REHEARSED,
    Drags,
    LandmarkDrags,
    choose_handles,
    distance,
    planned,
)
from nbdrag.training.auto_draggan_landmarks import (
    LatentLandmarks,
    Portraits,
    fit,
    known_landmarks,
    learn,
    learning,
    read_portraits,
)
from nbdrag.training.auto_draggan_latents import draw_latents, led_towards
from nbdrag.training.auto_draggan_matches import MatchedDrags, matches
from nbdrag.training.auto_draggan_options import (
    TrainingOptions,
    as_trained,
    settled,
    training_of,
)
from nbdrag.training.auto_draggan_start import untrained
from tests.editing.predictors import tiny_config, tiny_predictor

TINY = StyleGAN2Config(32, z_dim=6, w_dim=6, mapping_layers=1, channel_base=64)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(TINY, rng()).requires_grad_(False)


@pytest.fixture(scope="module")
def config(generator) -> PredictorConfig:
    return tiny_config(generator)


class Moving(LatentLandmarks):
    """Landmarks that move by ten pixels for each unit of a row's first two numbers."""

    def __init__(self) -> None:
        super().__init__(TINY.num_ws, TINY.w_dim, rng())

    def forward(self, ws: Tensor) -> Tensor:
        moved = ws[:, 0, None, :2].expand(-1, len(LANDMARKS), -1)
        return 16 + 10 * moved


def landmark_drags(generator, config, **changes: int) -> LandmarkDrags:
    ws = draw_latents(generator, 32, rng(1)) * 0.2
    known = Moving()
    portraits = Portraits(ws, known(ws), torch.rand(32, len(LANDMARKS), generator=rng(2)) < 0.7)
    sizes = {"pictures": 2, "drags": 6, "asked": 0, **changes}
    return LandmarkDrags(generator, config, portraits, known, load_reader(), **sizes)


# ---------------------------------------------------------------------------------------- latents


def test_latents_are_drawn_from_w_and_about_it(generator):
    ws = draw_latents(generator, 64, rng())
    assert ws.shape == (64, generator.num_ws, 6)
    assert torch.equal(ws, draw_latents(generator, 64, rng()))
    apart = (ws - ws[:, :1]).abs().amax(dim=(1, 2)) / ws.std()
    assert apart.min() < 0.3  # of one portrait, nearly
    assert apart.max() > 1  # of two


def test_latents_of_labelled_generators():
    labelled = StyleGAN2Config(8, z_dim=4, w_dim=4, mapping_layers=1, channel_base=32, num_labels=3)
    assert draw_latents(Generator(labelled), 5, rng()).isfinite().all()


def test_sequences_lead_towards_another_latent(generator, config):
    ws, others = draw_latents(generator, 8, rng()).chunk(2)
    share = torch.tensor([0.2, 0.5, 1.0, 0.0])
    sequence = led_towards(ws, others, share, config)
    assert sequence.shape == (4, 4, generator.num_ws, 6)
    assert torch.equal(sequence[:, 0], ws)
    assert torch.equal(sequence[:, -1, 4:], ws[:, 4:])
    torch.testing.assert_close(sequence[2, -1, :4], others[2, :4])
    torch.testing.assert_close(sequence[1, -1, :4], (ws[1, :4] + others[1, :4]) / 2)
    steps = sequence.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps))


# -------------------------------------------------------------------------------------- landmarks


def test_portraits_are_read_once(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(landmarks, "CHUNK", 4)
    reader = load_reader()
    once = read_portraits(generator, reader, tmp_path, 8, 0)
    assert len(list(tmp_path.iterdir())) == 2
    assert once.ws.shape == (8, generator.num_ws, 6)
    expected = reader(generator.synthesis(once.ws).image)
    torch.testing.assert_close(once.landmarks, expected.landmarks, atol=1e-3, rtol=1e-3)
    again = read_portraits(generator, None, tmp_path, 7, 0)  # nobody is asked
    assert torch.equal(again.landmarks, once.landmarks[:7])
    (tmp_path / "portraits-0001.safetensors").unlink()
    resumed = read_portraits(generator, reader, tmp_path, 8, 0)
    assert torch.equal(resumed.landmarks, once.landmarks)


def test_landmarks_are_learnt_from_latents_and_kept(tmp_path, capsys):
    ws = torch.randn(400, 4, 3, generator=rng(3))
    way = torch.randn(12, 2 * len(LANDMARKS), generator=rng(4))
    truth = 64 + 3 * (ws.flatten(1) @ way).unflatten(1, (-1, 2))
    portraits = Portraits(ws, truth, torch.ones(400, len(LANDMARKS), dtype=torch.bool))
    model = fit(portraits, steps=60, rate=1e-2)
    off = (model(ws[:20]) - truth[:20]).norm(dim=-1).mean()
    assert off < 0.5 * (truth - truth.mean(0)).norm(dim=-1).mean()
    assert "held out" in capsys.readouterr().out
    save_file(model.state_dict(), tmp_path / "landmarks.safetensors")
    kept = known_landmarks(portraits, tmp_path, 0)
    assert torch.equal(kept(ws[:3]), model(ws[:3]))


def test_handles_hang_on_sure_landmarks():
    sure = torch.zeros(50, len(LANDMARKS), dtype=torch.bool)
    sure[:, 3:9] = True
    seen = set()
    for seed in range(12):
        shares, real = choose_handles(sure, rng(seed))
        seen.add(shares.shape[1])
        torch.testing.assert_close(shares.sum(-1), torch.ones(shares.shape[:2]))
        assert (shares[real][:, ~sure[0]] == 0).all()
        assert real.any()
    assert {1, 5} <= seen


def test_drags_of_landmarks_ask_for_what_their_sequence_does(generator, config):
    source = landmark_drags(generator, config)
    for seed in range(4):
        drags = source.draw(rng(seed))
        assert drags.features.shape[0] == 2
        assert drags.sequence.shape[:2] == (12, 4)
        assert drags.real.any(1).all()
        start, end = source.known(drags.sequence[:, 0]), source.known(drags.sequence[:, -1])
        way = drags.targets - drags.handles
        asked = (drags.shares @ (end - start) - way).norm(dim=-1) < 1e-3
        held = way.norm(dim=-1) == 0
        assert (asked | held).all()
        # Whoever follows the sequence has no loss, but for handles that ask to be held.
        follows = drags._replace(real=drags.real & asked)
        loss = source.drag_loss(follows, drags.sequence[:, 1:], 0.0, rng())
        assert loss < 1e-3
        still = drags.sequence[:, :1].expand(-1, 3, -1, -1)
        expected = distance(drags.handles[:, None], planned(drags, 3))
        weight = torch.tensor([1.0, 4.0, 9.0])[:, None] / 14 * drags.real[:, None]
        torch.testing.assert_close(
            source.drag_loss(drags, still, 0.0, rng()),
            (expected * weight).sum() / drags.real.sum(),
        )


def test_after_a_while_the_reader_is_asked(generator, config, monkeypatch):
    """It says where points are; which way to go is known without it."""
    learnt: list[Portraits] = []
    monkeypatch.setattr(auto_draggan_drags, "learn", lambda *given: learnt.append(given[2]))
    source = landmark_drags(generator, config, asked=3)
    drags = source.draw(rng(5))
    still = drags.sequence[:, :1].expand(-1, 3, -1, -1).clone().requires_grad_()
    early = source.drag_loss(drags, still, 0.1, rng())
    assert not learnt
    few = slice(0, 12, 4)
    seen = source.reader(generator.synthesis(drags.sequence[few, 0]).image).landmarks
    elsewhere = drags._replace(landmarks=drags.landmarks.clone())
    elsewhere.landmarks[few] = seen + 5  # as if they had been five pixels further on
    late = source.drag_loss(elsewhere, still, 0.9, rng())
    asked = distance(drags.handles[few] - 5, drags.targets[few]) * drags.real[few]
    expected = torch.lerp(early, asked.sum() / drags.real[few].sum(), ASKED_WEIGHT)
    torch.testing.assert_close(late, expected, atol=1e-4, rtol=1e-4)
    (pictures,) = learnt
    assert torch.equal(pictures.ws[REHEARSED:], drags.sequence[few, 0])
    torch.testing.assert_close(pictures.landmarks[REHEARSED:], seen)
    late.backward()
    assert still.grad is not None
    assert still.grad[few, -1, 0, :2].abs().max() > 0
    assert still.grad[:, :, 1:].abs().max() == 0  # which landmarks here don't depend on


def test_what_is_known_of_landmarks_grows():
    """Each step brings it nearer to what was read where it is sure; and it stays frozen."""
    known = LatentLandmarks(4, 3, rng(10)).requires_grad_(False)
    portraits = Portraits(
        torch.randn(20, 4, 3, generator=rng(11)),
        10 * torch.randn(20, len(LANDMARKS), 2, generator=rng(12)),
        torch.rand(20, len(LANDMARKS), generator=rng(13)) < 0.5,
    )

    def off() -> Tensor:
        return (known(portraits.ws) - portraits.landmarks).norm(dim=-1)[portraits.sure].mean()

    optimiser = learning(known)
    before = off()
    for _ in range(200):
        learn(known, optimiser, portraits)
    assert off() < 0.7 * before
    assert not any(each.requires_grad for each in known.parameters())


def test_what_was_learnt_meanwhile_is_kept(generator, config):
    first, second = (landmark_drags(generator, config) for _ in range(2))
    for each in first.known.requires_grad_(False).parameters():
        each.fill_(0.5)
    second.restore(first.state())
    assert all((each == 0.5).all() for each in second.known.parameters())


def test_distance_is_smooth_where_it_is_nought():
    points = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    found = distance(points, torch.zeros(2, 2))
    torch.testing.assert_close(found, torch.tensor([4.9, 0.0]), atol=2e-3, rtol=0)
    found.sum().backward()
    assert points.grad is not None
    assert points.grad[1].tolist() == [0, 0]


# ---------------------------------------------------------------------------------------- matches


def test_matches_find_what_was_shifted():
    first = torch.randn(12, 16, 16, generator=rng(6))
    last = first.roll((2, -3), dims=(1, 2))  # down by two, left by three
    handles, targets, real = matches(first, last, rng())
    assert real.all()
    way = (targets - handles).remainder(16)
    assert torch.equal(way, torch.tensor([13.0, 2.0]).expand(len(way), 2))


def test_what_does_not_come_back_is_no_match():
    first = torch.randn(4, 16, 16, generator=rng(7))
    last = first[:, 2:3, 2:3].expand(-1, 16, 16)  # all of it looks like one place
    handles, _, real = matches(first, last, rng())
    assert not real.all()
    assert ((handles[real] - 2.5).norm(dim=1) <= 1.5).all()  # true at most about that place
    *_, real = matches(first, first, rng())
    assert real.all()


def test_matched_drags_are_whole_and_their_loss_is_that_of_the_features(generator, config):
    source = MatchedDrags(generator, config, pictures=2, drags=3)
    drags = source.draw(rng(8))
    assert drags.handles.shape == drags.targets.shape
    assert drags.real.any(1).all()
    assert drags.shares.shape[-1] == 0
    assert ((drags.targets - drags.handles).norm(dim=-1)[drags.real] <= 8).all()
    assert source.latents(3, rng()).shape == (3, generator.num_ws, 6)
    stays = drags._replace(targets=drags.handles)
    still = drags.sequence[:, :1].expand(-1, 3, -1, -1)
    assert source.drag_loss(stays, still, 0.0, rng()) < 1e-5
    moved = (still + 1).clone().requires_grad_()
    loss = source.drag_loss(stays, moved, 0.0, rng())
    loss.backward()
    assert loss > 0.05
    assert moved.grad is not None
    assert moved.grad.abs().max() > 0


# --------------------------------------------------------------------------------------- training


SHORT = TrainingOptions(
    regularizer_steps=3, regularizer_batch=4, steps=6, rate=1e-3, pictures=1, drags=2
)


def fresh(generator, config, options=SHORT) -> Training:
    return Training(untrained(generator, config, 0), options, rng())


def test_an_untrained_predictor_knows_the_scales(generator, config):
    predictor = untrained(generator, config, 0)
    assert predictor.generator_hash == generator.content_hash
    ws = generator.mapping(torch.randn(200, 6, generator=rng(9)), truncation=0.7)
    rows = predictor.normalised(ws)
    assert 0.7 < rows.std() < 1.4
    torch.testing.assert_close(predictor.denormalised(rows), ws)


def test_both_stages_learn(generator, config):
    """A drag loss that only asks for a shift of the latent, whatever the points, is soon met.

    Unless that is taken off again, as all that is told whatever the points.
    """

    class Shift(MatchedDrags):
        def drag_loss(
            self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
        ) -> Tensor:
            return (told[:, -1, 0, 0] - drags.sequence[:, 0, 0, 0] - 0.3).abs().mean()

    options = TrainingOptions(
        regularizer_steps=20,
        regularizer_batch=4,
        steps=400,
        rate=1e-2,
        alpha=0.0,
        steady=0,
        pictures=1,
        drags=2,
    )
    training = fresh(generator, config, options)
    source = Shift(generator, config, pictures=1, drags=2)
    for _ in range(20):
        training.regularizer_step(source)
    losses = [training.step(source)["drag"] for _ in range(25)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_without_the_regularizer_nothing_goes_through_it(generator, config):
    source = MatchedDrags(generator, config, pictures=1, drags=2)
    for regularize in (1, 0):
        options = dataclasses.replace(SHORT, gamma=0.0, regularize=regularize)
        training = fresh(generator, config, options)
        training.step(source)
        bent = sum(
            each.grad.abs().sum().item()
            for each in training.predictor.regularizer.parameters()
            if each.grad is not None
        )
        assert (bent > 0) == bool(regularize)


def test_a_training_that_was_interrupted_ends_the_same(generator, config, tmp_path):
    source = MatchedDrags(generator, config, pictures=1, drags=2)
    straight = fresh(generator, config)
    train(straight, source, tmp_path / "straight", log_every=2)
    first = fresh(generator, config)
    calls = iter([False] * 5 + [True] * 9)
    train(first, source, tmp_path / "parts", stop=lambda: next(calls))
    assert (first.regularizer_steps, first.steps) == (3, 2)
    second = fresh(generator, config)
    second.restore(torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True))
    train(second, source, tmp_path / "parts")
    assert second.steps == 6
    for name, value in straight.average.items():
        assert torch.equal(value, second.average[name]), name
    assert '"stage": "joint"' in (tmp_path / "straight" / "log.jsonl").read_text()


def test_a_batch_that_is_not_finite_is_passed_over(generator, config):
    class Broken(MatchedDrags):
        def drag_loss(
            self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
        ) -> Tensor:
            return told.sum() * math.nan

    training = fresh(generator, config)
    before = {name: value.clone() for name, value in training.predictor.state_dict().items()}
    training.step(Broken(generator, config, pictures=1, drags=2))
    assert training.steps == 1
    for name, value in training.predictor.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_step_size_falls_along_half_a_cosine():
    assert [falling(x, 0.1) for x in (0.0, 1.0, 2.0)] == [1.0, 0.1, 0.1]
    assert falling(0.5, 0.1) == pytest.approx(0.55)


def test_the_papers_rates_are_the_default(generator):
    wide = Generator(StyleGAN2Config(8, z_dim=4, w_dim=512, mapping_layers=1, channel_base=32))
    paper = TrainingOptions.for_generator(wide)
    assert (paper.alpha, paper.beta, paper.regularizer_rate) == (0.1, 1.0, 1e-3)
    assert (paper.rate, paper.least_rate, paper.joint_rate) == (1e-5, 1e-7, 1e-5)
    assert TrainingOptions.for_generator(generator).rate > paper.rate


def test_the_command_trains_goes_on_and_writes_a_predictor(generator, tmp_path, capsys):
    save_generator(generator, tmp_path / "g.safetensors")
    given = [str(tmp_path / "g.safetensors"), str(tmp_path / "run")]
    few = ["--regularizer-steps", "2", "--pictures", "1", "--drags", "2"]
    out = tmp_path / "p.safetensors"
    built = ["--construction", "decoder_layers=1", "reach=0.3"]
    main([*given, *few, *built, "--steps", "2", "--out", str(out)])
    usual = PredictorConfig.for_generator(generator)
    expected = dataclasses.replace(usual, decoder_layers=1, reach=0.3)
    assert load_predictor(out, generator).config == expected
    first = load_file(out)
    main([*given, "--steps", "4", "--out", str(out)])
    assert "going on from step 2" in capsys.readouterr().out
    commands = (tmp_path / "run" / "commands.txt").read_text().splitlines()
    assert [line.rpartition("# ")[2] for line in commands] == ["from step 0", "from step 2"]
    assert "--construction decoder_layers=1 reach=0.3" in commands[0]
    assert any((value != first[name]).any() for name, value in load_file(out).items())
    for wrong, message in [
        ([str(tmp_path / "none.pkl"), str(tmp_path / "run")], "there is no file"),
        ([*given, "--construction", "layers=3"], "expected NAME=NUMBER, of num_ws"),
        ([*given, "--construction", "steps=few"], "invalid literal"),
        ([*given, "--construction", "steps=1"], "another construction"),
    ]:
        with pytest.raises(SystemExit):
            main(wrong)
        assert message in capsys.readouterr().err


def test_a_predictor_whose_folder_is_lost_is_trained_on(generator, tmp_path, capsys, monkeypatch):
    file, out = tmp_path / "g.safetensors", tmp_path / "p.safetensors"
    save_generator(generator, file)
    few = ["--regularizer-steps", "2", "--pictures", "1", "--drags", "2", "--steps", "3"]
    built = ["--construction", "decoder_layers=1"]
    main([str(file), str(tmp_path / "lost"), *few, *built, "--out", str(out)])
    first, before = load_file(out), training_of(out)
    # Another seed: untrained weights would be others.
    slow = ["--seed", "5", "--rate", "1e-9", "--joint-rate", "1e-9", "--out", str(out)]
    new = [str(file), str(tmp_path / "new"), "--begin", str(out), *few, *slow]
    with pytest.raises(SystemExit):
        main([*new, "--construction", "steps=2"])
    assert "begin with has another construction" in capsys.readouterr().err
    # It is broken off before there is anything to go on from, and begun once more.
    with monkeypatch.context() as patch:
        patch.setattr(auto_draggan, "make_source", interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(new)
    monkeypatch.setattr(Training, "regularizer_step", lambda *_: pytest.fail("begun anew"))
    main(new)
    for name, value in load_file(out).items():  # at such rates all stays as it was begun with
        torch.testing.assert_close(value, first[name], atol=1e-3, rtol=1e-3)
    how = training_of(out)
    assert how["commands"][:-1] == before["commands"]
    assert "--begin" in how["commands"][-1]
    assert how["minutes"] >= before["minutes"]
    assert how["steps"] == 3
    # What it was begun with is needed no longer.
    out.unlink()
    main([*new, "--steps", "4"])
    assert training_of(out)["steps"] == 4


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_trainings_from_before_go_on_as_they_were(generator, tmp_path):
    file = tmp_path / "options.json"
    settled(file, generator, {}, [])
    kept = json.loads(file.read_text())
    for name in ("steady", "epsilon"):
        del kept["training"][name]
    file.write_text(json.dumps(kept))
    options, _ = settled(file, generator, {"steps": 7}, [])
    assert (options.steady, options.epsilon, options.steps) == (0, 0.0, 7)


def test_predictors_are_used_as_they_were_trained(generator, config, tmp_path):
    path = tmp_path / "p.safetensors"
    predictor = LatentPredictor(config, generator.content_hash)
    for options, (regularize, steady) in [
        ({}, (True, False)),  # from before there was a choice
        ({"regularize": 0, "steady": 1}, (False, True)),
        ({"regularize": 1, "steady": 0}, (True, False)),
    ]:
        save_predictor(predictor, path, {"training": json.dumps({"options": options})})
        assert as_trained(path) == {"regularize": regularize, "steady": steady}


def test_latents_are_told_with_their_drift(generator, config):
    drags = MatchedDrags(generator, config, pictures=1, drags=2).draw(rng())
    predictor = tiny_predictor(generator)
    points = (drags.handles, drags.targets, drags.real)
    for regularize in (True, False):
        told, drift = tell(predictor, drags, regularize=regularize)
        assert told.shape == drift.shape == drags.sequence[:, 1:].shape
        alone = predictor(drags.sequence[:, 0], drags.features, *points, regularize=regularize)
        torch.testing.assert_close(told + drift, alone, atol=1e-5, rtol=1e-5)
        asked = Asked(drags.sequence[:, 0], drags.features, *points)
        expected = latent_drift.steady(predictor, asked, regularize=regularize)
        torch.testing.assert_close(told, expected, atol=1e-5, rtol=1e-5)
        told, drift = tell(predictor, drags, regularize=regularize, steady=False)
        assert torch.equal(told, alone)
        assert not drift.any()


def test_a_training_is_steady_unless_it_is_not_to_be(generator, config):
    """A loss that is the same wherever the points are to go has nothing to teach, if steady."""

    class Shift(MatchedDrags):
        def draw(self, random: torch.Generator) -> Drags:
            drags = super().draw(random)
            return drags._replace(targets=drags.handles)

        def drag_loss(
            self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
        ) -> Tensor:
            return (told[:, -1] - drags.sequence[:, 0]).sum()

    source = Shift(generator, config, pictures=1, drags=2)
    norms = []
    for steady in (1, 0):
        options = dataclasses.replace(
            SHORT, alpha=0.0, gamma=0.0, delta=0.0, epsilon=0.0, steady=steady
        )
        norms.append(fresh(generator, config, options).step(source)["norm"])
    assert norms[0] < 1e-4 * norms[1]


def test_the_drift_is_kept_small(generator, config):
    class Nothing(MatchedDrags):
        def drag_loss(
            self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
        ) -> Tensor:
            return told.sum() * 0

    options = dataclasses.replace(
        SHORT, steps=400, rate=2e-2, joint_rate=2e-2, alpha=0.0, gamma=0.0, delta=0.0, epsilon=1.0
    )
    training = fresh(generator, config, options)
    training.predictor.load_state_dict(tiny_predictor(generator).state_dict())
    source = Nothing(generator, config, pictures=1, drags=2)
    drifts = [training.step(source)["drift"] for _ in range(30)]
    assert sum(drifts[-5:]) < 0.7 * sum(drifts[:5])
