// Layers: one direction of one trace, sorted into what is drawn alike.
// Knows what each mark means for the eye. Does not draw: see paint.js.

const SYN = 1;
const FIN = 2;
const RST = 4;
const AGAIN = 8;
const FILLING = 16;
const COPY = 32;
const DUPLICATE_ACK = 128;
const ZERO_WINDOW = 1024;
const LOST = 4096;
const TURNS = SYN | FIN | RST;
const CLIENT_TO_HEADEND = 0;
const HEADEND_TO_CLIENT = 1;

// What is drawn alike: times in seconds, from which byte to which, and the row that says so.
class Layer {
  constructor(size) {
    this.t = new Float64Array(size);
    this.low = new Float64Array(size);
    this.high = new Float64Array(size);
    this.row = new Uint32Array(size);
    this.size = 0;
  }

  add(t, low, high, row) {
    const i = this.size++;
    this.t[i] = t;
    this.low[i] = low;
    this.high[i] = high;
    this.row[i] = row;
  }

  // The first of what is at or after a time.
  at(t) {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.t[middle] < t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // From and up to which index a stretch of time is; one more on either side, so that lines run on.
  within(from, to) {
    return [Math.max(this.at(from) - 1, 0), Math.min(this.at(to) + 1, this.size)];
  }
}

// Which layer a data segment belongs to; what is worst is said first.
function kindOfData(marks) {
  if (marks & LOST) return "lost";
  if (marks & COPY) return "copied";
  if (marks & AGAIN) return "again";
  return marks & FILLING ? "filling" : "sent";
}

const kindOfTurn = (marks) => (marks & RST ? "reset" : "turns");

const DATA = ["sent", "again", "filling", "copied", "lost"];

function layersOf(columns, direction, baseUs) {
  const rows = rowsInTime(columns.at);
  const count = counted(columns, direction);
  const layers = Object.fromEntries(Object.entries(count).map(([kind, size]) => [kind, new Layer(size)]));
  let highest = -1;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    const t = (columns.at[row] - baseUs) / 1e6;
    const marks = columns.marks[row];
    if (columns.direction[row] === direction) {
      const low = columns.pos[row];
      if (low >= 0 && columns.length[row] > 0) layers[kindOfData(marks)].add(t, low, low + columns.length[row], row);
    } else if (columns.ack[row] >= 0) {
      highest = Math.max(highest, columns.ack[row]);
      layers.acked.add(t, highest, highest, row);
      if (marks & DUPLICATE_ACK) layers.asked.add(t, columns.ack[row], columns.ack[row], row);
    }
    if (marks & TURNS) layers[kindOfTurn(marks)].add(t, 0, 0, row);
  }
  addSacks(layers.sacked, columns, direction, baseUs);
  return layers;
}

// How large each layer will be: arrays do not grow.
function counted(columns, direction) {
  const count = { sent: 0, again: 0, filling: 0, copied: 0, lost: 0, acked: 0, asked: 0, turns: 0, reset: 0, sacked: 0 };
  for (let row = 0; row < columns.at.length; row++) {
    const marks = columns.marks[row];
    if (columns.direction[row] === direction) {
      if (columns.pos[row] >= 0 && columns.length[row] > 0) count[kindOfData(marks)]++;
    } else if (columns.ack[row] >= 0) {
      count.acked++;
      if (marks & DUPLICATE_ACK) count.asked++;
    }
    if (marks & TURNS) count[kindOfTurn(marks)]++;
  }
  for (const row of columns.sackRow) if (columns.direction[row] !== direction) count.sacked++;
  return count;
}

function addSacks(layer, columns, direction, baseUs) {
  for (let i = 0; i < columns.sackRow.length; i++) {
    const row = columns.sackRow[i];
    if (columns.direction[row] === direction) continue;
    const left = columns.sackLeft[i];
    layer.add((columns.at[row] - baseUs) / 1e6, left, left + columns.sackLength[i], row);
  }
}

// Rows as time has them: a clock that was set back leaves them out of order.
function rowsInTime(at) {
  const rows = new Uint32Array(at.length);
  let isInOrder = true;
  for (let row = 0; row < rows.length; row++) {
    rows[row] = row;
    if (row && at[row - 1] > at[row]) isInOrder = false;
  }
  return isInOrder ? rows : rows.sort((one, other) => at[one] - at[other] || one - other);
}

// The first and the last time there is.
function bounds(at) {
  let [first, last] = [Infinity, -Infinity];
  for (let row = 0; row < at.length; row++) {
    if (at[row] < first) first = at[row];
    if (at[row] > last) last = at[row];
  }
  return { first, last };
}

// What the eye must find between two times, from the lowest byte to the highest.
function extent(layers, from, to) {
  let low = Infinity;
  let high = -Infinity;
  for (const kind of [...DATA, "acked", "sacked"]) {
    const layer = layers[kind];
    for (let i = layer.at(from), end = layer.at(to); i < end; i++) {
      if (layer.low[i] < low) low = layer.low[i];
      if (layer.high[i] > high) high = layer.high[i];
    }
  }
  return [low, high];
}
