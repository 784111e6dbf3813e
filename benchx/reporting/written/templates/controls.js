const controls = document.getElementById("controls");
const THEMES = ["system", "light", "dark"];

function boxes(kind) {
  const values = kind === "method" ? board.methods : [...new Set(board.columns.map((column) => keyOf(column, kind)))];
  if (values.length < 2) return null;
  const made = values.map((value) => {
    const box = make("input", { type: "checkbox", name: kind });
    box.value = value;
    box.addEventListener("change", () => {
      if (box.checked) state.hidden[kind].delete(value);
      else state.hidden[kind].add(value);
      show();
    });
    return make("label", {}, box, kind === "task" ? value.replaceAll("_", " ") : value);
  });
  const set = make("fieldset", {}, make("legend", {}, `${kind[0].toUpperCase()}${kind.slice(1)}s`), ...made);
  return kind === "method" ? make("details", {}, make("summary", {}, "Choose methods"), set) : set;
}

function enhanceControls() {
  const search = make("input", { type: "search", name: "search", autocomplete: "off", spellcheck: "false" });
  search.addEventListener("input", () => { state.search = search.value; show(); });
  const published = make("input", { type: "checkbox", name: "published" });
  published.addEventListener("change", () => { state.published = published.checked; show(); });
  const reset = make("button", { type: "button" }, "Reset");
  reset.addEventListener("click", () => { state = { ...fresh(), a: state.a, b: state.b }; show(); });
  controls.append(
    make("div", { class: "line" }, make("label", {}, "Search methods", search),
      ...(board.published.length ? [make("label", {}, published, "Show published (not run here)")] : []), reset),
    ...KINDS.map(boxes).filter(Boolean));
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
}

function showControls() {
  const search = controls.elements.search;
  if (search.value !== state.search) search.value = state.search;
  for (const box of controls.querySelectorAll("input[type=checkbox]")) {
    box.checked = box.name === "published" ? state.published : !state.hidden[box.name].has(box.value);
  }
}

function writeHash() {
  const words = new URLSearchParams();
  if (state.search) words.set("search", state.search);
  for (const kind of KINDS) for (const value of state.hidden[kind]) words.append(`without-${kind}`, value);
  if (state.sort !== null) { words.set("sort", state.sort); words.set("direction", state.direction); }
  if (state.published) words.set("published", "yes");
  for (const key of ["a", "b"]) if (state[key] !== null) words.set(key, board.methods[state[key]]);
  const text = words.toString();
  if (text || location.hash.includes("=")) history.replaceState(null, "", text ? `#${text}` : "#");
}

function readHash() {
  const words = new URLSearchParams(location.hash.slice(1));
  const method = (name) => { const at = board.methods.indexOf(name); return at < 0 ? null : at; };
  state = fresh();
  state.search = words.get("search") ?? "";
  for (const kind of KINDS) state.hidden[kind] = new Set(words.getAll(`without-${kind}`));
  state.sort = words.get("sort");
  state.direction = words.get("direction") === "ascending" ? "ascending" : "descending";
  state.published = words.get("published") === "yes";
  state.a = method(words.get("a"));
  state.b = method(words.get("b"));
}

function enhanceTheme() {
  const button = document.getElementById("theme");
  const apply = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.value = theme;
  };
  let kept = null;
  try { kept = localStorage.getItem("benchx-theme"); } catch { kept = null; }
  apply(THEMES.includes(kept) ? kept : "system");
  button.addEventListener("click", () => {
    apply(THEMES[(THEMES.indexOf(button.value) + 1) % THEMES.length]);
    try { localStorage.setItem("benchx-theme", button.value); } catch { return; }
  });
  button.hidden = false;
}

function enhancePrinting() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
}

function show() {
  showTable();
  showPairs();
  showControls();
  writeHash();
}

document.getElementById("still").hidden = true;
enhanceTheme();
enhanceControls();
enhanceTable();
enhancePairs();
enhancePrinting();
if (location.hash.includes("=")) readHash();
show();
addEventListener("hashchange", () => {
  if (location.hash && !location.hash.includes("=")) return;
  readHash();
  show();
});
