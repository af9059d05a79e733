// The details behind a solver's name, and what concerns the page as a whole.
function copyable(text, name) {
  const block = el("pre", { tabindex: 0, "aria-label": name }, el("code", {}, text));
  const box = el("div", { class: "copyable" }, block);
  addCopy(box);
  return box;
}
function addCopy(box) {
  const button = el("button", { type: "button", class: "quiet" }, "Copy"), block = box.querySelector("pre");
  button.setAttribute("aria-label", `Copy: ${block.getAttribute("aria-label")}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch { // no permission: select the text, for the reader's own copy command
      getSelection().selectAllChildren(block);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
  box.append(button);
}
function bibtex(keys) { return keys.map((key) => data.bibliography[key]).join("\n\n"); }

function facts(row) {
  const list = [
    ["Rank", known(row.rank) ? String(row.rank) : applies(row) ? "none" : row.pending ? "pending" : "not applicable", known(row.rank_low) ? `between ${row.rank_low} and ${row.rank_high}` : ""],
    ["K₉₅", pools(row.K95, row), between(row.K95_low, row.K95_high, (v) => pools(v, row))],
    ["Recovered", percent(row.success), between(row.success_low, row.success_high, percent)],
    ["Mean squared cosine", share(row.mean), between(row.mean_low, row.mean_high, (v) => share(v))],
    ["Area under curve", share(row.area), ""],
    ["Time per signal", time(row.seconds), known(row.init_seconds) ? `start ${time(row.init_seconds)}` : ""],
    ["Frame applications", count(row.frame_applications), known(row.frame_applications) ? "per signal" : "not counted"],
    ["Signals", row.sample.endsWith("signals") ? row.sample : String(row.signals ?? "–"), row.sample.endsWith("trials") ? row.sample : known(row.trials) ? `${row.trials} ${row.trials === 1 ? "trial: this frame only" : "trials"}` : ""],
    ["Failed", String(row.failed ?? 0), [row.unsupported ? `${row.unsupported} not applicable` : "", row.pending ? `${row.pending} still to be computed` : ""].filter(Boolean).join(", ")],
  ];
  return el("dl", { class: "facts" }, ...list.map(([name, value, more]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value, more ? el("small", {}, more) : null))));
}
// What is known about a solver's rows, and the bundle with which they can be checked.
function levelOf(row, { bundle }) {
  const [level, meaning] = data.levels[row.level];
  const link = bundle ? [" ", el("a", { href: bundle[1] }, bundle[0])] : [];
  return el("p", {}, el("b", {}, level), `: ${meaning}.`, ...link);
}
function openDetails(solver) {
  const row = problem().of.get(solver), entry = data.solvers[solver], drawn = trios(solver);
  const part = (title, ...nodes) => [el("h3", {}, title), ...nodes];
  $("details-title").textContent = entry.label;
  $("details-body").replaceChildren(
    el("p", { class: "small" }, problem().title), facts(row),
    ...(row.message ? part("Remark", el("p", {}, row.message)) : []),
    ...(drawn ? part(known(problem().pictures.n_pools) ? `Recovered signals at K = ${problem().pictures.n_pools}` : "Recovered signals", drawn) : []),
    ...(known(row.level) ? part("Checked", levelOf(row, entry)) : []),
    ...part("Compute it again", copyable(entry.commands.join("\n"), "Command")),
    ...(entry.spec ? part("Parameters", copyable(entry.spec, "Parameters")) : []),
    ...part("Environment", el("p", {}, row.environment || "not recorded")),
    ...part("Cite", copyable(bibtex([...new Set([...entry.cites, ...data.cites])]), "BibTeX")));
  $("details").showModal();
  $("details").scrollTop = 0;
}

// Light, dark, or as the system says; remembered where the browser allows it.
const THEMES = ["system", "light", "dark"];
function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Colours: ${theme}`;
  $("theme").dataset.now = theme;
}
function storedTheme() {
  try { return THEMES.find((each) => each === localStorage.getItem("benchbase-theme")) ?? "system"; } catch { return "system"; }
}
function nextTheme() {
  const theme = THEMES[(THEMES.indexOf($("theme").dataset.now) + 1) % THEMES.length];
  applyTheme(theme);
  try { localStorage.setItem("benchbase-theme", theme); } catch { /* not remembered */ }
}
function drawAgain() {
  document.querySelectorAll("#again .copyable").forEach(addCopy);
  const lazily = (id, fill) => $(id).addEventListener("toggle", () => { if ($(id).open) fill(); });
  lazily("commands", () => $("command-list").replaceChildren(...data.solvers.flatMap((each) =>
    [el("dt", {}, each.label), el("dd", {}, el("code", {}, each.commands.join("\n")))])));
  lazily("environments", () => $("environment-list").replaceChildren(...data.environments.map((each) => el("li", {}, each))));
  $("bibliography").textContent = bibtex(Object.keys(data.bibliography));
}
