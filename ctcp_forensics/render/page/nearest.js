// What is pointed at: the segment nearest to a pixel, and how it is told.
// Knows words. Does not know events: see diagram.js.

const REACH = 28; // CSS pixels around the pointer in which something is meant
const TELLING = ["lost", "again", "filling", "copied", "asked", "sent", "acked", "sacked", "turns", "reset"];
const LETTER = 7; // CSS pixels of a digit on an axis, in a wide font
const LEAST_ROOM = 70; // CSS pixels between two labels: a grid that is no denser than it is read
const LOOKED_AT = 20_000; // of one layer, nearest in time: where more are within reach, no one of them is meant

// The row within reach, or null.
function nearestRow(lane, left, top) {
  const { u, layers } = lane;
  const perPixel = (u.scales.x.max - u.scales.x.min) / u.over.clientWidth;
  const t = u.posToVal(left, "x");
  const y = (byte) => u.valToPos(byte, "y");
  let best = { distance: REACH, row: null };
  for (const kind of TELLING) {
    const layer = layers[kind];
    const middle = layer.at(t);
    const first = Math.max(layer.at(t - REACH * perPixel), middle - LOOKED_AT);
    const end = Math.min(layer.at(t + REACH * perPixel), middle + LOOKED_AT);
    for (let i = first; i < end; i++) {
      const aside = (layer.t[i] - t) / perPixel;
      const above = kind === "turns" || kind === "reset" ? 0 : outside(top, y(layer.high[i]), y(layer.low[i]));
      const distance = Math.hypot(aside, above);
      if (distance < best.distance) best = { distance, row: layer.row[i] };
    }
  }
  return best.row;
}

const outside = (value, low, high) => (value < low ? low - value : value > high ? value - high : 0);

const count = new Intl.NumberFormat("en-US");
const bytes = (number) => (number === 1 ? "1 byte" : `${count.format(number)} bytes`);

// RFC 3339 in UTC, to the microsecond.
function utc(us) {
  const micros = String(us % 1000).padStart(3, "0");
  return new Date(Math.floor(us / 1000)).toISOString().replace("Z", `${micros}Z`);
}

function nameOf(columns, row) {
  const marks = columns.marks[row];
  if (marks & RST) return "RST";
  if (marks & SYN) return columns.ack[row] < 0 ? "SYN" : "SYN, ACK";
  if (marks & FIN) return "FIN";
  return columns.length[row] ? "data" : "ACK";
}

// A heading and lines, as plain text.
function told(trace, row, marksSaid) {
  const { columns, facts } = trace;
  const file = facts.captures[columns.capture[row]] ?? facts.place;
  const way = columns.direction[row] === CLIENT_TO_HEADEND ? "client to headend" : "headend to client";
  const length = columns.length[row];
  const pos = columns.pos[row];
  const lines = [`${nameOf(columns, row)}, ${way}`];
  if (length && pos >= 0) lines.push(`${bytes(length)}: ${count.format(pos)} to ${count.format(pos + length)}`);
  if (columns.ack[row] >= 0) lines.push(`acknowledges up to ${count.format(columns.ack[row])}, window ${count.format(columns.window[row])}`);
  for (const [mark, says] of marksSaid) if (columns.marks[row] & mark) lines.push(says);
  const seconds = ((columns.at[row] - trace.baseUs) / 1e6).toFixed(6);
  lines.push(`${seconds} s, ${utc(columns.at[row])}`);
  return { heading: `Frame ${columns.frame[row]} of ${file}`, lines };
}

// Below the first byte there is room, and nothing to count.
const bytesInWords = (splits) => splits.map((byte) => (byte < 0 ? "" : count.format(byte)));

// As many decimals as tell neighbours apart.
function timesInWords(splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : 1;
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6 * step * 10 ** decimals) decimals++;
  const told = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return splits.map((second) => `${told.format(second)} s`);
}

// CSS pixels from one label to the next, so that none runs into another, by a mad clock either.
function roomForTimes(from, to) {
  const decimals = Math.max(Math.ceil(-Math.log10((to - from) / 10)), 0);
  return Math.max((count.format(Math.ceil(to)).length + decimals + 3) * LETTER, LEAST_ROOM);
}

function spanInWords(ns) {
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(1)} s`;
}
