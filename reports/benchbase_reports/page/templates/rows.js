// The rows of the ranking. Of a long table only those in sight are in the document.
const ROW = 52, LONG = 150, MARGIN = 12;
let chosen = [], made = new Map(), first = -1, last = -1, whole = false, awaiting = 0;

function makeRow(row) {
  const cells = COLUMNS.map((column) => {
    if (column.key === "label") return nameCell(row);
    return el("td", { class: `${column.key}` }, ...column.cell(row).filter(Boolean));
  });
  return el("tr", { class: applies(row) ? null : "inapplicable", "data-solver": row.solver }, ...cells);
}
function nameCell(row) {
  const remark = !applies(row) ? row.message : row.one_frame ? "one frame only" : "";
  return el("th", { scope: "row", class: "solver" }, el("div", { class: "pin" },
    el("button", { type: "button", class: "swatch", "data-pin": row.solver, "aria-pressed": String(state.shown.has(row.solver)),
      "aria-label": `Curve of ${row.label}`, disabled: !applies(row) }, sample(row.solver)),
    el("div", { class: "names" },
      el("button", { type: "button", class: "name", "data-open": row.solver, "aria-haspopup": "dialog", title: row.label },
        el("span", { class: "clamp" }, row.label)),
      remark ? el("span", { class: "remark", title: remark }, remark) : null)));
}
function rowOf(row) {
  if (!made.has(row.solver)) made.set(row.solver, makeRow(row));
  return made.get(row.solver);
}
const space = (rows) => {
  const cell = el("td", { colspan: COLUMNS.length });
  cell.style.height = `${rows * ROW}px`;
  return el("tr", { class: "space", "aria-hidden": "true" }, cell);
};

// Called for every new selection or order, and as a long table is scrolled.
function drawRows() {
  chosen = chosenRows();
  first = last = -1;
  const long = chosen.length > LONG && !whole;
  $("scroller").classList.toggle("tall", chosen.length > LONG);
  $("table").setAttribute("aria-rowcount", chosen.length + 1);
  if (long) drawWindow();
  else {
    chosen.forEach((row, i) => rowOf(row).setAttribute("aria-rowindex", i + 2));
    $("rows").replaceChildren(...chosen.map(rowOf));
  }
  if (!chosen.length) {
    $("rows").replaceChildren(el("tr", {}, el("td", { colspan: COLUMNS.length }, "No solver matches the filter.")));
  }
}
function drawWindow() {
  const { scrollTop, clientHeight } = $("scroller");
  const from = Math.max(0, Math.floor(scrollTop / ROW) - MARGIN);
  const to = Math.min(chosen.length, Math.ceil((scrollTop + clientHeight) / ROW) + MARGIN);
  if (from === first && to === last) return;
  [first, last] = [from, to];
  const focused = document.activeElement?.closest?.("#rows tr");
  const rows = chosen.slice(from, to).map(rowOf);
  rows.forEach((row, i) => row.setAttribute("aria-rowindex", from + i + 2));
  // A row that holds the focus stays in place: moving it would lose the focus.
  const inside = focused && rows.includes(focused);
  const parts = [space(from), ...rows, space(chosen.length - to)];
  if (!inside) $("rows").replaceChildren(...parts);
  else {
    for (const child of [...$("rows").children]) if (child !== focused) child.remove();
    const at = parts.indexOf(focused);
    focused.before(...parts.slice(0, at));
    focused.after(...parts.slice(at + 1));
  }
}
function scrolled() {
  if (whole || chosen.length <= LONG || awaiting) return;
  awaiting = requestAnimationFrame(() => { awaiting = 0; drawWindow(); });
}
function forgetRows() { made = new Map(); }
function printRows(all) { whole = all; drawRows(); }

function say(more = "") {
  const total = problem().table.length, apart = problem().table.filter((row) => !applies(row)).length;
  const which = chosen.length === total ? `${total} ${total === 1 ? "solver" : "solvers"}` : `${chosen.length} of ${total} solvers`;
  $("status").textContent = `${which}${apart ? `, ${apart} not applicable` : ""}${more}`;
}
// Up and down move from name to name, or from switch to switch.
function stepRow(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], button = event.target.closest("#rows button");
  if (!step || !button) return;
  const kind = button.classList.contains("name") ? ".name" : ".swatch";
  let row = button.closest("tr");
  do row = step > 0 ? row.nextElementSibling : row.previousElementSibling; while (row && row.querySelector(kind)?.disabled);
  const next = row?.querySelector(kind);
  if (next) { event.preventDefault(); next.focus({ preventScroll: true }); next.closest("tr").scrollIntoView({ block: "nearest" }); }
}
