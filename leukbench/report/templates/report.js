"use strict";
(() => {
  const table = document.getElementById("models-table");
  const body = table.tBodies[0];
  const headings = Array.from(table.tHead.rows[0].cells);
  const rows = Array.from(body.rows);
  const names = rows.map((row) => row.textContent.toLowerCase());

  const compare = (kind, left, right) =>
    kind === "number" ? Number(left) - Number(right) : left.localeCompare(right);

  const sortBy = (place) => {
    const heading = headings[place];
    const kind = heading.dataset.kind;
    const first = kind === "number" ? "descending" : "ascending";
    const other = kind === "number" ? "ascending" : "descending";
    const direction = heading.getAttribute("aria-sort") === first ? other : first;
    headings.forEach((one) => one.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const value = (row) => row.cells[place].dataset.sort;
    const sorted = [...rows].sort((a, b) => {
      // what has no value stands below, whatever the direction
      if (value(a) === "" || value(b) === "") {
        return Number(value(a) === "") - Number(value(b) === "");
      }
      return sign * compare(kind, value(a), value(b));
    });
    body.append(...sorted);
  };
  headings.forEach((heading, place) => {
    heading.querySelector("button").addEventListener("click", () => sortBy(place));
  });

  const filter = document.getElementById("filter");
  const family = document.getElementById("family");
  const shown = document.getElementById("shown");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let visible = 0;
    rows.forEach((row, place) => {
      const fits =
        words.every((word) => names[place].includes(word)) &&
        (family.value === "" || row.dataset.family === family.value);
      row.hidden = !fits;
      visible += Number(fits);
    });
    shown.textContent = `${visible} of ${rows.length} models`;
  };
  filter.addEventListener("input", apply);
  family.addEventListener("change", apply);

  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
  });
})();
