"""Attributes: planted ones are found and named, what is to stay stays, the cache is only a cache."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models import attribute_files, attributes as finder, catalog, checkpoints, paths
from models.attributes import attributes, find, held_out_score, linear, ship
from models.config import GanConfig, Head
from models.core import LatentModel
from models.directions import DIRECTIONS, Directions, Origin
from models.errors import UserError
from models.judge import Judge, judge_of
from models.latent import generator, prior, projected
from models.render import _Cache, render
from models.requests import Directions as Op, RenderRequest

DIM = 8
AXES = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(3))).Q
GLASSES, SHAPE, SMILE, HIDDEN = range(4)  # rows of AXES: what the painter draws, and where
HEADS = (
    Head(name="glasses", values=("none", "round", "square")),
    Head(name="ear_rings", values=("none", "gold")),
    Head(name="side", values=("left", "right")),
    Head(name="smile", low=-1.0, high=1.0),
    Head(name="age", low=0.0, high=100.0),
    Head(name="label", values=("cat", "dog", "axolotl")),
)


class Painter(LatentModel):
    """Pixel i of a picture is linear in the coordinate along row i of AXES; the rest is grey."""

    def __init__(self, classes: int = 0) -> None:
        options = {"family": "cgan" if classes else "gan", "size": 16, "channels": 1, "latent_dim": DIM}
        super().__init__(GanConfig.model_validate(options | {"classes": classes}))
        self.decoded = 0

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        self.decoded += len(z)
        x = torch.zeros(len(z), 1, 16, 16)
        x[:, 0, 0, :DIM] = (z @ AXES.T / 6).clamp(-1, 1)
        if labels is not None:
            x[:, 0, 1, 0] = labels.float() / self.classes
        return x

    def first_layer(self) -> Tensor:
        return torch.eye(DIM)

    def hidden(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z


def classify(x: Tensor) -> dict[str, Tensor]:
    """Read the pictures of the painter."""
    seen = 6 * x[:, 0, 0, :DIM]
    wears, square = (2 * seen[:, GLASSES] - 1).sigmoid(), (2 * seen[:, SHAPE]).sigmoid()
    gold = (seen[:, GLASSES] + seen[:, SHAPE]).sigmoid()
    label = (6 * x[:, 0, 1, 0]).round().long() // 2 if x[:, 0, 1, 0].any() else (seen[:, HIDDEN] > 3).long()
    return {
        "glasses": torch.stack([1 - wears, wears * (1 - square), wears * square], 1),
        "ear_rings": torch.stack([1 - gold, gold], 1),
        "side": torch.stack([1 - square, square], 1),
        # Half a line, half a bowl: a normal sees the line only.
        "smile": (seen[:, SMILE] + 0.5 * seen[:, HIDDEN].square()) / 10,
        "age": torch.full((len(x),), 40.0),
        "label": torch.nn.functional.one_hot(label, 3).float(),
    }


def judge(name: str = "painter") -> Judge:
    return Judge(name, HEADS, lambda: classify)


@pytest.fixture(scope="module")
def found() -> Directions:
    return find(Painter(), judge())


def vector(found: Directions, name: str) -> Tensor:
    return found.vectors[found.names.index(name)]


def test_planted_directions_are_found_with_their_sign(found: Directions) -> None:
    assert float(vector(found, "glasses") @ AXES[GLASSES]) > 0.95
    assert float(vector(found, "side: right") @ AXES[SHAPE]) > 0.95
    assert float(vector(found, "smile") @ AXES[SMILE]) > 0.95
    both = torch.nn.functional.normalize(AXES[GLASSES] + AXES[SHAPE], dim=0)
    assert float(vector(found, "ear rings") @ both) > 0.95
    assert float(vector(found, "glasses: square") @ both) > 0.8
    assert float(vector(found, "glasses: round") @ AXES[SHAPE]) < 0


def test_each_value_that_can_be_fitted_has_one_direction(found: Directions) -> None:
    # No "none", no opposite of a direction that is there, no constant (age), nothing rare (dog, axolotl).
    names = {"glasses", "glasses: round", "glasses: square", "ear rings", "side: right", "smile"}
    assert set(found.names) == names
    assert len(found.names) == len(names)
    belongs = dict(zip(found.names, found.attributes, strict=True))
    assert belongs["glasses: round"] == belongs["glasses"] == "glasses"
    assert belongs["ear rings"] == "ear_rings"


def test_scores_are_those_of_latents_that_were_not_fitted(found: Directions) -> None:
    assert found.scores is not None and found.chances is not None
    assert set(found.chances.tolist()) == {0.0, 0.5}
    assert ((found.scores > found.chances) & (found.scores <= 1)).all()
    score = dict(zip(found.names, found.scores.tolist(), strict=True))
    assert score["glasses"] > 0.95 and score["side: right"] > 0.95
    assert score["smile"] == pytest.approx(
        1 / (1 + 2 * 0.25), abs=0.1
    )  # the share of the line in the variance
    skill = (found.scores - found.chances) / (1 - found.chances)
    assert torch.allclose(found.shares, skill / skill.sum())
    assert (skill[:-1] >= skill[1:]).all()


def test_a_fit_to_noise_scores_like_a_guess() -> None:
    z = torch.randn(4000, DIM, generator=generator(1))
    noise = torch.randn(4000, generator=generator(2))
    assert held_out_score(z, noise > 1) == pytest.approx(0.5, abs=0.06)
    assert held_out_score(z, noise) == pytest.approx(0, abs=0.02)


def test_a_linear_target_is_predicted_exactly() -> None:
    z = torch.randn(2000, DIM, generator=generator(1))
    weight, bias = linear(z, z @ AXES[0] * 3 + 7)
    assert torch.allclose(weight, 3 * AXES[0], atol=0.05)
    assert bias == pytest.approx(7, abs=0.01)


def test_effects_are_the_mean_squared_change_in_units_of_an_average_direction(found: Directions) -> None:
    assert found.effects.keys() == {"glasses", "ear_rings", "side", "smile"}
    for rows in found.effects.values():
        assert float(rows.square().sum()) == pytest.approx(DIM, rel=1e-4)
    along = {name: (rows @ AXES.T).square().sum(0) for name, rows in found.effects.items()}
    assert float(along["side"][SHAPE]) > 0.9 * DIM
    assert float(along["glasses"][[GLASSES, SHAPE]].sum()) > 0.9 * DIM
    assert float(along["smile"][HIDDEN]) > 0.3 * DIM  # which its normal does not know of
    assert abs(float(vector(found, "smile") @ AXES[HIDDEN])) < 0.1


def test_keeping_bends_away_from_what_changes_the_others_at_any_point(found: Directions) -> None:
    mixed = torch.nn.functional.normalize(AXES[GLASSES] + AXES[SMILE] + AXES[HIDDEN], dim=0)
    index = found.names.index("glasses")
    vectors = found.vectors.clone()
    vectors[index] = mixed
    changed = Directions(
        vectors, found.shares, "", found.names, found.attributes, found.scores, None, found.effects
    )
    kept = [found.names.index("smile"), index]
    kind = changed.keeping(index, kept)
    assert float(kind.norm()) == pytest.approx(1, abs=1e-5)
    assert float(kind @ AXES[GLASSES]) > 0.9
    assert abs(float(kind @ AXES[HIDDEN])) < 0.5 * abs(
        float(projected(mixed, vectors[kept[:1]]) @ AXES[HIDDEN])
    )
    assert torch.equal(changed.keeping(index, []), mixed)


def test_effects_cost_nothing_where_there_is_one_attribute() -> None:
    model = Painter()
    found = find(model, Judge("glasses", HEADS[:1], lambda: classify))
    assert set(found.attributes) == {"glasses"}
    assert not found.effects
    assert model.decoded == 4000


def test_what_is_kept_twice_is_kept_no_more_strictly(found: Directions) -> None:
    index, other = found.names.index("glasses"), found.names.index("smile")
    rows = found.effects["smile"]
    vectors = torch.cat([found.vectors, found.vectors[other : other + 1]])
    more = {"names": (*found.names, "twin"), "attributes": (*found.attributes, "twin")}
    twice = replace(found, vectors=vectors, effects={**found.effects, "twin": rows}, **more)
    both = twice.keeping(index, [other, len(found.names)])
    assert float(both @ found.keeping(index, [other])) == pytest.approx(1, abs=1e-4)


def test_keeping_another_value_of_the_same_attribute_keeps_its_coordinate(found: Directions) -> None:
    index, other = found.names.index("glasses: round"), found.names.index("glasses: square")
    kind = found.keeping(index, [other])
    assert float(kind @ found.vectors[other]) == pytest.approx(0, abs=1e-5)
    assert float(kind @ found.vectors[index]) > 0.3


def test_keeping_directions_without_names_is_a_projection() -> None:
    rows = torch.nn.functional.normalize(torch.randn(3, DIM, generator=generator(5)), dim=1)
    plain = Directions(rows, torch.ones(3) / 3, "Plain")
    kind = plain.keeping(0, [1, 2])
    assert torch.allclose(rows[1:] @ kind, torch.zeros(2), atol=1e-5)
    assert float(kind.norm()) == pytest.approx(1, abs=1e-5)


def test_moves_are_what_keeps_the_others_where_anything_is_left() -> None:
    rows = torch.nn.functional.normalize(torch.randn(4, DIM, generator=generator(5)), dim=1)
    rows[3] = torch.nn.functional.normalize(rows[1] + rows[2], dim=0)
    plain = Directions(rows, torch.ones(4) / 4, "Plain")
    assert torch.equal(plain.moves([2, 0], []), rows[[2, 0]])
    moves = plain.moves(range(4), [1, 2])
    assert torch.equal(moves[0], plain.keeping(0, [1, 2]))
    assert torch.equal(moves[1], plain.keeping(1, [2])), "a kept direction can be moved along itself"
    assert torch.equal(moves[3], rows[3]), "nothing of it is left, so it moves as it is"


def test_the_same_seed_finds_the_same_and_another_nearly_so(found: Directions) -> None:
    state = torch.get_rng_state()
    again, other = find(Painter(), judge()), find(Painter(), judge(), seed=1)
    assert torch.equal(again.vectors, found.vectors)
    assert again.names == found.names
    assert all(torch.equal(again.effects[name], rows) for name, rows in found.effects.items())
    assert not torch.equal(other.vectors, found.vectors)
    assert float(vector(other, "glasses") @ vector(found, "glasses")) > 0.99
    assert torch.equal(state, torch.get_rng_state())


def test_what_a_label_decides_is_no_direction_of_z() -> None:
    found = find(Painter(classes=3), judge())
    assert "label" not in found.attributes
    assert float(vector(found, "glasses") @ AXES[GLASSES]) > 0.95


# The finder --------------------------------------------------------------------------------------------------


@pytest.fixture
def judged(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Origin:
    """Let the painter's judge have every data set; returns the origin of a painter."""
    monkeypatch.setattr(finder, "judge_of", lambda dataset, shape: judge())
    return Origin("digits", "0" * 64)


def cached() -> list[Path]:
    return list((paths.cache() / "attributes").iterdir())


def test_what_was_found_is_read_from_the_disk_the_next_time(judged: Origin) -> None:
    model = Painter()
    first = attributes(model, origin=judged)
    spent = model.decoded
    assert spent <= 16_000
    again = attributes(model, origin=judged)
    assert model.decoded == spent
    assert torch.equal(first.vectors, again.vectors) and torch.equal(first.shares, again.shares)
    assert (first.names, first.attributes, first.title) == (again.names, again.attributes, again.title)
    assert first.scores is not None and again.scores is not None
    assert torch.equal(first.scores, again.scores)
    assert first.effects.keys() == again.effects.keys()
    for name, rows in first.effects.items():  # kept in half precision, as what they are for: A^T A
        assert torch.allclose(again.effects[name].T @ again.effects[name], rows.T @ rows, atol=2e-3)
    assert [file.suffix for file in cached()] == [".npz"]


def test_the_share_of_the_judged_pictures_is_told(judged: Origin) -> None:
    model, shares = Painter(), []
    attributes(model, origin=judged, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 30
    shares.clear()
    attributes(model, origin=judged, progress=shares.append)
    assert not shares


def test_another_model_judge_or_seed_is_another_file(judged: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes(Painter(), origin=judged)
    attributes(Painter(), origin=judged, seed=1)
    attributes(Painter(), origin=Origin("digits", "1" * 64))
    monkeypatch.setattr(finder, "judge_of", lambda dataset, shape: judge("another"))
    attributes(Painter(), origin=judged)
    assert len(cached()) == 4


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:2000])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[200:260] = bytes(60)
    file.write_bytes(data)


def _pickle(file: Path) -> None:
    with file.open("wb") as stream:
        np.savez(stream, vectors=np.array([{"a": 1}], dtype=object))


def _changed(file: Path, **changes: np.ndarray) -> None:
    arrays = {**np.load(file), **changes}
    with file.open("wb") as stream:
        np.savez(stream, **arrays)


def _other_dim(file: Path) -> None:
    _changed(file, vectors=np.load(file)["vectors"][:, :3])


def _not_finite(file: Path) -> None:
    _changed(file, shares=np.full(6, np.nan, np.float32))


@pytest.mark.parametrize(
    "damage", [_cut, _flip, _pickle, _other_dim, _not_finite, Path.touch, lambda file: file.write_bytes(b"")]
)
def test_a_damaged_file_is_computed_again(judged: Origin, damage: Callable[[Path], object]) -> None:
    model = Painter()
    first = attributes(model, origin=judged)
    (file,) = cached()
    sound = file.read_bytes()
    damage(file)
    harmed, spent = file.read_bytes() != sound, model.decoded
    assert torch.equal(attributes(model, origin=judged).vectors, first.vectors)
    assert (model.decoded > spent) == harmed
    assert attribute_files.read(file, file.stem, DIM) is not None


def test_a_cache_that_cannot_be_written_does_no_harm(judged: Origin) -> None:
    paths.cache().write_text("a file where a folder should be")
    assert "glasses" in attributes(Painter(), origin=judged).names


@pytest.fixture
def checkpoint(judged: Origin, tmp_path: Path) -> Origin:
    """Return the origin of a painter whose directions lie in its checkpoint, and nowhere else."""
    origin = Origin(judged.dataset, judged.digest, tmp_path / "painter")
    assert ship(Painter(), origin)
    assert [file.name for file in (tmp_path / "painter").iterdir()] == ["directions.npz"]
    assert not (paths.cache() / "attributes").exists()
    return origin


def test_what_a_checkpoint_brings_along_costs_nothing(checkpoint: Origin, found: Directions) -> None:
    model = Painter()
    shipped = attributes(model, origin=checkpoint)
    assert not model.decoded
    assert shipped.names == found.names and torch.equal(shipped.vectors, found.vectors)
    index, kept = found.names.index("glasses"), [found.names.index("smile")]
    assert float(shipped.keeping(index, kept) @ found.keeping(index, kept)) > 0.9999
    assert ship(model, checkpoint) and not model.decoded, "what is there and fits is not found again"


@pytest.mark.parametrize("what", ["weights", "judge", "version", "damage"])
def test_what_a_checkpoint_brings_along_counts_only_if_it_fits(
    checkpoint: Origin, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert checkpoint.folder
    origin = Origin("digits", "1" * 64, checkpoint.folder) if what == "weights" else checkpoint
    if what == "judge":
        monkeypatch.setattr(finder, "judge_of", lambda dataset, shape: judge("another"))
    elif what == "version":
        monkeypatch.setattr(finder, "VERSION", finder.VERSION + 1)
    elif what == "damage":
        _cut(checkpoint.folder / "directions.npz")
    model = Painter()
    assert "glasses" in attributes(model, origin=origin).names
    assert model.decoded, "it is computed again"
    assert len(cached()) == 1


def test_a_checkpoint_that_nobody_judges_any_more_loses_its_directions(
    checkpoint: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkpoint.folder
    monkeypatch.setattr(finder, "judge_of", judge_of)
    assert not ship(Painter(), Origin("avatars", checkpoint.digest, checkpoint.folder))
    assert not list(checkpoint.folder.iterdir())


def test_pictures_that_are_all_alike_have_no_attributes(judged: Origin) -> None:
    class Blank(Painter):
        def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
            return torch.zeros(len(z), 1, 16, 16)

    with pytest.raises(UserError, match="all alike") as error:
        attributes(Blank(), origin=judged)
    assert error.value.code == "no-attributes"


def test_a_model_of_unknown_origin_has_no_attributes() -> None:
    with pytest.raises(UserError, match="not known what the model learnt") as error:
        attributes(Painter())
    assert error.value.code == "no-classifier"


# In a result -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", DIRECTIONS)
def test_a_result_holds_names_and_scores_or_empty_arrays(
    axes: str, zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "judge_of", lambda dataset, shape: Judge("halves", (HALVES,), lambda: halves))
    values = render(RenderRequest(model=catalog.find("tiny-gan").digest, op=Op(axes=axes))).values
    count = len(values["vectors"])
    assert count == len(values["shares"]) > 0
    named = count if axes == "attributes" else 0
    assert all(len(values[name]) == named for name in ("names", "attributes", "scores", "chances"))
    assert values["names"].dtype.kind == values["attributes"].dtype.kind == "U"
    if named:
        assert values["names"].tolist() == ["brighter half: right"]
        assert values["attributes"].tolist() == ["brighter_half"]
        assert 0.5 < values["scores"][0] <= 1 and values["chances"][0] == 0.5


def test_a_result_comes_from_the_checkpoint_that_the_catalog_knows(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "judge_of", lambda dataset, shape: Judge("halves", (HALVES,), lambda: halves))
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    shutil.copytree(zoo / "tiny-gan", tmp_path / "models" / "copied")
    monkeypatch.setattr("models.render._cache", _Cache(1))
    info = catalog.find("copied")
    model = checkpoints.load(info)
    assert isinstance(model, LatentModel) and ship(model, Origin(info.dataset, info.digest, info.path))
    monkeypatch.setattr(finder, "find", lambda *given: pytest.fail("they are there already"))
    values = render(RenderRequest(model=info.digest, op=Op(axes="attributes"))).values
    assert values["names"].tolist() == ["brighter half: right"]
    (info.path / "directions.npz").write_bytes(b"no directions")
    assert checkpoints.load(catalog.find("copied")).state_dict().keys() == model.state_dict().keys()


def test_the_directions_that_are_shipped_still_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path))
    for info in catalog.models():
        if info.shipped and (info.path / catalog.DIRECTIONS).is_file():
            model, origin = checkpoints.load(info), Origin(info.dataset, info.digest, info.path)
            assert isinstance(model, LatentModel)
            known = finder._known(model, judge_of(info.dataset, info.sample_shape), 0, origin)
            assert known, f"run: latent-explorer evaluate {info.id} --write-card"


HALVES = Head(name="brighter_half", values=("left", "right"))


def halves(x: Tensor) -> dict[str, Tensor]:
    """Tell which half of a picture is brighter than the average picture's."""
    right = x[..., 8:].mean((1, 2, 3)) - x[..., :8].mean((1, 2, 3))
    return {"brighter_half": torch.stack([-right, right], 1).mul(1000).softmax(1)}


def test_a_walk_along_an_attribute_changes_the_verdict(found: Directions) -> None:
    z = prior(range(50), DIM)
    moved = z + 3 * vector(found, "side: right")
    before, after = (classify(Painter().decode(at))["side"].argmax(1) for at in (z, moved))
    assert (after >= before).all()
    assert float(after.float().mean()) > 0.95
