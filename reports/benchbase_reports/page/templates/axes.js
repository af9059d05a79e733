// Scales and axes of a chart.
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
function power(value) {
  const exponent = Math.round(Math.log10(value));
  const digits = String(Math.abs(exponent)).replace(/\d/g, (digit) => RAISED[digit]);
  return exponent === 0 ? "1" : exponent === 1 ? "10" : `10${exponent < 0 ? "⁻" : ""}${digits}`;
}
function niceTicks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted), base = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * base).find((each) => each >= rough) ?? base;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}
function logTicks(low, high, wanted) {
  const ticks = [], from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  const step = Math.max(1, Math.ceil((to - from) / wanted));
  for (let e = from; e <= to; e += step) if (10 ** e >= low * 0.999 && 10 ** e <= high * 1.001) ticks.push(10 ** e);
  if (ticks.length > 1) return ticks;
  const finer = [];
  for (let e = from; e <= to; e += 1) for (const m of [1, 2, 5]) if (m * 10 ** e >= low && m * 10 ** e <= high) finer.push(m * 10 ** e);
  return finer.length ? finer : [low, high];
}
// An axis: { low, high, log, ticks, write, title }. Returns the drawing and the scales.
function axes(plot, x, y, height) {
  const width = Math.max(260, plot.clientWidth), left = 66, right = 14, top = 14, bottom = 48;
  const scale = (axis, from, to) => {
    const f = axis.log ? Math.log10 : (v) => v, low = f(axis.low), high = f(axis.high);
    return (value) => from + ((f(value) - low) / (high - low || 1)) * (to - from);
  };
  const px = scale(x, left, width - right), py = scale(y, height - bottom, top);
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
  let end = -Infinity;
  const ticks = x.ticks ?? (x.log ? logTicks(x.low, x.high, width / 90) : niceTicks(x.low, x.high, width / 90));
  for (const value of ticks) {
    const at = px(value), text = x.write(value);
    picture.append(draw("line", { class: "grid", x1: at, x2: at, y1: top, y2: height - bottom }));
    if (at - 4 * text.length > end) {
      picture.append(draw("text", { x: at, y: height - bottom + 18, "text-anchor": "middle" }, text));
      end = at + 4 * text.length + 4;
    }
  }
  for (const value of y.ticks ?? niceTicks(y.low, y.high, 5)) {
    picture.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: py(value), y2: py(value) }),
      draw("text", { x: left - 8, y: py(value) + 4, "text-anchor": "end" }, y.write(value)));
  }
  picture.append(draw("line", { class: "base", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    draw("text", { class: "title", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, x.title),
    draw("text", { class: "title", transform: `translate(14 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.title));
  return { picture, px, py, width, height, left, right: width - right, top, bottom: height - bottom };
}
const UNIT = { low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1] };
// The pointer's place in the drawing's own units.
function placeOf(event, plot) {
  const box = plot.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
function empty(plot, text) { plot.replaceChildren(el("div", { class: "empty" }, text)); }
function plainTable(host, caption, heads, rows) {
  host.replaceChildren(el("table", { class: "plain" }, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map(([head, ...cells]) => el("tr", {}, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", {}, cell)))))));
}
