// The board: sorting, filters, the pinned baseline, and an address that keeps all of them.
(() => {
  const tables = [...document.querySelectorAll("table.board")];
  const root = document.documentElement;
  const field = (name) => document.getElementById(`f-${name}`);
  const boxes = [...document.querySelectorAll("#controls input[data-column]")];
  const facts = [...document.querySelectorAll("#controls input[data-fact]")];
  const state = { sort: new Map() };
  const marks = { "+": ["▲", "better", "significantly better"], "-": ["▼", "worse", "significantly worse"], "=": ["≈", "", "no significant difference"] };

  const number = (cell) => (cell.dataset.v ? Number(cell.dataset.v) : NaN);
  const heads = (table) => [...table.tHead.rows[0].cells];
  const rowsOf = (body) => [...body.rows].filter((row) => row.dataset.row !== undefined);

  function compare(a, b, index, direction) {
    if (index === 0) return direction * a.cells[0].dataset.sort.localeCompare(b.cells[0].dataset.sort);
    const [x, y] = [number(a.cells[index]), number(b.cells[index])];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return direction * (x - y);
  }

  function sort(table, index, ascending) {
    state.sort.set(table, [index, ascending]);
    for (const body of table.tBodies) {
      const rows = rowsOf(body).sort((a, b) => compare(a, b, index, ascending ? 1 : -1));
      body.append(...rows.filter((row) => row.classList.contains("pinned")), ...rows.filter((row) => !row.classList.contains("pinned")));
    }
    heads(table).forEach((head, other) => {
      if (other === index) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  function sortable(table) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    label.className = "sort-by";
    label.append("Sort by ", select);
    table.parentElement.before(label);
    heads(table).forEach((head, index) => {
      const best = head.dataset.better !== "high";
      const button = document.createElement("button");
      const title = head.querySelector(".title");
      button.type = "button";
      title.replaceWith(button);
      button.append(title);
      button.addEventListener("click", () => {
        const current = head.getAttribute("aria-sort");
        sort(table, index, current ? current !== "ascending" : best);
        select.value = String(index);
      });
      select.append(new Option(title.textContent, String(index), false, head.hasAttribute("aria-sort")));
      if (head.hasAttribute("aria-sort")) state.sort.set(table, [index, best]);
    });
    select.addEventListener("change", () => {
      const index = Number(select.value);
      sort(table, index, heads(table)[index].dataset.better !== "high");
    });
  }

  const pairs = new Map();
  function pair(head, i, j) {
    if (!pairs.has(head)) pairs.set(head, (head.dataset.pairs || "").split(" "));
    const [low, high] = i < j ? [i, j] : [j, i];
    const many = Number(head.dataset.cells);
    const word = pairs.get(head)[low * many - (low * (low + 1)) / 2 + high - low - 1];
    const found = /^([\d.]+|\?)([-+=])(u?)$/.exec(word || "");
    if (!found) return null;
    const sign = i < j ? found[2] : { "+": "-", "-": "+", "=": "=" }[found[2]];
    return { half: found[1], sign, unpaired: found[3] === "u" };
  }

  function difference(head, cell, base) {
    const old = cell.querySelector(".diff");
    if (old) old.remove();
    if (!base || base === cell || !cell.dataset.v || !base.dataset.v) return;
    const found = pair(head, Number(cell.dataset.p), Number(base.dataset.p));
    const by = (number(cell) - number(base)) * Number(head.dataset.scale);
    if (Number.isNaN(by)) return;
    const [mark, kind, words] = found ? marks[found.sign] : ["", "", "not compared"];
    const shown = document.createElement("div");
    shown.className = `diff ${kind}`.trim();
    shown.textContent = `${mark} ${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(1)}${found && found.half !== "?" ? ` ±${found.half}` : ""}`;
    shown.title = words + (found && found.unpaired ? "; not on the same samples, so compared without pairing" : "");
    const said = document.createElement("span");
    said.className = "unseen";
    said.textContent = ` against the baseline: ${shown.title}`;
    shown.append(said);
    cell.querySelector(".value").after(shown);
  }

  function pin(chosen) {
    for (const table of tables) {
      const all = [...table.tBodies].flatMap(rowsOf);
      const base = all.find((row) => row.dataset.row === chosen);
      for (const row of all) {
        row.classList.toggle("pinned", row === base);
        const button = row.querySelector(".pin");
        if (button) button.setAttribute("aria-pressed", String(row === base));
        heads(table).forEach((head, index) => index && difference(head, row.cells[index], base && base.cells[index]));
      }
      if (state.sort.has(table)) sort(table, ...state.sort.get(table));
    }
  }

  function filter() {
    const wanted = field("benchmark").value.trim().toLowerCase();
    const model = field("model").value.trim().toLowerCase();
    const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.column));
    let [columns, models] = [0, 0];
    for (const table of tables) {
      const shown = heads(table).map((head, index) => index === 0 || (
        !off.has(head.dataset.key) && head.dataset.find.includes(wanted) &&
        (!field("suite").value || head.dataset.suites.split("\n").includes(field("suite").value)) &&
        (!field("capability").value || head.dataset.capability === field("capability").value)));
      columns += shown.filter(Boolean).length - 1;
      for (const row of table.rows) {
        if (row.classList.contains("divider")) continue;
        [...row.cells].forEach((cell, index) => { cell.hidden = !shown[index]; });
        if (row.parentElement === table.tHead) continue;
        const some = [...row.cells].some((cell, index) => index > 0 && shown[index] && cell.dataset.v !== undefined);
        row.hidden = !some || !row.cells[0].dataset.sort.includes(model);
        models += !row.hidden && row.classList.contains("model");
      }
      table.closest("section").hidden = shown.filter(Boolean).length === 1;
    }
    document.getElementById("count").textContent = `${models} model row${models === 1 ? "" : "s"}, ${columns} benchmark${columns === 1 ? "" : "s"}`;
    for (const box of facts) root.classList.toggle(`no-${box.dataset.fact}`, !box.checked);
  }

  const kept = ["model", "benchmark", "suite", "capability", "baseline"];
  function keep() {
    const words = new URLSearchParams();
    for (const name of kept) if (field(name).value) words.set(name, field(name).selectedOptions ? field(name).selectedOptions[0].textContent : field(name).value);
    const hidden = [...boxes, ...facts].filter((box) => !box.checked).map((box) => box.dataset.column || box.dataset.fact);
    if (hidden.length) words.set("without", hidden.join(","));
    const text = words.toString();
    history.replaceState(null, "", `${location.href.split("#")[0]}${text ? `#?${text}` : ""}`);
  }

  function restore() {
    if (!location.hash.startsWith("#?")) return;
    const words = new URLSearchParams(location.hash.slice(2));
    for (const name of kept) {
      const [own, value] = [field(name), words.get(name) || ""];
      const option = own.options && [...own.options].find((one) => one.textContent === value);
      own.value = own.options ? (option ? option.value : "") : value;
    }
    const hidden = new Set((words.get("without") || "").split(","));
    for (const box of [...boxes, ...facts]) box.checked = !hidden.has(box.dataset.column || box.dataset.fact);
  }

  function walk(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const cell = event.target.closest && event.target.closest("table.board :is(td, th)");
    if (!step || !cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...cell.closest("table").rows].filter((row) => !row.hidden && !row.classList.contains("divider"));
    let [y, x] = [rows.indexOf(cell.parentElement), cell.cellIndex];
    for (y += step[0], x += step[1]; rows[y] && rows[y].cells[x]; y += step[0], x += step[1]) {
      const target = !rows[y].cells[x].hidden && rows[y].cells[x].querySelector("a, button");
      if (!target) continue;
      event.preventDefault();
      target.focus();
      return;
    }
  }

  function update() {
    filter();
    keep();
  }

  tables.forEach(sortable);
  restore();
  const controls = document.getElementById("controls");
  controls.hidden = false;
  controls.open = window.matchMedia("(min-width: 40.01rem)").matches;
  for (const name of kept) field(name).addEventListener("input", () => { if (name === "baseline") pin(field(name).value); update(); });
  for (const box of [...boxes, ...facts]) box.addEventListener("input", update);
  for (const button of document.querySelectorAll("[data-all]")) button.addEventListener("click", () => {
    for (const box of boxes) box.checked = button.dataset.all === "on";
    update();
  });
  for (const button of document.querySelectorAll(".pin")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const row = button.closest("tr").dataset.row;
      field("baseline").value = field("baseline").value === row ? "" : row;
      pin(field("baseline").value);
      keep();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      controls.open = true;
      field("model").focus();
    } else if (event.key === "Escape") for (const menu of document.querySelectorAll(".menu[open]")) menu.open = false;
    else walk(event);
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  pin(field("baseline").value);
  filter();
})();
