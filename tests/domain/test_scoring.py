"""Figures against numbers worked by hand."""

import math

import numpy as np
import pytest

from app.domain import scoring as s


def test_auc_counts_pairs_with_ties_half():
    # pairs (pos, neg): 3>1, 3>2, 2>1, 2=2 -> (1 + 1 + 1 + 0.5) / 4
    assert s.auc([1, 1, 0, 0], [3, 2, 1, 2]) == pytest.approx(0.875)
    assert math.isnan(s.auc([1, 1], [0.1, 0.2]))
    with pytest.raises(ValueError, match="NaN"):
        s.auc([1, 0], [math.nan, 1.0])


def test_roc_has_one_point_per_distinct_score():
    fpr, tpr, threshold = s.roc([1, 1, 0, 0], [3, 2, 1, 2])
    assert fpr.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert tpr.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert threshold.tolist() == [math.inf, 3.0, 2.0, 1.0]
    assert np.trapezoid(tpr, fpr) == pytest.approx(s.auc([1, 1, 0, 0], [3, 2, 1, 2]))


def test_delong_variance_by_hand():
    # positives 3, 2; negatives 1, 2: V10 = (1, 0.75), V01 = (1, 0.75); variance = 0.03125/2 + 0.03125/2
    areas, covariance = s.delong_variance([1, 1, 0, 0], [[3, 2, 1, 2]])
    assert areas[0] == pytest.approx(0.875)
    assert covariance[0, 0] == pytest.approx(0.03125)
    difference, p = s.delong_test([1, 1, 0, 0], [3, 2, 1, 2], [3, 2, 1, 2])
    assert (difference, p) == (0.0, 1.0)


def test_delong_agrees_with_the_bootstrap():
    rng = np.random.default_rng(3)
    y = rng.random(300) < 0.4
    score = y + rng.normal(0, 1.2, 300)
    d = s.delong_interval(y, score)
    b = s.bootstrap(lambda i: s.auc(y[i], score[i]), list(range(300)), rounds=800)
    assert (d.low, d.high) == pytest.approx((b.low, b.high), abs=0.015)


def test_bootstrap_draws_whole_patients():
    values = np.asarray([0.0, 0.0, 1.0, 1.0])
    whole = s.bootstrap(lambda i: float(values[i].mean()), ["a", "a", "b", "b"], rounds=500)
    assert (whole.value, whole.low, whole.high, whole.n) == (0.5, 0.0, 1.0, 4)
    one = s.bootstrap(lambda i: float(values[i].mean()), ["a"] * 4)
    assert (one.low, one.high) == (0.5, 0.5)


def test_paired_difference_of_equal_scores_is_zero():
    y = np.asarray([0, 1, 0, 1, 1, 0])
    x = np.arange(6.0)
    gain = s.paired_bootstrap(lambda i: s.auc(y[i], x[i]), lambda i: s.auc(y[i], 2 * x[i]), list(range(6)), 200)
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_froc_counts_a_lesion_once():
    marks = [
        s.Mark(0, 0.9, 0),
        s.Mark(0, 0.8, None),
        s.Mark(0, 0.7, 0),  # the same lesion again: neither right nor wrong
        s.Mark(1, 0.6, 0),
        s.Mark(1, 0.5, None),
        s.Mark(1, 0.4, None),
    ]
    curve = s.froc(marks, [1, 2])
    assert curve.lesions == 3
    assert curve.at(0.0) == pytest.approx(1 / 3)
    assert curve.at(0.49) == pytest.approx(1 / 3)
    assert curve.at(0.5) == pytest.approx(2 / 3)
    assert curve.at(8) == pytest.approx(2 / 3)
    # 1/8 and 1/4 read 1/3; 1/2, 1, 2, 4, 8 read 2/3
    assert s.cpm(curve) == pytest.approx((2 * (1 / 3) + 5 * (2 / 3)) / 7)
    with pytest.raises(ValueError, match="unknown scan"):
        s.froc([s.Mark(5, 0.1, None)], [1])


def test_cpm_interval_holds_its_value():
    marks = [s.Mark(n, 1.0 - 0.1 * n, 0) for n in range(5)] + [s.Mark(n, 0.2, None) for n in range(5)]
    found = s.cpm_interval(marks, [1] * 5, rounds=100)
    assert found.low <= found.value <= found.high
    assert found.value == 1.0


def test_dice():
    assert s.dice([1, 1, 0, 0], [1, 0, 1, 0]) == 0.5
    assert s.dice([0, 0], [0, 0]) == 1.0
    with pytest.raises(ValueError, match="shape"):
        s.dice([1], [1, 0])


def test_precision_recall_and_all_point_ap():
    recall, precision, _ = s.precision_recall([1, 0, 1], [0.9, 0.8, 0.7])
    assert recall.tolist() == pytest.approx([0.5, 0.5, 1.0])
    assert precision.tolist() == pytest.approx([1.0, 0.5, 2 / 3])
    # envelope: 1 up to recall 0.5, 2/3 up to 1
    assert s.all_point_ap(recall, precision) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_average_precision_of_boxes():
    truth = [s.Box(0, (0, 0, 10, 10)), s.Box(1, (0, 0, 10, 10))]
    found = [
        s.Box(0, (0, 0, 10, 10), 0.9),
        s.Box(0, (1, 0, 10, 10), 0.8),  # second mark on the same box is false
        s.Box(1, (0, 0, 10, 5.0), 0.7),  # IoU exactly 0.5 counts
    ]
    assert s.average_precision(found, truth) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # image 0 counts half: hits 0.5, every 0.5, 1.0, 2.0; positives 1.5
    assert s.average_precision(found, truth, image_weight=[0.5, 1.0]) == pytest.approx((1 / 3) * 1 + (2 / 3) * 0.75)
    assert s.average_precision([], truth) == 0.0
    assert math.isnan(s.average_precision(found, []))
    assert s.box_iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)


def test_calibration():
    assert s.calibration_error([1, 0], [1.0, 0.0]) == 0.0
    # one bin: three cases at 0.55, one true: |1/3 - 0.55|
    assert s.calibration_error([1, 0, 0], [0.55] * 3) == pytest.approx(0.55 - 1 / 3)
    rows = s.reliability([1, 0, 1], [0.2, 0.5, 1.0], [0.0, 0.5, 1.0])
    assert rows == [(0.0, 0.5, 1, 1), (0.5, 1.0, 2, 1)]


def test_kappa():
    # table: agree 2 of 4; p_e = 0.5 -> 0
    assert s.cohen_kappa([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx(0.0)
    assert s.cohen_kappa([1, 2, 3], [1, 2, 3], "quadratic") == 1.0
    # linear weights: mean distance observed 1/3, by chance 7/9
    assert s.cohen_kappa([0, 1, 2], [0, 1, 1], "linear") == pytest.approx(1 - (1 / 3) / (7 / 9))


def test_isotonic_rises_and_pools_violators():
    x, p = s.isotonic([1, 2, 3, 4], [0, 1, 0, 1])
    assert p.tolist() == [0.0, 0.5, 0.5, 1.0]
    assert x.tolist() == [1.0, 2.0, 3.0, 4.0]
