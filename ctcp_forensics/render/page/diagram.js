// The diagram: lanes of one flow under one clock, one view, one cursor.
// Knows events and the view. Does not know how layers are painted or told: see paint.js and nearest.js.

const LANE_HEIGHT = { 1: 400, 2: 300, 3: 240 };
const LOWEST_LANE = 200;
const AXIS_FONT = "11px system-ui, sans-serif";
const SHORT_FLOW = 90; // seconds that are shown whole at first
const AROUND = { least: 2, most: 20, before: 0.2 }; // seconds about the turning point, and the part that lies before it
const ZOOM = 1.6;
const MOVE = 0.15; // of the view
const LEAST_VIEW = 1e-5; // seconds: captures know microseconds
const DRAG_BOX = 30; // CSS pixels of height from which on a drag chooses bytes as well

class Diagram {
  constructor(root, traces, direction, turnedUs, marksSaid) {
    this.root = root;
    this.traces = traces;
    this.marksSaid = marksSaid;
    this.turned = turnedUs === null ? null : (turnedUs - traces[0].baseUs) / 1e6;
    this.dragMoves = false;
    this.hidden = new Set();
    this.pointed = { lane: 0, row: null };
    this.duration = Math.max(...traces.map((trace) => (trace.lastUs - trace.baseUs) / 1e6), LEAST_VIEW);
    root.replaceChildren(this.tools(), this.stage(), this.legend(), this.help());
    this.turnTo(direction);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.lanesBox);
  }

  destroy() {
    this.watch.disconnect();
    for (const lane of this.lanes ?? []) lane.u.destroy();
    this.root.replaceChildren();
  }

  // --- what is shown ---

  // The other half of the flow: other layers, the same view of time.
  turnTo(direction) {
    this.direction = direction;
    this.directionButtons.forEach((button, at) => button.setAttribute("aria-pressed", at === direction));
    for (const lane of this.lanes ?? []) lane.u.destroy();
    this.lanesBox.replaceChildren(this.hint);
    this.lanes = this.traces.map((trace, number) => this.laneOf(trace, number));
    this.showLegend();
    if (this.view) this.look(this.view.from, this.view.to);
    else this.begin();
  }

  begin() {
    if (this.duration > SHORT_FLOW && this.turned !== null) this.lookAtTurn();
    else this.lookAtWhole();
  }

  lookAtWhole() {
    const margin = this.duration * 0.02;
    this.look(-margin, this.duration + margin);
  }

  lookAtTurn() {
    const width = Math.min(Math.max(this.duration / 4, AROUND.least), AROUND.most);
    this.look(this.turned - width * AROUND.before, this.turned + width * (1 - AROUND.before));
  }

  // Seconds; bytes only where they were chosen, else all that is there in this time.
  look(from, to, low = null, high = null) {
    const width = Math.min(Math.max(to - from, LEAST_VIEW), this.duration * 1.2);
    const middle = Math.min(Math.max((from + to) / 2, 0), this.duration);
    this.view = { from: middle - width / 2, to: middle + width / 2, low, high };
    const [bottom, top] = low === null ? this.bytesInView() : [low, high];
    for (const { u } of this.lanes) {
      u.batch(() => {
        u.setScale("x", { min: this.view.from, max: this.view.to });
        u.setScale("y", { min: bottom, max: top });
      });
    }
    this.hint.hidden = true;
  }

  bytesInView() {
    const extents = this.lanes.map((lane) => extent(lane.layers, this.view.from, this.view.to));
    const low = Math.min(...extents.map((one) => one[0]));
    const high = Math.max(...extents.map((one) => one[1]));
    if (low > high) return [0, 1];
    const margin = Math.max((high - low) * 0.06, 20);
    return [low - margin, high + margin];
  }

  zoom(factor, center = null) {
    const { from, to, low, high } = this.view;
    const middle = center ?? (from + to) / 2;
    const [start, end] = [middle - (middle - from) / factor, middle + (to - middle) / factor];
    if (low === null) return this.look(start, end);
    const [floor, ceiling] = [(low + high) / 2, (high - low) / 2 / factor];
    return this.look(start, end, floor - ceiling, floor + ceiling);
  }

  move(part) {
    const { from, to, low, high } = this.view;
    const step = (to - from) * part;
    this.look(from + step, to + step, low, high);
  }

  repaint() {
    for (const { u } of this.lanes) u.redraw(true, true);
    this.showLegend();
  }

  resize() {
    const width = this.lanesBox.clientWidth;
    for (const { u } of this.lanes) if (width && width !== u.width) u.setSize({ width, height: this.laneHeight() });
  }

  laneHeight() {
    return LANE_HEIGHT[this.traces.length] ?? LOWEST_LANE;
  }

  // --- lanes ---

  laneOf(trace, number) {
    const seconds = (us) => (us - trace.baseUs) / 1e6;
    const lane = {
      trace,
      number,
      layers: layersOf(trace.columns, this.direction, trace.baseUs),
      holes: trace.facts.holes
        .filter((hole) => hole.direction === this.direction)
        .map((hole) => ({ ...hole, from: seconds(hole.fromUs), to: hole.toUs === null ? null : seconds(hole.toUs) })),
    };
    const box = make("div", { class: "lane", role: "img", "aria-label": this.laneInWords(lane) });
    this.lanesBox.append(make("div", { class: "lane-name" }, make("b", {}, trace.facts.place), this.laneNote(trace)), box);
    lane.u = new uPlot(this.options(lane), this.data(), box);
    return lane;
  }

  laneNote(trace) {
    const { captures, place, clockErrorNs, keepsStep, leftOut } = trace.facts;
    const notes = captures.filter((capture) => capture !== place);
    if (clockErrorNs) notes.push(`clock aligned within ${spanInWords(clockErrorNs)}`);
    if (clockErrorNs === null) notes.push("clock not aligned: this lane cannot be held against the others");
    if (!keepsStep[this.direction]) notes.push("a box on the path made this stream anew: bytes count from its own start");
    if (leftOut) notes.push(`${count.format(leftOut)} earlier segments are not drawn`);
    return make("span", {}, notes.join("; "));
  }

  laneInWords(lane) {
    const { layers, trace } = lane;
    const sent = DATA.reduce((sum, kind) => sum + layers[kind].size, 0);
    return `${trace.facts.place}: ${count.format(sent)} data segments, ${count.format(layers.acked.size)} ACKs, of them ${count.format(layers.asked.size)} duplicate; ${count.format(layers.lost.size)} lost`;
  }

  // uPlot asks for values of each series; what is drawn comes from the layers, and both ends of time are enough for it.
  data() {
    const ends = [0, this.duration];
    return [ends, ...Object.keys(STYLES).map(() => ends)];
  }

  options(lane) {
    const axis = () => ({
      stroke: () => colorOf("--soft"),
      grid: { stroke: () => colorOf("--line"), width: 0.5 },
      ticks: { show: false },
      font: AXIS_FONT,
    });
    return {
      width: this.lanesBox.clientWidth || 800,
      height: this.laneHeight(),
      legend: { show: false },
      padding: [8, 20, 0, 0],
      scales: { x: { time: false, auto: false, min: 0, max: 1 }, y: { auto: false, min: 0, max: 1 } },
      axes: [
        { ...axis(), size: 24, gap: 4, space: (_u, _axis, from, to) => roomForTimes(from, to), values: (_, splits) => timesInWords(splits) },
        { ...axis(), size: 58, gap: 6, space: 34, values: (_, splits) => bytesInWords(splits), label: "bytes", labelSize: 14, labelGap: 0, labelFont: AXIS_FONT },
      ],
      series: [{}, ...Object.entries(STYLES).map(([kind, style]) => this.series(lane, kind, style))],
      cursor: this.cursor(lane),
      hooks: {
        setSelect: [(u) => this.choose(u)],
        setCursor: [(u) => this.point(lane, u)],
        draw: [(u) => nameTurns(u, lane, this.namedKinds(), (row) => nameOf(lane.trace.columns, row))],
      },
    };
  }

  namedKinds() {
    return ["turns", "reset"].filter((kind) => !this.hidden.has(kind));
  }

  series(lane, kind, style) {
    const color = () => colorOf(style.color);
    return {
      label: kind,
      show: !this.hidden.has(kind),
      auto: false,
      pxAlign: 0,
      points: { show: false },
      width: style.width ?? 0,
      stroke: style.isFilled ? style.edge && (() => colorOf(style.edge)) : color,
      fill: style.isFilled ? color : undefined,
      dash: style.dash,
      paths: (u) => ({ clip: null, ...style.paint(u, lane.layers[kind], lane) }),
    };
  }

  cursor(lane) {
    return {
      points: { show: false },
      drag: { x: true, y: true, uni: DRAG_BOX, setScale: false },
      sync: {
        key: this.syncKey,
        setSeries: false,
        scales: ["x", "y"],
        filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
      },
      bind: {
        mousedown: (u, _, handler) => (event) => (this.dragMoves || event.shiftKey ? this.drag(u, event) : handler(event)),
        dblclick: () => () => this.lookAtWhole(),
      },
    };
  }

  // --- pointing ---

  choose(u) {
    const { left, top, width, height } = u.select;
    if (width < 4) return;
    const [from, to] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    const isBox = height < u.over.clientHeight && height > DRAG_BOX;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (isBox) this.look(from, to, u.posToVal(top + height, "y"), u.posToVal(top, "y"));
    else this.look(from, to);
  }

  drag(u, start) {
    const { from, to, low, high } = this.view;
    const perPixel = (to - from) / u.over.clientWidth;
    const move = (event) => {
      const step = (start.clientX - event.clientX) * perPixel;
      this.look(from + step, to + step, low, high);
    };
    const stop = () => {
      this.lanesBox.classList.remove("is-panning");
      removeEventListener("mousemove", move);
      removeEventListener("mouseup", stop);
    };
    this.lanesBox.classList.add("is-panning");
    addEventListener("mousemove", move);
    addEventListener("mouseup", stop);
  }

  // Of the lanes that follow the cursor only the one under the pointer speaks.
  point(lane, u) {
    if (!u.over.matches(":hover")) return;
    const { left, top } = u.cursor;
    const row = left < 0 ? null : nearestRow(lane, left, top);
    if (row === null) this.hint.hidden = true;
    else this.tell(lane, row, left, top);
  }

  tell(lane, row, left, top) {
    this.pointed = { lane: lane.number, row };
    const { heading, lines } = told(lane.trace, row, this.marksSaid);
    this.hint.replaceChildren(make("b", {}, heading), ...lines.map((line) => make("div", {}, line)));
    this.hint.hidden = false;
    const box = this.lanesBox.getBoundingClientRect();
    const over = lane.u.over.getBoundingClientRect();
    const x = over.left - box.left + left;
    const isRight = x + 16 + this.hint.offsetWidth > box.width;
    const beside = isRight ? Math.max(x - 16 - this.hint.offsetWidth, 0) : x + 16;
    const below = Math.min(over.top - box.top + top + 12, box.height - this.hint.offsetHeight);
    this.hint.style.left = `${beside}px`;
    this.hint.style.top = `${below}px`;
    return [heading, ...lines].join(". ");
  }

  wheel(event) {
    const isAskedFor = event.ctrlKey || this.lanesBox.contains(document.activeElement);
    if (!isAskedFor) return; // else nobody could scroll past the diagram
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      this.move(Math.sign(event.deltaX || event.deltaY) * 0.08);
      return;
    }
    const lane = this.lanes.find(({ u }) => u.root.contains(event.target));
    if (!lane) return;
    const left = event.clientX - lane.u.over.getBoundingClientRect().left;
    this.zoom(event.deltaY < 0 ? 1.25 : 1 / 1.25, lane.u.posToVal(left, "x"));
  }

  // --- keys ---

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = {
      ArrowLeft: () => this.move(-MOVE),
      ArrowRight: () => this.move(MOVE),
      ArrowUp: () => this.step(0, -1),
      ArrowDown: () => this.step(0, 1),
      "+": () => this.zoom(ZOOM),
      "=": () => this.zoom(ZOOM),
      "-": () => this.zoom(1 / ZOOM),
      0: () => this.lookAtWhole(),
      t: () => this.turned === null || this.lookAtTurn(),
      n: () => this.step(1, 0),
      p: () => this.step(-1, 0),
      Escape: () => (this.hint.hidden = true),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  // The next segment of this lane, or the nearest in time of another, told aloud.
  step(forward, lanes) {
    const number = Math.min(Math.max(this.pointed.lane + lanes, 0), this.lanes.length - 1);
    const lane = this.lanes[number];
    const { at } = lane.trace.columns;
    const row = this.nextRow(lane, forward);
    if (row === null) return;
    const t = (at[row] - lane.trace.baseUs) / 1e6;
    if (t < this.view.from || t > this.view.to) this.move((t - (this.view.from + this.view.to) / 2) / (this.view.to - this.view.from));
    const byte = this.byteOf(lane, row);
    const [left, top] = [lane.u.valToPos(t, "x"), lane.u.valToPos(byte, "y")];
    for (const { u } of this.lanes) u.setCursor({ left, top: u.valToPos(byte, "y") }, false);
    element("said").textContent = `${lane.trace.facts.place}: ${this.tell(lane, row, left, top)}`;
  }

  nextRow(lane, forward) {
    const { at } = lane.trace.columns;
    const { row, lane: before } = this.pointed;
    if (row === null || before !== lane.number) {
      const us = row === null ? (this.turned ?? this.view.from) * 1e6 + lane.trace.baseUs : this.traces[before].columns.at[row];
      const found = at.findIndex((time) => time >= us - 1);
      return found < 0 ? (at.length ? at.length - 1 : null) : found;
    }
    const next = row + forward;
    return next >= 0 && next < at.length ? next : row;
  }

  byteOf(lane, row) {
    const { columns } = lane.trace;
    const byte = columns.direction[row] === this.direction ? columns.pos[row] : columns.ack[row];
    const { min, max } = lane.u.scales.y;
    return Math.min(Math.max(byte, min), max);
  }

  // --- what stands around the lanes ---

  tools() {
    const button = (says, act) => make("button", { type: "button", onclick: act }, says);
    const signed = (sign, says, act) => make("button", { type: "button", title: says, "aria-label": says, onclick: act }, sign);
    const words = ["client to headend", "headend to client"];
    this.directionButtons = words.map((says, way) =>
      make("button", { type: "button", "aria-pressed": "false", onclick: () => this.turnTo(way) }, says),
    );
    this.turnButton = button("Turning point", () => this.lookAtTurn());
    this.turnButton.hidden = this.turned === null;
    this.dragButton = make("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggleDrag() }, "Drag to move");
    const group = (label, ...buttons) => make("div", { class: "group", role: "group", "aria-label": label }, ...buttons);
    return make(
      "div",
      { class: "tools" },
      group("Direction", ...this.directionButtons),
      group("View", this.turnButton, button("Whole flow", () => this.lookAtWhole())),
      group(
        "Zoom and move",
        signed("+", "Zoom in", () => this.zoom(ZOOM)),
        signed("−", "Zoom out", () => this.zoom(1 / ZOOM)),
        signed("←", "Earlier", () => this.move(-MOVE)),
        signed("→", "Later", () => this.move(MOVE)),
        this.dragButton,
      ),
    );
  }

  toggleDrag() {
    this.dragMoves = !this.dragMoves;
    this.dragButton.setAttribute("aria-pressed", this.dragMoves);
  }

  stage() {
    this.syncKey = `flow-${this.traces[0].facts.flow}`;
    this.hint = make("div", { class: "hint", hidden: "" });
    this.lanesBox = make("div", {
      class: "lanes",
      tabindex: "0",
      role: "application",
      "aria-label": "Time-sequence diagram: bytes over time at each place. Keys n and p tell segment by segment; the table of decisive moments below has the essence.",
      onkeydown: (event) => this.key(event),
      onmouseleave: () => (this.hint.hidden = true),
    });
    this.lanesBox.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    return this.lanesBox;
  }

  legend() {
    this.legendBox = make("ul", { class: "legend", "aria-label": "What is drawn" });
    return this.legendBox;
  }

  // Only what is there; a click takes it away.
  showLegend() {
    const isThere = (kind) => this.lanes.some((lane) => (kind === "hole" ? lane.holes.length : lane.layers[kind].size));
    const entries = Object.entries(STYLES).filter(([kind]) => isThere(kind));
    this.legendBox.replaceChildren(...entries.map(([kind, style]) => make("li", {}, this.legendEntry(kind, style))));
  }

  legendEntry(kind, style) {
    const button = make(
      "button",
      { type: "button", "aria-pressed": !this.hidden.has(kind), onclick: () => this.toggle(kind, button) },
      sign(kind, colorOf(style.color)),
      style.says,
    );
    return button;
  }

  toggle(kind, button) {
    if (!this.hidden.delete(kind)) this.hidden.add(kind);
    button.setAttribute("aria-pressed", !this.hidden.has(kind));
    const index = Object.keys(STYLES).indexOf(kind) + 1;
    for (const { u } of this.lanes) u.setSeries(index, { show: !this.hidden.has(kind) });
  }

  help() {
    const keys = [
      ["← →", "move"],
      ["+ −", "zoom"],
      ["0", "whole flow"],
      ["T", "the turning point"],
      ["N P", "next and previous segment, told"],
      ["↑ ↓", "another place"],
    ];
    const told = keys.flatMap(([key, says]) => [make("kbd", {}, key), ` ${says}  `]);
    return make(
      "details",
      { class: "keys-help" },
      make("summary", {}, "How to move in it"),
      make("p", {}, "Drag to zoom, with Shift to move; double-click for the whole flow. After a click into the diagram, or with Ctrl, the wheel zooms."),
      make("p", {}, ...told),
    );
  }
}
