const board = JSON.parse(document.getElementById("data").textContent);
const FINE = 10000;
const COARSE = 1000;

const named = (number) => (number === null ? null : board.strings[number]);

function interval([value, below, longer], scale) {
  if (value === null) return null;
  const ends = below === null ? [null, null] : [(value - below) / scale, (value + below + longer) / scale];
  return { value: value / scale, low: ends[0], high: ends[1] };
}

function chunks(flat, size) {
  return Array.from({ length: flat.length / size }, (_, at) => flat.slice(at * size, (at + 1) * size));
}

function cellOf(method, column) {
  const place = column.methods.indexOf(method);
  if (place < 0) return null;
  const [score, error, planned, letters, rank, draws, contaminated, certificate, secondary, untrained, unreadable, detail, transductive, search] =
    column.cells[place];
  const [se, df, caseVariance, drawVariance, nextDraw] = error;
  return {
    ...interval(score, FINE), se, df, caseVariance, drawVariance, nextDraw, planned, letters, unreadable, transductive, search: named(search),
    rank: { low: rank[0], high: rank[1], best: rank[2] === null ? null : rank[2] / COARSE },
    draws: draws.map(([name, value, key, minute, setting, seconds, mebibytes]) => {
      const [version, commit, device, precision] = board.settings[setting];
      const created = new Date(60000 * (board.firstMinute + minute)).toISOString().slice(0, 16).replace("T", " ");
      return { name: named(name), score: value / FINE, key, created, version, commit, device, precision, seconds, mebibytes };
    }),
    contaminated: contaminated.map(named),
    certificate: named(certificate),
    secondary: column.secondary
      .map((name, at) => ({ name, value: secondary[at] }))
      .filter(({ value }) => value !== null)
      .map(({ name, value }) => ({ name, value: value / FINE })),
    untrained: untrained.map(named),
    detail: detail && detailOf(detail, column),
  };
}

function detailOf([classes, subgroups, gaps, bins, points], column) {
  const parts = (flat, names) =>
    chunks(flat, 3).map(([value, below, longer], at) => ({
      name: names[at][0],
      cases: names[at][1],
      score: interval([value, below, longer], COARSE),
      reason: value === null ? named(below) : null,
    }));
  return {
    classes: parts(classes, column.classes),
    subgroups: parts(subgroups, column.subgroups),
    gaps: gaps.map(([attribute, better, worse, value, below, longer, p, classes]) => ({
      attribute: named(attribute), better: named(better), worse: named(worse), ...interval([value, below, longer], FINE), p: p / FINE, classes,
    })),
    bins: chunks(bins, 5).map(([probability, observed, low, high, cases]) => ({
      probability: probability / COARSE, observed: observed / COARSE, low: low / COARSE, high: high / COARSE, cases,
    })),
    points: chunks(points, 4).map(([target, sensitivity, specificity, classes]) => ({
      target: target / COARSE, sensitivity: sensitivity / COARSE, specificity: specificity / COARSE, classes,
    })),
  };
}

function pairOf(a, b, column) {
  const [i, j] = [column.methods.indexOf(a), column.methods.indexOf(b)];
  if (i < 0 || j < 0 || i === j) return null;
  const [first, second] = [Math.min(i, j), Math.max(i, j)];
  const at = first * column.methods.length - (first * (first + 1)) / 2 + second - first - 1;
  const [differences, below, longer, p, verdicts] = column.pairs;
  const found = interval([differences[at], below[at], longer[at]], FINE);
  if (found === null) return null;
  const turned = i > j ? { value: -found.value, low: -found.high, high: -found.low } : found;
  const verdict = Number(verdicts[at]);
  return {
    ...turned, p: p[at] === null ? null : p[at] / FINE, different: (verdict & 1) === 1, equivalent: (verdict & 2) === 2,
    better: i < j ? a : b,
  };
}

function publishedOf(method, column) {
  return column.published
    .map(([row, value, std, source, against]) => ({
      method: board.published[row][0], origin: board.published[row][1],
      value: value / FINE, std: std === null ? null : std / FINE, source: named(source), against: named(against),
    }))
    .filter((published) => published.method === board.methods[method]);
}
