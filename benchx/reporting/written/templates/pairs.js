const FOREST = { width: 220, height: 22 };

function chosenPair() {
  const a = state.a ?? 0;
  const other = a === board.baseline ? (a === 0 ? 1 : 0) : board.baseline;
  return [a, state.b ?? other];
}

function forest(pair, reach) {
  const at = (value) => FOREST.width / 2 + (value / reach) * (FOREST.width / 2 - 6);
  const middle = FOREST.height / 2;
  return draw("svg", { viewBox: `0 0 ${FOREST.width} ${FOREST.height}`, width: FOREST.width, height: FOREST.height, "aria-hidden": "true" },
    draw("path", { class: "zero", d: `M${at(0)} 0V${FOREST.height}` }),
    ...(board.margin === null ? [] : [-board.margin, board.margin].filter((m) => Math.abs(m) <= reach).map((m) =>
      draw("path", { class: "thin", d: `M${at(m)} ${middle - 3}v6` }))),
    draw("path", { class: pair.different ? "told" : "", d: `M${at(pair.low)} ${middle}H${at(pair.high)}` }),
    draw("circle", { cx: at(pair.value), cy: middle, r: pair.different ? 4 : 3 }));
}

const verdictOf = (pair) => (pair.different ? `${board.methods[pair.better]} is better` : "not told apart");

function showPairs() {
  const section = document.getElementById("pairs");
  section.hidden = board.methods.length < 2;
  if (section.hidden) return;
  const [a, b] = chosenPair();
  const picks = [...section.querySelectorAll("select")];
  [picks[0].value, picks[1].value] = [a, b];
  const found = shownColumns().map((column) => ({ column, pair: pairOf(a, b, column) }));
  const known = found.filter(({ pair }) => pair !== null && pair.low !== null);
  const reach = Math.max(0.001, ...known.flatMap(({ pair }) => [Math.abs(pair.low), Math.abs(pair.high)]));
  const rows = found.map(({ column, pair }) => {
    if (pair === null || pair.low === null) return [column.name, null, null, null, null, a === b ? "the same method" : "no result of both"];
    const equivalent = board.margin === null ? [] : [pair.equivalent ? `within ±${board.margin}` : "not shown"];
    return [
      column.name, signed(pair.value, 4), range(pair, 4, signed), forest(pair, reach), pText(pair.p), verdictOf(pair), ...equivalent,
    ];
  });
  const headers = ["Column", "#Difference", `#${percent(board.level)} interval`, `−${reach.toFixed(3)} to +${reach.toFixed(3)}`,
    "#Corrected p", "Verdict", ...(board.margin === null ? [] : ["Equivalence"])];
  const made = tableOf(`${board.methods[a]} minus ${board.methods[b]}`, headers, rows);
  made.querySelector("caption").className = "";
  section.lastElementChild.replaceWith(made);
}

function enhancePairs() {
  const pick = (label, key) => {
    const select = make("select", {}, ...board.methods.map((name, at) => make("option", { value: at }, name)));
    select.addEventListener("change", () => { state[key] = Number(select.value); show(); });
    return make("label", {}, label, select);
  };
  document.querySelector("#pairs .choice").append(pick("Method A", "a"), pick("minus method B", "b"));
}
