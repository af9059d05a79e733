// The page as a whole: which problem is looked at, and what the reader does.
const BEST = 8, BANDS = 3;
const settings = [...new Set(data.problems.map((each) => each.setting))];

function drawTabs() {
  const setting = data.problems[state.problem].setting;
  const tabs = data.problems.map((each, i) => [each, i]).filter(([each]) => each.setting === setting);
  $("tabs").replaceChildren(...tabs.map(([each, i]) => el("button", { type: "button", role: "tab", id: `tab-${i}`, "data-problem": i,
    "aria-controls": "panel", "aria-selected": String(i === state.problem), tabindex: i === state.problem ? 0 : -1 }, each.tab || "all")));
  $("panel").setAttribute("aria-labelledby", `tab-${state.problem}`);
}
function choose(index, remember = true) {
  state.problem = index;
  limit = SHOWN_AT_ONCE;
  forgetRows();
  forgetPictures();
  drawTabs();
  $("setting").value = String(settings.indexOf(data.problems[index].setting));
  $("problem").textContent = data.problems[index].title;
  $("caption").textContent = `${data.title}: ${data.problems[index].title}. Columns can be sorted by the buttons in their heads.`;
  const { curves: all, budgets } = problem();
  const measures = Object.entries(MEASURES).filter(([key]) => key !== "budget" || budgets.solver.length);
  if (!measures.some(([key]) => key === state.measure)) state.measure = "success";
  options($("measure"), measures.map(([key, each]) => [key, each.name]), state.measure);
  if (!all.k.includes(Number(state.at))) state.at = "";
  options($("at"), [["", "all K"], ...all.k.map((k) => [k, `K = ${k}`])], state.at);
  if (!state.picked || !visible().length) showBest();
  $("scroller").scrollTop = 0;
  redraw();
  if (remember) history.replaceState(null, "", `#problem-${index + 1}`);
}
function redraw() { drawRows(); say(); drawCurves(); drawCosts(); drawGallery(); }
// Pictures follow the filter when it rests: a key is answered by the table alone.
let resting = 0;
function filter() {
  $("scroller").scrollTop = 0;
  drawRows();
  say();
  clearTimeout(resting);
  resting = setTimeout(drawGallery, 150);
}
function showBest() {
  state.picked = false;
  state.shown = new Set(inRanks().slice(0, BEST));
  state.bands = new Set(inRanks().slice(0, BANDS));
}
function pinned() {
  for (const [solver, row] of made) row.querySelector(".swatch")?.setAttribute("aria-pressed", String(state.shown.has(solver)));
  const within = document.activeElement?.closest?.("#legend button"), kind = within?.dataset.pin ? "data-pin" : "data-band-switch";
  const solver = within?.dataset.pin ?? within?.dataset.bandSwitch;
  drawCurves();
  if (within) document.querySelector(`#legend [${kind}="${solver}"]`)?.focus();
}
function flip(set, solver) { state.picked = true; if (!set.delete(solver)) set.add(solver); }

function clicked(event) {
  const button = event.target.closest("button");
  if (!button || button.disabled) return;
  const { sort, pin, bandSwitch, open, problem: tab } = button.dataset;
  if (sort) sortBy(sort);
  else if (pin) { flip(state.shown, Number(pin)); pinned(); }
  else if (bandSwitch) { flip(state.bands, Number(bandSwitch)); state.shown.add(Number(bandSwitch)); pinned(); }
  else if (open) openDetails(Number(open));
  else if (tab) { choose(Number(tab)); $(`tab-${tab}`).focus(); }
}
function keyTabs(event) {
  const all = [...$("tabs").children], at = all.indexOf(document.activeElement), end = all.length - 1;
  const next = { ArrowRight: at === end ? 0 : at + 1, ArrowLeft: at === 0 ? end : at - 1, Home: 0, End: end }[event.key];
  if (at < 0 || next === undefined) return;
  event.preventDefault();
  all[next].click();
}
function overSolver(event) {
  const over = event.target.closest?.("[data-legend], #rows tr[data-solver]");
  light(over ? Number(over.dataset.legend ?? over.dataset.solver) : null);
}
function listen() {
  document.addEventListener("click", clicked);
  document.addEventListener("pointerover", overSolver);
  for (const [shown, hidden] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    $("table").addEventListener(shown, showHint);
    $("table").addEventListener(hidden, hideHint);
  }
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") hideHint(); });
  $("tabs").addEventListener("keydown", keyTabs);
  $("rows").addEventListener("keydown", stepRow);
  $("scroller").addEventListener("scroll", scrolled, { passive: true });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("query").addEventListener("input", () => { state.query = $("query").value; filter(); });
  $("applicable").addEventListener("change", () => { state.applicable = $("applicable").checked; filter(); });
  $("level").addEventListener("change", () => { state.level = $("level").value; filter(); });
  $("setting").addEventListener("change", () => choose(data.problems.findIndex((each) => each.setting === settings[$("setting").value])));
  $("measure").addEventListener("change", () => { state.measure = $("measure").value; drawCurves(); });
  for (const name of ["accuracy", "cost", "at"]) $(name).addEventListener("change", () => { state[name] = $(name).value; drawCosts(); });
  $("show-best").addEventListener("click", () => { showBest(); pinned(); });
  $("show-all").addEventListener("click", () => { state.shown = new Set(inRanks()); state.picked = true; pinned(); });
  $("show-none").addEventListener("click", () => { state.shown.clear(); state.picked = true; pinned(); });
  for (const [id, point, leave, key] of [["curves-plot", pointCurves, leaveCurves, keyCurves], ["costs-plot", pointCosts, leaveCosts, keyCosts]]) {
    $(id).addEventListener("pointermove", point);
    $(id).addEventListener("pointerdown", point);
    $(id).addEventListener("pointerleave", leave);
    $(id).addEventListener("blur", leave);
    $(id).addEventListener("keydown", key);
  }
  $("curves-table").addEventListener("toggle", () => { if ($("curves-table").open) tabulateCurves(); });
  $("costs-table").addEventListener("toggle", () => { if ($("costs-table").open) tabulateCosts(); });
  $("gallery-more").addEventListener("click", () => { limit = Infinity; drawGallery(); });
  $("details-close").addEventListener("click", () => $("details").close());
  $("details").addEventListener("click", (event) => { if (event.target === $("details")) $("details").close(); });
  $("theme").addEventListener("click", nextTheme);
  window.addEventListener("beforeprint", () => { limit = Infinity; for (const id of ["commands", "environments", "references"]) $(id).open = true; printRows(true); drawGallery(); });
  window.addEventListener("afterprint", () => { limit = SHOWN_AT_ONCE; for (const id of ["commands", "environments", "references"]) $(id).open = false; printRows(false); drawGallery(); });
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; drawCurves(); drawCosts(); } });
}

applyTheme(storedTheme());
$("theme").hidden = $("main").hidden = false;
options($("setting"), settings.map((each, i) => [i, each]), 0);
$("setting-field").hidden = settings.length < 2;
options($("accuracy"), Object.entries(ACCURACIES), state.accuracy);
options($("cost"), Object.entries(COSTS).map(([key, [name]]) => [key, name]), state.cost);
options($("level"), [["", "any"], ...data.levels.map(([name], i) => [i, name])], "");
drawHeads();
drawAgain();
listen();
const asked = Number(/^#problem-(\d+)$/.exec(location.hash)?.[1]) - 1;
if (data.problems.length) choose(data.problems[asked] ? asked : 0, false);
else {
  $("problem").textContent = "There are no results yet.";
  $("panel").hidden = true;
}
