const KINDS = ["task", "dataset", "protocol", "fraction", "method"];
const table = document.getElementById("score-table");
const [groupLine, columnLine] = table.tHead.rows;
const body = table.tBodies[0];
const lines = [...body.rows].map((row, at) => {
  const published = at - board.methods.length;
  return {
    row,
    cells: [...row.cells].slice(1),
    method: published < 0 ? at : null,
    published: published < 0 ? null : published,
    name: published < 0 ? board.methods[at] : board.published[published][0],
  };
});
const groups = [...groupLine.cells].slice(1);
const groupOf = groups.flatMap((cell, at) => Array(cell.colSpan).fill(at));
const heads = [...columnLine.cells];
const fresh = () => ({
  search: "", hidden: Object.fromEntries(KINDS.map((kind) => [kind, new Set()])), sort: null, direction: "descending",
  published: false, a: null, b: null,
});
let state = fresh();

const keyOf = (column, kind) => (kind === "fraction" ? percent(column.fraction) : column[kind]);
const isShown = (column) => KINDS.slice(0, 4).every((kind) => !state.hidden[kind].has(keyOf(column, kind)));
const shownColumns = () => board.columns.filter(isShown);

function isListed(line) {
  if (line.published !== null && !state.published) return false;
  if (state.hidden.method.has(line.name)) return false;
  return line.name.toLowerCase().includes(state.search.trim().toLowerCase());
}

function valueOf(line, column) {
  if (line.method !== null) return cellOf(line.method, column)?.value ?? null;
  const found = column.published.find(([row]) => row === line.published);
  return found ? found[1] / FINE : null;
}

const isRisingBetter = (column) => {
  const scores = column.cells.map(([score]) => score[0]);
  return scores[0] >= scores[scores.length - 1];
};

function sorted() {
  if (state.sort === null) return lines;
  const turn = state.direction === "ascending" ? 1 : -1;
  if (state.sort === "method") return [...lines].sort((x, y) => turn * x.name.localeCompare(y.name));
  const column = board.columns.find(({ name }) => name === state.sort);
  if (!column) return lines;
  const keyed = lines.map((line) => [line, valueOf(line, column)]);
  keyed.sort(([, x], [, y]) => (x === null ? (y === null ? 0 : 1) : y === null ? -1 : turn * (x - y)));
  return keyed.map(([line]) => line);
}

function showTable() {
  const shown = board.columns.map(isShown);
  const ordered = sorted();
  if (ordered.some((line, at) => body.rows[at] !== line.row)) body.append(...ordered.map((line) => line.row));
  for (const line of lines) {
    line.row.hidden = !isListed(line);
    line.cells.forEach((cell, at) => { cell.hidden = !shown[at]; });
  }
  heads.forEach((head, at) => {
    head.hidden = !shown[at];
    head.setAttribute("aria-sort", state.sort === board.columns[at].name ? state.direction : "none");
  });
  groupLine.cells[0].setAttribute("aria-sort", state.sort === "method" ? state.direction : "none");
  groups.forEach((cell, group) => {
    const span = shown.filter((is, at) => is && groupOf[at] === group).length;
    cell.hidden = span === 0;
    if (span) cell.colSpan = span;
  });
  const ours = lines.filter((line) => line.method !== null);
  const extra = lines.filter((line) => line.published !== null && isListed(line)).length;
  document.getElementById("shown").textContent =
    `Showing ${ours.filter(isListed).length} of ${ours.length} methods and ${shown.filter(Boolean).length} of ` +
    `${shown.length} columns${extra ? `, and ${extra} published rows that were not run here` : ""}.`;
  reachable(table.querySelector("td button[tabindex='0']"));
}

function sortBy(key, column) {
  const first = column && isRisingBetter(column) ? "descending" : "ascending";
  const second = first === "ascending" ? "descending" : "ascending";
  if (state.sort !== key) Object.assign(state, { sort: key, direction: first });
  else if (state.direction === first) state.direction = second;
  else state.sort = null;
  show();
}

const isVisible = (cell) => !cell.hidden && !cell.parentNode.hidden;

function reachable(button) {
  const cells = [...body.rows].flatMap((row) => [...row.cells]).filter((cell) => isVisible(cell) && cell.querySelector("button"));
  const kept = button && isVisible(button.parentNode) ? button : cells[0]?.querySelector("button");
  for (const other of table.querySelectorAll("td button[tabindex='0']")) other.tabIndex = -1;
  if (kept) kept.tabIndex = 0;
}

function stepFrom(cell, key) {
  const across = [...cell.parentNode.cells].filter((other) => isVisible(other) && other.querySelector("button"));
  const down = [...body.rows].map((row) => row.cells[cell.cellIndex]).filter((other) => isVisible(other) && other.querySelector("button"));
  const step = (list, by) => list[list.indexOf(cell) + by];
  const moves = {
    ArrowRight: () => step(across, 1), ArrowLeft: () => step(across, -1), ArrowDown: () => step(down, 1),
    ArrowUp: () => step(down, -1), Home: () => across[0], End: () => across[across.length - 1],
  };
  return moves[key];
}

function enhanceTable() {
  const headed = (head, key, label, column) => {
    const button = make("button", { type: "button", "aria-label": label }, head.firstChild.textContent.trim());
    head.firstChild.replaceWith(button);
    button.addEventListener("click", () => sortBy(key, column));
  };
  headed(groupLine.cells[0], "method", "Method: sort by name", null);
  heads.forEach((head, at) => {
    const column = board.columns[at];
    headed(head, column.name, `${percent(column.fraction)} ${column.dataset}: sort by ${column.name}`, column);
  });
  for (const line of lines.filter(({ method }) => method !== null)) {
    line.cells.forEach((cell, at) => {
      const button = make("button", { type: "button", tabindex: "-1", "aria-haspopup": "dialog" });
      button.append(...[...cell.childNodes].filter(({ nodeName }) => nodeName !== "SMALL"));
      if (cell.classList.contains("best")) button.append(make("span", { class: "hide" }, " best"));
      if (cell.classList.contains("tied")) button.append(make("span", { class: "hide" }, " tied with best"));
      cell.prepend(button);
      button.addEventListener("click", () => openCell(line.method, board.columns[at], button));
    });
  }
  body.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    const move = cell && stepFrom(cell, event.key);
    if (!move) return;
    event.preventDefault();
    const next = move()?.querySelector("button");
    if (!next) return;
    reachable(next);
    next.focus();
  });
  const measure = () => table.style.setProperty("--first-row", `${groupLine.getBoundingClientRect().height}px`);
  measure();
  addEventListener("resize", measure);
}
