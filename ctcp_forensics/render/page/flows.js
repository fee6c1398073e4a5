// The table of all flows: sorted, filtered, and as long as it is asked to be.
// Knows rows as rows.py packs them. Does not know what an article is: see articles.js.

class FlowTable {
  constructor(rows, facts) {
    this.rows = rows;
    this.facts = facts;
    this.limit = facts.rowsAtOnce;
    this.order = { column: null, isDown: false };
    this.body = document.querySelector("#flow-table tbody");
    this.heads = [...document.querySelectorAll("#flow-table thead th")];
    this.heads.forEach((head, column) => this.makeSortable(head, column));
    this.numeric = this.heads.map((head) => head.classList.contains("number"));
    for (const id of ["sought", "verdict"]) element(id).addEventListener("input", () => this.show());
    element("filters").addEventListener("submit", (event) => event.preventDefault());
    element("more").addEventListener("click", () => this.showMore());
    element("filters").hidden = false;
    this.show();
  }

  makeSortable(head, column) {
    const button = make("button", { type: "button", onclick: () => this.sortBy(column) }, head.textContent);
    head.replaceChildren(button);
  }

  sortBy(column) {
    const isDown = this.order.column === column && !this.order.isDown;
    this.order = { column, isDown };
    this.heads.forEach((head) => head.removeAttribute("aria-sort"));
    this.heads[column].setAttribute("aria-sort", isDown ? "descending" : "ascending");
    this.show();
  }

  showMore() {
    this.limit += this.facts.rowsAtOnce;
    this.show();
  }

  show() {
    const found = this.sorted(this.filtered());
    const shown = found.slice(0, this.limit);
    this.body.replaceChildren(...shown.map((row) => this.rowOf(row)));
    element("more").hidden = shown.length === found.length;
    element("shown").textContent = `${count.format(shown.length)} of ${count.format(found.length)} shown`;
  }

  filtered() {
    const sought = element("sought").value.trim().toLowerCase();
    const verdict = element("verdict").value;
    return this.rows.filter(
      (row) =>
        (!verdict || row.cells[this.facts.verdictColumn] === verdict) &&
        (!sought || row.cells.some((cell) => cell.toLowerCase().includes(sought))),
    );
  }

  sorted(rows) {
    const { column, isDown } = this.order;
    if (column === null) return rows;
    const turn = isDown ? -1 : 1;
    return [...rows].sort((one, other) => turn * compared(one.keys[column], other.keys[column]));
  }

  rowOf(row) {
    const cells = row.cells.map((cell, at) => make("td", this.numeric[at] ? { class: "number" } : {}, cell));
    if (row.told) cells[0].replaceChildren(make("a", { href: `#flow-${row.number}` }, row.cells[0]));
    return make("tr", { "data-number": row.number }, ...cells);
  }
}

const compared = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
