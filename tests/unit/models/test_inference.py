"""The choice of runtime and number format, and OpenVINO."""

import importlib.util
import logging
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.labels import one_hot
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.hashing import HashingClassifier, HashingSettings
from claimkind.models.inference import BACKEND_VARIABLE, PRECISION_VARIABLE, Inference
from claimkind.models.transformer import TransformerClassifier, TransformerSettings, backends
from claimkind.models.transformer.conversions import cached_conversion
from claimkind.models.transformer.layers import computes_int8
from claimkind.models.transformer.load import mention_load

TEXTS = ["Rain fell.", "Rain might reach Corm soon.", "Rain is sadly dull.", "The mill closed."]
NAMES = ["factual", "speculative", "opinion", "factual"]
LONG = " ".join(TEXTS * 12)
FP32 = Inference("openvino", "fp32")


@pytest.fixture(scope="module")
def saved(tiny_encoder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    settings = TransformerSettings(str(tiny_encoder), epochs=1, rdrop_alpha=0)
    fitted = TransformerClassifier(settings).fit(TEXTS, one_hot(NAMES))
    models.save(CalibratedClassifier(fitted, 1.2), folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """The user's cache folder, empty, and their home, with OpenVINO installed."""
    pytest.importorskip("openvino")
    (tmp_path / "home").mkdir()  # OpenVINO sends nothing for users without one
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "claimkind" / "openvino"


def test_openvino_gives_the_probabilities_of_pytorch(saved):
    texts = [*TEXTS, LONG]
    expected = models.load(saved, Inference("torch", "fp32"))
    computed = models.load(saved, FP32)
    assert expected.compute_dtype == "fp32, CPU"
    assert computed.compute_dtype == "fp32, CPU, OpenVINO"
    np.testing.assert_allclose(computed.predict_proba(texts), expected.predict_proba(texts), atol=1e-6)
    np.testing.assert_allclose(computed.features(texts), expected.features(texts), atol=1e-6)
    np.testing.assert_array_equal(computed.windows(texts), expected.windows(texts))
    assert computed.predict_proba([]).shape == (0, 3)


def test_bf16_is_near_to_fp32(saved):
    exact = models.load(saved, FP32).predict_proba(TEXTS)
    rounded = models.load(saved, Inference("openvino", "bf16"))
    # OpenVINO computes in fp32 where the processor has no instructions for bf16.
    assert rounded.compute_dtype in ("bf16, CPU, OpenVINO", "fp32, CPU, OpenVINO")
    np.testing.assert_allclose(rounded.predict_proba(TEXTS), exact, atol=0.02)


def test_a_model_is_converted_once(saved, cache, monkeypatch):
    first = models.load(saved, FP32).predict_proba(TEXTS)
    monkeypatch.setattr("claimkind.models.transformer.openvino.convert", lambda model: pytest.fail("converted again"))
    np.testing.assert_array_equal(models.load(saved, FP32).predict_proba(TEXTS), first)
    np.testing.assert_array_equal(models.load(saved, Inference("openvino", "bf16")).predict_proba([]), np.zeros((0, 3)))
    [folder] = [path for path in cache.iterdir() if path.is_dir()]
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "model.bin", "model.xml"}
    assert not list(saved.glob("*.xml")), "something was written beside the model"


def test_a_damaged_conversion_is_made_again(saved, cache):
    expected = models.load(saved, FP32).predict_proba(TEXTS)
    [weights] = cache.rglob("model.bin")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    np.testing.assert_array_equal(models.load(saved, FP32).predict_proba(TEXTS), expected)
    assert weights.read_bytes() == content


def test_without_a_cache_the_model_is_converted_in_memory(saved, cache):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("no folder")
    assert models.load(saved, FP32).predict_proba(TEXTS).shape == (4, 3)


def test_a_model_that_was_not_saved_is_computed_too(tiny_encoder, cache, monkeypatch):
    monkeypatch.setenv(BACKEND_VARIABLE, "openvino")
    classifier = TransformerClassifier(TransformerSettings(str(tiny_encoder), epochs=1, precision="fp32"))
    computed = classifier.fit(TEXTS, one_hot(NAMES)).predict_proba(TEXTS)
    assert classifier.compute_dtype.endswith("OpenVINO")
    classifier.set_inference(Inference("torch"))
    np.testing.assert_allclose(computed, classifier.predict_proba(TEXTS), atol=1e-6)
    assert not cache.exists()


def _slow(path: Path) -> None:
    with (path.parent / "begun").open("x"):  # fails where two processes convert into one folder
        path.write_text("graph")
    with (Path(os.environ["LOG"])).open("a") as log:
        log.write("converted\n")


@pytest.mark.slow
def test_several_processes_convert_once(tmp_path, monkeypatch):
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        paths = pool.starmap(cached_conversion, [("key", _slow)] * 6)
    assert {path.read_text() for path in paths} == {"graph"}
    assert (tmp_path / "log").read_text() == "converted\n"


def test_a_conversion_that_fails_leaves_nothing(cache):
    def fail(path: Path) -> None:
        path.write_text("half")
        raise ValueError("no such operation")

    with pytest.raises(ValueError, match="no such operation"):
        cached_conversion("key", fail)
    assert [path.name for path in cache.iterdir()] == ["key.lock"]


@pytest.mark.slow
def test_no_usage_data_is_sent(saved, tmp_path):
    code = f"from claimkind import models; models.load({str(saved)!r}).predict_proba(['Rain.'])"
    environment = {**os.environ, "CLAIMKIND_BACKEND": "openvino"}
    environment.pop("CI", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    # OpenVINO keeps the id with which it sends usage data in ~/intel.
    assert not (tmp_path / "home" / "intel").exists()


def test_the_environment_replaces_auto_only(saved, monkeypatch):
    monkeypatch.setenv(BACKEND_VARIABLE, "openvino")
    monkeypatch.setenv(PRECISION_VARIABLE, "fp32")
    assert models.load(saved).compute_dtype == "fp32, CPU, OpenVINO"
    assert models.load(saved, Inference("torch")).compute_dtype == "fp32, CPU"
    monkeypatch.setenv(BACKEND_VARIABLE, "onnx")
    with pytest.raises(ClaimkindError, match="CLAIMKIND_BACKEND=onnx is unknown, expected one of auto, torch"):
        models.load(saved)


@pytest.mark.parametrize(
    ("inference", "message"),
    [
        (Inference("onnx"), "inference.backend=onnx is unknown, expected one of auto, torch, openvino"),
        (Inference(precision="fp16"), "inference.precision=fp16 is unknown, expected one of auto, fp32, bf16, int8"),
        (Inference(precision="int8"), "inference.precision=int8, but the model has no version in int8"),
    ],
)
def test_what_is_not_there_is_refused(saved, inference, message):
    with pytest.raises(ClaimkindError, match=message):
        models.load(saved, inference)


def test_openvino_is_refused_where_it_is_not_installed(saved, monkeypatch):
    monkeypatch.setattr("claimkind.models.transformer.openvino.is_installed", lambda: False)
    with pytest.raises(ClaimkindError, match="OpenVINO is not installed, expected the extra"):
        models.load(saved, Inference("openvino"))
    monkeypatch.delenv(BACKEND_VARIABLE)
    assert not models.load(saved).compute_dtype.endswith("OpenVINO")


def test_several_threads_may_predict_with_one_model(saved):
    classifier = models.load(saved, Inference("openvino"))
    expected = classifier.predict_proba(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: classifier.predict_proba(TEXTS), range(40)):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_model_that_cannot_be_converted_is_computed_by_pytorch(saved, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("no such operation\nand a long trace")

    monkeypatch.setattr("claimkind.models.transformer.openvino.convert", fail)
    with pytest.raises(ClaimkindError, match=r"cannot convert the model \(no such operation\): take .*torch"):
        models.load(saved, Inference("openvino")).predict_proba(TEXTS)
    monkeypatch.delenv(BACKEND_VARIABLE)
    monkeypatch.setattr(backends, "_openvino_is_better", lambda: True)
    assert models.load(saved).predict_proba(TEXTS).shape == (4, 3)
    assert "OpenVINO cannot convert the model, so PyTorch computes it (no such operation)" in caplog.messages


def test_a_linear_model_has_no_choice(tmp_path):
    models.save(HashingClassifier(HashingSettings(bits=10)).fit(TEXTS, one_hot(NAMES)), tmp_path / "model")
    assert models.load(tmp_path / "model").predict_proba(TEXTS).shape == (4, 3)
    with pytest.raises(ClaimkindError, match="family hashing, whose computation cannot be chosen"):
        models.load(tmp_path / "model", Inference("openvino"))


@pytest.mark.slow
@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("active", "active")])
def test_threads_of_pytorch_wait_passively_unless_the_user_says_otherwise(given, expected):
    # PyTorch reads the variable when it is imported: no module may import it before our package sets it.
    code = (
        "import os, sys, claimkind.training.pipeline, claimkind.scoring.engine, claimkind.evaluation.saved_model\n"
        "assert 'torch' not in sys.modules\n"
        "import claimkind.models.transformer; print(os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == expected


@pytest.mark.parametrize(("load", "said"), [(0.4, False), (1.5, True)])
def test_a_busy_machine_is_mentioned_once(monkeypatch, caplog, load, said):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    mention_load.cache_clear()
    mention_load()
    mention_load()
    expected = ["other work keeps this machine busy and slows this down: load average 1.5 on 2 cores"] if said else []
    assert caplog.messages == expected


@pytest.fixture(scope="module")
def quantized(saved, tmp_path_factory) -> Path:
    if not (importlib.util.find_spec("nncf") and computes_int8()):
        pytest.skip("NNCF is not installed, or the processor has no instructions for int8")
    inner = models.load(saved, Inference("torch", "fp32")).classifier
    folder = tmp_path_factory.mktemp("quantized") / "model"
    models.save(CalibratedClassifier(inner.quantized(TEXTS), 1.2), folder)
    return folder


def test_a_quantised_model_is_loaded_in_int8_where_nothing_else_is_asked_for(saved, quantized, monkeypatch):
    monkeypatch.delenv(BACKEND_VARIABLE)
    expected = models.load(saved, Inference("torch", "fp32")).predict_proba(TEXTS)
    loaded = models.load(quantized, Inference("openvino"))
    assert loaded.compute_dtype == "int8, CPU, OpenVINO"
    rounded = loaded.predict_proba(TEXTS)
    np.testing.assert_allclose(rounded, expected, atol=0.1)
    assert np.abs(rounded - expected).max() > 1e-5, "nothing was rounded"
    exact = models.load(quantized, Inference("torch", "fp32"))
    assert exact.compute_dtype == "fp32, CPU"
    np.testing.assert_allclose(exact.predict_proba(TEXTS), expected, atol=1e-6)
    assert {"int8.xml", "int8.bin"} <= {path.name for path in quantized.iterdir()}


def test_a_quantised_model_is_saved_again_with_its_version_in_int8(quantized, tmp_path):
    loaded = models.load(quantized, Inference("openvino", "int8"))
    models.save(loaded, tmp_path / "again")
    again = models.load(tmp_path / "again", Inference("openvino", "int8"))
    np.testing.assert_array_equal(again.predict_proba(TEXTS), loaded.predict_proba(TEXTS))


def test_int8_is_refused_where_the_processor_has_no_instructions_for_it(quantized, monkeypatch):
    monkeypatch.setattr(backends, "computes_int8", lambda: False)
    with pytest.raises(ClaimkindError, match="no instructions for int8, expected VNNI or AMX-INT8"):
        models.load(quantized, Inference(precision="int8"))
    with pytest.raises(ClaimkindError, match="no instructions for int8"):
        models.load(quantized, FP32).classifier.quantized(TEXTS)
    assert models.load(quantized, Inference("openvino")).compute_dtype != "int8, CPU, OpenVINO"


def test_pytorch_does_not_compute_int8(quantized):
    with pytest.raises(ClaimkindError, match="PyTorch does not compute models in int8"):
        models.load(quantized, Inference("torch", "int8"))
