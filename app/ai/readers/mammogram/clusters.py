"""Groups of bright points within about a centimetre, and what tells a cluster of calcifications from chance and vessels.

Every group is measured (``NAMES``, the order the network was trained with); the network of the package scores it. Lengths
in millimetres on the film.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.mammogram.specks import LEAST_Z, Specks

Floats = npt.NDArray[np.float32]
Wholes = npt.NDArray[np.int64]

NETWORK = "breast_cluster"
REACH_MM = 5.0
"""Radius of a group: five points within a centimetre are a cluster, by the usual rule."""
RING_MM = 20.0
"""Points from the group to here tell how many there are without a cluster."""
APART_MM = 8.0
MOST_GROUPS = 8
LEAST_POINTS = 3
CLEAR_Z = 4.5
"""Points that stand clear of the noise: a group has at least ``LEAST_POINTS`` of them."""
SURE_Z = 5.0
HIGHEST_Z = 15.0
NAMES = (
    "points_4", "points_5", "points_7", "third_z", "fifth_z", "beyond_ring", "line", "round", "round_least",
    "spread", "size", "size_spread", "in_breast", "nearest",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Group:
    x_mm: float
    y_mm: float
    members: Wholes
    """Indices into the points, strongest first."""
    features: Floats


def groups_of(specks: Specks) -> list[Group]:
    """At most ``MOST_GROUPS`` groups, the richest first, no two nearer than ``APART_MM``."""
    from scipy.spatial import cKDTree

    if len(specks) < LEAST_POINTS:
        return []
    place = np.stack([specks.x_mm, specks.y_mm], 1).astype(np.float64)
    weight = np.minimum(specks.z - LEAST_Z, 4.0) * np.minimum(specks.round * 2.0, 1.0)
    tree = cKDTree(place)
    near = tree.query_ball_point(place, REACH_MM)
    rich = np.asarray([float(weight[n].sum()) if len(n) >= LEAST_POINTS else 0.0 for n in near])
    found: list[Group] = []
    left = rich.copy()
    while len(found) < MOST_GROUPS and left.max() > 0:
        seed = int(left.argmax())
        middle = place[seed]
        for _ in range(2):
            own = np.asarray(tree.query_ball_point(middle, REACH_MM))
            if len(own):
                middle = np.average(place[own], axis=0, weights=weight[own] + 1e-6)
        own = np.sort(np.asarray(tree.query_ball_point(middle, REACH_MM), dtype=np.int64))
        left[np.hypot(*(place - middle).T) < APART_MM] = 0.0
        left[seed] = 0.0
        taken = any(np.hypot(g.x_mm - middle[0], g.y_mm - middle[1]) < APART_MM for g in found)
        if int((specks.z[own] > CLEAR_Z).sum()) >= LEAST_POINTS and not taken:
            ring = np.asarray(tree.query_ball_point(middle, RING_MM), dtype=np.int64)
            found.append(Group(float(middle[0]), float(middle[1]), own, _measured(specks, place, own, ring)))
    return found


def _measured(specks: Specks, place: npt.NDArray[np.float64], own: Wholes, ring: Wholes) -> Floats:
    z = np.minimum(specks.z[own], HIGHEST_Z)  # falling: the points are sorted
    best = own[: max(LEAST_POINTS, min(8, int((z > SURE_Z).sum())))]
    xy = place[best] - place[best].mean(0)
    wide = np.sqrt(np.maximum(np.linalg.eigvalsh(xy.T @ xy / len(best)), 1e-4))
    far = np.hypot(*(place[best][:, None] - place[best][None]).transpose(2, 0, 1))
    far[np.arange(len(best)), np.arange(len(best))] = np.inf
    share = (REACH_MM / RING_MM) ** 2
    others = max(0, int((specks.z[ring] > 4.0).sum()) - int((z > 4.0).sum()))
    expected = others * share / (1 - share)
    row = {
        "points_4": np.log1p((z > 4.0).sum()),
        "points_5": np.log1p((z > SURE_Z).sum()),
        "points_7": np.log1p((z > 7.0).sum()),
        "third_z": z[min(2, len(z) - 1)],
        "fifth_z": z[4] if len(z) > 4 else LEAST_Z,
        "beyond_ring": np.log((float((z > 4.0).sum()) + 0.5) / (expected + 0.5)),
        "line": wide[0] / wide[1],
        "round": specks.round[best].mean(),
        "round_least": np.sort(specks.round[best])[len(best) // 4],
        "spread": float(np.hypot(*wide)),
        "size": specks.size_mm[best].mean(),
        "size_spread": specks.size_mm[best].std(),
        "in_breast": np.log1p(100.0 * float((specks.z > SURE_Z).sum()) / max(specks.tissue_cm2, 1.0)),
        "nearest": np.log(float(np.median(far.min(1))) + 0.1),
    }
    return np.asarray([row[name] for name in NAMES], np.float32)


def scored_groups(groups: list[Group], nets: Networks) -> Floats:
    if not groups:
        return np.zeros(0, np.float32)
    batch = np.ascontiguousarray(np.stack([g.features for g in groups])[:, None], np.float32)
    return nets.run(NETWORK, batch)[:, 0]


def counted(group: Group, specks: Specks) -> int:
    """Points of a group that stand clear of the noise: what is told as their number."""
    return int((specks.z[group.members] > CLEAR_Z).sum())


def box_mm(group: Group, specks: Specks) -> tuple[float, float, float, float]:
    """(x0, y0, x1, y1) around the points that stand clear of the noise, a millimetre beyond them."""
    clear = group.members[specks.z[group.members] > CLEAR_Z]
    x, y = specks.x_mm[clear], specks.y_mm[clear]
    return float(x.min()) - 1.0, float(y.min()) - 1.0, float(x.max()) + 1.0, float(y.max()) + 1.0
