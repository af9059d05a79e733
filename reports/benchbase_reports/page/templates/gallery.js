// Recovered signals beside the originals.
const SHOWN_AT_ONCE = 24;
let limit = SHOWN_AT_ONCE, pictures = new Map();

function forgetPictures() { pictures = new Map(); }
function card({ solver }) {
  if (!pictures.has(solver)) {
    pictures.set(solver, el("div", { class: "solver-pictures", "data-pictures": solver }, el("h3", {}, label(solver)), trios(solver)));
  }
  return pictures.get(solver);
}

function pictured(solver, choice) {
  const source = (index) => data.pictures[index];
  const found = known(choice.estimate)
    ? el("img", { src: source(choice.estimate), alt: `recovered by ${label(solver)}, squared cosine ${share(choice.score)}`, width: 50, height: 50 })
    : el("div", { class: "none" }, "no estimate");
  return el("figure", {}, el("div", { class: "pair-of" },
    el("img", { src: source(choice.original), alt: "original", width: 50, height: 50 }), found),
  el("figcaption", {}, `${choice.name} `, el("b", {}, share(choice.score))));
}
function trios(solver) {
  const entry = problem().pictures?.solvers.find((each) => each.solver === solver);
  return entry ? el("div", { class: "trios" }, ...entry.choices.map((choice) => pictured(solver, choice))) : null;
}
function drawGallery() {
  const drawn = problem().pictures;
  $("gallery").hidden = $("gallery-link").hidden = !drawn;
  if (!drawn) return;
  const at = known(drawn.n_pools) ? `At K = ${drawn.n_pools}, where the solvers differ most: ` : "";
  $("gallery-said").textContent = `${at}original (left) and estimate (right) of each solver's best, median and worst signal of ${drawn.signals}, with the squared cosine. Signs that the measurements lose are chosen to fit.`;
  const of = new Map(drawn.solvers.map((each) => [each.solver, each]));
  const list = chosen.map((row) => of.get(row.solver)).filter(Boolean);
  $("gallery-rows").replaceChildren(...list.slice(0, limit).map(card));
  $("gallery-more").hidden = list.length <= limit;
  $("gallery-more").textContent = `Show all ${list.length}`;
}
