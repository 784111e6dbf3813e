function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function tableOf(caption, headers, rows) {
  const line = (cells, cell) => make("tr", {}, ...cells.map(cell));
  const numeric = (at) => (headers[at].startsWith("#") ? { class: "number" } : {});
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", {},
      make("caption", { class: "hide" }, caption),
      make("thead", {}, line(headers, (text, at) => make("th", { scope: "col", ...numeric(at) }, text.replace(/^#/, "")))),
      make("tbody", {}, ...rows.map((cells) => line(cells, (content, at) =>
        at === 0 ? make("th", { scope: "row", ...numeric(at) }, content) : make("td", numeric(at), content ?? "–"))))));
}

const fixed = (value, digits) => (value === null ? "–" : value.toFixed(digits).replace("-", "−"));
const signed = (value, digits) => (value === null ? "–" : (value > 0 ? "+" : "") + fixed(value, digits));
const percent = (share) => `${Number((100 * share).toPrecision(6))} %`;
const pText = (p) => (p === null ? "–" : p < 1 / FINE ? "< 0.0001" : p.toFixed(4));
const range = ({ low, high }, digits, form = fixed) => `${form(low, digits)} to ${form(high, digits)}`;
