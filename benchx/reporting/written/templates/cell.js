function described(pairs) {
  return make("dl", {}, ...pairs.filter(([, content]) => content !== null && content !== "")
    .flatMap(([term, content]) => [make("dt", {}, term), make("dd", {}, content)]));
}

function varianceText(cell) {
  if (cell.caseVariance === null) return null;
  if (cell.drawVariance === null) return "test cases only: one draw, or nothing is drawn";
  const draws = cell.drawVariance / cell.draws.length;
  const share = cell.caseVariance + draws > 0 ? Math.round((100 * cell.caseVariance) / (cell.caseVariance + draws)) : 100;
  return `${share} % test cases, ${100 - share} % draws (sd of one draw ${Math.sqrt(cell.drawVariance).toFixed(4)})`;
}

function nextDrawText(cell) {
  if (cell.nextDraw === null) return null;
  return `half-width ${fixed(cell.nextDraw, 4)} instead of ${fixed((cell.high - cell.low) / 2, 4)}`;
}

function reliability(bins) {
  const at = (share) => 30 + 200 * share;
  const up = (share) => 210 - 200 * share;
  return draw("svg", { class: "plot", viewBox: "0 0 240 240", role: "img", "aria-label": "Reliability plot; its bins are in the table beside it" },
    draw("path", { d: `M30 10V210H230` }),
    draw("path", { class: "zero", d: `M${at(0)} ${up(0)}L${at(1)} ${up(1)}` }),
    ...[0, 0.5, 1].flatMap((tick) => [
      draw("text", { x: at(tick), y: 224, "text-anchor": "middle" }, String(tick)),
      draw("text", { x: 26, y: up(tick) + 4, "text-anchor": "end" }, String(tick)),
    ]),
    draw("text", { x: 130, y: 238, "text-anchor": "middle" }, "mean probability"),
    ...bins.flatMap((bin) => [
      draw("path", { class: "thin", d: `M${at(bin.probability)} ${up(bin.low)}V${up(bin.high)}` }),
      draw("circle", { cx: at(bin.probability), cy: up(bin.observed), r: 3 }),
    ]));
}

function partRows(parts) {
  return parts.map(({ name, cases, score, reason }) =>
    [name, String(cases), score ? fixed(score.value, 3) : reason, score ? range(score, 3) : null]);
}

function detailParts(cell, column) {
  if (!cell.detail) return column.detailed ? [] : [make("p", { class: "note" }, "Classes, subgroups and calibration of this cell are in board.json.")];
  const { classes, subgroups, gaps, bins, points } = cell.detail;
  const heads = (first, cases) => [first, cases, "#Score", "#Interval"];
  const parts = [];
  if (classes.length) parts.push(make("h3", {}, "Classes"), tableOf("Classes", heads("Class", "#Positives"), partRows(classes)));
  if (subgroups.length) parts.push(make("h3", {}, "Subgroups"), tableOf("Subgroups", heads("Subgroup", "#Cases"), partRows(subgroups)));
  if (gaps.length) {
    parts.push(make("h3", {}, "Largest gaps"), tableOf("Largest gaps", ["Attribute", "Between", "#Difference", "#Interval", "#Corrected p"],
      gaps.map((gap) => [gap.attribute, `${gap.better} minus ${gap.worse}, on ${gap.classes} classes`, signed(gap.value, 4), range(gap, 4, signed), pText(gap.p)])));
  }
  if (points.length) {
    parts.push(make("h3", {}, "Operating points"), make("p", { class: "note" }, "Thresholds from held-out cases; means over classes and draws."),
      tableOf("Operating points", ["#Specificity aimed at", "#Reached", "#Sensitivity", "#Classes"],
        points.map((point) => [percent(point.target), fixed(point.specificity, 3), fixed(point.sensitivity, 3), String(point.classes)])));
  }
  if (bins.length) {
    parts.push(make("h3", {}, "Calibration"), make("div", { class: "beside" }, reliability(bins),
      tableOf("Reliability", ["#Probability", "#Observed", "#Interval", "#Cases"],
        bins.map((bin) => [fixed(bin.probability, 3), fixed(bin.observed, 3), range(bin, 3), String(bin.cases)]))));
  }
  return parts;
}

function drawsTable(draws) {
  return tableOf("Draws",
    ["Draw", "#Score", "Key", "Created (UTC)", "benchx", "Device", "Precision", "#Wall time", "#Peak memory"],
    draws.map((d) => [d.name, fixed(d.score, 4), make("code", {}, d.key), d.created,
      make("span", {}, d.version, ...(d.commit ? [" ", make("code", {}, d.commit)] : [])), d.device, d.precision, `${d.seconds} s`, `${d.mebibytes} MiB`]));
}

function publishedParts(method, column, cell) {
  const found = publishedOf(method, column);
  if (!found.length) return [];
  const of = (origin) => {
    const one = found.find((published) => published.origin === origin);
    return one ? fixed(one.value, 4) + (one.std === null ? "" : ` ± ${fixed(one.std, 4)}`) : null;
  };
  return [make("h3", {}, "Paper, authors’ code, ours"),
    tableOf("Published scores", ["Method", "#Paper", "#Authors’ code", "#Ours", "#Ours − published", "Source"],
      [[board.methods[method], of("paper"), of("authors-code"), fixed(cell.value, 4), found.map(({ against }) => against).join("; "), found.map(({ source }) => source).join("; ")]])];
}

function cellParts(method, column, cell) {
  return [
    described([
      [column.primary, `${fixed(cell.value, 4)}, ${percent(board.level)} interval ${range(cell, 4)}`],
      ["Letters", cell.letters],
      ["Rank", `${cell.rank.low} to ${cell.rank.high} of ${column.methods.length}; best in ${percent(cell.rank.best)} of replicates`],
      ["Standard error", `${cell.se} on ${cell.df} degrees of freedom`],
      ["Variance", varianceText(cell)],
      ["One more draw", nextDrawText(cell)],
      ["Draws", `${cell.draws.length} of ${cell.planned}; ${column.drawn}`],
      ["Other scores", cell.secondary.map(({ name, value }) => `${name} ${fixed(value, Math.abs(value) < 10 ? 4 : 1)}`).join(", ")],
      ["Contaminated", cell.contaminated.length ? `pretraining saw ${cell.contaminated.join(", ")}` : "nothing known"],
      ["Transductive", cell.transductive ? "scores are standardised over the test images" : null],
      ["Search", cell.search],
      ["Certificate", cell.certificate === null ? "none" : `outputs compared with the official code at ${cell.certificate}`],
      ["Weights", board.weights[method] ?? "no file"],
      ["Not trained", cell.untrained.length ? `${cell.untrained.join(", ")} (no positive or no negative in some draw)` : null],
      ["Unreadable", cell.unreadable ? `${cell.unreadable} images left out` : null],
      ["Test set", `${column.testSet}; images ${column.images}, split ${column.split}`],
    ]),
    make("h3", {}, "Draws"), drawsTable(cell.draws),
    ...publishedParts(method, column, cell),
    ...detailParts(cell, column),
  ];
}

function openCell(method, column, opener) {
  const dialog = document.getElementById("cell");
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const cell = cellOf(method, column);
  const parts = cell ? cellParts(method, column, cell)
    : [make("p", {}, `No result: ${column.absent[method] ?? "not run"}.`), ...publishedOf(method, column).map((published) =>
      make("p", {}, `Published, not run here: ${fixed(published.value, 4)} (${published.source})`))];
  dialog.replaceChildren(
    make("header", {}, make("h2", { id: "cell-title" }, board.methods[method], make("small", {}, column.name)), close),
    make("div", { class: "body" }, ...parts));
  dialog.onclose = () => { dialog.replaceChildren(); reachable(opener); opener.focus(); };
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.showModal();
  dialog.scrollTop = 0;
}
