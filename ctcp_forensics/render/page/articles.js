// Articles: one flow is read at a time; its address is its number, and its diagram is drawn when it is read.
// Knows which article is where in the file. Does not know what one says.

class Articles {
  constructor(facts) {
    this.facts = facts;
    this.box = element("articles");
    this.chosen = element("chosen");
    this.blocks = [...document.querySelectorAll("script.articles")];
    this.diagram = null;
    this.chosen?.addEventListener("change", () => (location.hash = `flow-${this.chosen.value}`));
    addEventListener("hashchange", () => this.follow());
    if (this.chosen) element("chooser").hidden = false;
  }

  // What the address names, else the first.
  async start() {
    const first = this.box.querySelector("article[data-number]");
    if (!(await this.follow()) && first) await this.show(first);
  }

  async follow() {
    const number = /^#flow-(\d+)$/.exec(location.hash)?.[1];
    const article = number && (await this.find(number));
    if (!article) return false;
    await this.show(article);
    article.focus({ preventScroll: true });
    article.scrollIntoView();
    return true;
  }

  async find(number) {
    return element(`flow-${number}`) ?? (await this.unpacked(number));
  }

  // The text was escaped when it was written, like every other part of the page; its scripts, had it any, may not run.
  async unpacked(number) {
    const block = this.blocks.find((one) => one.dataset.numbers.split(" ").includes(number));
    if (!block) return null;
    const written = (await inflatedJson(block))[number];
    this.box.append(document.createRange().createContextualFragment(written));
    showCopyButtons(this.box);
    return element(`flow-${number}`);
  }

  async show(article) {
    for (const one of this.box.children) one.hidden = one !== article;
    this.choose(article);
    this.diagram?.destroy();
    this.diagram = null;
    const place = article.querySelector(".diagram");
    if (place) await this.draw(article, place);
  }

  choose(article) {
    if (!this.chosen) return;
    const { number } = article.dataset;
    if (![...this.chosen.options].some((option) => option.value === number)) {
      this.chosen.append(make("option", { value: number }, article.querySelector(".eyebrow").textContent));
    }
    this.chosen.value = number;
  }

  async draw(article, place) {
    place.hidden = false;
    try {
      const traces = await this.tracesOf(article.dataset.flow);
      const { direction, turnedUs } = article.dataset;
      this.diagram = new Diagram(place, traces, wayOf(direction, traces), turnedUs ? Number(turnedUs) : null, this.facts.marks);
    } catch (error) {
      place.replaceChildren(make("p", { class: "note" }, `The diagram could not be drawn by this browser: ${error.message}`));
    }
  }

  async tracesOf(flow) {
    const some = this.facts.traces.map((facts, at) => ({ facts, at })).filter(({ facts }) => facts.flow === flow);
    const traces = await Promise.all(
      some.map(async ({ facts, at }) => ({ facts, columns: await columnsOf(facts, element(`trace-${at}`)) })),
    );
    const times = traces.map(({ columns }) => bounds(columns.at));
    const baseUs = Math.min(...times.map(({ first }) => first));
    return traces.map((trace, at) => ({ ...trace, baseUs, lastUs: times[at].last }));
  }
}

// That of the verdict; where it names none, the one in which something was sent.
function wayOf(direction, traces) {
  if (direction) return direction === "headend-to-client" ? HEADEND_TO_CLIENT : CLIENT_TO_HEADEND;
  const sends = (way) => traces.some(({ columns }) => columns.length.some((length, row) => length && columns.direction[row] === way));
  return sends(HEADEND_TO_CLIENT) && !sends(CLIENT_TO_HEADEND) ? HEADEND_TO_CLIENT : CLIENT_TO_HEADEND;
}
