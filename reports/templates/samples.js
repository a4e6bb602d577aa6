// The samples: pages, filters, search, permanent links, and how other models did.
(() => {
  const list = document.getElementById("samples");
  const size = Number(list.dataset.page);
  const all = [...list.children, ...document.getElementById("rest").content.children];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const facet = document.getElementById("facet");
  const find = document.getElementById("find");
  const previous = document.getElementById("previous");
  const next = document.getElementById("next");
  const where = document.getElementById("where");
  const others = [...document.querySelectorAll("#others a")];
  const verdicts = { r: ["✓", "right"], p: ["◐", "partly"], w: ["✗", "wrong"] };
  let filter = "";
  let chosen = all;
  let page = 0;
  let texts = null;

  function chips(sample) {
    if (!others.length || sample.querySelector(".chips")) return;
    const holder = document.createElement("span");
    holder.className = "chips";
    others.forEach((other, place) => {
      const [mark, name] = verdicts[sample.dataset.others[place]] || [];
      if (!mark) return;
      const chip = document.createElement("a");
      chip.className = name;
      chip.href = `${other.getAttribute("href")}#${sample.id}`;
      chip.textContent = `${mark} ${other.textContent}`;
      chip.setAttribute("aria-label", `${other.textContent}: ${name}`);
      holder.append(chip);
    });
    sample.querySelector("header").append(holder);
  }

  function draw() {
    const last = Math.max(0, Math.ceil(chosen.length / size) - 1);
    page = Math.min(Math.max(0, page), last);
    const start = page * size;
    const shown = chosen.slice(start, start + size);
    shown.forEach(chips);
    list.replaceChildren(...shown);
    where.textContent = chosen.length ? `${start + 1}–${start + shown.length} of ${chosen.length}` : "no samples";
    previous.disabled = page === 0;
    next.disabled = page === last;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
  }

  function choose() {
    const wanted = find.value.toLowerCase();
    const group = facet ? facet.value : "";
    if (wanted && !texts) texts = new Map(all.map((sample) => [sample, sample.textContent.toLowerCase()]));
    chosen = all.filter(
      (sample) =>
        (!filter || sample.dataset.shown.split(" ").includes(filter)) &&
        (!group || (sample.dataset.in || "").split(" ").includes(group)) &&
        (!wanted || texts.get(sample).includes(wanted)),
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
      if (facet) facet.value = "";
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
  if (facet) facet.addEventListener("input", choose);
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      find.focus();
    } else if (event.key === "n" && !next.disabled) turn(1);
    else if (event.key === "p" && !previous.disabled) turn(-1);
  });
  document.getElementById("toolbar").hidden = false;
  draw();
  follow();
})();
