"""Patients are the same whoever else is made, and findings come at useful rates."""

import numpy as np

from benchx.phantom.findings import NIH_FINDINGS
from benchx.phantom.patients import make_patient


def test_a_patient_does_not_depend_on_the_order_of_making():
    forward = [make_patient(3, index) for index in range(6)]
    backward = [make_patient(3, index) for index in reversed(range(6))][::-1]
    assert forward == backward
    assert make_patient(4, 0) != forward[0]
    assert forward[0].habitus != forward[1].habitus


def test_images_per_patient_and_views():
    patients = [make_patient(1, index) for index in range(400)]
    counts = np.array([len(p.frontal) for p in patients])
    assert counts.min() == 1
    assert counts.max() <= 6
    assert 1.5 < counts.mean() < 2.1
    views = {spec.view for p in patients for spec in p.images}
    assert views == {"PA", "AP", "LATERAL"}
    assert all(18 <= p.age <= 92 and p.sex in "MF" for p in patients)


def test_every_finding_is_neither_rare_nor_common_and_bedside_images_are_sicker():
    specs = [p.images[i] for p in (make_patient(2, index) for index in range(700)) for i in p.frontal]
    for name in NIH_FINDINGS:
        rate = np.mean([any(f.name == name for f in spec.findings) for spec in specs])
        assert 0.03 <= rate <= 0.22, name
    load = {view: np.mean([len(s.findings) for s in specs if s.view == view]) for view in ("PA", "AP")}
    assert load["AP"] > load["PA"]
    assert 0.3 < np.mean([not s.findings for s in specs]) < 0.6


def test_severity_covers_subtle_to_obvious_and_names_are_unique():
    findings = [spec.findings for i in range(300) for spec in make_patient(5, i).images]
    severity = np.array([f.severity for image in findings for f in image])
    assert severity.min() >= 0
    assert severity.max() <= 1
    assert np.quantile(severity, 0.1) < 0.2
    assert np.quantile(severity, 0.9) > 0.75
    for image in findings:
        names = [f.name for f in image]
        assert names == sorted(set(names))
