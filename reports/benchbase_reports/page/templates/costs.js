// Accuracy against seconds or frame applications, with the Pareto front.
const ACCURACIES = { success: "share recovered", mean: "mean squared cosine" };
const COSTS = { seconds: ["seconds", "seconds per signal", time], frame_applications: ["frame applications", "frame applications per signal", count] };
let costs = null, costTip = null, costAt = -1;

// { solver, x, y } of all solvers that have both, at one K or over the grid as in the table.
function costPoints() {
  const { curves: all, table } = problem(), { accuracy, cost, at } = state;
  const both = ({ x, y }) => known(x) && known(y) && x > 0;
  if (at === "") return table.filter(applies).map((row) => ({ solver: row.solver, x: row[cost], y: row[accuracy] })).filter(both);
  const j = all.k.indexOf(Number(at));
  return j < 0 ? [] : all.solver.map((solver, i) => ({ solver, x: all[cost][i][j], y: all[accuracy][i][j] })).filter(both);
}
// Those of full samples that no other beats in one without being worse in the other, from cheap to dear.
function pareto(points) {
  const front = [];
  const full = points.filter(({ solver }) => mayLead(problem().of.get(solver)));
  for (const point of full.sort((a, b) => a.x - b.x || b.y - a.y)) {
    const best = front.at(-1);
    if (!best || point.y > best.y || (point.y === best.y && point.x === best.x)) front.push(point);
  }
  return front;
}
function drawCosts() {
  const plot = $("costs-plot"), points = costPoints().sort((a, b) => a.x - b.x || a.solver - b.solver);
  const [name, title, write] = COSTS[state.cost];
  costs = null;
  if (!points.length) empty(plot, `No solver has a count of ${name} here.`);
  else {
    const [low, high] = [points[0].x / 1.6, points.at(-1).x * 1.6];
    const tickText = state.cost === "seconds" ? time : power;
    const y = { ...UNIT, high: 1, title: ACCURACIES[state.accuracy], write: state.accuracy === "success" ? (v) => `${100 * v} %` : (v) => share(v, 2) };
    const made = axes(plot, { low, high, log: true, title, write: (v) => (Number.isInteger(Math.log10(v)) ? tickText(v) : write(v)) }, y, 380);
    const { picture, px, py } = made, front = pareto(points), isFront = new Set(front.map(({ solver }) => solver));
    const steps = front.map((p, i) => (i ? `H${px(p.x).toFixed(1)}V${py(p.y).toFixed(1)}` : `M${px(p.x).toFixed(1)} ${py(p.y).toFixed(1)}`));
    picture.append(draw("path", { class: "front", d: `${steps.join("")}H${made.right}` }));
    const drawn = draw("g", {});
    for (const { solver, x, y: value } of points) {
      drawn.append(draw("g", { class: `point ${colour(solver)}`, "data-point": solver, transform: `translate(${px(x).toFixed(1)} ${py(value).toFixed(1)})` },
        isFront.has(solver) ? draw("circle", { class: "ring", r: 9 }) : "", draw("path", { class: "mark", d: shape(solver, 5) })));
    }
    const ring = draw("circle", { class: "ring", r: 12, visibility: "hidden" });
    picture.append(drawn, tags(made, points, isFront), ring);
    picture.setAttribute("aria-label", `${ACCURACIES[state.accuracy]} against ${title} of ${points.length} solvers; on the Pareto front: ${front.map(({ solver }) => label(solver)).join(", ")}`);
    plot.replaceChildren(picture);
    costTip = tip(plot, $("costs-said"));
    costs = { ...made, points, isFront, ring };
  }
  if ($("costs-table").open) tabulateCosts();
}
// Names where they find room: those of the front first, then the others from cheap to dear.
function tags({ px, py, left, right, top, bottom }, points, isFront) {
  const group = draw("g", { "aria-hidden": "true" }), taken = points.map(({ x, y }) => [px(x) - 7, py(y) - 7, px(x) + 7, py(y) + 7]);
  const free = (box) => box[0] >= left && box[2] <= right && box[1] >= top - 10 && box[3] <= bottom + 2 &&
    taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
  const order = [...points].sort((a, b) => isFront.has(b.solver) - isFront.has(a.solver) || a.x - b.x);
  for (const { solver, x, y } of order.slice(0, 60)) {
    const text = label(solver).length > 26 ? `${label(solver).slice(0, 25)}…` : label(solver);
    const wide = 6.3 * text.length, [cx, cy] = [px(x), py(y)];
    for (const [dx, dy, anchor] of [[13, 4, "start"], [-13, 4, "end"], [0, -14, "middle"], [0, 23, "middle"], [11, -9, "start"], [11, 18, "start"], [-11, 18, "end"], [-11, -9, "end"]]) {
      const from = cx + dx - (anchor === "end" ? wide : anchor === "middle" ? wide / 2 : 0);
      const box = [from, cy + dy - 11, from + wide, cy + dy + 3];
      if (!free(box)) continue;
      taken.push(box);
      group.append(draw("text", { class: "tag", x: cx + dx, y: cy + dy, "text-anchor": anchor }, text));
      break;
    }
  }
  return group;
}
function readCosts(index, aloud = false) {
  if (!costs || !costs.points[index]) return;
  costAt = index;
  const { solver, x, y } = costs.points[index], { px, py, ring } = costs;
  const write = state.accuracy === "success" ? percent : (v) => share(v);
  ring.setAttribute("cx", px(x)); ring.setAttribute("cy", py(y)); ring.setAttribute("visibility", "visible");
  const front = costs.isFront.has(solver) ? "on the Pareto front" : "";
  const rows = [[solver, "", ""], [null, ACCURACIES[state.accuracy], write(y)], [null, COSTS[state.cost][1], COSTS[state.cost][2](x)]];
  const spoken = aloud ? `${label(solver)}: ${write(y)}, ${COSTS[state.cost][2](x)} ${front}` : "";
  costTip.show(px(x), py(y), front || "Solver", rows, spoken);
}
function leaveCosts() {
  costAt = -1;
  if (costs) { costTip.hide(); costs.ring.setAttribute("visibility", "hidden"); }
}
function pointCosts(event) {
  if (!costs) return;
  const [x, y] = placeOf(event, $("costs-plot"));
  const gaps = costs.points.map((p) => Math.hypot(costs.px(p.x) - x, costs.py(p.y) - y)), least = Math.min(...gaps);
  if (least < 40) readCosts(gaps.indexOf(least));
  else leaveCosts();
}
function keyCosts(event) {
  if (!costs) return;
  const end = costs.points.length - 1, forward = Math.min(end, costAt + 1), back = costAt < 0 ? end : Math.max(0, costAt - 1);
  const next = { ArrowRight: forward, ArrowDown: forward, ArrowLeft: back, ArrowUp: back, Home: 0, End: end }[event.key];
  if (event.key === "Escape") leaveCosts();
  if (next === undefined) return;
  event.preventDefault();
  readCosts(next, true);
}
function tabulateCosts() {
  const points = costPoints().sort((a, b) => a.x - b.x), front = new Set(pareto(points).map(({ solver }) => solver));
  const write = state.accuracy === "success" ? percent : (v) => share(v);
  plainTable($("costs-table").lastElementChild, "From cheap to dear", ["Solver", COSTS[state.cost][1], ACCURACIES[state.accuracy], "Pareto front"],
    points.map(({ solver, x, y }) => [label(solver), COSTS[state.cost][2](x), write(y), front.has(solver) ? "yes" : "no"]));
}
