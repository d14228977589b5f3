"""Scores over time as points of a picture: numbers only, the template draws them."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.jobs.figures import Score

WIDTH, HEIGHT = 640, 150
LEFT, RIGHT, TOP, BOTTOM = 28, 12, 10, 22
"""Room for the numbers at the axes."""
MARKS = (1, 4, 7, 10)


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    score: Score


@dataclass(frozen=True, slots=True)
class Plot:
    """`marks` are (height, score) of the lines across; `line` is that of SVG's polyline."""

    points: tuple[Point, ...]
    marks: tuple[tuple[float, int], ...]
    line: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def plot(scores: Sequence[Score]) -> Plot:
    """`scores` of one repository, oldest first; the time goes from left to right, one alone stands in the middle."""
    first, last = scores[0].at, scores[-1].at
    span = (last - first).total_seconds()

    def x(one: Score) -> float:
        share = (one.at - first).total_seconds() / span if span else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    points = tuple(Point(x(one), height(one.score), one) for one in scores)
    line = " ".join(f"{point.x:g},{point.y:g}" for point in points)
    return Plot(points, tuple((height(mark), mark) for mark in MARKS), line)


def height(score: int) -> float:
    """From the top; 10 is highest."""
    return round(TOP + (10 - score) / 9 * (HEIGHT - TOP - BOTTOM), 1)
