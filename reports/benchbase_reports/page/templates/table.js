// What the columns of the ranking hold, and in which order and selection its rows come.
const small = (text) => (text ? el("span", { class: "i" }, text) : null);
const two = (text, under) => [el("span", { class: "v" }, text), small(under)];
const intervalOf = (name, write) => (row) =>
  two(write(row[name], row), applies(row) ? between(row[`${name}_low`], row[`${name}_high`], (v) => write(v, row)) : "");

function rankCell(row) {
  if (!applies(row)) return two("n/a", "");
  const same = row.rank_low === row.rank_high || !known(row.rank_low);
  return two(String(row.rank), same ? "" : `${row.rank_low}–${row.rank_high}`);
}

// The interval of K95 as a line on the grid of K that all rows share.
function interval(row) {
  const { low, high } = problem().span ?? (problem().span = gridSpan(problem()));
  const at = (value) => 100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  const picture = draw("svg", { class: "interval", viewBox: "0 0 100 22", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("line", { class: "axis", x1: 0, x2: 100, y1: 11, y2: 11, "vector-effect": "non-scaling-stroke" }));
  if (known(row.K95_low) && known(row.K95_high)) {
    picture.append(draw("line", { class: "span", x1: at(row.K95_low), x2: at(row.K95_high), y1: 11, y2: 11, "vector-effect": "non-scaling-stroke" }));
  }
  if (Number.isFinite(row.K95)) picture.append(draw("rect", { class: "dot", x: at(row.K95) - 1.8, y: 6, width: 3.6, height: 10, rx: 1 }));
  return picture;
}
function gridSpan(each) {
  const ends = each.table.flatMap((row) => [row.n_least, row.n_largest]).filter(known);
  return { low: Math.min(...ends), high: Math.max(...ends) };
}
function poolsCell(row) {
  if (!applies(row)) return two("n/a", "");
  return [el("span", { class: "pair" }, interval(row), el("span", { class: "v" }, pools(row.K95, row))),
    small(between(row.K95_low, row.K95_high, (value) => pools(value, row)))];
}
function failedCell(row) {
  return row.failed ? [el("span", { class: "some" }, String(row.failed))] : two(applies(row) ? "0" : "–", "");
}

const COLUMNS = [
  { key: "rank", head: "Rank", cell: rankCell },
  { key: "label", name: "solver", head: "Solver", text: true },
  { key: "K95", head: "K₉₅, pools needed", cell: poolsCell },
  { key: "success", head: "Recovered", down: true, cell: intervalOf("success", percent) },
  { key: "mean", head: "Mean squared cosine", down: true, cell: intervalOf("mean", (v) => share(v)) },
  { key: "area", head: "Area under curve", down: true, cell: (row) => two(share(row.area)) },
  { key: "seconds", head: "Time a signal", cell: (row) => two(time(row.seconds)) },
  { key: "init_seconds", head: "of it, start", cell: (row) => two(time(row.init_seconds)) },
  { key: "frame_applications", head: "Frame applications", cell: (row) => two(count(row.frame_applications)) },
  { key: "failed", head: "Failed", down: true, cell: failedCell },
  { key: "environment", head: "Environment", text: true, cell: (row) => [el("span", { class: "clamp", title: row.environment }, row.environment || "–")] },
];
const collator = new Intl.Collator("en", { numeric: true });

// Missing values come last whatever the direction; equals stay in the order of their ranks.
function inOrder(rows) {
  const { sort, ascending } = state, sign = ascending ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [a[sort], b[sort]];
    if (!known(x) || !known(y)) return known(x) ? -1 : known(y) ? 1 : 0;
    return sign * (typeof x === "string" ? collator.compare(x, y) : x === y ? 0 : x - y);
  };
  const rank = (row) => (known(row.rank) ? row.rank : Infinity);
  const after = (a, b) => (rank(a) === rank(b) ? a.place - b.place : rank(a) - rank(b));
  return [...rows].sort((a, b) => compare(a, b) || after(a, b));
}
function chosenRows() {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  return inOrder(problem().table.filter((row) =>
    (!state.applicable || applies(row)) && words.every((word) => row.words.includes(word))));
}

function drawHeads() {
  $("cols").replaceChildren(...COLUMNS.map(({ key, name }) => el("col", { class: `c-${name ?? key}` })));
  $("heads").replaceChildren(...COLUMNS.map((column) => {
    const sorted = state.sort === column.key ? (state.ascending ? "ascending" : "descending") : null;
    const kind = `${column.name ?? column.key}${column.text ? " text" : ""}`;
    return el("th", { scope: "col", class: kind, "aria-sort": sorted, "aria-colindex": COLUMNS.indexOf(column) + 1 },
      el("button", { type: "button", "data-sort": column.key }, column.head));
  }));
}
function sortBy(key) {
  const column = COLUMNS.find((each) => each.key === key);
  state.ascending = state.sort === key ? !state.ascending : !column.down;
  state.sort = key;
  for (const head of $("heads").children) {
    const same = head.firstChild.dataset.sort === key;
    if (same) head.setAttribute("aria-sort", state.ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
  drawRows();
  $("scroller").scrollTop = 0;
  say(`, sorted by ${column.head}, ${state.ascending ? "ascending" : "descending"}`);
}
