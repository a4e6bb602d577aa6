"use strict";
(() => {
  const list = document.getElementById("samples");
  const rest = document.getElementById("rest");
  const size = Number(list.dataset.page);
  const all = [...list.children, ...rest.content.children];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const find = document.getElementById("find");
  const previous = document.getElementById("previous");
  const next = document.getElementById("next");
  const where = document.getElementById("where");
  let filter = "";
  let chosen = all;
  let page = 0;
  let texts = null;

  function draw() {
    const last = Math.max(0, Math.ceil(chosen.length / size) - 1);
    page = Math.min(Math.max(0, page), last);
    const start = page * size;
    list.replaceChildren(...chosen.slice(start, start + size));
    where.textContent = chosen.length
      ? `${start + 1}–${Math.min(start + size, chosen.length)} of ${chosen.length}`
      : "no samples";
    previous.disabled = page === 0;
    next.disabled = page === last;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
  }

  function choose() {
    const wanted = find.value.toLowerCase();
    if (wanted && !texts) texts = new Map(all.map((sample) => [sample, sample.textContent.toLowerCase()]));
    chosen = all.filter(
      (sample) =>
        (!filter || sample.dataset.shown.split(" ").includes(filter)) && (!wanted || texts.get(sample).includes(wanted)),
    );
    page = 0;
    draw();
  }

  function turn(step) {
    page += step;
    draw();
    list.focus({ preventScroll: true });
    list.scrollIntoView({ block: "start" });
  }

  function follow() {
    const target = location.hash.slice(1);
    if (target.startsWith("show=")) {
      filter = buttons.some((button) => button.dataset.filter === target.slice(5)) ? target.slice(5) : "";
      choose();
      return;
    }
    const index = target ? all.findIndex((sample) => sample.id === target) : -1;
    if (index < 0) return;
    if (!chosen.includes(all[index])) {
      filter = "";
      find.value = "";
      chosen = all;
    }
    page = Math.floor(chosen.indexOf(all[index]) / size);
    draw();
    for (const sample of all) sample.classList.toggle("target", sample === all[index]);
    all[index].scrollIntoView({ block: "start" });
  }

  for (const button of buttons)
    button.addEventListener("click", () => {
      filter = button.dataset.filter;
      choose();
    });
  find.addEventListener("input", choose);
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", follow);
  document.getElementById("toolbar").hidden = false;
  draw();
  follow();
})();
