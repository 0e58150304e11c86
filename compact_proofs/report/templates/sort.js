"use strict";
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    if (!heading.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
      const compare = (a, b) => heading.dataset.sort === "number" ? Number(a) - Number(b) : a.localeCompare(b);
      const rows = [...table.tBodies[0].rows].sort((one, two) => {
        const a = key(one), b = key(two);
        if (a === "" || b === "") return (a === "") - (b === "");
        return descending ? compare(b, a) : compare(a, b);
      });
      table.tBodies[0].append(...rows);
    });
  });
}
for (const point of document.querySelectorAll("svg g[id]")) {
  const number = /-(?:bound|missing)-(\d+)$/.exec(point.id);
  if (number) point.addEventListener("click", () => { location.hash = `proof-${number[1]}`; });
}
document.documentElement.classList.add("js");
