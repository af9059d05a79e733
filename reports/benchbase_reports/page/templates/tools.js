// Data, state, elements and numbers that all parts of the page share. Text is always set as text.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const state = {
  problem: 0, sort: "rank", ascending: true, query: "", applicable: false, level: "",
  shown: new Set(), bands: new Set(), picked: false, // whether the reader chose which curves are shown
  measure: "success", accuracy: "success", cost: "seconds", at: "",
};
const COLOURS = 10, MARKERS = 9, SVG = "http://www.w3.org/2000/svg";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}
const el = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

const number = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);
const known = (value) => value !== null && value !== undefined;

// Columns become rows once, when the tab of their problem is first opened.
const opened = new Map();
function problem(index = state.problem) {
  if (!opened.has(index)) {
    const made = JSON.parse($(`problem-${index}`).textContent);
    const names = Object.keys(made.rows);
    made.table = made.rows.solver.map((solver, i) => {
      const row = { place: i, label: data.solvers[solver].label };
      for (const name of names) row[name] = number(made.rows[name][i]);
      const entry = data.solvers[solver], numbers = made.rows.environments[i];
      const level = applies(row) ? entry.level : entry.level_unsupported;
      row.environment = numbers.map((each) => data.environments[each]).join("; ");
      row.place_made = numbers.map((each) => each + 1).join(", ") || null;
      row.level = known(level) ? data.levels.findIndex(([name]) => name === level) : null;
      row.words = `${row.label} ${row.message} ${row.environment} ${level ?? ""}`.toLowerCase();
      return row;
    });
    made.of = new Map(made.table.map((row) => [row.solver, row]));
    opened.set(index, made);
  }
  return opened.get(index);
}

// A solver's label, with a mark if others have more signals or trials of the problem.
const label = (solver) => data.solvers[solver].label + (problem().of.get(solver)?.sample ? " †" : "");
const colour = (solver) => `s${solver % COLOURS}`;
// Whether a solver has results here, and whether it may be the best: it has a rank, and a full sample.
const applies = (row) => row.signals > 0;
const mayLead = (row) => known(row.rank) && !row.sample;
const absent = (row) => (row.pending ? "…" : "n/a");

// Numbers for people: shares as in the project's tables, ".982".
function share(value, digits = 3) {
  return known(value) ? value.toFixed(digits).replace(/^0(?=\.)/, "") : "–";
}
const percent = (value) => (known(value) ? `${(100 * value).toFixed(value > 0 && value < 1 ? 1 : 0)} %` : "–");
function significant(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(Math.min(digits, 12))).toLocaleString("en");
}
function time(value) {
  if (!known(value)) return "–";
  if (value === 0) return "0 s";
  for (const [size, unit] of [[1e-6, "µs"], [1e-3, "ms"], [1, "s"], [60, "min"], [3600, "h"]]) {
    const limit = unit === "s" ? 120 : unit === "min" ? 120 : unit === "h" ? Infinity : 999.5;
    if (value < size * limit) return `${significant(value / size)} ${unit}`;
  }
  return "–";
}
function count(value) {
  if (!known(value)) return "–";
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (value >= size) return `${significant(value / (unit === "k" ? 1e3 : size))}${unit}`;
  }
  return significant(value);
}
function pools(value, row) {
  if (!known(value)) return "–";
  if (value === Infinity) return `>${row.n_largest ?? "grid"}`;
  if (value <= 0 || value < row.n_least) return `≤${row.n_least ?? "grid"}`; // nothing is read off outside the grid
  return significant(value);
}
function between(low, high, write) {
  if ((!known(low) && !known(high)) || low === high) return "";
  return `[${write(low)}, ${write(high)}]`.replace(" %,", ","); // one unit for both
}

// A marker of each solver, drawn around 0, 0.
const SHAPES = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (r) => `M0 ${-1.25 * r}l${1.2 * r} ${2.1 * r}h${-2.4 * r}z`,
  (r) => `M0 ${-1.35 * r}l${1.35 * r} ${1.35 * r}l${-1.35 * r} ${1.35 * r}l${-1.35 * r} ${-1.35 * r}z`,
  (r) => `M0 ${1.25 * r}l${1.2 * r} ${-2.1 * r}h${-2.4 * r}z`,
  (r) => `M${-r / 2.4} ${-1.2 * r}h${r / 1.2}v${r * 0.78}h${r * 0.78}v${r / 1.2}h${-r * 0.78}v${r * 0.78}h${-r / 1.2}v${-r * 0.78}h${-r * 0.78}v${-r / 1.2}h${r * 0.78}z`,
  (r) => `M${-1.2 * r} 0l${0.6 * r} ${-1.04 * r}h${1.2 * r}l${0.6 * r} ${1.04 * r}l${-0.6 * r} ${1.04 * r}h${-1.2 * r}z`,
  (r) => `M${-1.25 * r} 0l${2.1 * r} ${-1.2 * r}v${2.4 * r}z`,
  (r) => `M${1.25 * r} 0l${-2.1 * r} ${-1.2 * r}v${2.4 * r}z`,
];
const shape = (solver, r) => SHAPES[solver % MARKERS](r);
function sample(solver) {
  return draw("svg", { width: 26, height: 14, viewBox: "-13 -7 26 14", class: colour(solver), "aria-hidden": "true" },
    draw("path", { class: "line", d: "M-13 0H13" }), draw("path", { class: "mark", d: shape(solver, 4) }));
}

// What a chart says of a point, beside it, and to those who do not see it.
function tip(plot, said) {
  const box = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  plot.append(box);
  return {
    show(x, y, title, lines, spoken) {
      box.replaceChildren(el("b", {}, title), el("table", { role: "presentation" }, el("tbody", {}, ...lines.map(
        ([solver, value, interval]) => el("tr", {}, el("td", {}, ...(known(solver) ? [sample(solver), label(solver)] : [""])),
          el("td", {}, value), el("td", {}, interval))))));
      box.hidden = false;
      const room = plot.clientWidth, { width, height } = box.getBoundingClientRect();
      const left = x + 16 + width > room ? Math.max(0, x - 16 - width) : x + 16;
      const top = Math.max(0, Math.min(y - height / 2, plot.clientHeight - height));
      box.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
      if (spoken) said.textContent = spoken;
    },
    hide() { box.hidden = true; },
  };
}
const options = (select, pairs, chosen) =>
  select.replaceChildren(...pairs.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text)));
