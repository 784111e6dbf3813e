"""Chords against brute force: what the closed forms say, a march along each ray must find."""

import math

import numpy as np
import pytest

from benchx.phantom.solids import Frame, bounds, chord, ellipsoid, interval, shadow


def flat_frame(size=64, angle=0.0, field=200.0):
    """Almost parallel beams: the source is a thousand kilometres away."""
    return Frame(size, field, (0.0, 0.0), angle, 1e9, 150.0)


def march(centre, axes, roll_deg, frame, step=0.25):
    """Length inside an ellipsoid by sampling every ray."""
    u, y = frame.u.astype(float)[None, :, None], frame.y.astype(float)[:, None, None]
    t = np.arange(-150, 150, step)[None, None, :]
    cos, sin = math.cos(frame.angle), math.sin(frame.angle)
    dx, dy, dz = u * cos - t * sin - centre[0], y - centre[1], u * sin + t * cos - centre[2]
    roll = math.radians(roll_deg)
    along, across = dx * math.cos(roll) + dy * math.sin(roll), dy * math.cos(roll) - dx * math.sin(roll)
    return ((along / axes[0]) ** 2 + (across / axes[1]) ** 2 + (dz / axes[2]) ** 2 <= 1).sum(-1) * step


@pytest.mark.parametrize("angle", [0.0, 0.15, math.pi / 2, math.pi / 2 + 0.1])
@pytest.mark.parametrize("roll", [0.0, 35.0])
def test_chord_of_an_ellipsoid_equals_the_march(angle, roll):
    centre, axes, frame = (12.0, -8.0, 20.0), (40.0, 25.0, 60.0), flat_frame(angle=angle)
    box, length = chord(ellipsoid(centre, axes, roll), frame)
    full = np.zeros((64, 64))
    full[box] = length
    truth = march(centre, axes, roll, frame)
    assert np.abs(full - truth)[truth > 20].max() < 2.0
    assert abs(full.sum() / truth.sum() - 1) < 5e-3


def test_interval_is_where_the_ray_enters_and_leaves():
    frame = flat_frame()
    cast = shadow(ellipsoid((0, 0, 30), (50, 50, 20)), frame)
    begin, end = interval(cast, frame, bounds(cast, frame))
    middle = begin.shape[0] // 2
    assert begin[middle, middle] == pytest.approx(10, abs=0.2)
    assert end[middle, middle] == pytest.approx(50, abs=0.2)


@pytest.mark.parametrize("angle", [0.2, -0.3, math.pi / 2 + 0.2])
def test_interval_through_a_turned_ellipsoid_ends_on_its_surface(angle):
    centre, axes, frame = np.array([10.0, 5.0, 15.0]), np.array([60.0, 30.0, 25.0]), flat_frame(angle=angle)
    cast = shadow(ellipsoid(tuple(centre), tuple(axes)), frame)
    box = bounds(cast, frame)
    cos, sin = math.cos(angle), math.sin(angle)
    u, y = np.meshgrid(frame.u[box[1]], frame.y[box[0]])
    begin, end = interval(cast, frame, box)
    deep = end - begin > 20
    for t in (begin, end):
        points = np.stack([u * cos - t * sin, y, u * sin + t * cos], -1)
        assert np.abs((((points - centre) / axes) ** 2).sum(-1) - 1)[deep].max() < 0.03


def test_solid_outside_the_field_has_an_empty_box():
    frame = flat_frame()
    for centre in ((0, 900, 0), (900, 0, 0), (-900, 0, 0)):
        box, length = chord(ellipsoid(centre, (20, 20, 20)), frame)
        assert length.size == 0 or not length.any(), box


def test_things_far_from_the_detector_are_larger():
    near, far = (
        chord(ellipsoid((0, 0, z), (40, 40, 20)), Frame(128, 200, (0, 0), 0.0, 1000, 150))[0] for z in (100, -100)
    )
    assert far[0].stop - far[0].start > near[0].stop - near[0].start
    behind = Frame(128, 200, (0, 0), 0.0, 1000, -150)
    front = chord(ellipsoid((0, 0, 100), (40, 40, 20)), behind)[0]
    assert front[0].stop - front[0].start > near[0].stop - near[0].start


@pytest.mark.parametrize("detector", [150.0, -150.0])
def test_points_project_where_solids_do(detector):
    frame = Frame(256, 400, (5.0, -7.0), 0.1, 1200, detector)
    place = (40.0, -30.0, 60.0)
    box, length = chord(ellipsoid(place, (9, 9, 9)), frame)
    row, col = np.unravel_index(int(np.argmax(length)), length.shape)
    column, line = frame.project(np.array([place]))[0]
    assert (box[1].start + col, box[0].start + row) == (
        pytest.approx(column, abs=1.5),
        pytest.approx(line, abs=1.5),
    )
