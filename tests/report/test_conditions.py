"""A report says under which conditions its rows were trained, and where they were not the same."""

from simulated_study import SKILL, add_run, simulated_study

from remamber.plan.spec import StartSpec, TextSpec
from remamber.record.schema import PRECISION
from remamber.report import render_study


def report_of(study, folder):
    done = render_study(study.analysis, study.runs, store=study.store, out=folder, formats=())
    return "\n".join([done.document.condition, *done.document.notes])


def test_rows_trained_under_different_conditions_are_called_out(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": SKILL["channel"]}, images=10)
    record = add_run(study, "spatial", skill=0.4, images=10)
    slower = record.environment.model_copy(
        update={"scan_backend": "reference", "device": "another", "commit": "f" * 40}
    )
    counts = study.store.counts_path(record).read_bytes()
    study.store.write_record(record.model_copy(update={"environment": slower}), counts=counts)
    text = report_of(study, tmp_path)
    assert "Caution: the rows differ in scan implementation" in text
    assert "Caution: the rows differ in device" in text
    assert "Caution: the rows were trained by different versions of the code" in text


def test_rows_trained_under_one_condition_need_no_caution(tmp_path):
    study = simulated_study(tmp_path, images=10)
    text = report_of(study, tmp_path)
    assert "Caution" not in text


def test_a_precision_that_the_device_did_not_have_is_not_claimed(tmp_path):
    study = simulated_study(tmp_path, skill={}, images=10)
    record = add_run(study, "spatial", skill=0.4, images=10)
    without = record.environment.model_copy(update={"details": {PRECISION: "fp32"}})
    spec = record.spec.model_copy(
        update={"train": record.spec.train.model_copy(update={"precision": "fp16"})}
    )
    named = {"spec": spec, "run_id": spec.run_id, "digest": spec.digest, "environment": without}
    counts = study.store.counts_path(record).read_bytes()
    study.store.write_record(record.model_copy(update=named), counts=counts)
    study.run_ids[:] = [spec.run_id]
    text = report_of(study, tmp_path)
    assert "fp32 (fp16 asked for)" in text


def test_a_model_that_is_not_the_releases_is_named(tmp_path):
    study = simulated_study(tmp_path, skill={}, images=10)
    record = add_run(study, "spatial", skill=0.4, images=10)
    model = record.spec.model
    fusion = model.fusion.model_copy(update={"spatial_scan": "ssd"})
    changes = {"backbone": "swin", "scan_directions": "one", "fusion": fusion}
    spec = record.spec.model_copy(update={"model": model.model_copy(update=changes)})
    named = {"spec": spec, "run_id": spec.run_id, "digest": spec.digest}
    counts = study.store.counts_path(record).read_bytes()
    assert f" {model.size}, conv decoder, word text, from scratch ·" in report_of(study, tmp_path)
    study.store.write_record(record.model_copy(update=named), counts=counts)
    study.run_ids[:] = [spec.run_id]
    assert f" {model.size} swin one-directions ssd, conv decoder" in report_of(study, tmp_path)


def test_the_text_encoder_and_the_start_are_conditions(tmp_path):
    study = simulated_study(tmp_path, skill={}, images=10)
    record = add_run(study, "spatial", skill=0.4, images=10)
    model = record.spec.model.model_copy(
        update={
            "text": TextSpec(name="clip", fingerprint="ab"),
            "start": StartSpec(name="vmamba.pth", fingerprint="cd"),
        }
    )
    spec = record.spec.model_copy(update={"model": model})
    counts = study.store.counts_path(record).read_bytes()
    named = {"spec": spec, "run_id": spec.run_id, "digest": spec.digest}
    study.store.write_record(record.model_copy(update=named), counts=counts)
    study.run_ids[:] = [spec.run_id]
    assert "conv decoder, clip text, started from vmamba.pth ·" in report_of(study, tmp_path)
