"use strict";
(() => {

  function value(row, index) {
    const cell = row.children[index];
    if (index === 0) return cell.dataset.sort;
    return cell.dataset.sort === "" ? NaN : Number(cell.dataset.sort);
  }

  function compare(a, b, direction) {
    if (typeof a === "string") return direction * a.localeCompare(b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return direction * (a - b);
  }

  function sort(table, index, ascending) {
    const direction = ascending ? 1 : -1;
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("divider"));
      rows.sort((a, b) => compare(value(a, index), value(b, index), direction));
      body.append(...rows);
    }
    [...table.tHead.rows[0].cells].forEach((head, other) => {
      if (other === index) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = [...table.tHead.rows[0].cells];
    const label = document.createElement("label");
    const select = document.createElement("select");
    label.className = "sort-by";
    label.append("Sort by ", select);
    table.parentElement.before(label);
    heads.forEach((head, index) => {
      const best = head.dataset.better !== "high";
      const button = document.createElement("button");
      button.type = "button";
      const title = head.querySelector(".title");
      title.replaceWith(button);
      button.append(title);
      button.addEventListener("click", () => {
        const current = head.getAttribute("aria-sort");
        sort(table, index, current ? current !== "ascending" : best);
        select.value = String(index);
      });
      const option = document.createElement("option");
      option.value = String(index);
      option.textContent = title.textContent;
      option.selected = head.hasAttribute("aria-sort");
      select.append(option);
    });
    select.addEventListener("change", () => {
      const index = Number(select.value);
      sort(table, index, heads[index].dataset.better !== "high");
    });
  }

  const theme = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  function paint(name) {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    theme.textContent = `Theme: ${name}`;
    theme.dataset.now = name;
  }
  let stored = null;
  try {
    stored = localStorage.getItem("theme");
  } catch {
    stored = null;
  }
  paint(themes.includes(stored) ? stored : "system");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const name = themes[(themes.indexOf(theme.dataset.now) + 1) % themes.length];
    paint(name);
    try {
      localStorage.setItem("theme", name);
    } catch {
      return;
    }
  });
})();
