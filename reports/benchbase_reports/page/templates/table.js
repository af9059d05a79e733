// What the columns of the ranking hold, and in which order and selection its rows come.
const small = (text) => (text ? el("span", { class: "i" }, text) : null);
const two = (text, under) => [text, small(under)];
const intervalOf = (name, write) => (row) =>
  two(write(row[name], row), applies(row) ? between(row[`${name}_low`], row[`${name}_high`], (v) => write(v, row)) : "");

function rankCell(row) {
  if (!applies(row)) return two(absent(row), "");
  if (!known(row.rank)) return two("–", "");
  const same = row.rank_low === row.rank_high || !known(row.rank_low);
  return two(String(row.rank), same ? "" : `${row.rank_low}–${row.rank_high}`);
}

// The interval of K95 as a line on the grid of K that all rows share.
function interval(row) {
  const { low, high } = problem().span ?? (problem().span = gridSpan(problem()));
  const at = (value) => `${100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))}%`;
  const line = el("span", { class: "interval", "aria-hidden": "true" });
  if (known(row.K95_low) && known(row.K95_high)) {
    line.style.setProperty("--low", at(row.K95_low));
    line.style.setProperty("--high", at(row.K95_high));
  }
  if (Number.isFinite(row.K95)) line.style.setProperty("--at", at(row.K95));
  return line;
}
function gridSpan(each) {
  const ends = each.table.flatMap((row) => [row.n_least, row.n_largest]).filter(known);
  return { low: Math.min(...ends), high: Math.max(...ends) };
}
function poolsCell(row) {
  if (!applies(row)) return two(absent(row), "");
  return [interval(row), pools(row.K95, row), small(between(row.K95_low, row.K95_high, (value) => pools(value, row)))];
}
function failedCell(row) {
  return row.failed ? [el("span", { class: "some" }, String(row.failed))] : two(applies(row) ? "0" : "–", "");
}

function levelCell(row) {
  return [el("span", { class: `seal l${row.level}`, "data-level": row.level }, data.levels[row.level][0])];
}

const COLUMNS = [
  { key: "rank", head: "Rank", width: "var(--rank)", cell: rankCell },
  { key: "label", name: "solver", head: "Solver", width: "minmax(var(--solver), 1fr)", text: true },
  { key: "K95", head: "K₉₅, pools needed", width: "136px", cell: poolsCell },
  { key: "level", head: "Checked", width: "92px", down: true, text: true, cell: levelCell },
  { key: "success", head: "Recovered", width: "106px", down: true, cell: intervalOf("success", percent) },
  { key: "mean", head: "Mean squared cosine", width: "96px", down: true, cell: intervalOf("mean", (v) => share(v)) },
  { key: "area", head: "Area under curve", width: "68px", down: true, cell: (row) => two(share(row.area)) },
  { key: "seconds", head: "Time per signal", width: "76px", cell: (row) => two(time(row.seconds)) },
  { key: "init_seconds", head: "of it, start", width: "78px", cell: (row) => two(time(row.init_seconds)) },
  { key: "frame_applications", head: "Frame appli\u00adcations", width: "80px", cell: (row) => two(count(row.frame_applications)) },
  { key: "failed", head: "Failed", width: "60px", down: true, cell: failedCell },
  { key: "environment", head: "Environ\u00adment", width: "66px", cell: (row) => [el("span", { title: row.environment }, row.place_made ?? "–")] },
];
const columns = COLUMNS.filter(({ key }) => key !== "level" || data.levels.length);
const collator = new Intl.Collator("en", { numeric: true });

// Missing values come last in both directions; equal values stay in the order of their ranks.
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
    (!state.applicable || applies(row)) && (state.level === "" || row.level === Number(state.level)) && words.every((word) => row.words.includes(word))));
}

function drawHeads() {
  $("table").style.setProperty("--columns", columns.map(({ width }) => width).join(" "));
  $("table").setAttribute("aria-colcount", columns.length);
  $("heads").replaceChildren(...columns.map((column) => {
    const sorted = state.sort === column.key ? (state.ascending ? "ascending" : "descending") : null;
    const kind = `${column.name ?? column.key}${column.text ? " text" : ""}`;
    return el("th", { scope: "col", role: "columnheader", class: kind, "aria-sort": sorted },
      el("button", { type: "button", "data-sort": column.key, "aria-describedby": column.key === "level" ? "levels" : null }, column.head));
  }));
}
function sortBy(key) {
  const column = columns.find((each) => each.key === key);
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

// What a level says, beside the pointer or the head that has the focus; it also stands below the table.
function showHint({ target }) {
  const over = target.closest?.("[data-level], [data-sort=level]");
  if (!over) return;
  const levels = over.dataset.level ? [data.levels[over.dataset.level]] : data.levels;
  $("hint").replaceChildren(...levels.map(([name, meaning]) => el("p", {}, el("b", {}, name), `: ${meaning}.`)));
  $("hint").hidden = false;
  const at = over.getBoundingClientRect(), box = $("hint").getBoundingClientRect();
  const below = at.bottom + 6 + box.height < window.innerHeight;
  $("hint").style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.width - 8))}px`;
  $("hint").style.top = `${below ? at.bottom + 6 : at.top - 6 - box.height}px`;
}
function hideHint() { $("hint").hidden = true; }
