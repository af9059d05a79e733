// Recovery against the number of pools, with bands; K95 against the budget.
const MEASURES = {
  success: { name: "share recovered", title: "share of signals recovered", write: percent },
  mean: { name: "mean squared cosine", title: "mean squared cosine", write: (v) => share(v) },
  budget: { name: "K₉₅ against budget", title: "K₉₅, pools needed", write: (v) => significant(v) },
};
const MANY = 30;
let curves = null, curveTip = null, curveAt = -1;

const inRanks = () => problem().table.filter(applies).sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || a.place - b.place).map((row) => row.solver);
const visible = () => inRanks().filter((solver) => state.shown.has(solver));

// One series a visible solver: points [x, y, low, high] with what is missing left out.
function series() {
  const { curves: all, budgets } = problem();
  if (state.measure === "budget") {
    return visible().map((solver) => ({ solver, points: budgets.solver.flatMap((each, i) =>
      each === solver && [budgets.budget[i], budgets.K95[i]].every(Number.isFinite) ? [[budgets.budget[i], budgets.K95[i], null, null]] : []) }));
  }
  const [values, lows, highs] = ["", "_low", "_high"].map((end) => all[state.measure + end]);
  return visible().map((solver) => {
    const i = all.solver.indexOf(solver);
    return { solver, points: i < 0 ? [] : all.k.flatMap((k, j) => (known(values[i][j]) ? [[k, values[i][j], lows[i][j], highs[i][j]]] : [])) };
  });
}
function curveAxes(lines) {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].filter(Number.isFinite).sort((a, b) => a - b);
  if (!xs.length) return null;
  const spread = xs.length > 1 ? 0 : Math.max(1, xs[0] * 0.1);
  const x = { low: xs[0] - spread, high: xs[xs.length - 1] + spread, title: "number of pools K", write: (v) => significant(v) };
  if (state.measure !== "budget") {
    x.ticks = xs.length <= 14 ? xs : null;
    return { xs, x, y: { ...UNIT, title: MEASURES[state.measure].title, write: state.measure === "success" ? (v) => `${100 * v} %` : (v) => share(v, 2) } };
  }
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y)), low = Math.min(...ys), high = Math.max(...ys);
  const room = Math.max(1, 0.08 * (high - low));
  return { xs, x: { ...x, low: spread ? xs[0] / 2 : xs[0], high: spread ? xs[0] * 2 : x.high, log: true, title: "budget, frame applications per signal", write: (v) => count(v) },
    y: { low: Math.max(0, low - room), high: high + room, title: MEASURES.budget.title, write: (v) => significant(v) } };
}
function drawCurves() {
  const plot = $("curves-plot"), lines = series(), parts = curveAxes(lines);
  curves = lit = null;
  if (!parts) empty(plot, visible().length ? "There are no points of this measure to draw." : "No curve is switched on: choose solvers in the list or in the table.");
  else {
    const made = axes(plot, parts.x, parts.y, 400), { picture, px, py } = made;
    const bands = draw("g", {}), drawn = draw("g", {});
    for (const { solver, points } of lines) {
      const place = ([x, y]) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
      const within = points.filter(([, , low, high]) => known(low) && known(high));
      if (state.bands.has(solver) && within.length > 1) {
        const edge = [...within.map(([x, , , high]) => [x, high]), ...within.map(([x, , low]) => [x, low]).reverse()];
        bands.append(draw("path", { class: `band ${colour(solver)}`, "data-band": solver, d: `M${edge.map(place).join("L")}Z` }));
      }
      const group = draw("g", { class: `series ${colour(solver)}`, "data-series": solver });
      if (points.length) group.append(draw("path", { class: "line", d: `M${points.map(place).join("L")}` }));
      if (lines.length <= MANY) {
        for (const point of points) group.append(draw("path", { class: "mark", transform: `translate(${place(point)})`, d: shape(solver, 4.2) }));
      }
      drawn.append(group);
    }
    const cross = draw("line", { class: "cross", y1: made.top, y2: made.bottom, visibility: "hidden" });
    picture.setAttribute("aria-label", `${MEASURES[state.measure].title} of ${lines.length} solvers; the values are in the table below`);
    picture.append(bands, cross, drawn);
    plot.replaceChildren(picture);
    curveTip = tip(plot, $("curves-said"));
    curves = { ...made, ...parts, lines, cross, picture };
  }
  drawLegend();
  if ($("curves-table").open) tabulateCurves();
}
function readCurves(index, y, aloud = false) {
  if (!curves) return;
  curveAt = index;
  const { xs, px, cross, lines } = curves, x = xs[index], { write } = MEASURES[state.measure];
  cross.setAttribute("x1", px(x)); cross.setAttribute("x2", px(x)); cross.setAttribute("visibility", "visible");
  const found = lines.flatMap(({ solver, points }) => {
    const point = points.find(([each]) => each === x);
    return point ? [[solver, point]] : [];
  }).sort(([, a], [, b]) => (state.measure === "budget" ? a[1] - b[1] : b[1] - a[1]));
  const rows = found.slice(0, 14).map(([solver, [, value, low, high]]) => [solver, write(value), between(low, high, write)]);
  if (found.length > rows.length) rows.push([null, `and ${found.length - rows.length} more`, ""]);
  const title = state.measure === "budget" ? `${count(x)} frame applications` : `K = ${significant(x)}`;
  const spoken = aloud ? `${title}: ${rows.map(([solver, value, range]) => `${known(solver) ? label(solver) : ""} ${value} ${range}`).join("; ")}` : "";
  curveTip.show(px(x), y ?? curves.height / 2, title, rows, spoken);
}
function leaveCurves() {
  curveAt = -1;
  if (curves) { curveTip.hide(); curves.cross.setAttribute("visibility", "hidden"); }
}
function pointCurves(event) {
  if (!curves) return;
  const [x, y] = placeOf(event, $("curves-plot"));
  const gaps = curves.xs.map((each) => Math.abs(curves.px(each) - x));
  readCurves(gaps.indexOf(Math.min(...gaps)), y);
}
function keyCurves(event) {
  if (!curves) return;
  const { key } = event, end = curves.xs.length - 1;
  const next = { ArrowRight: Math.min(end, curveAt + 1), ArrowLeft: curveAt < 0 ? end : Math.max(0, curveAt - 1), Home: 0, End: end }[key];
  if (key === "Escape") leaveCurves();
  if (next === undefined) return;
  event.preventDefault();
  readCurves(next, null, true);
}
// All solvers in the order of their ranks; of very many only those that are switched on.
function drawLegend() {
  const ranked = inRanks(), listed = ranked.length > MANY ? ranked.filter((solver) => state.shown.has(solver)) : ranked;
  $("legend").replaceChildren(...listed.slice(0, 3 * MANY).map((solver) => el("li", { "data-legend": solver, class: colour(solver) },
    el("button", { type: "button", class: "swatch", "data-pin": solver, "aria-pressed": String(state.shown.has(solver)), "aria-label": `Curve of ${label(solver)}` },
      sample(solver), el("span", { "aria-hidden": "true" }, label(solver))),
    el("button", { type: "button", class: "band-switch", "data-band-switch": solver, "aria-pressed": String(state.bands.has(solver)),
      "aria-label": `Band of ${label(solver)}` }, "band"))));
  const more = ranked.length - listed.length + Math.max(0, listed.length - 3 * MANY);
  $("legend-more").textContent = more ? `${more} more: switch them on in the table.` : "";
}
let lit = null;
function light(solver) {
  if (solver === lit) return;
  lit = solver;
  const own = solver === null ? null : curves?.picture.querySelector(`[data-series="${solver}"]`);
  for (const node of curves?.picture.querySelectorAll(".lit") ?? []) node.classList.remove("lit");
  curves?.picture.classList.toggle("faded", Boolean(own));
  own?.classList.add("lit");
}
function tabulateCurves() {
  const { write, title } = MEASURES[state.measure], lines = series(), parts = curveAxes(lines);
  const xs = parts?.xs ?? [], heads = xs.map((x) => (state.measure === "budget" ? count(x) : `K = ${significant(x)}`));
  plainTable($("curves-table").lastElementChild, `${title}, with 95 % intervals; solvers that are switched on`, ["Solver", ...heads],
    lines.map(({ solver, points }) => [label(solver), ...xs.map((x) => {
      const point = points.find(([each]) => each === x);
      return point ? `${write(point[1])} ${between(point[2], point[3], write)}`.trim() : "–";
    })]));
}
