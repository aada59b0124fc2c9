"""What one process counts, as plain lists: cheap to add to, small to hand to the other processes, easy to draw."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from crosstie.watch.family import BUCKETS, FAMILIES, Family

Labels = tuple[str, ...]
#: of a histogram the counts by bucket, the rest, and the sum; of the others one value
Cells = list[float]
#: samples by the name of their family
Figures = dict[str, list[tuple[Labels, Cells]]]
BOUNDS = [str(bound) for bound in BUCKETS] + ["+Inf"]
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Figures).decode


class Tally:
    """The histograms and counters of one process."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[Labels, Cells]] = {family.name: {} for family in FAMILIES}

    def observe(self, family: Family, labels: Labels, seconds: float) -> None:
        """One duration."""
        known = self._cells[family.name]
        cells = known.get(labels)
        if cells is None:
            cells = known[labels] = [0.0] * (len(BUCKETS) + 2)
        cells[bisect_left(BUCKETS, seconds)] += 1
        cells[-1] += seconds

    def add(self, family: Family, labels: Labels = (), by: float = 1.0) -> None:
        """So many more."""
        known = self._cells[family.name]
        if labels in known:
            known[labels][0] += by
        else:
            known[labels] = [by]

    def figures(self) -> Figures:
        """Everything counted so far."""
        return {name: [(labels, [*cells]) for labels, cells in known.items()] for name, known in self._cells.items()}


class Drawing:
    """A scrape: the figures of each process under its name, and those of the installation."""

    def __init__(self, own: Mapping[str, Figures], shared: Figures) -> None:
        self._own = own
        self._shared = shared

    def collect(self) -> Iterator[Metric]:
        """Every family that has a sample."""
        for family in FAMILIES:
            if family.shared:
                labels, samples = family.labels, self._shared.get(family.name, [])
            else:
                labels = ("process", *family.labels)
                samples = [
                    ((process, *given), cells)
                    for process, figures in self._own.items()
                    for given, cells in figures.get(family.name, ())
                ]
            if samples:
                yield _drawn(family, labels, samples)


def _drawn(family: Family, labels: Labels, samples: Iterable[tuple[Labels, Cells]]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.doc, labels=labels)
        for given, cells in samples:
            counts = accumulate(cells[:-1])
            histogram.add_metric(given, buckets=[*zip(BOUNDS, counts, strict=True)], sum_value=cells[-1])
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    drawn = kind(family.name, family.doc, labels=labels)
    for given, cells in samples:
        drawn.add_metric(given, cells[0])
    return drawn
