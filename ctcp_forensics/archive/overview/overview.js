// The overview: its table searched, narrowed to a bar of the timeline, and a row's commands written out.
// Knows the page as the template writes it.

const ROWS_AT_ONCE = 100;

class Hits {
  constructor(table) {
    this.rows = [...table.tBodies[0].rows];
    this.texts = this.rows.map((row) => row.textContent.toLowerCase());
    this.span = null;
    this.limit = ROWS_AT_ONCE;
    element("more").addEventListener("click", () => this.showMore());
    element("sought").addEventListener("input", () => this.show());
    element("whole").addEventListener("click", () => this.narrow(null));
    element("filters").addEventListener("submit", (event) => event.preventDefault());
    element("filters").hidden = false;
    table.classList.add("can-choose");
    this.show();
  }

  show() {
    const sought = element("sought").value.trim().toLowerCase();
    const found = this.rows.filter((row, at) => this.isInSpan(row) && this.texts[at].includes(sought));
    const shown = new Set(found.slice(0, this.limit));
    for (const row of this.rows) row.hidden = !shown.has(row);
    element("more").hidden = shown.size === found.length;
    element("shown").textContent = `${shown.size} of ${found.length} shown`;
  }

  showMore() {
    this.limit += ROWS_AT_ONCE;
    this.show();
  }

  isInSpan(row) {
    const day = row.dataset.day;
    return !this.span || (day >= this.span.dataset.from && day <= this.span.dataset.to);
  }

  narrow(bar) {
    if (this.span) press(this.span, this.span, false);
    this.span = this.span === bar ? null : bar;
    if (this.span) press(this.span, this.span, true);
    element("whole").hidden = !this.span;
    this.show();
  }

  press(row, isPressed) {
    press(row, row.querySelector("button"), isPressed);
  }

  // The mouse takes the whole row; whoever comes by keyboard or ear finds a button in it, and the table stays one.
  makeChoosable(row) {
    const [start, , client] = [...row.cells].map((cell) => cell.textContent);
    const button = make("button", { type: "button", class: "choose", "aria-label": `${start}, commands for ${client}` }, start);
    row.cells[0].replaceChildren(button);
    this.press(row, false);
    row.addEventListener("click", () => this.tell(row));
  }

  tell(row) {
    for (const one of this.rows) this.press(one, one === row);
    element("said").textContent = `The commands of ${row.cells[0].textContent} stand above the table`;
    const [uri, flow] = [...row.lastElementChild.children].map((part) => part.textContent);
    const figure = document.querySelector("#hits figure");
    figure.querySelector("figcaption").firstChild.textContent = `That of ${row.cells[0].textContent} in full `;
    figure.querySelector("pre").textContent =
      `ctcp-diag analyze ${quoted(uri)}\nctcp-diag annotate ${quoted(uri)} --flow ${flow} -o evidence.pcapng`;
  }
}

// What is shown as chosen, and the button that says so.
function press(part, button, isPressed) {
  part.classList.toggle("chosen", isPressed);
  button.setAttribute("aria-pressed", isPressed);
}

// As a POSIX shell takes one word.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

// A part of a drawing, which no button can be: with the mouse, or with the keyboard.
function chooses(part, choose) {
  part.setAttribute("tabindex", "0");
  part.addEventListener("click", choose);
  part.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  });
}

// A picture to look at becomes a group of buttons.
function makeTimeline(svg, hits) {
  svg.classList.add("can-choose");
  svg.setAttribute("role", "group");
  for (const bar of svg.querySelectorAll(".bar")) {
    bar.setAttribute("role", "button");
    press(bar, bar, false);
    chooses(bar, () => hits.narrow(bar));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".copy");
  if (button) copyFrom(button);
});
showCopyButtons(document);
if (element("hit-table")) {
  const hits = new Hits(element("hit-table"));
  const svg = document.querySelector(".timeline svg");
  if (svg) makeTimeline(svg, hits);
  for (const row of hits.rows) hits.makeChoosable(row);
}
const timeline = document.querySelector(".timeline .wide");
// The newest is what is asked about, and stands at the right, which a narrow window does not show.
if (timeline) timeline.scrollLeft = timeline.scrollWidth;
