// The rows of the ranking. Of a long table only those in sight are in the document: each stands at
// its own place and is laid out by itself, so that scrolling costs no more than the rows that come.
const ROW = 52, LONG = 60, MARGIN = 5, AT_ONCE = 8;
let chosen = [], made = new Map(), whole = false, awaiting = 0;

function makeRow(row) {
  const cells = columns.map((column) => (column.key === "label" ? nameCell(row)
    : el("td", { role: "cell", class: column.key }, ...column.cell(row).filter(Boolean))));
  return el("tr", { role: "row", class: applies(row) ? null : "inapplicable", "data-solver": row.solver }, ...cells);
}
function remarkOf(row) {
  if (!applies(row)) return row.message || (row.pending ? "still to be computed" : "");
  if (row.sample) return `† only ${row.sample}`;
  if (!known(row.rank)) return row.message;
  return row.one_frame ? "one frame only" : "";
}
function nameCell(row) {
  const remark = remarkOf(row);
  const kinds = ["names", remark ? "remarked" : "", row.label.length > 20 ? "long" : ""];
  return el("th", { scope: "row", role: "rowheader", class: "solver" },
    el("button", { type: "button", class: "swatch", "data-pin": row.solver, "aria-pressed": String(state.shown.has(row.solver)),
      "aria-label": `Curve of ${row.label}`, disabled: !applies(row) }, sample(row.solver)),
    el("div", { class: kinds.join(" ") },
      el("button", { type: "button", class: "name clamp", "data-open": row.solver, "aria-haspopup": "dialog", title: row.label }, label(row.solver)),
      remark ? el("span", { class: "remark", title: remark }, remark) : null));
}
function rowOf(row) {
  if (!made.has(row.solver)) made.set(row.solver, makeRow(row));
  return made.get(row.solver);
}
const isTall = () => problem().table.length > LONG && !whole;

// Called for every new selection or order.
function drawRows() {
  chosen = chosenRows();
  $("scroller").classList.toggle("tall", isTall());
  $("table").setAttribute("aria-rowcount", chosen.length + 1);
  $("rows").style.height = isTall() && chosen.length ? `${chosen.length * ROW}px` : "";
  if (chosen.length) { // what is in sight at once, what is near it in the next frames
    if (!drawWindow(isTall() ? Math.ceil($("scroller").clientHeight / ROW) + 1 : Infinity)) scrolled();
  } else $("rows").replaceChildren(el("tr", { role: "row" }, el("td", { role: "cell", class: "none" }, "No solver matches the filter.")));
}
// Called as a long table is scrolled, too: rows that stay are not touched. Returns whether all rows
// of the window are drawn; at most so many are new, those in the middle of it first.
function drawWindow(atOnce = Infinity) {
  const { scrollTop, clientHeight } = $("scroller"), tall = isTall();
  const from = tall ? Math.max(0, Math.floor(scrollTop / ROW) - MARGIN) : 0;
  const to = tall ? Math.min(chosen.length, Math.ceil((scrollTop + clientHeight) / ROW) + MARGIN) : chosen.length;
  const middle = (scrollTop + clientHeight / 2) / ROW, isDrawn = (i) => Boolean(made.get(chosen[i].solver)?.isConnected);
  const wanted = Array.from({ length: to - from }, (_, j) => from + j);
  const fresh = wanted.filter((i) => !isDrawn(i)).sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  const later = new Set(fresh.slice(atOnce));
  const focused = document.activeElement?.closest?.("#rows tr"), held = focused ? chosen.findIndex((row) => made.get(row.solver) === focused) : -1;
  if (held >= to) wanted.push(held); // a row that holds the focus stays, in sight or not
  else if (held >= 0 && held < from) wanted.unshift(held);
  const nodes = wanted.filter((i) => !later.has(i)).map((i) => {
    const node = rowOf(chosen[i]);
    node.setAttribute("aria-rowindex", i + 2);
    node.style.top = tall ? `${i * ROW}px` : "";
    return node;
  });
  const kept = new Set(nodes);
  for (const node of [...$("rows").children]) if (!kept.has(node)) node.remove();
  let next = $("rows").firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    else $("rows").insertBefore(node, next);
  }
  return later.size === 0;
}
function scrolled() {
  if (!isTall() || awaiting || !chosen.length) return;
  awaiting = requestAnimationFrame(() => { awaiting = 0; if (!drawWindow(AT_ONCE)) scrolled(); });
}
function forgetRows() { made = new Map(); }
function printRows(all) { whole = all; drawRows(); }

function say(more = "") {
  const total = problem().table.length, count = (test) => problem().table.filter((row) => !applies(row) && test(row)).length;
  const waiting = count((row) => row.pending), apart = count((row) => !row.pending);
  const which = chosen.length === total ? `${total} ${total === 1 ? "solver" : "solvers"}` : `${chosen.length} of ${total} solvers`;
  $("status").textContent = `${which}${apart ? `, ${apart} not applicable` : ""}${waiting ? `, ${waiting} still to be computed` : ""}${more}`;
}
// Up and down move from name to name, or from switch to switch; keys may be faster than frames.
function stepRow(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], button = event.target.closest("#rows button");
  if (!step || !button) return;
  const kind = button.classList.contains("name") ? ".name" : ".swatch", row = button.closest("tr");
  let i = chosen.findIndex(({ solver }) => made.get(solver) === row);
  do i += step; while (chosen[i] && kind === ".swatch" && !applies(chosen[i]));
  if (!chosen[i]) return;
  event.preventDefault();
  if (!made.get(chosen[i].solver)?.isConnected) {
    $("scroller").scrollTop = i * ROW - $("scroller").clientHeight / 2;
    drawWindow();
  }
  const next = made.get(chosen[i].solver).querySelector(kind);
  next.focus({ preventScroll: true });
  next.closest("tr").scrollIntoView({ block: "nearest" });
}
