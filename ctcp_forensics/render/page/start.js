// The start: every part finds its place in the page.

const facts = JSON.parse(element("facts").textContent);
const articles = new Articles(facts);

document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".copy");
  if (button) copyFrom(button);
});
showCopyButtons(document);

// Paper has other colours than a dark screen, and nobody can open what is closed there.
const onPaper = matchMedia("print");
onPaper.addEventListener("change", ({ matches }) => {
  for (const details of document.querySelectorAll("details")) {
    if (matches && !details.open) details.dataset.wasClosed = details.open = true;
    else if (!matches && details.dataset.wasClosed) {
      details.open = false;
      delete details.dataset.wasClosed;
    }
  }
  articles.diagram?.repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => articles.diagram?.repaint());

articles.start();
if (element("flow-table")) inflatedJson(element("rows")).then((rows) => new FlowTable(rows, facts));
