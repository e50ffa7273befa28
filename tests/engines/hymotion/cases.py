"""What the engine must do with a checkout, the double's or the vendor's, at toy size.

`python -m tests.engines.hymotion.cases FOLDER [SOURCE]` makes an installation in FOLDER for the
code in SOURCE (our double), runs every case against it, and prints a line of JSON for each. It runs
where torch is; the rest of the tests does not need it.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from kinesphere.core.failures import Failure
from kinesphere.engines.gpu.files import NotLoadable
from kinesphere.engines.hymotion.engine import HyMotion
from kinesphere.formats.clip import Clip
from kinesphere.formats.motion import MOTION_FORMATS
from kinesphere.ports import Made, Outcome, Work
from kinesphere.testing.engines import examine
from kinesphere.worker.products import Product, product
from tests.engines.hymotion import toy

SAME: Final = 1e-5
"""Products of matrices of other sizes may differ in their last bits."""


class Bench:
    """An installation at toy size and one engine that is loaded from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.torch = import_module("torch")
        self.engine = self.loaded()
        self.engine.warm_up()

    @property
    def model(self) -> Path:
        return self.folder / "weights" / "tencent" / toy.VARIANT

    def made(self, **options: Any) -> HyMotion:
        """An engine of this installation, not loaded."""
        given = {
            "source": str(self.folder / "src"),
            "weights": str(self.folder / "weights"),
            "variant": toy.VARIANT,
        }
        return HyMotion(**{**given, **options})

    def loaded(self, **options: Any) -> HyMotion:
        """An engine of this installation."""
        engine = self.made(**options)
        engine.load("cpu")
        return engine

    @contextmanager
    def watched(self, engine: HyMotion, look: Callable[[int], None]) -> Iterator[None]:
        """Call `look` with the rows of each pass through the network."""

        def before(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
            look(int(kwargs["x"].shape[0]))

        network = engine._model.pipeline.motion_transformer
        hook = network.register_forward_pre_hook(before, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()

    def refused(self, **options: Any) -> NotLoadable:
        """Why an engine cannot be loaded."""
        try:
            self.loaded(**options)
        except NotLoadable as error:
            return error
        raise AssertionError("it was loaded")


def work(prompt: str, duration: float, seed: int) -> Work:
    return Work({"prompt": prompt, "duration": duration, "seed": seed, "format": "bvh"})


MIXED: Final = (
    work("a person walks", 2.0, 1),
    work("a person waves with both arms", 5.5, 2),
    work("a person walks", 12.0, 3),
    work("somebody jumps", 0.67, 4),
)


def run(
    engine: HyMotion,
    works: Sequence[Work],
    report: Callable[[int, float, str], None] = lambda *_: None,
    cancelled: Callable[[int], bool] = lambda _: False,
) -> Sequence[Outcome]:
    return engine.run(works, report, cancelled)


def clip(outcome: Outcome) -> Clip:
    assert isinstance(outcome, Made), outcome
    assert isinstance(outcome.asset, Clip)
    return outcome.asset


def same(one: Clip, other: Clip, within: float = SAME) -> bool:
    pairs = ((one.translation, other.translation), (one.rotation, other.rotation))
    return all(a.shape == b.shape and np.abs(a - b).max() <= within for a, b in pairs)


# ------------------------------------------------------------------------------------ the cases


def a_batch_of_mixed_durations_is_as_each_alone(bench: Bench) -> None:
    rows: list[int] = []
    with bench.watched(bench.engine, rows.append):
        together = [clip(each) for each in run(bench.engine, MIXED)]
    # One pass, twice the batch for its guidance.
    assert rows == [2 * len(MIXED)] * 6, rows
    assert [each.frames for each in together] == [60, 165, 360, 20]
    for given, made in zip(MIXED, together, strict=True):
        assert same(made, clip(run(bench.engine, [given])[0])), given


def seeds_are_each_samples_own(bench: Bench) -> None:
    works = [work("a person walks", 2.0, seed) for seed in (5, 6, 5)]
    first, second, third = (clip(each) for each in run(bench.engine, works))
    assert same(first, third) and not same(first, second)


def without_guidance_there_is_half_the_work(bench: Bench) -> None:
    for scale in (1.0, 0.5):
        engine, rows = bench.loaded(guidance=scale), list[int]()
        with bench.watched(engine, rows.append):
            together = run(engine, MIXED)
        assert set(rows) == {len(MIXED)}, rows
        for given, made in zip(MIXED, together, strict=True):
            assert same(clip(made), clip(run(engine, [given])[0]))


def steps_are_the_settings(bench: Bench) -> None:
    engine, rows = bench.loaded(steps=9), list[int]()
    with bench.watched(engine, rows.append):
        run(engine, MIXED[:1])
    assert len(rows) == 9


def every_step_is_told(bench: Bench) -> None:
    told: list[tuple[int, float, str]] = []
    run(bench.engine, MIXED[:2], lambda *word: told.append(word))
    for index in (0, 1):
        words = [(part, phase) for place, part, phase in told if place == index]
        phases = [phase for _, phase in words]
        steps = [f"step {number} of 6" for number in range(1, 7)]
        assert phases == ["text", *steps, "decoding"], phases
        parts = [part for part, _ in words]
        assert parts == sorted(parts) and parts[0] == 0.0 and 0.9 < parts[-1] < 1.0


def a_cancelled_member_is_dropped_and_the_others_go_on(bench: Bench) -> None:
    passed: list[int] = []
    with bench.watched(bench.engine, passed.append):
        outcomes = run(
            bench.engine, MIXED[:3], cancelled=lambda index: index == 1 and len(passed) >= 3
        )
    assert len(passed) == 6
    assert isinstance(outcomes[1], Failure) and outcomes[1].code == "CANCELLED"
    for index in (0, 2):
        assert same(clip(outcomes[index]), clip(run(bench.engine, [MIXED[index]])[0]))


def a_pass_that_nobody_wants_stops(bench: Bench) -> None:
    passed: list[int] = []
    with bench.watched(bench.engine, passed.append):
        outcomes = run(bench.engine, MIXED, cancelled=lambda _: len(passed) >= 2)
        assert [getattr(each, "code", "") for each in outcomes] == ["CANCELLED"] * 4
        assert len(passed) == 2
        never = run(bench.engine, MIXED, cancelled=lambda _: True)
    assert [getattr(each, "code", "") for each in never] == ["CANCELLED"] * 4
    assert len(passed) == 2
    # And nothing of it is left behind.
    assert clip(run(bench.engine, MIXED[:1])[0]).frames == 60


def durations_beyond_the_models_are_refused_before_the_pass(bench: Bench) -> None:
    passed: list[int] = []
    works = [work("a", 0.5, 1), MIXED[0], work("a", 12.1, 1)]
    with bench.watched(bench.engine, passed.append):
        short, right, long = run(bench.engine, works)
    assert isinstance(short, Failure) and isinstance(long, Failure)
    assert (short.code, long.code) == ("INVALID_REQUEST", "INVALID_REQUEST")
    assert "0.67 to 12 s" in short.detail
    assert clip(right).frames == 60 and set(passed) == {2}


def a_prompt_is_encoded_once(bench: Bench) -> None:
    engine = bench.loaded()
    before = engine._texts.encoded
    run(engine, MIXED)
    run(engine, MIXED)
    assert engine._texts.encoded - before == 3


def encoded_prompts_are_kept_within_their_bytes(bench: Bench) -> None:
    one = bench.engine._texts.encode("a person walks").size
    engine = bench.loaded(text_cache_bytes=4 * one)
    for number in range(20):
        engine._texts.encode(f"prompt {number}")
    assert 1 <= len(engine._texts) <= 4
    engine = bench.loaded(text_cache_bytes=0)
    run(engine, MIXED[:2])
    assert len(engine._texts) == 1


def the_caller_is_told_what_was_not_read(bench: Bench) -> None:
    long = " ".join(["walk"] * 200)
    plain, cut, foreign = run(
        bench.engine, [MIXED[0], work(long, 2.0, 1), work("一个人走路", 2.0, 1)]
    )
    assert isinstance(plain, Made) and isinstance(cut, Made) and isinstance(foreign, Made)
    assert not plain.notes and "language" in foreign.notes
    truncated = cut.notes["truncated"]
    assert isinstance(truncated, list) and len(truncated) == 2, truncated
    assert "CLIP read 77 of" in str(truncated[0])


def the_clip_goes_through_our_checks_and_codecs(bench: Bench) -> None:
    (made,) = run(bench.engine, MIXED[:1])
    for name, form in MOTION_FORMATS.items():
        done = product(made, name)
        assert isinstance(done, Product), done
        read = form.decode
        if read is not None:
            assert read(done.files[-1].data).frames == 60
    asked_to_stand = run(bench.engine, [work("a person stands still", 2.0, 1)])[0]
    assert isinstance(asked_to_stand, Made) and asked_to_stand.still


def the_lowest_point_is_on_the_ground(bench: Bench) -> None:
    made = clip(run(bench.engine, MIXED[:1])[0])
    # The toy's feet have 1.5 cm of skin around them.
    from kinesphere.formats.clip import forward

    assert abs(float(forward(made)[0][..., 1].min()) - 0.015) < 0.02


def what_does_not_fit_is_halved_and_that_is_remembered(bench: Bench) -> None:
    engine, rows, room = bench.loaded(), list[int](), [4]

    def full(count: int) -> None:
        rows.append(count)
        if count > room[0]:
            raise bench.torch.OutOfMemoryError("CUDA out of memory.")

    with bench.watched(engine, full):
        outcomes = run(engine, MIXED)
        assert [clip(each).frames for each in outcomes] == [60, 165, 360, 20]
        assert rows == [8, *[4] * 6, *[4] * 6], rows
        rows.clear()
        run(engine, MIXED)
        assert set(rows) == {4}
        room[0] = 1
        failed = run(engine, MIXED[:2])
    assert [getattr(each, "code", "") for each in failed] == ["OOM_HOST"] * 2


def a_prompt_that_cannot_be_encoded_for_want_of_memory_fails_alone(bench: Bench) -> None:
    engine = bench.loaded()
    run(engine, MIXED[:1])

    def full(*_: Any) -> None:
        raise bench.torch.OutOfMemoryError("CUDA out of memory.")

    for module in engine._model.encoder.modules():
        module.register_forward_pre_hook(full)
    kept, failed = run(engine, MIXED[:2])
    assert clip(kept).frames == 60
    assert isinstance(failed, Failure) and failed.code == "OOM_HOST"


def it_sleeps_and_is_back_with_what_it_knew(bench: Bench) -> None:
    before, count = clip(run(bench.engine, MIXED[:1])[0]), bench.engine._texts.encoded
    bench.engine.sleep()
    bench.engine.wake()
    assert same(before, clip(run(bench.engine, MIXED[:1])[0]), 0.0)
    assert bench.engine._texts.encoded == count


def other_errors_pass_through(bench: Bench) -> None:
    def breaks(_count: int) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with bench.watched(bench.engine, breaks):
        try:
            run(bench.engine, MIXED)
        except RuntimeError as error:
            assert "mat1" in str(error)
        else:
            raise AssertionError("the error was lost")
    assert clip(run(bench.engine, MIXED[:1])[0]).frames == 60


def products_in_bfloat16_are_near(bench: Bench) -> None:
    exact = clip(run(bench.engine, MIXED[:1])[0])
    lowered = clip(run(bench.loaded(precision="bf16"), MIXED[:1])[0])
    assert same(exact, lowered, 0.1) and not same(exact, lowered, 0.0)


def only_the_models_own_checkpoint_is_loaded(bench: Bench) -> None:
    torch, path = bench.torch, bench.model / "latest.ckpt"
    whole = path.read_bytes()
    state = torch.load(path, weights_only=True)["model_state_dict"]
    key = next(iter(state))
    rig = {"body_model.parents": torch.zeros(52, dtype=torch.int64)}
    less = {name: value for name, value in state.items() if name != key}
    wrong: list[tuple[object, str]] = [
        ({"model_state_dict": less}, f"lacks {key}"),
        ({"model_state_dict": {**state, "other": torch.ones(1)}}, "has unknown other"),
        ({"model_state_dict": {**state, **rig}}, "carries a rig of its own"),
        ({"model_state_dict": {**state, key: torch.ones(2, 2)}}, "does not fit"),
        ({"model_state_dict": {}}, "has no model_state_dict"),
        ({"state": state}, "has no model_state_dict"),
        ({"model_state_dict": state, "run": os.getcwd}, "not a checkpoint of tensors alone"),
    ]
    try:
        for content, problem in wrong:
            torch.save(content, path)
            error = bench.refused()
            assert error.code == "MODEL_FILES_INVALID" and problem in str(error), str(error)
        for raw, problem in (
            (b"", "not a checkpoint"),
            (whole[: len(whole) // 2], "not a checkpoint"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ):
            path.write_bytes(raw)
            error = bench.refused()
            assert error.code == "MODEL_FILES_INVALID" and problem in str(error), str(error)
        path.unlink()
        assert bench.refused().code == "MODEL_FILES_MISSING"
    finally:
        path.write_bytes(whole)


def a_rig_that_was_not_fetched_is_told(bench: Bench) -> None:
    path = bench.folder / "src/scripts/gradio/static/assets/dump_wooden/v_template.bin"
    whole = path.read_bytes()
    try:
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        error = bench.refused()
        assert error.code == "MODEL_FILES_INVALID" and "git lfs pull" in str(error)
        path.unlink()
        assert bench.refused().code == "MODEL_FILES_MISSING"
    finally:
        path.write_bytes(whole)


def a_text_encoder_that_is_not_there_is_told(bench: Bench) -> None:
    path = bench.folder / "weights/clip-vit-large-patch14/config.json"
    whole = path.read_bytes()
    try:
        path.unlink()
        error = bench.refused()
        assert error.code == "MODEL_FILES_MISSING" and "clip-vit-large" in str(error)
    finally:
        path.write_bytes(whole)


def a_configuration_cannot_name_other_code(bench: Bench) -> None:
    path = bench.model / "config.yml"
    whole = path.read_text()
    own = json.loads(whole)
    try:
        for text, problem in (
            (json.dumps({**own, "network_module": "os.system"}), "not the vendor's code"),
            ("!!python/object/apply:os.getcwd []", "no configuration"),
            ("[]", "no configuration"),
            ("{", "no configuration"),
        ):
            path.write_text(text)
            error = bench.refused()
            assert error.code == "MODEL_FILES_INVALID" and problem in str(error), str(error)
    finally:
        path.write_text(whole)


def a_quantised_encoder_reads_nearly_the_same(bench: Bench) -> None:
    whole = bench.engine._texts.encode("a person walks")
    for encoding, kind in (("int8", "Linear8bitLt"), ("nf4", "Linear4bit")):
        engine = bench.loaded(encoder=encoding)
        layers = {type(each).__name__ for each in engine._model.encoder.llm_text_encoder.modules()}
        assert kind in layers, layers
        read = engine._texts.encode("a person walks")
        off = (read.context.float() - whole.context.float()).abs().max()
        assert 0.0 < float(off) < 0.2 * float(whole.context.float().abs().max()), off
        assert read.vector.equal(whole.vector) and read.length.equal(whole.length)
        engine.sleep()
        assert engine._model.encoder is None
        engine.wake()
        assert clip(run(engine, MIXED[:2])[1]).frames == 165


def it_keeps_the_contract_of_engines(bench: Bench) -> None:
    findings = examine(bench.made(), MIXED[:2], near=SAME)
    assert not [each for each in findings if each.problem], findings


def the_working_directory_is_nobodys(bench: Bench) -> None:
    assert Path.cwd() == bench.folder / "elsewhere"
    assert not any(Path.cwd().iterdir())
    assert os.environ["USE_HF_MODELS"] == "0" and os.environ["HF_HUB_OFFLINE"] == "1"


CASES: Final = (
    a_batch_of_mixed_durations_is_as_each_alone,
    seeds_are_each_samples_own,
    without_guidance_there_is_half_the_work,
    steps_are_the_settings,
    every_step_is_told,
    a_cancelled_member_is_dropped_and_the_others_go_on,
    a_pass_that_nobody_wants_stops,
    durations_beyond_the_models_are_refused_before_the_pass,
    a_prompt_is_encoded_once,
    encoded_prompts_are_kept_within_their_bytes,
    the_caller_is_told_what_was_not_read,
    the_clip_goes_through_our_checks_and_codecs,
    the_lowest_point_is_on_the_ground,
    what_does_not_fit_is_halved_and_that_is_remembered,
    a_prompt_that_cannot_be_encoded_for_want_of_memory_fails_alone,
    it_sleeps_and_is_back_with_what_it_knew,
    other_errors_pass_through,
    products_in_bfloat16_are_near,
    only_the_models_own_checkpoint_is_loaded,
    a_rig_that_was_not_fetched_is_told,
    a_text_encoder_that_is_not_there_is_told,
    a_configuration_cannot_name_other_code,
    it_keeps_the_contract_of_engines,
    the_working_directory_is_nobodys,
)
NOT_THE_DOUBLES: Final = (a_quantised_encoder_reads_nearly_the_same,)
"""These need the vendor's code with its language model, and bitsandbytes."""


def main(folder: Path, source: Path) -> int:
    """Run every case; how many failed."""
    # Some library of either checkout might read this; ours must win.
    os.environ["USE_HF_MODELS"] = "1"
    toy.lay_out(folder, source)
    (folder / "elsewhere").mkdir()
    os.chdir(folder / "elsewhere")
    failed = 0
    with redirect_stdout(sys.stderr):
        toy.fill(folder)
        bench = Bench(folder)
    cases = CASES if source == toy.DOUBLE else CASES + NOT_THE_DOUBLES
    for case in cases:
        started, error = time.perf_counter(), ""
        with redirect_stdout(sys.stderr):
            try:
                case(bench)
            except Exception:
                error = traceback.format_exc()
                failed += 1
        seconds = round(time.perf_counter() - started, 2)
        print(json.dumps({"case": case.__name__, "seconds": seconds, "error": error}), flush=True)
    return failed


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    raise SystemExit(main(place, Path(sys.argv[2]) if len(sys.argv) > 2 else toy.DOUBLE))
