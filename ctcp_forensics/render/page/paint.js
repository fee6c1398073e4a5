// Painting: layers become paths for uPlot, and no pixel is painted twice for nothing.
// Knows pixels. Does not know what is pointed at or chosen: see nearest.js and diagram.js.

const STYLES = {
  hole: { says: "hole: bytes that never came, or came late", color: "--hole", edge: "--hole-edge", paint: holes, width: 1, isFilled: true },
  sacked: { says: "SACK block", color: "--sacked", paint: bars, width: 1, dash: [5, 2] },
  sent: { says: "segment", color: "--sent", paint: bars, width: 1.5 },
  copied: { says: "copy", color: "--copied", paint: bars, width: 1.5, dash: [2, 2] },
  filling: { says: "late: fills a hole", color: "--filling", paint: beams, width: 2.5 },
  again: { says: "retransmission", color: "--again", paint: diamonds, width: 2.5 },
  acked: { says: "acknowledged up to here", color: "--acked", paint: steps, width: 1.5 },
  asked: { says: "duplicate ACK", color: "--asked", paint: dots, isFilled: true },
  lost: { says: "lost segment", color: "--lost", paint: crosses, width: 2.5 },
  turns: { says: "SYN, FIN", color: "--opened", paint: lines, width: 1, dash: [3, 4] },
  reset: { says: "RST", color: "--lost", paint: lines, width: 1.5, dash: [6, 3] },
};
const ROOMY = 12; // CSS pixels for each bar from which on bars are drawn wider
const LEAST_HEIGHT = 2;

const colorOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Canvas pixels of seconds and bytes, without a call of the library for each point.
function projection(u) {
  const { left, top, width, height } = u.bbox;
  const { x, y } = u.scales;
  const perSecond = width / (x.max - x.min);
  const perByte = height / (y.max - y.min);
  return {
    x: (t) => left + (t - x.min) * perSecond,
    y: (byte) => top + (y.max - byte) * perByte,
    from: x.min,
    to: x.max,
    top,
    bottom: top + height,
    ratio: devicePixelRatio || 1,
  };
}

// A bar from the first byte to the last; bars that share a column of pixels and touch are one.
function bars(u, layer) {
  const at = projection(u);
  const path = new Path2D();
  const [first, end] = layer.within(at.from, at.to);
  let column = NaN;
  let top = 0;
  let bottom = 0;
  const close = () => {
    path.moveTo(column, bottom);
    path.lineTo(column, top);
  };
  for (let i = first; i < end; i++) {
    const x = Math.round(at.x(layer.t[i])) + 0.5;
    const low = at.y(layer.low[i]);
    const high = Math.min(at.y(layer.high[i]), low - LEAST_HEIGHT);
    if (x === column && high <= bottom + 1 && low >= top - 1) {
      if (high < top) top = high;
      if (low > bottom) bottom = low;
      continue;
    }
    if (i > first) close();
    column = x;
    top = high;
    bottom = low;
  }
  if (end > first) close();
  return { stroke: path, _width: isRoomy(u, layer) ? 3 : undefined }; // the name that uPlot reads
}

function isRoomy(u, layer) {
  const { from, to, ratio } = projection(u);
  const [first, end] = layer.within(from, to);
  return (end - first) * ROOMY * ratio < u.bbox.width;
}

// Bars with a sign on each, where there is room for it: colours alone tell some eyes nothing.
function marked(u, layer, mark) {
  const drawn = bars(u, layer);
  const at = projection(u);
  const [first, end] = isRoomy(u, layer) ? layer.within(at.from, at.to) : [0, 0];
  for (let i = first; i < end; i++) mark(drawn.stroke, Math.round(at.x(layer.t[i])) + 0.5, at.y(layer.low[i]), at.y(layer.high[i]), 4 * at.ratio);
  return drawn;
}

function diamonds(u, layer) {
  return marked(u, layer, (path, x, low, high, arm) => {
    const y = (low + high) / 2;
    path.moveTo(x - arm, y);
    for (const [right, down] of [[0, -arm], [arm, 0], [0, arm], [-arm, 0]]) path.lineTo(x + right, y + down);
  });
}

function beams(u, layer) {
  return marked(u, layer, (path, x, low, high, arm) => {
    for (const y of [low, high]) {
      path.moveTo(x - arm, y);
      path.lineTo(x + arm, y);
    }
  });
}

// Level, and up where the ACK moves.
function steps(u, layer) {
  const at = projection(u);
  const path = new Path2D();
  const [first, end] = layer.within(at.from, at.to);
  let x = NaN;
  let y = NaN;
  for (let i = first; i < end; i++) {
    const nextX = Math.round(at.x(layer.t[i]));
    const nextY = at.y(layer.high[i]);
    if (i === first) path.moveTo(nextX, nextY);
    else if (nextX !== x || Math.abs(nextY - y) >= 1) {
      path.lineTo(nextX, y);
      path.lineTo(nextX, nextY);
    } else continue;
    x = nextX;
    y = nextY;
  }
  return { stroke: path };
}

function dots(u, layer) {
  const path = new Path2D();
  eachPixel(u, layer, (x, y, ratio) => {
    path.moveTo(x + 3 * ratio, y);
    path.arc(x, y, 3 * ratio, 0, 2 * Math.PI);
  });
  return { fill: path };
}

function crosses(u, layer) {
  const path = new Path2D();
  eachPixel(u, layer, (x, y, ratio) => {
    const arm = 4.5 * ratio;
    path.moveTo(x - arm, y - arm);
    path.lineTo(x + arm, y + arm);
    path.moveTo(x - arm, y + arm);
    path.lineTo(x + arm, y - arm);
  });
  return { stroke: path };
}

// The middle of each, once for each pixel.
function eachPixel(u, layer, draw) {
  const at = projection(u);
  const [first, end] = layer.within(at.from, at.to);
  let before = "";
  for (let i = first; i < end; i++) {
    const x = Math.round(at.x(layer.t[i]));
    const y = Math.round(at.y((layer.low[i] + layer.high[i]) / 2));
    const here = `${x} ${y}`;
    if (here !== before) draw(x, y, at.ratio);
    before = here;
  }
}

function lines(u, layer) {
  const at = projection(u);
  const path = new Path2D();
  const [first, end] = layer.within(at.from, at.to);
  for (let i = first; i < end; i++) {
    const x = Math.round(at.x(layer.t[i])) + 0.5;
    path.moveTo(x, at.top);
    path.lineTo(x, at.bottom);
  }
  return { stroke: path };
}

// Over the whole time in which the bytes were missing; a hole that was never filled stays open.
function holes(u, _layer, lane) {
  const at = projection(u);
  const path = new Path2D();
  for (const hole of lane.holes) {
    const left = at.x(hole.from);
    const right = at.x(Math.min(hole.to ?? at.to, at.to));
    const bottom = at.y(hole.left);
    const top = Math.min(at.y(hole.right), bottom - 2 * LEAST_HEIGHT);
    if (right > left) path.rect(left, top, right - left, bottom - top);
  }
  return { fill: path, stroke: path };
}

// Names of what opened and ended the flow, beside its lines.
function nameTurns(u, lane, kinds, nameOf) {
  const at = projection(u);
  const context = u.ctx;
  context.save();
  context.font = `600 ${11 * at.ratio}px system-ui, sans-serif`;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  for (const kind of kinds) {
    context.fillStyle = colorOf(STYLES[kind].color);
    nameLayer(context, at, lane.layers[kind], nameOf);
  }
  context.restore();
}

// As many names as have room, from the left.
function nameLayer(context, at, layer, nameOf) {
  let free = at.x(at.from);
  for (let i = layer.at(at.from), end = layer.at(at.to); i < end; i++) {
    const name = nameOf(layer.row[i]);
    const width = context.measureText(name).width;
    const beside = at.x(layer.t[i]) + 4 * at.ratio;
    const x = beside + width > at.x(at.to) ? beside - width - 8 * at.ratio : beside;
    if (x < free) continue;
    context.fillText(name, x, at.top + 12 * at.ratio);
    free = x + width + 4 * at.ratio;
  }
}
